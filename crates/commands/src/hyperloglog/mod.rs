//! HyperLogLogs: strings that count distinct elements with an error of 0.81 %, byte for byte as Redis stores them.

mod add;
mod count;
mod dense;
mod estimate;
mod hash;
mod merge;
mod registers;
mod sketch;
mod sparse;

use crate::Command;

pub(crate) const COMMANDS: &[&Command] = &[&add::PFADD, &count::PFCOUNT, &merge::PFMERGE];
