//! The Redis wire protocol: bytes to requests and replies, and back. RESP2 and RESP3, no sockets.

mod decode;
mod double;
mod inline;
mod integer;
mod reply;
mod upgrade;
mod writer;

pub use decode::{Decoder, Limits, ProtocolError, Span};
pub use double::{format_double, parse_double};
pub use inline::split_arguments;
pub use integer::parse_integer;
pub use reply::{Reply, ReplyError, read_reply};
pub use upgrade::upgrade_nulls;
pub use writer::{Mark, Protocol, ReplyWriter};
