use crate::Command;
pub(crate) const COMMANDS: &[&Command] = &[];
