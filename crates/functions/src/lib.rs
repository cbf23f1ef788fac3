//! The function engine: sessions, plans, executions and registrations between two doors.
