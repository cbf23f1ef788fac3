use keyspace::value::sorted_set::{Insertion, Score};
use keyspace::{Limits, SortedSet};

use super::{code, pairs};
use crate::error::{LoadError, Malformed, Result, malformed};
use crate::listpack::Builder;
use crate::source::Source;
use crate::{length, string};

pub(super) fn read(source: &mut Source, code: u8, limits: &Limits) -> Result<SortedSet> {
    let mut set = SortedSet::default();
    let mut insert = |member: &[u8], score: Score| {
        if score.is_nan() {
            return malformed("a score is not a number");
        }
        match set.insert(member, score, limits) {
            Insertion::Added => Ok(()),
            _ => malformed("a sorted set has a member twice"),
        }
    };
    match code {
        code::SORTED_SET | code::SORTED_SET_2 => {
            for _ in 0..length::read(source)? {
                let member = string::read(source)?;
                let score = if code == code::SORTED_SET_2 {
                    Score::from_le_bytes(source.array()?)
                } else {
                    read_text_score(source)?
                };
                insert(&member, score)?;
            }
        }
        _ => {
            let packed = string::read(source)?;
            pairs(&packed, code == code::SORTED_SET_ZIPLIST, |member, score| {
                insert(member, parse_score(score)?)
            })?;
        }
    }
    Ok(set)
}

/// As Redis before 4.0 wrote scores: text, or a sign for what has none.
fn read_text_score(source: &mut Source) -> Result<Score> {
    Ok(match source.byte()? {
        253 => Score::NAN,
        254 => Score::INFINITY,
        255 => Score::NEG_INFINITY,
        len => parse_score(&source.bytes(len.into())?)?,
    })
}

fn parse_score(text: &[u8]) -> Result<Score> {
    let number = str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    number.ok_or(LoadError::Malformed(Malformed("a score is not a number")))
}

fn is_packed(set: &SortedSet) -> bool {
    set.encoding() == "listpack"
}

pub(super) fn code_of(set: &SortedSet) -> u8 {
    if is_packed(set) { code::SORTED_SET_LISTPACK } else { code::SORTED_SET_2 }
}

pub(super) fn write(out: &mut Vec<u8>, set: &SortedSet) {
    if is_packed(set) {
        let mut packed = Builder::default();
        for (member, score) in set.iter() {
            packed.push(member);
            push_score(&mut packed, score);
        }
        return string::write(out, &packed.finish());
    }
    length::write(out, set.len() as u64);
    // From the last to the first, as Redis does it: a list that is built from its end is built fastest there.
    for (member, score) in set.iter().rev() {
        string::write(out, member);
        out.extend(score.to_le_bytes());
    }
}

fn push_score(packed: &mut Builder, score: Score) {
    /// Below this every whole number is itself.
    const WHOLE_MAX: Score = 9_007_199_254_740_992.0;
    if score.fract() == 0.0 && score.abs() < WHOLE_MAX {
        return packed.push_integer(score as i64);
    }
    // With an exponent, so that a number of any size has a short text.
    let text = if score.is_finite() { format!("{score:e}") } else { score.to_string() };
    packed.push(text.as_bytes());
}
