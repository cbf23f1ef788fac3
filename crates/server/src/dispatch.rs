//! From a request to a reply: guards in a named order, then the one door.

use command_spec::{Args, Flags, Group};
use commands::{Halt, Wait};
use functions::Announced;
use resp::ReplyWriter;

use crate::blocking::{self, Blocked};
use crate::client::{ReplyMode, Slot};
use crate::command_table::{Handler, Unknown};
use crate::eviction::{self, Room};
use crate::state::State;
use crate::stopwatch::Stopwatch;
use crate::transaction::Queued;

/// What became of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Answered,
    /// The reply comes later; requests that follow wait.
    Waiting,
}

/// A request of a client, from the wire. The reply goes to `out`, which is the client's output while it is executed.
#[inline]
pub(crate) fn dispatch(
    state: &mut State,
    slot: Slot,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    state.statistics.commands_processed += 1;
    let start = out.len();
    let outcome = match admit(state, slot, request) {
        Ok(entry) if must_queue(state, slot, entry) => {
            queue(state, slot, entry, request);
            out.extend_from_slice(b"+QUEUED\r\n");
            Outcome::Answered
        }
        Ok(entry) => call(state, slot, entry, request, out),
        Err(refusal) => {
            refuse(state, slot, request, refusal, out);
            Outcome::Answered
        }
    };
    after_request(state, slot, start, out);
    outcome
}

/// A refused command breaks the transaction that it was meant for; a refused EXEC ends it.
fn refuse(state: &mut State, slot: Slot, request: &[&[u8]], refusal: Vec<u8>, out: &mut Vec<u8>) {
    let client = &mut state.clients[slot];
    state.statistics.error_replies += 1;
    let mut text = refusal;
    if request[0].eq_ignore_ascii_case(b"exec") {
        client.transaction.close(&mut state.keyspace);
        let reason = text.strip_prefix(b"ERR ").unwrap_or(&text);
        text = [b"EXECABORT Transaction discarded because of: ", reason].concat();
    } else {
        client.transaction.broken |= client.transaction.is_open();
    }
    ReplyWriter::new(out, client.protocol).error(&text);
}

/// The guards, in Redis' order: what none of them refuses may run.
fn admit(state: &mut State, slot: Slot, request: &[&[u8]]) -> Result<usize, Vec<u8>> {
    let index = state.table.find(request).map_err(|unknown| unknown_command(request, unknown))?;
    let entry = state.table.entry(index);
    let flags = entry.spec.flags;
    let client = &state.clients[slot];

    let refusal = if !entry.spec.arity.allows(request.len())
        || matches!(entry.handler, Handler::Container)
    {
        Some(format!("ERR wrong number of arguments for '{}' command", entry.spec.name))
    } else if !client.authenticated && !flags.contains(Flags::NO_AUTH) {
        Some("NOAUTH Authentication required.".to_owned())
    } else if client.is_restricted_to_subscriptions() && !may_follow_subscription(entry.spec.name) {
        Some(format!(
            "ERR Can't execute '{}': only (P|S)SUBSCRIBE / (P|S)UNSUBSCRIBE / PING / QUIT / RESET are allowed in this context",
            entry.spec.name
        ))
    } else if flags.contains(Flags::NO_MULTI) && client.transaction.is_open() {
        Some("ERR Command not allowed inside a transaction".to_owned())
    } else if client.is_monitor && flags.intersects(Flags::READONLY.and(Flags::WRITE)) {
        Some("ERR Replica can't interact with the keyspace".to_owned())
    } else if state.settings.memory_max > 0 && !finds_room(state, slot, index) {
        Some("OOM command not allowed when used memory > 'maxmemory'.".to_owned())
    } else {
        None
    };
    match refusal {
        None => Ok(index),
        Some(text) => {
            state.table.entry_mut(index).statistics.rejected += 1;
            Err(text.into_bytes())
        }
    }
}

/// Makes room for a command. False where there is none and the command may need some.
fn finds_room(state: &mut State, slot: Slot, entry: usize) -> bool {
    if eviction::make_room(state) != Room::None {
        return true;
    }
    let needs_room = |entry: usize| state.table.entry(entry).spec.flags.contains(Flags::DENY_OOM);
    let transaction = &state.clients[slot].transaction;
    if state.table.entry(entry).spec.name == "exec" {
        return !transaction.queue.iter().flatten().any(|queued| needs_room(queued.entry));
    }
    // A queue takes memory whatever is in it.
    !needs_room(entry) && !must_queue(state, slot, entry)
}

/// Shows what was asked for, up to 128 bytes of the name and 128 of the arguments.
fn unknown_command(request: &[&[u8]], unknown: Unknown) -> Vec<u8> {
    const SHOWN_MAX: usize = 128;
    if unknown == Unknown::Subcommand {
        let container = request[0].to_ascii_uppercase();
        let subcommand = shown(request[1], SHOWN_MAX);
        return [b"ERR unknown subcommand '", subcommand, b"'. Try ", &container, b" HELP."]
            .concat();
    }
    let mut arguments = Vec::new();
    for argument in &request[1..] {
        if arguments.len() >= SHOWN_MAX {
            break;
        }
        let argument = shown(argument, SHOWN_MAX - arguments.len());
        arguments.extend_from_slice(&[b"'", argument, b"' "].concat());
    }
    let name = shown(request[0], SHOWN_MAX);
    [b"ERR unknown command '", name, b"', with args beginning with: ", &arguments].concat()
}

/// The beginning of an argument, which ends before a zero byte as C's strings do.
fn shown(argument: &[u8], length_max: usize) -> &[u8] {
    let end = argument.iter().position(|byte| *byte == 0).unwrap_or(argument.len());
    &argument[..end.min(length_max)]
}

fn may_follow_subscription(name: &str) -> bool {
    matches!(
        name,
        "subscribe"
            | "unsubscribe"
            | "psubscribe"
            | "punsubscribe"
            | "ssubscribe"
            | "sunsubscribe"
            | "ping"
            | "quit"
            | "reset"
    )
}

fn must_queue(state: &State, slot: Slot, entry: usize) -> bool {
    let open = state.clients[slot].transaction.is_open();
    open && !matches!(
        state.table.entry(entry).spec.name,
        "exec" | "discard" | "multi" | "watch" | "quit" | "reset"
    )
}

fn queue(state: &mut State, slot: Slot, entry: usize, request: &[&[u8]]) {
    let request = request.iter().map(|argument| argument.to_vec()).collect();
    let queue = state.clients[slot].transaction.queue.as_mut().expect("the transaction is open");
    queue.push(Queued { entry, request });
}

/// The one door: clients, transactions and functions come through it, so none can drift from the others.
pub(crate) fn call(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    let found = state.table.entry(entry);
    if found.hooked || found.caused || found.foretold {
        return crate::hooks::call(state, slot, entry, request, out);
    }
    call_itself(state, slot, entry, request, out)
}

/// The command, whatever functions would rather have run in its place.
pub(crate) fn call_itself(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    let start = out.len();
    let is_quick = state.table.entry(entry).is_quick;
    let is_shared = state.depth == 0 && Stopwatch::is_shared(is_quick, state.settings.slowlog_us);
    let (result, elapsed_us) = if is_shared {
        state.stopwatch.share(entry, &state.clock, &mut state.table);
        (run(state, slot, entry, request, out), 0)
    } else {
        state.stopwatch.end(&state.clock, &mut state.table);
        let started_us = state.clock.monotonic_us();
        let result = run(state, slot, entry, request, out);
        state.command_end_us = state.clock.monotonic_us();
        (result, state.command_end_us - started_us)
    };

    let (outcome, failed) = match result {
        Ok(outcome) => (outcome, false),
        Err(Halt::Error(error)) => {
            out.truncate(start);
            let protocol = state.clients[slot].protocol;
            ReplyWriter::new(out, protocol).error(error.to_string().as_bytes());
            state.statistics.error_replies += 1;
            (Outcome::Answered, true)
        }
        Err(Halt::Wait(wait)) => {
            out.truncate(start);
            (wait_or_answer(state, slot, entry, request, *wait, out), false)
        }
    };
    let statistics = &mut state.table.entry_mut(entry).statistics;
    statistics.calls += 1;
    statistics.failed += u64::from(failed);
    statistics.microseconds += elapsed_us;
    if !state.monitors.is_empty() {
        crate::monitor::show(state, slot, entry, request);
    }
    if !is_shared && state.settings.slowlog_us.is_some_and(|limit| elapsed_us >= limit) {
        note_slow_command(state, slot, entry, elapsed_us, request);
    }
    if state.keyspace.has_events() {
        tell_events(state);
    }
    outcome
}

/// A command of the server itself, for a function: the same guards and the same door, answered at once.
pub(crate) fn call_internal(state: &mut State, slot: Slot, request: &[&[u8]], out: &mut Vec<u8>) {
    let admitted = if request.is_empty() {
        Err(b"ERR no command was given".to_vec())
    } else {
        admit(state, slot, request).and_then(|entry| refuse_to_functions(state, entry))
    };
    match admitted {
        Ok(entry) => {
            state.depth += 1;
            call(state, slot, entry, request, out);
            state.depth -= 1;
        }
        Err(refusal) => {
            let protocol = state.clients[slot].protocol;
            ReplyWriter::new(out, protocol).error(&refusal);
        }
    }
}

/// The same for a function's thread that may wait: `slot` waits for it.
pub(crate) fn call_waiting(
    state: &mut State,
    slot: Slot,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Outcome {
    match admit(state, slot, request).and_then(|entry| refuse_to_functions(state, entry)) {
        Ok(entry) => call(state, slot, entry, request, out),
        Err(refusal) => {
            ReplyWriter::new(out, state.clients[slot].protocol).error(&refusal);
            Outcome::Answered
        }
    }
}

/// Whether a request is of a command that may block its client.
pub(crate) fn is_blocking(state: &State, request: &[&[u8]]) -> bool {
    let entry = state.table.find(request).map(|index| state.table.entry(index));
    entry.is_ok_and(|entry| entry.spec.flags.contains(Flags::BLOCKING))
}

/// Commands about the caller's connection mean nothing to a function, which has none.
fn refuse_to_functions(state: &State, entry: usize) -> Result<usize, Vec<u8>> {
    let spec = &state.table.entry(entry).spec;
    let about_connection = match spec.group {
        Group::Transactions => true,
        Group::PubSub => spec.flags.contains(Flags::NO_SCRIPT),
        Group::Connection => {
            !matches!(spec.name, "ping" | "echo" | "client|list" | "client|kill" | "client|unblock")
        }
        _ => false,
    };
    if about_connection {
        return Err(format!("ERR '{}' is not allowed from a function", spec.name).into_bytes());
    }
    Ok(entry)
}

#[inline]
fn run(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    out: &mut Vec<u8>,
) -> Result<Outcome, Halt> {
    let command = state.table.entry(entry);
    let args = Args::new(&request[command.words..]);
    let client = &state.clients[slot];
    let mut reply = ReplyWriter::new(out, client.protocol);
    match command.handler {
        Handler::Data(command) => {
            let mut database = state.keyspace.database(client.database);
            (command.run)(&mut database, args, &mut reply)?;
        }
        Handler::Server(command) => (command.run)(state, slot, args, &mut reply)?,
        Handler::Function => return Ok(crate::gears::command(state, slot, request, out)),
        Handler::Help => crate::commands::write_help(&state.table, entry, &mut reply),
        Handler::Container => unreachable!("the arity guard refuses containers"),
    }
    Ok(Outcome::Answered)
}

fn note_slow_command(
    state: &mut State,
    slot: Slot,
    entry: usize,
    elapsed_us: u64,
    request: &[&[u8]],
) {
    if state.table.entry(entry).spec.flags.contains(Flags::SKIP_SLOWLOG) {
        return;
    }
    let client = &state.clients[slot];
    let (address, name) = (client.address.to_string(), client.name.clone());
    state.slowlog.add(state.clock.unix_us() / 1_000_000, elapsed_us, request, address, &name);
}

/// Lets the client wait, or answers at once where nobody may.
fn wait_or_answer(
    state: &mut State,
    slot: Slot,
    entry: usize,
    request: &[&[u8]],
    mut wait: Wait,
    out: &mut Vec<u8>,
) -> Outcome {
    let client = &mut state.clients[slot];
    if !client.may_wait() || client.transaction.is_open() || state.depth > 0 {
        wait.refusal.write(&mut ReplyWriter::new(out, client.protocol));
        return Outcome::Answered;
    }
    let retry = wait.retry.take();
    let request =
        retry.unwrap_or_else(|| request.iter().map(|argument| argument.to_vec()).collect());
    let blocked = Box::new(Blocked { entry, db: client.database, wait, request });
    state.blocking.add(&mut state.keyspace, slot, &blocked);
    client.blocked = Some(blocked);
    Outcome::Waiting
}

/// Tells events to subscribers and to the function engine, in the order in which they happened.
pub(crate) fn tell_events(state: &mut State) {
    let mut events = std::mem::take(&mut state.events);
    let announced = std::mem::take(&mut state.gears.announced);
    state.keyspace.take_events(&mut events);
    for mut event in events.drain(..) {
        if let Some(removed) = event.removed.take() {
            let announced = match announced.contains(&event.key) {
                true => Announced::ToThoseInside,
                false => Announced::ToNobody,
            };
            crate::gears::key_removed(state, event.kind, &event.key, removed, announced);
        }
        state.notifications.publish(&event, &state.pubsub, &mut state.clients);
        if event.db == 0 {
            crate::gears::key_event(state, event.kind.name, &event.key);
        }
    }
    state.events = events;
}

/// What follows a client's request: messages that it caused for itself go first, CLIENT REPLY may take the reply away, and
/// clients that waited for what it wrote are served.
#[inline]
fn after_request(state: &mut State, slot: Slot, start: usize, out: &mut Vec<u8>) {
    let client = &mut state.clients[slot];
    if client.reply_mode != ReplyMode::On {
        crate::commands::apply_reply_mode(client, start, out);
    }
    if !client.output.is_empty() {
        let own = std::mem::take(&mut client.output);
        out.splice(start..start, own);
    }
    if state.keyspace.has_ready_keys() {
        serve_ready(state);
    }
}

/// Runs the requests of clients that waited for keys which were written meanwhile.
pub(crate) fn serve_ready(state: &mut State) {
    while state.keyspace.has_ready_keys() {
        for (db, key) in state.keyspace.take_ready_keys() {
            for slot in state.blocking.waiting_for(db, &key) {
                if !state.keyspace.database(db).contains(&key) {
                    break;
                }
                retry(state, slot);
            }
        }
    }
}

fn retry(state: &mut State, slot: Slot) {
    let Some(blocked) =
        blocking::release(&mut state.blocking, &mut state.keyspace, &mut state.clients, slot)
    else {
        return;
    };
    let request: Vec<&[u8]> = blocked.request.iter().map(Vec::as_slice).collect();
    let mut out = std::mem::take(&mut state.clients[slot].output);
    let selected = std::mem::replace(&mut state.clients[slot].database, blocked.db);
    let start = out.len();
    match run(state, slot, blocked.entry, &request, &mut out) {
        // Somebody else was faster, or the key holds another type, which the client may outwait.
        Err(Halt::Wait(_) | Halt::Error(commands::Error::WrongType)) => {
            // The deadline stays what it was.
            out.truncate(start);
            state.blocking.add(&mut state.keyspace, slot, &blocked);
            state.clients[slot].blocked = Some(blocked);
        }
        result => {
            if let Err(Halt::Error(error)) = result {
                out.truncate(start);
                let protocol = state.clients[slot].protocol;
                ReplyWriter::new(&mut out, protocol).error(error.to_string().as_bytes());
            }
            state.clients.resume(slot);
        }
    }
    let client = &mut state.clients[slot];
    client.database = selected;
    let messages = std::mem::replace(&mut client.output, out);
    client.output.extend_from_slice(&messages);
    state.clients.mark_output(slot);
    if state.keyspace.has_events() {
        tell_events(state);
    }
}

/// Answers clients whose time is over.
pub(crate) fn time_out(state: &mut State) {
    for slot in state.blocking.overdue(state.keyspace.now_ms()) {
        let released =
            blocking::release(&mut state.blocking, &mut state.keyspace, &mut state.clients, slot);
        if let Some(blocked) = released {
            state.clients.write(slot, |reply| blocked.wait.absence.write(reply));
            state.clients.resume(slot);
        }
    }
}
