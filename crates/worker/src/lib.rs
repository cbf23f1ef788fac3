//! Python worker processes behind the function engine's worker door.
