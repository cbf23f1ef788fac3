//! The standalone host: listener, connections, event loop and dispatch.
