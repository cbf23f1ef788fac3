//! The Redis wire protocol: bytes to requests and replies, and back.
