//! Data commands: one file an idea, one folder a group.
