//! The sparse encoding: runs of equal registers.
//!
//! ```text
//! 00llllll            l + 1 registers are zero
//! 01llllll llllllll   l + 1 registers are zero
//! 1vvvvvll            l + 1 registers are v + 1
//! ```

use super::registers::{REGISTERS, VALUES};

/// What a run can say at most; a register beyond it needs the dense encoding.
const VALUE_MAX: u8 = 32;
const VALUE_RUN_MAX: usize = 4;
const SHORT_ZEROS_MAX: usize = 64;
/// How many runs are looked at for neighbours to be joined: all that a change can have touched.
const RUNS_TOUCHED_MAX: usize = 5;

/// All registers zero.
pub(super) const EMPTY: [u8; 2] = [0x7f, 0xff];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Run {
    pub(super) value: u8,
    pub(super) len: usize,
    /// How many bytes say so.
    size: usize,
}

/// The runs do not add up to the registers there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Corrupt;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Raised {
    Unchanged,
    Changed,
    /// The dense encoding must take over: the value or the sketch is too large.
    TooLarge,
}

fn read(runs: &[u8], at: usize) -> Result<Run, Corrupt> {
    let first = *runs.get(at).ok_or(Corrupt)?;
    let low = usize::from(first & 0x3f);
    Ok(match first >> 6 {
        0 => Run { value: 0, len: low + 1, size: 1 },
        1 => {
            let second = *runs.get(at + 1).ok_or(Corrupt)?;
            Run { value: 0, len: (low << 8 | usize::from(second)) + 1, size: 2 }
        }
        _ => Run { value: (first >> 2 & 0x1f) + 1, len: usize::from(first & 3) + 1, size: 1 },
    })
}

/// Visits every run with the index of its first register. What it visited before it found them corrupt, it visited.
pub(super) fn walk(runs: &[u8], mut visit: impl FnMut(usize, Run)) -> Result<(), Corrupt> {
    let (mut at, mut index) = (0, 0);
    while at < runs.len() {
        let run = read(runs, at)?;
        if index + run.len > REGISTERS {
            return Err(Corrupt);
        }
        visit(index, run);
        at += run.size;
        index += run.len;
    }
    if index == REGISTERS { Ok(()) } else { Err(Corrupt) }
}

pub(super) fn histogram(runs: &[u8]) -> Result<[u32; VALUES], Corrupt> {
    let mut histogram = [0; VALUES];
    walk(runs, |_, run| histogram[usize::from(run.value)] += run.len as u32)?;
    Ok(histogram)
}

/// Raises a register. `runs_at` is where the runs begin, and `len_max` what `bytes` may come to.
pub(super) fn raise(
    bytes: &mut Vec<u8>,
    runs_at: usize,
    index: usize,
    value: u8,
    len_max: usize,
) -> Result<Raised, Corrupt> {
    if value > VALUE_MAX {
        return Ok(Raised::TooLarge);
    }
    let (mut at, mut first, mut previous) = (runs_at, 0, None);
    let run = loop {
        let run = read(bytes, at)?;
        if index < first + run.len {
            break run;
        }
        previous = Some(at);
        at += run.size;
        first += run.len;
    };
    if run.value >= value {
        return Ok(Raised::Unchanged);
    }

    // The run falls into what is before the register, the register and what is after it.
    let mut parts = Vec::with_capacity(RUNS_TOUCHED_MAX);
    write(&mut parts, run.value, index - first);
    write(&mut parts, value, 1);
    write(&mut parts, run.value, first + run.len - 1 - index);
    let grown = bytes.len() - run.size + parts.len();
    if parts.len() > run.size && grown > len_max {
        return Ok(Raised::TooLarge);
    }
    bytes.splice(at..at + run.size, parts);
    join(bytes, previous.unwrap_or(runs_at));
    Ok(Raised::Changed)
}

fn write(runs: &mut Vec<u8>, value: u8, len: usize) {
    match (value, len) {
        (_, 0) => {}
        (0, 1..=SHORT_ZEROS_MAX) => runs.push(len as u8 - 1),
        (0, _) => runs.extend([0x40 | ((len - 1) >> 8) as u8, (len - 1) as u8]),
        _ => runs.push(0x80 | (value - 1) << 2 | (len as u8 - 1)),
    }
}

/// Joins neighbours of the same value around a change.
fn join(bytes: &mut Vec<u8>, mut at: usize) {
    for _ in 0..RUNS_TOUCHED_MAX {
        let Ok(run) = read(bytes, at) else { return };
        if run.value > 0
            && let Ok(next) = read(bytes, at + 1)
            && next.value == run.value
            && run.len + next.len <= VALUE_RUN_MAX
        {
            let mut joined = Vec::with_capacity(1);
            write(&mut joined, run.value, run.len + next.len);
            bytes.splice(at..at + 2, joined);
            continue;
        }
        at += run.size;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registers(runs: &[u8]) -> Vec<u8> {
        let mut registers = Vec::new();
        walk(runs, |_, run| registers.extend(vec![run.value; run.len])).expect("whole runs");
        registers
    }

    #[test]
    fn any_mix_of_raises_is_that_of_an_array() {
        let mut runs = EMPTY.to_vec();
        let mut model = vec![0; REGISTERS];
        let mut seed = 7_u64;
        for _ in 0..3_000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (index, value) = ((seed >> 33) as usize % 300, (seed >> 20) as u8 % 4 + 1);
            let expected = if model[index] < value { Raised::Changed } else { Raised::Unchanged };
            model[index] = value.max(model[index]);
            assert_eq!(raise(&mut runs, 0, index, value, usize::MAX), Ok(expected));
            assert_eq!(registers(&runs), model);
        }
    }

    #[test]
    fn large_values_and_long_sketches_are_left_to_the_dense_encoding() {
        let mut runs = EMPTY.to_vec();
        assert_eq!(raise(&mut runs, 0, 0, 33, usize::MAX), Ok(Raised::TooLarge));
        assert_eq!(raise(&mut runs, 0, 9_000, 1, 4), Ok(Raised::TooLarge));
        assert_eq!(raise(&mut runs, 0, 9_000, 1, 5), Ok(Raised::Changed));
    }

    #[test]
    fn runs_that_do_not_add_up_are_corrupt() {
        for runs in [&b""[..], &[0x7f], &[0x7f, 0xff, 0x00], &[0x00], &[0x80]] {
            assert_eq!(histogram(runs), Err(Corrupt), "{runs:?}");
        }
        let mut runs = vec![0x00];
        assert_eq!(raise(&mut runs, 0, 5, 1, usize::MAX), Err(Corrupt));
    }
}
