//! The engine's door to the data, to clients and to the log.

use command_spec::Flags;
use commands::glob;
use functions::host::{
    self, ClientId, CommandFacts, EventInterest, Host, Level, Projection, Removal, RemovalInterest,
    Value,
};
use functions::worker::{Token as CallToken, WorkerId};
use keyspace::{EventKind, Object, ValueRef};

use super::replies;
use crate::clients::INTERNAL;
use crate::dispatch;
use crate::function_calls;
use crate::log;
use crate::removals::{self, InPlace};
use crate::state::State;

/// The server, lent to the engine for one call.
pub(super) struct LentState<'a> {
    pub(super) state: &'a mut State,
}

impl Host for LentState<'_> {
    fn now_ms(&self) -> i64 {
        self.state.clock.unix_ms()
    }

    fn monotonic_us(&self) -> u64 {
        self.state.clock.monotonic_us()
    }

    fn turn_us(&self) -> u64 {
        self.state.clock.turn_us()
    }

    fn call(&mut self, args: &[&[u8]], reply: &mut Vec<u8>) {
        dispatch::call_internal(self.state, INTERNAL, args, reply);
    }

    fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        projection: Projection,
        visit: &mut dyn FnMut(&[u8], Value<'_>),
    ) -> u64 {
        let mut database = self.state.keyspace.database(0);
        database.scan(cursor, count, &mut |key, value| {
            if pattern.is_none_or(|pattern| glob::matches(pattern, key)) {
                show(Some(value), projection, &mut |value| visit(key, value));
            }
        })
    }

    fn read(&mut self, key: &[u8], projection: Projection, visit: &mut dyn FnMut(Value<'_>)) {
        let mut database = self.state.keyspace.database(0);
        show(database.value(key), projection, visit);
    }

    fn reply(&mut self, client: ClientId, wire: &[u8]) {
        replies::reply(self.state, client, wire);
    }

    fn log(&mut self, level: Level, message: &str) {
        log::write(log_level(level), message);
    }

    fn random(&mut self, into: &mut [u8]) {
        let mut random = self.state.keyspace.database(0).generator();
        for chunk in into.chunks_mut(8) {
            let bytes = random.draw().to_le_bytes();
            chunk.copy_from_slice(&bytes[..chunk.len()]);
        }
    }

    fn watch_events(&mut self, interest: EventInterest) {
        self.state.gears.interest = interest;
        self.state.update_interest();
    }

    fn watch_removals(&mut self, wanted: &[RemovalInterest]) {
        self.state.keyspace.want_removed(removals::wanted(wanted));
        let foreseen: &[&str] = if removals::foresees(wanted) { &removals::FORESEEN } else { &[] };
        self.state.table.foretell(foreseen);
    }

    fn look(&mut self, key: &[u8], visit: &mut dyn FnMut(Option<&dyn host::Remains>)) {
        let mut database = self.state.keyspace.database(0);
        let expiry = database.expiry(key).flatten();
        match database.value(key) {
            Some(value) => visit(Some(&InPlace { value, expiry })),
            None => visit(None),
        }
    }

    fn event_names(&self) -> Vec<&'static str> {
        let of_redis = EventKind::ALL.iter().map(|kind| kind.name);
        of_redis.chain(Removal::ALL.map(Removal::event)).collect()
    }

    fn command_facts(&mut self, name: &[u8]) -> Option<CommandFacts> {
        let spec = &self.state.table.entry(self.state.table.by_name(name)?).spec;
        let (first_key, _, key_step) = spec.keys.legacy();
        Some(CommandFacts {
            no_script: spec.flags.contains(Flags::NO_SCRIPT),
            movable_keys: spec.keys.are_movable(),
            first_key,
            key_step,
        })
    }

    fn watch_commands(&mut self, hooked: &[&str], caused: &[&str]) {
        self.state.table.mind(hooked, caused);
    }

    fn release(&mut self, client: ClientId) {
        replies::release(self.state, client);
    }

    fn cancel_call(&mut self, worker: WorkerId, token: CallToken) {
        function_calls::cancel(self.state, (worker, token));
    }
}

pub(super) fn log_level(level: Level) -> log::Level {
    match level {
        Level::Debug => log::Level::Debug,
        Level::Verbose => log::Level::Verbose,
        Level::Notice => log::Level::Notice,
        Level::Warning => log::Level::Warning,
    }
}

/// A value of the keyspace as readers see it.
fn show(value: Option<ValueRef<'_>>, projection: Projection, visit: &mut dyn FnMut(Value<'_>)) {
    let Some(value) = value.filter(|_| projection == Projection::KeyAndValue) else {
        visit(Value::Missing);
        return;
    };
    match value {
        ValueRef::Object(Object::Set(_)) => visit(Value::Opaque("set")),
        ValueRef::Object(Object::SortedSet(_)) => visit(Value::Opaque("zset")),
        ValueRef::Object(Object::Stream(_)) => visit(Value::Opaque("unknown")),
        whole => removals::show(whole, visit),
    }
}
