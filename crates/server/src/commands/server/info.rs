//! INFO.

use std::fmt::Write;

use command_spec::{Args, Arity, CommandSpec, Flags, Group};
use commands::Result;
use resp::ReplyWriter;

use crate::REDIS_VERSION;
use crate::client::Slot;
use crate::process;
use crate::pubsub::Subscription;
use crate::state::{ServerCommand, State};

pub(crate) const INFO: ServerCommand = ServerCommand {
    spec: CommandSpec::new(
        "info",
        Group::Server,
        Arity::AtLeast(1),
        "Returns information and statistics about the server.",
    )
    .flags(Flags::LOADING.and(Flags::STALE))
    .categories(&["@dangerous"])
    .syntax("[section [section ...]]"),
    run: info,
};

type Section = (&'static str, &'static str, fn(&State, &mut String));

/// Name, title, writer; those of the first group make up the default.
const DEFAULT: &[Section] = &[
    ("server", "Server", server),
    ("clients", "Clients", clients),
    ("memory", "Memory", memory),
    ("persistence", "Persistence", persistence),
    ("stats", "Stats", stats),
    ("replication", "Replication", replication),
    ("cpu", "CPU", cpu),
    ("modules", "Modules", modules),
    ("errorstats", "Errorstats", errorstats),
    ("cluster", "Cluster", cluster),
    ("keyspace", "Keyspace", keyspace),
];
const FURTHER: &[Section] = &[("commandstats", "Commandstats", commandstats)];

/// INFO [section ...]
fn info(state: &mut State, _slot: Slot, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let wanted: Vec<String> =
        args.rest().iter().map(|name| String::from_utf8_lossy(name).to_ascii_lowercase()).collect();
    let has = |name: &str| wanted.iter().any(|wanted| wanted == name);
    let everything = has("all") || has("everything");
    let default = wanted.is_empty() || has("default") || everything;

    let mut text = String::new();
    let chosen = DEFAULT
        .iter()
        .filter(|(name, ..)| default || has(name))
        .chain(FURTHER.iter().filter(|(name, ..)| everything || has(name)));
    for (_, title, write) in chosen {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str(&format!("# {title}\r\n"));
        write(state, &mut text);
    }
    if everything || has("modules") || has("rg") || has("functions") {
        if !text.is_empty() {
            text.push_str("\r\n");
        }
        text.push_str("# rg\r\n");
        text.push_str(&crate::gears::info(state));
    }
    reply.verbatim(*b"txt", text.as_bytes());
    Ok(())
}

macro_rules! line {
    ($text:expr, $($format:tt)*) => {{
        write!($text, $($format)*).expect("a String takes all writes");
        $text.push_str("\r\n");
    }};
}

fn server(state: &State, text: &mut String) {
    let uptime_seconds = state.clock.monotonic_us() / 1_000_000;
    line!(text, "redis_version:{REDIS_VERSION}");
    line!(text, "server_name:mainspring");
    line!(text, "mainspring_version:{}", env!("CARGO_PKG_VERSION"));
    line!(text, "redis_mode:standalone");
    line!(text, "os:{} {}", std::env::consts::OS, std::env::consts::ARCH);
    line!(text, "arch_bits:{}", usize::BITS);
    line!(text, "multiplexing_api:epoll");
    line!(text, "process_id:{}", std::process::id());
    line!(text, "run_id:{}", state.run_id);
    line!(text, "tcp_port:{}", state.tcp_port);
    line!(text, "server_time_usec:{}", state.clock.unix_us());
    line!(text, "uptime_in_seconds:{uptime_seconds}");
    line!(text, "uptime_in_days:{}", uptime_seconds / 86_400);
    line!(text, "hz:{}", state.config.number("hz"));
    line!(text, "configured_hz:{}", state.config.number("hz"));
    line!(text, "config_file:{}", state.config.file.as_deref().unwrap_or_default());
}

fn clients(state: &State, text: &mut String) {
    line!(text, "connected_clients:{}", state.clients.len());
    line!(text, "cluster_connections:0");
    line!(text, "maxclients:{}", state.config.number("maxclients"));
    line!(text, "blocked_clients:{}", state.blocking.len());
    line!(
        text,
        "pubsub_clients:{}",
        state.clients.iter().filter(|(_, client)| client.is_subscriber()).count()
    );
}

fn memory(state: &State, text: &mut String) {
    let used = state.used_memory();
    let resident = process::resident_bytes();
    line!(text, "used_memory:{used}");
    line!(text, "used_memory_human:{}", human(used as u64));
    line!(text, "used_memory_rss:{resident}");
    line!(text, "used_memory_rss_human:{}", human(resident));
    line!(text, "used_memory_dataset:{used}");
    line!(text, "maxmemory:{}", state.settings.memory_max);
    line!(text, "maxmemory_human:{}", human(state.settings.memory_max as u64));
    line!(text, "maxmemory_policy:{}", state.config.text("maxmemory-policy"));
    line!(text, "mem_fragmentation_ratio:{:.2}", resident as f64 / used.max(1) as f64);
    line!(text, "mem_allocator:mimalloc");
}

fn persistence(state: &State, text: &mut String) {
    line!(text, "loading:0");
    line!(text, "async_loading:0");
    line!(text, "rdb_changes_since_last_save:{}", state.last_save.changes_since(state));
    line!(text, "rdb_bgsave_in_progress:0");
    line!(text, "rdb_last_save_time:{}", state.last_save.unix_ms / 1000);
    line!(text, "aof_enabled:0");
    line!(text, "aof_rewrite_in_progress:0");
}

fn stats(state: &State, text: &mut String) {
    let statistics = &state.statistics;
    let keyspace = state.keyspace.statistics();
    line!(text, "total_connections_received:{}", statistics.connections_received);
    line!(text, "total_commands_processed:{}", statistics.commands_processed);
    line!(text, "instantaneous_ops_per_sec:{}", statistics.operations_per_second);
    line!(text, "total_net_input_bytes:{}", statistics.input_bytes);
    line!(text, "total_net_output_bytes:{}", statistics.output_bytes);
    line!(text, "rejected_connections:{}", statistics.connections_rejected);
    line!(text, "expired_keys:{}", keyspace.expired_keys);
    line!(text, "evicted_keys:{}", keyspace.evicted_keys);
    line!(text, "keyspace_hits:{}", keyspace.hits);
    line!(text, "keyspace_misses:{}", keyspace.misses);
    line!(text, "pubsub_channels:{}", state.pubsub.listeners(Subscription::Channel).names().len());
    line!(text, "pubsub_patterns:{}", state.pubsub.listeners(Subscription::Pattern).names().len());
    line!(text, "total_error_replies:{}", statistics.error_replies);
    line!(
        text,
        "client_query_buffer_limit_disconnections:{}",
        statistics.query_limit_disconnections
    );
    line!(
        text,
        "client_output_buffer_limit_disconnections:{}",
        statistics.output_limit_disconnections
    );
    line!(text, "protocol_errors:{}", statistics.protocol_errors);
    line!(text, "eventloop_cycles:{}", statistics.turns);
    line!(text, "clients_peak:{}", statistics.clients_peak);
}

fn replication(_state: &State, text: &mut String) {
    line!(text, "role:master");
    line!(text, "connected_slaves:0");
    line!(text, "master_repl_offset:0");
}

fn cpu(_state: &State, text: &mut String) {
    let (user, system) = process::cpu_seconds();
    line!(text, "used_cpu_sys:{system:.6}");
    line!(text, "used_cpu_user:{user:.6}");
}

fn modules(_state: &State, text: &mut String) {
    line!(text, "module:name=rg,ver=10213,api=1,filters=0,usedby=[],using=[],options=[]");
}

fn errorstats(state: &State, text: &mut String) {
    line!(text, "errorstat_ERR:count={}", state.statistics.error_replies);
}

fn cluster(_state: &State, text: &mut String) {
    line!(text, "cluster_enabled:0");
}

fn keyspace(state: &State, text: &mut String) {
    for db in 0..state.keyspace.databases() {
        let statistics = state.keyspace.database_statistics(db);
        if statistics.keys > 0 {
            line!(
                text,
                "db{db}:keys={},expires={},avg_ttl={}",
                statistics.keys,
                statistics.expiring,
                statistics.average_ttl_ms
            );
        }
    }
}

fn commandstats(state: &State, text: &mut String) {
    for entry in state.table.entries() {
        let statistics = entry.statistics;
        if statistics.calls > 0 || statistics.rejected > 0 {
            line!(
                text,
                "cmdstat_{}:calls={},usec={},usec_per_call={:.2},rejected_calls={},failed_calls={}",
                entry.spec.name,
                statistics.calls,
                statistics.microseconds,
                statistics.microseconds as f64 / statistics.calls.max(1) as f64,
                statistics.rejected,
                statistics.failed
            );
        }
    }
}

fn human(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "K", "M", "G", "T"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes}B") } else { format!("{value:.2}{}", UNITS[unit]) }
}
