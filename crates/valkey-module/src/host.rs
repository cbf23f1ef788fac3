//! The server, lent to the engine for one call.

use functions::host::{
    ClientId, CommandFacts, EventInterest, Host, Level, Projection, Remains, RemovalInterest, Value,
};
use functions::worker::{Token, WorkerId};

use crate::api::{Context, EventClasses};
use crate::event_names::EVENT_NAMES;
use crate::gears::Gears;
use crate::value;

pub(crate) struct LentServer<'a> {
    pub(crate) gears: &'a Gears,
    pub(crate) now_ms: i64,
}

impl Host for LentServer<'_> {
    fn now_ms(&self) -> i64 {
        self.now_ms
    }

    fn monotonic_us(&self) -> u64 {
        self.gears.monotonic_us()
    }

    fn call(&mut self, args: &[&[u8]], reply: &mut Vec<u8>) {
        self.gears.server.call(args, reply);
    }

    fn scan(
        &mut self,
        cursor: u64,
        count: usize,
        pattern: Option<&[u8]>,
        projection: Projection,
        visit: &mut dyn FnMut(&[u8], Value<'_>),
    ) -> u64 {
        let Some((next, keys)) = value::scan(&self.gears.server, cursor, count, pattern) else {
            // SCAN was renamed or is not allowed: there is nothing to read.
            self.log(Level::Warning, "SCAN fails, so functions find no keys");
            return 0;
        };
        for key in keys.iter().filter_map(value::bytes) {
            self.read(key, projection, &mut |value| visit(key, value));
        }
        next
    }

    fn read(&mut self, key: &[u8], projection: Projection, visit: &mut dyn FnMut(Value<'_>)) {
        match projection {
            Projection::Key => visit(Value::Missing),
            Projection::KeyAndValue => self.gears.show(key, visit),
        }
    }

    fn reply(&mut self, client: ClientId, wire: &[u8]) {
        self.gears.calls.answer(client.0, wire);
    }

    fn log(&mut self, level: Level, message: &str) {
        log(&self.gears.server, level, message);
    }

    fn random(&mut self, into: &mut [u8]) {
        self.gears.server.random(into);
    }

    fn event_names(&self) -> Vec<&'static str> {
        EVENT_NAMES.to_vec()
    }

    fn watch_events(&mut self, interest: EventInterest) {
        let mut classes = EventClasses::NONE;
        for (wanted, class) in [
            (interest.keyspace, EventClasses::ALL),
            (interest.streams, EventClasses::STREAM),
            (interest.misses, EventClasses::MISS),
        ] {
            if wanted {
                classes = classes.and(class);
            }
        }
        self.gears.watch_events(classes);
    }

    fn watch_removals(&mut self, wanted: &[RemovalInterest]) {
        assert!(wanted.is_empty(), "`event_names` has none of these events");
    }

    fn look(&mut self, _key: &[u8], _visit: &mut dyn FnMut(Option<&dyn Remains>)) {
        unreachable!("no removal is announced");
    }

    /// Who asks wants to stand in for the command, or to hold its reply back. Neither is there yet: no command can be had.
    fn command_facts(&mut self, name: &[u8]) -> Option<CommandFacts> {
        let name = String::from_utf8_lossy(name);
        let why = format!(
            "'{name}' cannot be hooked: the module has no command hooks and no commands=[...] yet"
        );
        self.log(Level::Warning, &why);
        None
    }

    fn watch_commands(&mut self, hooked: &[&str], caused: &[&str]) {
        assert!(hooked.is_empty() && caused.is_empty(), "`command_facts` knows no command");
    }

    fn cancel_call(&mut self, _worker: WorkerId, _token: Token) {
        unreachable!("no call is left to wait");
    }
}

pub(crate) fn log(server: &Context, level: Level, message: &str) {
    let level = match level {
        Level::Debug => c"debug",
        Level::Verbose => c"verbose",
        Level::Notice => c"notice",
        Level::Warning => c"warning",
    };
    server.log(level, message);
}

/// Commands about the caller's connection mean nothing to a function, which has none; the server would take them for those
/// of a client that it lends to all modules. The name of such a command.
pub(crate) fn about_connection(args: &[&[u8]]) -> Option<String> {
    const REFUSED: [&str; 18] = [
        "auth",
        "discard",
        "exec",
        "hello",
        "multi",
        "psubscribe",
        "punsubscribe",
        "quit",
        "readonly",
        "readwrite",
        "reset",
        "select",
        "ssubscribe",
        "subscribe",
        "sunsubscribe",
        "unsubscribe",
        "unwatch",
        "watch",
    ];
    const CLIENT_ALLOWED: [&str; 3] = ["kill", "list", "unblock"];
    let name = lower(args.first()?);
    if name == "client" {
        let about = lower(args.get(1)?);
        return (!CLIENT_ALLOWED.contains(&&*about)).then(|| format!("client|{about}"));
    }
    REFUSED.contains(&&*name).then_some(name)
}

fn lower(word: &[u8]) -> String {
    String::from_utf8_lossy(word).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::about_connection;

    fn refused(line: &str) -> Option<String> {
        let words: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        about_connection(&words)
    }

    #[test]
    fn a_function_has_no_connection_to_change() {
        assert_eq!(refused("SELECT 1").as_deref(), Some("select"));
        assert_eq!(refused("Watch k").as_deref(), Some("watch"));
        assert_eq!(refused("client setname x").as_deref(), Some("client|setname"));
        for allowed in ["client list", "get k", "publish c m", "config get save", "client", ""] {
            assert_eq!(refused(allowed), None, "{allowed}");
        }
    }
}
