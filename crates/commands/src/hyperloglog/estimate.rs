//! From registers to a count: the estimator of Otmar Ertl, "New cardinality estimation algorithms for HyperLogLog
//! sketches" (arXiv:1702.01284), which needs no tables and no correction of bias.

use super::registers::{REGISTERS, VALUE_MAX, VALUES};

/// How many registers have each value: that is all that the estimate depends on.
pub(super) fn estimate(histogram: &[u32; VALUES]) -> u64 {
    /// 1 / (2 ln 2)
    const ALPHA: f64 = 0.721_347_520_444_481_7;
    let count = REGISTERS as f64;

    let saturated = f64::from(histogram[usize::from(VALUE_MAX)]);
    let mut sum = count * tau((count - saturated) / count);
    for &registers in histogram[1..usize::from(VALUE_MAX)].iter().rev() {
        sum = (sum + f64::from(registers)) * 0.5;
    }
    sum += count * sigma(f64::from(histogram[0]) / count);
    (ALPHA * count * count / sum).round() as u64
}

/// x + sum of x^(2^k) 2^(k-1): the part of the registers that nothing fell into.
fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut weight, mut sum) = (1.0, x);
    loop {
        x *= x;
        let before = sum;
        sum += x * weight;
        weight += weight;
        if sum == before {
            return sum;
        }
    }
}

/// A third of 1 - x - sum of (1 - x^(2^-k))^2 2^-k: the part of the registers that are full.
fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut weight, mut sum) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - x) * (1.0 - x) * weight;
        if sum == before {
            return sum / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hyperloglog::hash::place;
    use crate::hyperloglog::registers::Registers;

    #[test]
    fn an_estimate_is_off_by_little() {
        let mut registers = Registers::new();
        let mut added = 0;
        for target in [0_u64, 1, 10, 1_000, 20_000, 100_000, 500_000] {
            while added < target {
                let (index, value) = place(added.to_string().as_bytes());
                registers.raise(index, value);
                added += 1;
            }
            let estimated = estimate(&registers.histogram());
            assert!(estimated.abs_diff(target) * 33 <= target, "{target}: {estimated}");
        }
    }

    #[test]
    fn full_registers_do_not_break_it() {
        let mut histogram = [0; VALUES];
        histogram[usize::from(VALUE_MAX)] = REGISTERS as u32;
        assert_eq!(estimate(&histogram), u64::MAX);
    }
}
