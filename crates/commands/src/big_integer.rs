use std::cmp::Ordering;

/// A natural number of any size, with no more arithmetic than reading and writing floats exactly needs.
#[derive(Clone, Debug, Default)]
pub(crate) struct BigInteger {
    /// The lowest first, without zeros at the end.
    words: Vec<u32>,
}

impl From<u64> for BigInteger {
    fn from(value: u64) -> Self {
        let mut number = BigInteger { words: vec![value as u32, (value >> 32) as u32] };
        number.trim();
        number
    }
}

impl BigInteger {
    fn trim(&mut self) {
        while self.words.last() == Some(&0) {
            self.words.pop();
        }
    }

    pub(crate) fn is_zero(&self) -> bool {
        self.words.is_empty()
    }

    pub(crate) fn bits(&self) -> u32 {
        self.words.last().map_or(0, |last| self.words.len() as u32 * 32 - last.leading_zeros())
    }

    pub(crate) fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for word in &mut self.words {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            self.words.push(carry as u32);
        }
    }

    pub(crate) fn shift_left(&mut self, bits: u32) {
        if self.is_zero() {
            return;
        }
        let rest = bits % 32;
        if rest > 0 {
            let mut carry = 0;
            for word in &mut self.words {
                let shifted = u64::from(*word) << rest | carry;
                *word = shifted as u32;
                carry = shifted >> 32;
            }
            if carry > 0 {
                self.words.push(carry as u32);
            }
        }
        let zeros = std::iter::repeat_n(0, (bits / 32) as usize);
        self.words.splice(0..0, zeros);
    }

    pub(crate) fn compare(&self, other: &BigInteger) -> Ordering {
        let by_length = self.words.len().cmp(&other.words.len());
        by_length.then_with(|| self.words.iter().rev().cmp(other.words.iter().rev()))
    }

    /// `other` must not be the greater one.
    pub(crate) fn subtract(&mut self, other: &BigInteger) {
        let mut borrow = 0i64;
        for (index, word) in self.words.iter_mut().enumerate() {
            let subtrahend = other.words.get(index).copied().unwrap_or(0);
            let difference = i64::from(*word) - i64::from(subtrahend) - borrow;
            borrow = i64::from(difference < 0);
            *word = difference as u32;
        }
        assert!(borrow == 0, "the subtrahend is not greater");
        self.trim();
    }

    pub(crate) fn to_decimal(&self) -> String {
        const GROUP: u64 = 1_000_000_000;
        let mut rest = self.clone();
        let mut groups = Vec::new();
        while !rest.is_zero() {
            let mut remainder = 0u64;
            for word in rest.words.iter_mut().rev() {
                let dividend = remainder << 32 | u64::from(*word);
                *word = (dividend / GROUP) as u32;
                remainder = dividend % GROUP;
            }
            rest.trim();
            groups.push(remainder);
        }
        let mut text = groups.pop().unwrap_or(0).to_string();
        for group in groups.iter().rev() {
            text.push_str(&format!("{group:09}"));
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(text: &str) -> BigInteger {
        let mut number = BigInteger::default();
        text.bytes().for_each(|digit| number.multiply_add(10, u32::from(digit - b'0')));
        number
    }

    #[test]
    fn a_number_is_written_as_it_is_read() {
        for text in
            ["0", "7", "4294967296", "1000000000", "340282366920938463463374607431768211456"]
        {
            assert_eq!(number(text).to_decimal(), text);
        }
    }

    #[test]
    fn shifting_doubles_and_subtraction_undoes() {
        let mut shifted = number("3");
        shifted.shift_left(100);
        assert_eq!(shifted.to_decimal(), "3802951800684688204490109616128");
        assert_eq!(shifted.bits(), 102);
        assert_eq!(shifted.compare(&number("4")), Ordering::Greater);
        let same = shifted.clone();
        shifted.subtract(&same);
        assert!(shifted.is_zero());
    }
}
