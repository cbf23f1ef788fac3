//! All that the one thread owns, but the sockets.

use std::cell::RefCell;
use std::rc::Rc;

use command_spec::{Args, CommandSpec};
use keyspace::{Event, Interest, Keyspace, LfuOptions, Limits, Options};
use resp::ReplyWriter;

use crate::blocking::Blocking;
use crate::client::Slot;
use crate::clients::Clients;
use crate::clock::Clock;
use crate::command_table::CommandTable;
use crate::config::Config;
use crate::eviction;
use crate::gears::Gears;
use crate::notify::Notifications;
use crate::pubsub::PubSub;
use crate::slowlog::SlowLog;
use crate::snapshot::LastSave;
use crate::statistics::Statistics;
use crate::stopwatch::Stopwatch;

/// A command that acts on more than a database.
#[derive(Debug)]
pub(crate) struct ServerCommand {
    pub(crate) spec: CommandSpec,
    pub(crate) run: fn(&mut State, Slot, Args<'_>, &mut ReplyWriter<'_>) -> commands::Result,
}

pub(crate) struct State {
    pub(crate) keyspace: Keyspace,
    pub(crate) table: CommandTable,
    pub(crate) clients: Clients,
    pub(crate) config: Config,
    pub(crate) settings: Settings,
    pub(crate) clock: Clock,
    pub(crate) pubsub: PubSub,
    pub(crate) blocking: Blocking,
    pub(crate) notifications: Notifications,
    pub(crate) statistics: Statistics,
    pub(crate) slowlog: SlowLog,
    pub(crate) last_save: LastSave,
    pub(crate) stopwatch: Stopwatch,
    /// Clients that see every command.
    pub(crate) monitors: Vec<Slot>,
    pub(crate) gears: Gears,
    /// Events taken from the keyspace and not yet told; kept to reuse its memory.
    pub(crate) events: Vec<Event>,
    /// 40 hexadecimal digits.
    pub(crate) run_id: String,
    pub(crate) tcp_port: u16,
    /// When the last command was done, by the clock of durations.
    pub(crate) command_end_us: u64,
    /// Depth of calls into the one door: client, function, nested.
    pub(crate) depth: usize,
    pub(crate) shutdown: bool,
}

/// What is read for every command or every turn, out of the configuration.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) password: Option<Vec<u8>>,
    pub(crate) memory_max: usize,
    pub(crate) eviction: eviction::Settings,
    pub(crate) slowlog_us: Option<u64>,
    pub(crate) idle_seconds_max: i64,
    pub(crate) query_bytes_max: usize,
    pub(crate) request_limits: resp::Limits,
    pub(crate) normal_output: OutputLimit,
    pub(crate) pubsub_output: OutputLimit,
}

/// How many unsent bytes a client may have: at most `hard`, and no more than `soft` for `soft_ms` on end. 0: no limit.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OutputLimit {
    pub(crate) hard: usize,
    pub(crate) soft: usize,
    pub(crate) soft_ms: i64,
}

impl Settings {
    fn of(config: &Config) -> Self {
        let password = config.text("requirepass");
        let limits: Vec<usize> = config
            .text("client-output-buffer-limit")
            .split_whitespace()
            .map(|word| word.parse().unwrap_or(0))
            .collect();
        // Each class is its name and three numbers.
        let output_limit = |class: usize| OutputLimit {
            hard: limits[4 * class + 1],
            soft: limits[4 * class + 2],
            soft_ms: 1000 * limits[4 * class + 3] as i64,
        };
        Settings {
            password: (!password.is_empty()).then(|| password.as_bytes().to_vec()),
            memory_max: config.number("maxmemory") as usize,
            eviction: eviction::Settings::of(config),
            slowlog_us: u64::try_from(config.number("slowlog-log-slower-than")).ok(),
            idle_seconds_max: config.number("timeout"),
            query_bytes_max: config.number("client-query-buffer-limit") as usize,
            request_limits: resp::Limits {
                bulk_bytes_max: config.number("proto-max-bulk-len"),
                ..resp::Limits::default()
            },
            normal_output: output_limit(0),
            pubsub_output: output_limit(2),
        }
    }
}

impl State {
    pub(crate) fn new(config: Config, clock: Clock, seed: u64, run_id: String) -> Self {
        let databases = config.number("databases") as usize;
        let mut keyspace = Keyspace::new(Options { databases, seed });
        let now_ms = clock.unix_ms();
        keyspace.set_now(now_ms);
        let garbage = Rc::new(RefCell::new(crate::lazy_free::sink()));
        let of_keyspace = Rc::clone(&garbage);
        keyspace.set_sink(Box::new(move |item| (of_keyspace.borrow_mut())(item)));
        let settings = Settings::of(&config);
        let gears = Gears::new(&config, garbage);
        let mut state = State {
            keyspace,
            table: State::command_table(),
            clients: Clients::new(),
            settings,
            config,
            clock,
            pubsub: PubSub::default(),
            blocking: Blocking::default(),
            notifications: Notifications::default(),
            statistics: Statistics::default(),
            slowlog: SlowLog::default(),
            last_save: LastSave::at_start(now_ms),
            stopwatch: Stopwatch::default(),
            monitors: Vec::new(),
            gears,
            events: Vec::new(),
            run_id,
            tcp_port: 0,
            command_end_us: 0,
            depth: 0,
            shutdown: false,
        };
        state.apply_config();
        state
    }

    pub(crate) fn command_table() -> CommandTable {
        CommandTable::new(&crate::commands::all(), functions::Engine::commands().copied())
    }

    /// Takes over what changed in the configuration.
    pub(crate) fn apply_config(&mut self) {
        self.settings = Settings::of(&self.config);
        let count = |name: &str| self.config.number(name) as usize;
        self.keyspace.limits = Limits {
            list_max_listpack_size: self.config.number("list-max-listpack-size"),
            hash_max_listpack_entries: count("hash-max-listpack-entries"),
            hash_max_listpack_value: count("hash-max-listpack-value"),
            set_max_intset_entries: count("set-max-intset-entries"),
            set_max_listpack_entries: count("set-max-listpack-entries"),
            set_max_listpack_value: count("set-max-listpack-value"),
            zset_max_listpack_entries: count("zset-max-listpack-entries"),
            zset_max_listpack_value: count("zset-max-listpack-value"),
        };
        self.keyspace.stream_limits.entries_max = count("stream-node-max-entries");
        self.keyspace.stream_limits.bytes_max = count("stream-node-max-bytes");
        let lfu = LfuOptions {
            log_factor: self.config.number("lfu-log-factor") as u32,
            decay_minutes: self.config.number("lfu-decay-time") as u32,
        };
        self.keyspace.set_access_policy(self.settings.eviction.access_policy(), lfu);
        self.slowlog.set_max(count("slowlog-max-len"));
        self.notifications = Notifications::parse(self.config.text("notify-keyspace-events"));
        self.update_interest();
    }

    /// Events cost only while somebody wants them.
    pub(crate) fn update_interest(&mut self) {
        let functions = self.gears.interest();
        let mut interest = self.notifications.interest();
        if functions.keyspace {
            interest |= Interest::COMMON;
        }
        if functions.streams {
            interest |= keyspace::EventClass::STREAM;
        }
        if functions.misses {
            interest |= keyspace::EventClass::KEYMISS;
        }
        self.keyspace.set_interest(interest);
    }

    /// A window of requests is through: commands that were timed together are accounted for.
    pub(crate) fn end_window(&mut self) {
        if let Some(now_us) = self.stopwatch.end(&self.clock, &mut self.table) {
            self.command_end_us = now_us;
        }
    }

    /// The clock moves once a turn.
    pub(crate) fn tick(&mut self) {
        self.clock.tick();
        self.keyspace.set_now(self.clock.unix_ms());
    }

    /// What `maxmemory` limits: the data. docs/decisions/0007 says why it is not what the process takes.
    pub(crate) fn used_memory(&self) -> usize {
        self.keyspace.used_memory()
    }

    #[inline]
    pub(crate) fn has_memory(&self) -> bool {
        self.settings.memory_max == 0 || self.used_memory() <= self.settings.memory_max
    }
}
