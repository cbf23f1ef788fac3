//! The table of parameters.

/// One parameter: its name, its default and what it may be.
#[derive(Debug)]
pub(crate) struct Parameter {
    pub(crate) name: &'static str,
    pub(crate) default: &'static str,
    pub(crate) kind: Kind,
    /// Whether CONFIG SET may change it.
    pub(crate) mutable: bool,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Bool,
    Integer {
        min: i64,
        max: i64,
    },
    /// Bytes, with units: `64mb`. Stored in bytes.
    Memory,
    /// The same, but not less than this.
    MemoryFrom(i64),
    Text,
    /// Words that add up over several lines.
    List,
    OneOf(&'static [&'static str]),
    /// Letters of notify-keyspace-events.
    Events,
    /// Pairs of seconds and changes.
    SavePoints,
    /// Triples and quadruples of client-output-buffer-limit.
    OutputLimits,
}

const COUNT: Kind = Kind::Integer { min: 0, max: i64::MAX };
const POSITIVE: Kind = Kind::Integer { min: 1, max: i64::MAX };

const fn parameter(
    name: &'static str,
    default: &'static str,
    kind: Kind,
    mutable: bool,
) -> Parameter {
    Parameter { name, default, kind, mutable }
}

/// In the order in which Redis names them.
const MEMORY_POLICIES: &[&str] = &[
    "volatile-lru",
    "volatile-lfu",
    "volatile-random",
    "volatile-ttl",
    "allkeys-lru",
    "allkeys-lfu",
    "allkeys-random",
    "noeviction",
];

/// In alphabetical order. Parameters that the server does not act on yet are here because tools set them; each is marked.
pub(crate) const PARAMETERS: &[Parameter] = &[
    parameter("active-expire-effort", "1", Kind::Integer { min: 1, max: 10 }, true),
    // Accepted only as `no`: there is no log yet.
    parameter("appendonly", "no", Kind::Bool, false),
    // redgrease's own programs hold the data for a second.
    parameter("atomic-max-ms", "5000", POSITIVE, true),
    parameter("before-queue-max-bytes", "268435456", Kind::Memory, true),
    parameter("before-value-max-bytes", "67108864", Kind::Memory, true),
    parameter("bind", "127.0.0.1 -::1", Kind::Text, false),
    parameter(
        "client-output-buffer-limit",
        "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
        Kind::OutputLimits,
        true,
    ),
    parameter("client-query-buffer-limit", "1073741824", Kind::Memory, false),
    // Accepted only as `no`: a supervisor does this better.
    parameter("daemonize", "no", Kind::Bool, false),
    parameter("databases", "16", Kind::Integer { min: 1, max: 16_384 }, false),
    parameter("dbfilename", "dump.rdb", Kind::Text, false),
    parameter("dir", ".", Kind::Text, false),
    parameter("function-memory-bytes", "1073741824", Kind::Memory, true),
    parameter("function-queue-max", "100000", POSITIVE, true),
    parameter("function-results-bytes", "536870912", Kind::Memory, true),
    parameter("function-timeout-ms", "3600000", COUNT, true),
    parameter("function-workers-warm", "2", Kind::Integer { min: 0, max: 64 }, false),
    parameter("hash-max-listpack-entries", "512", COUNT, true),
    parameter("hash-max-listpack-value", "64", COUNT, true),
    parameter("hz", "10", Kind::Integer { min: 1, max: i32::MAX as i64 }, true),
    parameter("io-threads", "1", Kind::Integer { min: 1, max: 1 }, false),
    parameter("lfu-decay-time", "1", Kind::Integer { min: 0, max: i32::MAX as i64 }, true),
    parameter("lfu-log-factor", "10", Kind::Integer { min: 0, max: i32::MAX as i64 }, true),
    parameter(
        "list-max-listpack-size",
        "-2",
        Kind::Integer { min: -5, max: i32::MAX as i64 },
        true,
    ),
    parameter("logfile", "", Kind::Text, false),
    parameter(
        "loglevel",
        "notice",
        Kind::OneOf(&["debug", "verbose", "notice", "warning", "nothing"]),
        true,
    ),
    parameter("maxclients", "10000", Kind::Integer { min: 1, max: u32::MAX as i64 }, true),
    parameter("maxmemory", "0", Kind::Memory, true),
    parameter("maxmemory-eviction-tenacity", "10", Kind::Integer { min: 0, max: 100 }, true),
    parameter("maxmemory-policy", "noeviction", Kind::OneOf(MEMORY_POLICIES), true),
    parameter("maxmemory-samples", "5", Kind::Integer { min: 1, max: 64 }, true),
    parameter("notify-keyspace-events", "", Kind::Events, true),
    parameter("pidfile", "", Kind::Text, false),
    parameter("port", "6379", Kind::Integer { min: 0, max: 65_535 }, false),
    parameter("proto-max-bulk-len", "536870912", Kind::MemoryFrom(1 << 20), true),
    parameter("python", "python3", Kind::List, false),
    // Snapshots always have a checksum and are always compressed: these two are accepted and without effect.
    parameter("rdbchecksum", "yes", Kind::Bool, false),
    parameter("rdbcompression", "yes", Kind::Bool, true),
    parameter("reply-compat", "1.2.1", Kind::OneOf(&["1.2.1", "1.2.13", "mainspring"]), true),
    // A directory of wheels that scripts' requirements may be met from without a network.
    parameter("requirements-wheels", "", Kind::Text, false),
    parameter("requirepass", "", Kind::Text, true),
    // Snapshots are saved by SAVE alone yet: accepted and without effect.
    parameter("save", "", Kind::SavePoints, true),
    parameter("set-max-intset-entries", "512", COUNT, true),
    parameter("set-max-listpack-entries", "128", COUNT, true),
    parameter("set-max-listpack-value", "64", COUNT, true),
    parameter("slowlog-log-slower-than", "10000", Kind::Integer { min: -1, max: i64::MAX }, true),
    parameter("slowlog-max-len", "128", COUNT, true),
    parameter("stream-node-max-bytes", "4096", Kind::Memory, true),
    parameter("stream-node-max-entries", "100", COUNT, true),
    parameter("strict-registrations", "no", Kind::Bool, true),
    parameter("syslog-enabled", "no", Kind::Bool, false),
    parameter("tcp-backlog", "511", COUNT, false),
    parameter("tcp-keepalive", "300", COUNT, true),
    parameter("timeout", "0", Kind::Integer { min: 0, max: i32::MAX as i64 }, true),
    parameter("unixsocket", "", Kind::Text, false),
    parameter("unixsocketperm", "0", Kind::Text, false),
    parameter("zset-max-listpack-entries", "128", COUNT, true),
    parameter("zset-max-listpack-value", "64", COUNT, true),
];

/// Names from before listpacks, which tools still use.
pub(crate) const ALIASES: &[(&str, &str)] = &[
    ("hash-max-ziplist-entries", "hash-max-listpack-entries"),
    ("hash-max-ziplist-value", "hash-max-listpack-value"),
    ("list-max-ziplist-size", "list-max-listpack-size"),
    ("zset-max-ziplist-entries", "zset-max-listpack-entries"),
    ("zset-max-ziplist-value", "zset-max-listpack-value"),
];

impl Kind {
    /// The form in which a value is kept and shown, or why it is none.
    pub(crate) fn canonical(self, value: &str) -> Result<String, String> {
        match self {
            Kind::Text | Kind::List => Ok(value.to_owned()),
            Kind::Bool => match value.to_ascii_lowercase().as_str() {
                word @ ("yes" | "no") => Ok(word.to_owned()),
                _ => Err("argument must be 'yes' or 'no'".into()),
            },
            Kind::Integer { min, max } => {
                let number: i64 = value.parse().map_err(|_| "argument must be a number")?;
                if !(min..=max).contains(&number) {
                    return Err(format!("argument must be between {min} and {max} inclusive"));
                }
                Ok(number.to_string())
            }
            Kind::Memory => parse_memory(value)
                .map(|bytes| bytes.to_string())
                .ok_or("argument must be a memory value".into()),
            Kind::MemoryFrom(least) => {
                let bytes = parse_memory(value).ok_or("argument must be a memory value")?;
                if bytes < least {
                    return Err(format!(
                        "argument must be between {least} and {} inclusive",
                        i64::MAX
                    ));
                }
                Ok(bytes.to_string())
            }
            Kind::SavePoints => {
                let numbers: Option<Vec<u32>> =
                    value.split_whitespace().map(|word| word.parse().ok()).collect();
                match numbers {
                    Some(numbers) if numbers.len().is_multiple_of(2) => Ok(value.to_owned()),
                    _ => Err("Invalid save parameters".into()),
                }
            }
            Kind::OneOf(words) => {
                let word = value.to_ascii_lowercase();
                if words.contains(&word.as_str()) {
                    return Ok(word);
                }
                Err(format!("argument(s) must be one of the following: {}", words.join(", ")))
            }
            Kind::Events => {
                let known = |letter: char| {
                    "KEA".contains(letter)
                        || u8::try_from(letter)
                            .is_ok_and(|letter| keyspace::EventClass::from_letter(letter).is_some())
                };
                if value.chars().all(known) {
                    return Ok(canonical_events(value));
                }
                Err("Invalid event class character. Use 'Ag$lshzxeKEtmdn'.".into())
            }
            Kind::OutputLimits => canonical_output_limits(value),
        }
    }
}

/// In Redis' order, and `A` for all that it stands for.
fn canonical_events(value: &str) -> String {
    const ALL: &str = "g$lshzxetd";
    let expanded = value.replace('A', ALL);
    let chosen = |letters: &str| -> String {
        letters.chars().filter(|letter| expanded.contains(*letter)).collect()
    };
    let classes = chosen(ALL);
    let classes = if classes == ALL { "A" } else { &classes };
    format!("{classes}{}", chosen("nKEm"))
}

fn canonical_output_limits(value: &str) -> Result<String, String> {
    let words: Vec<&str> = value.split_whitespace().collect();
    if words.is_empty() || !words.len().is_multiple_of(4) {
        return Err("Wrong number of arguments in buffer limit configuration.".into());
    }
    let mut limits: Vec<(String, String)> =
        ["normal", "slave", "pubsub"].map(|class| (class.to_owned(), "0 0 0".to_owned())).into();
    for rule in words.chunks(4) {
        let class = if rule[0].eq_ignore_ascii_case("replica") {
            "slave".to_owned()
        } else {
            rule[0].to_ascii_lowercase()
        };
        let limit = limits
            .iter_mut()
            .find(|(name, _)| *name == class)
            .ok_or("Invalid client class specified in buffer limit configuration.")?;
        let bytes = |text: &str| {
            parse_memory(text).ok_or(
                "Error in hard, soft or soft_seconds setting in buffer limit configuration."
                    .to_owned(),
            )
        };
        let seconds: u32 = rule[3].parse().map_err(
            |_| "Error in hard, soft or soft_seconds setting in buffer limit configuration.",
        )?;
        limit.1 = format!("{} {} {seconds}", bytes(rule[1])?, bytes(rule[2])?);
    }
    Ok(limits.iter().map(|(name, limit)| format!("{name} {limit}")).collect::<Vec<_>>().join(" "))
}

/// Redis' units: `k` is a thousand, `kb` 1024, and so on; none is bytes.
fn parse_memory(value: &str) -> Option<i64> {
    let digits = value.find(|c: char| !c.is_ascii_digit()).unwrap_or(value.len());
    let number: i64 = value[..digits].parse().ok()?;
    let factor = match value[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" => 1_000,
        "kb" => 1 << 10,
        "m" => 1_000_000,
        "mb" => 1 << 20,
        "g" => 1_000_000_000,
        "gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order_and_its_defaults_are_canonical() {
        assert!(PARAMETERS.windows(2).all(|pair| pair[0].name < pair[1].name));
        for parameter in PARAMETERS {
            assert_eq!(
                parameter.kind.canonical(parameter.default),
                Ok(parameter.default.to_owned()),
                "{}",
                parameter.name
            );
        }
    }

    #[test]
    fn sizes_have_units() {
        assert_eq!(parse_memory("1k"), Some(1000));
        assert_eq!(parse_memory("1KB"), Some(1024));
        assert_eq!(parse_memory("3gb"), Some(3 << 30));
        assert_eq!(parse_memory("x"), None);
        assert_eq!(parse_memory("9223372036854775807gb"), None);
    }

    #[test]
    fn events_are_told_in_one_order() {
        for (given, told) in [("KEA", "AKE"), ("nKg", "gnK"), ("txd", "xtd"), ("Eg$lshzxetd", "AE")]
        {
            assert_eq!(Kind::Events.canonical(given).as_deref(), Ok(told));
        }
    }

    #[test]
    fn output_limits_are_kept_for_all_classes() {
        assert_eq!(
            Kind::OutputLimits.canonical("pubsub 1mb 0 60 replica 0 0 0"),
            Ok("normal 0 0 0 slave 0 0 0 pubsub 1048576 0 60".into())
        );
    }
}
