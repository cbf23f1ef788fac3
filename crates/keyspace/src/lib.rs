//! The data: databases, entries, values, expiry, scan and events.
