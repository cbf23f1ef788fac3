//! Writes marshal version 4 straight into the output buffer: no value is built on the way.

use functions::plan::Argument;

use super::big;

const FLAG_REF: u8 = 0x80;

/// Strings that one frame spells once and then refers to: record keys, type names, stream fields.
///
/// Invariant: the n-th name was written with `FLAG_REF` as the n-th such object of its frame.
#[derive(Debug, Default)]
pub(crate) struct Names {
    seen: Vec<Box<str>>,
}

/// Beyond this many, looking a name up costs more than spelling it.
const NAMES_MAX: usize = 24;
const NAME_BYTES_MAX: usize = 48;

impl Names {
    pub(crate) fn clear(&mut self) {
        self.seen.clear();
    }
}

pub(crate) struct Writer<'a> {
    pub(crate) out: &'a mut Vec<u8>,
    pub(crate) names: &'a mut Names,
    /// Something was written that Python has to revive: see [`Writer::redis`] and [`Writer::argument`].
    pub(crate) marked: bool,
}

impl<'a> Writer<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>, names: &'a mut Names) -> Self {
        Writer { out, names, marked: false }
    }

    pub(crate) fn none(&mut self) {
        self.out.push(b'N');
    }

    pub(crate) fn bool(&mut self, value: bool) {
        self.out.push(if value { b'T' } else { b'F' });
    }

    pub(crate) fn int(&mut self, value: i64) {
        if let Ok(small) = i32::try_from(value) {
            self.out.push(b'i');
            self.out.extend_from_slice(&small.to_le_bytes());
            return;
        }
        let mut digits = Vec::with_capacity(5);
        let mut rest = value.unsigned_abs();
        while rest > 0 {
            digits.push((rest & 0x7fff) as u16);
            rest >>= 15;
        }
        self.long(value < 0, &digits);
    }

    fn long(&mut self, negative: bool, digits: &[u16]) {
        let count = i32::try_from(digits.len()).expect("bounded by DIGITS_MAX");
        self.out.push(b'l');
        self.out.extend_from_slice(&(if negative { -count } else { count }).to_le_bytes());
        for digit in digits {
            self.out.extend_from_slice(&digit.to_le_bytes());
        }
    }

    pub(crate) fn float(&mut self, value: f64) {
        self.out.push(b'g');
        self.out.extend_from_slice(&value.to_le_bytes());
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.out.push(b's');
        self.length(bytes.len());
        self.out.extend_from_slice(bytes);
    }

    pub(crate) fn text(&mut self, text: &str) {
        match (text.is_ascii(), u8::try_from(text.len())) {
            (true, Ok(length)) => self.out.extend_from_slice(&[b'z', length]),
            (true, Err(_)) => {
                self.out.push(b'a');
                self.length(text.len());
            }
            (false, _) => {
                self.out.push(b'u');
                self.length(text.len());
            }
        }
        self.out.extend_from_slice(text.as_bytes());
    }

    /// A string that will come again in this frame: spelled (and interned by Python) the first time only.
    pub(crate) fn name(&mut self, name: &str) {
        if let Some(at) = self.names.seen.iter().position(|seen| **seen == *name) {
            self.out.push(b'r');
            self.length(at);
        } else if name.is_ascii()
            && name.len() <= NAME_BYTES_MAX
            && self.names.seen.len() < NAMES_MAX
        {
            self.names.seen.push(name.into());
            self.out.extend_from_slice(&[b'Z' | FLAG_REF, name.len() as u8]);
            self.out.extend_from_slice(name.as_bytes());
        } else {
            self.text(name);
        }
    }

    /// Bytes of the keyspace: text where they are UTF-8, otherwise what Python revives as a `bytearray`.
    pub(crate) fn redis(&mut self, bytes: &[u8]) {
        match str::from_utf8(bytes) {
            Ok(text) => self.text(text),
            Err(_) => {
                self.marked = true;
                self.tuple(2);
                self.out.push(b'.');
                self.bytes(bytes);
            }
        }
    }

    pub(crate) fn tuple(&mut self, length: u8) {
        self.out.extend_from_slice(&[b')', length]);
    }

    /// Starts a list whose length is not known yet; [`Writer::close_list`] fills it in.
    pub(crate) fn open_list(&mut self) -> usize {
        self.out.push(b'[');
        let at = self.out.len();
        self.length(0);
        at
    }

    pub(crate) fn close_list(&mut self, at: usize, length: usize) {
        self.out[at..at + 4].copy_from_slice(&wire_length(length));
    }

    pub(crate) fn list(&mut self, length: usize) {
        self.out.push(b'[');
        self.length(length);
    }

    pub(crate) fn open_dict(&mut self) {
        self.out.push(b'{');
    }

    pub(crate) fn close_dict(&mut self) {
        self.out.push(b'0');
    }

    pub(crate) fn argument(&mut self, value: &Argument) {
        match value {
            Argument::None => self.none(),
            Argument::Bool(value) => self.bool(*value),
            Argument::Int(value) => self.int(*value),
            Argument::BigInt(text) => match big::from_decimal(text) {
                Some((negative, digits)) => self.long(negative, &digits),
                None => self.text(text),
            },
            Argument::Float(value) => self.float(*value),
            Argument::Text(text) => self.text(text),
            Argument::Bytes(bytes) => self.bytes(bytes),
            Argument::List(items) => {
                self.list(items.len());
                items.iter().for_each(|item| self.argument(item));
            }
            Argument::Tuple(items) => {
                match u8::try_from(items.len()) {
                    Ok(length) => self.tuple(length),
                    Err(_) => {
                        self.out.push(b'(');
                        self.length(items.len());
                    }
                }
                items.iter().for_each(|item| self.argument(item));
            }
            Argument::Dict(pairs) => {
                self.open_dict();
                for (key, value) in pairs {
                    self.argument(key);
                    self.argument(value);
                }
                self.close_dict();
            }
            Argument::Set(items) => {
                self.out.push(b'<');
                self.length(items.len());
                items.iter().for_each(|item| self.argument(item));
            }
            // Told from a user's own tuple by the ellipsis, which itself only ever travels as a pickle.
            Argument::Pickle(bytes) => {
                self.marked = true;
                self.tuple(3);
                self.out.push(b'.');
                self.bytes(bytes);
                self.none();
            }
        }
    }

    fn length(&mut self, length: usize) {
        self.out.extend_from_slice(&wire_length(length));
    }
}

fn wire_length(length: usize) -> [u8; 4] {
    i32::try_from(length).expect("values are bounded far below 2 GiB").to_le_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl Fn(&mut Writer<'_>)) -> Vec<u8> {
        let (mut out, mut names) = (Vec::new(), Names::default());
        write(&mut Writer::new(&mut out, &mut names));
        out
    }

    #[test]
    fn a_name_is_spelled_once_and_referred_to_afterwards() {
        let bytes = written(|to| {
            to.name("key");
            to.name("value");
            to.name("key");
        });
        assert_eq!(bytes, b"\xda\x03key\xda\x05valuer\0\0\0\0");
    }

    #[test]
    fn bytes_that_are_not_text_are_marked_for_revival() {
        let (mut out, mut names) = (Vec::new(), Names::default());
        let mut to = Writer::new(&mut out, &mut names);
        to.redis(b"ok");
        assert!(!to.marked);
        to.redis(b"\xff");
        assert!(to.marked);
    }

    #[test]
    fn a_wide_integer_is_cut_into_15_bit_digits() {
        assert_eq!(written(|to| to.int(1 << 31)), b"l\x03\0\0\0\0\0\0\0\x02\0");
        assert_eq!(written(|to| to.int(-1)), b"i\xff\xff\xff\xff");
    }
}
