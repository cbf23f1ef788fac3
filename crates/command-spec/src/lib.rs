//! What a command says of itself, and the cursor with which it reads its arguments.
//!
//! COMMAND, COMMAND DOCS, the guards of dispatch and the reference all come from here; nothing repeats it elsewhere.

mod args;
mod flags;
mod keys;
mod spec;
mod syntax;

pub use args::{ArgError, Args};
pub use flags::Flags;
pub use keys::{KeyError, Keys};
pub use spec::{ACL_CATEGORIES, Arity, CommandSpec, Group};
pub use syntax::{Argument, ArgumentKind, parse_syntax};
