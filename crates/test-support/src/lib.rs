//! The golden-script runner and its targets, for tests only.
