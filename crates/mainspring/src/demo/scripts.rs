//! The functions of the demonstration, as anybody would send them.

pub(super) const WORD_COUNT: &str = include_str!("scripts/word_count.py");
pub(super) const LINE_COUNT: &str = include_str!("scripts/line_count.py");
pub(super) const INDEX: &str = include_str!("scripts/index.py");
pub(super) const KINDS: &str = include_str!("scripts/kinds.py");
pub(super) const FIND: &str = include_str!("scripts/find.py");
pub(super) const FAULT: &str = include_str!("scripts/fault.py");
pub(super) const CRASH: &str = include_str!("scripts/crash.py");
