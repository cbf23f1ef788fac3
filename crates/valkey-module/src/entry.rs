//! What happens when the server calls us.
//!
//! The module's state belongs to the thread that loaded it, the server's main thread; nothing here is ever called on another.

use std::cell::Cell;
use std::ffi::{CStr, CString, c_int};

use command_spec::CommandSpec;
use functions::Engine;

use crate::api::{Context, InfoPage};
use crate::gears::Gears;
use crate::options::Options;
use crate::reply;

/// The name and the version by which clients of RedisGears look for the module.
const NAME: &CStr = c"rg";
const VERSION: c_int = 10_213;

pub(crate) const BROKEN: &str =
    "ERR the function engine has stopped after an internal error, which the server's log describes";

thread_local! {
    /// Never freed: a server ends without unloading its modules, and what its children inherit must not be torn down there.
    static GEARS: Cell<Option<&'static Gears>> = const { Cell::new(None) };
}

fn gears() -> Option<&'static Gears> {
    GEARS.get()
}

pub(crate) fn load(context: &Context, args: &[&[u8]]) -> Result<(), String> {
    if !Context::name_is_free(NAME) {
        return Err("a module named 'rg' is loaded already".into());
    }
    context.introduce(NAME, VERSION);
    let options = Options::parse(args)?;
    report_panics(context.detached());
    if context.surroundings().is_cluster() {
        context.log(
            c"warning",
            "Functions see the data of this node only: there is no cluster support yet",
        );
    }

    for spec in Engine::commands() {
        create_command(context, spec)?;
    }
    let refused = |what: &str| format!("the server refuses {what}");
    context.subscribe_to_loop().map_err(|_| refused("events of its loop"))?;
    context.register_info().map_err(|_| refused("a section of INFO"))?;

    GEARS.set(Some(Box::leak(Box::new(Gears::new(context.detached(), options)))));
    Ok(())
}

fn create_command(context: &Context, spec: &CommandSpec) -> Result<(), String> {
    let name = CString::new(spec.name).expect("names of commands are plain words");
    let keys = spec.keys.legacy();
    let [first, last, step] = [keys.0, keys.1, keys.2]
        .map(|position| c_int::try_from(position).expect("positions of keys are small"));
    // The server may keep the name.
    let name: &'static CStr = Box::leak(name.into_boxed_c_str());
    context
        .create_command(name, c"readonly", (first, last, step))
        .map_err(|_| format!("the server refuses the command {}", spec.name))
}

/// Through the server's log and without a backtrace: printing one would let the C library free what the server's
/// allocator has allocated, where a server loads its modules with RTLD_DEEPBIND.
fn report_panics(server: Context<'static>) {
    thread_local! {
        static SERVER: Cell<Option<Context<'static>>> = const { Cell::new(None) };
    }
    SERVER.set(Some(server));
    std::panic::set_hook(Box::new(|panic| {
        // On a thread that is not the server's there is none.
        if let Some(server) = SERVER.take() {
            server.log(c"warning", &format!("The function engine broke: {panic}"));
            SERVER.set(Some(server));
        }
    }));
}

pub(crate) fn command(context: &Context, request: &[&[u8]]) {
    match gears() {
        Some(gears) => gears.command(context, request),
        None => context.reply_error(BROKEN.as_bytes()),
    }
}

/// The server sends the reply of a client that has waited.
pub(crate) fn answer(context: &Context, call: u64) {
    if let Some(wire) = gears().and_then(|gears| gears.calls.take_reply(call)) {
        reply::send(context, &wire);
    }
}

/// The server is done with a client that has waited, whether it was there to be answered or not.
pub(crate) fn answered(call: u64) {
    if let Some(gears) = gears() {
        gears.calls.take_reply(call);
    }
}

pub(crate) fn disconnected(client: usize) {
    if let Some(gears) = gears() {
        gears.client_gone(client);
    }
}

pub(crate) fn key_event(context: &Context, event: &str, key: &[u8]) {
    let Some(gears) = gears().filter(|gears| gears.wants_events()) else { return };
    // Functions see database 0. A replica's events have run their functions on its primary.
    let surroundings = context.surroundings();
    if context.database() == 0 && !surroundings.is_replica() && !surroundings.is_loading() {
        gears.key_event(context, event, key);
    }
}

/// The command that caused keyspace events is over.
pub(crate) fn notified() {
    if let Some(gears) = gears() {
        gears.run_triggered();
    }
}

pub(crate) fn before_sleep() {
    if let Some(gears) = gears() {
        gears.turn();
    }
}

pub(crate) fn ready(token: u64) {
    if let Some(gears) = gears() {
        gears.note_ready(token);
    }
}

pub(crate) fn woken() {
    if let Some(gears) = gears() {
        gears.note_woken();
    }
}

pub(crate) fn timer_fired() {
    if let Some(gears) = gears() {
        gears.note_timer_fired();
    }
}

pub(crate) fn info(page: &InfoPage) {
    let Some(gears) = gears() else { return };
    if !page.open() {
        return;
    }
    for line in gears.info().lines() {
        if let Some((name, value)) = line.split_once(':') {
            page.field(name.strip_prefix("rg_").unwrap_or(name), value);
        }
    }
}

/// The server has saved what it wanted to save, and will not come back to its loop.
pub(crate) fn shutdown() {
    if let Some(gears) = gears() {
        gears.end();
    }
}

pub(crate) fn has_ended() -> bool {
    gears().is_some_and(Gears::has_ended)
}

/// A panic was caught.
pub(crate) fn broke() {
    if let Some(gears) = gears() {
        gears.give_up();
    }
}
