//! The function engine as a module of Redis 7.0 and later and of Valkey: one library for all of them.
//!
//! # How a server drives the engine
//!
//! 1. The server loads us (`entry::load`): options, the pool of workers, the RG.* commands.
//! 2. A client's RG.* command goes to the engine at once (`gears`). If its reply comes later, the server blocks the client
//!    (`calls`) and sends the reply (`reply`) when the engine has it.
//! 3. A keyspace event goes to the engine at once, too; it only queues there.
//! 4. Everything else happens right before the server's loop sleeps (`Gears::turn`), where the server itself is between two
//!    commands: what workers said, what is due, a slice of reading; then all that the turn produced goes out together.
//!    Descriptors, timers and one-shot events only see to it that the loop does not sleep for too long.
//!
//! So the engine runs in the server's own thread, between commands, as long as in our own server and no longer; there is
//! no lock. What the server's API says stands in `api`, the only place with `unsafe`.

mod api;
mod calls;
mod entry;
mod event_names;
mod gears;
mod host;
mod options;
mod reply;
mod value;
