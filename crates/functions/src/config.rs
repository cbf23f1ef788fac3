//! The options of RG.CONFIGGET and RG.CONFIGSET.

use std::collections::BTreeMap;

/// An option that the engine knows. The order is that of [`OPTIONS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Key {
    MaxExecutions,
    MaxExecutionsPerRegistration,
    ProfileExecutions,
    ExecutionThreads,
    ExecutionMaxIdleTime,
    SendMsgRetries,
    CreateVenv,
    DownloadDeps,
    ForeceDownloadDepsOnEnterprise,
    PythonAttemptTraceback,
    OverridePythonAllocators,
    PythonInstallReqMaxIdleTime,
    DependenciesUrl,
    DependenciesSha256,
    PythonInstallationDir,
    ReplyCompat,
    FunctionTimeoutMs,
    FunctionMemoryBytes,
    FunctionQueueMax,
    AtomicMaxMs,
    FunctionResultsBytes,
    StrictRegistrations,
    BeforeValueMaxBytes,
    BeforeQueueMaxBytes,
}

/// Who may change an option once the server runs, in the words of RedisGears' two tables.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Always,
    AtStart,
    /// Changed through the extra dictionary, as RedisGears' Python plugin does it.
    PythonAlways,
    PythonAtStart,
}

enum Kind {
    /// A number, its default and its least value.
    Number(i64, i64),
    Text(&'static str),
    /// One of a few words, the first being the default.
    Choice(&'static [&'static str]),
}

struct Known {
    key: Key,
    name: &'static str,
    kind: Kind,
    access: Access,
}

const fn number(key: Key, name: &'static str, default: i64, least: i64, access: Access) -> Known {
    Known { key, name, kind: Kind::Number(default, least), access }
}

const fn text(key: Key, name: &'static str, default: &'static str) -> Known {
    Known { key, name, kind: Kind::Text(default), access: Access::PythonAtStart }
}

/// A list rather than a value: it stands apart from the options.
const PLUGIN: &str = "Plugin";

const GIB: i64 = 1 << 30;
const HOUR_MS: i64 = 3_600_000;

static OPTIONS: [Known; 24] = [
    number(Key::MaxExecutions, "MaxExecutions", 1000, 1, Access::Always),
    number(
        Key::MaxExecutionsPerRegistration,
        "MaxExecutionsPerRegistration",
        100,
        0,
        Access::Always,
    ),
    number(Key::ProfileExecutions, "ProfileExecutions", 0, 0, Access::Always),
    number(Key::ExecutionThreads, "ExecutionThreads", 3, 1, Access::AtStart),
    number(Key::ExecutionMaxIdleTime, "ExecutionMaxIdleTime", 5000, 1, Access::Always),
    number(Key::SendMsgRetries, "SendMsgRetries", 3, 0, Access::Always),
    number(Key::CreateVenv, "CreateVenv", 0, 0, Access::PythonAtStart),
    number(Key::DownloadDeps, "DownloadDeps", 0, 0, Access::PythonAtStart),
    number(
        Key::ForeceDownloadDepsOnEnterprise,
        "ForeceDownloadDepsOnEnterprise",
        0,
        0,
        Access::PythonAtStart,
    ),
    number(Key::PythonAttemptTraceback, "PythonAttemptTraceback", 1, 0, Access::PythonAlways),
    number(Key::OverridePythonAllocators, "OverridePythonAllocators", 1, 0, Access::PythonAtStart),
    number(
        Key::PythonInstallReqMaxIdleTime,
        "PythonInstallReqMaxIdleTime",
        30_000,
        1,
        Access::PythonAlways,
    ),
    text(Key::DependenciesUrl, "DependenciesUrl", ""),
    text(Key::DependenciesSha256, "DependenciesSha256", ""),
    text(Key::PythonInstallationDir, "PythonInstallationDir", "/var/opt/redislabs/modules/rg"),
    Known {
        key: Key::ReplyCompat,
        name: "ReplyCompat",
        kind: Kind::Choice(&["1.2.1", "1.2.13", "mainspring"]),
        access: Access::Always,
    },
    // The longest a script body or an execution may take; 0: no limit. An hour lets a batch job over any keyspace
    // finish and still ends the loop that somebody forgot.
    number(Key::FunctionTimeoutMs, "function-timeout-ms", HOUR_MS, 0, Access::Always),
    // What a session's process may take beyond a fresh one; 0: no limit.
    number(Key::FunctionMemoryBytes, "function-memory-bytes", GIB, 0, Access::Always),
    // How many executions of registrations may wait for their turn.
    number(Key::FunctionQueueMax, "function-queue-max", 100_000, 1, Access::Always),
    // The longest an atomic() block may hold the data.
    number(Key::AtomicMaxMs, "atomic-max-ms", 5000, 1, Access::Always),
    // What the results of one execution may take in the server; 0: no limit. A reader that never ends fills no more.
    number(Key::FunctionResultsBytes, "function-results-bytes", GIB / 2, 0, Access::Always),
    // Whether names that register() does not know are refused, not only logged.
    Known {
        key: Key::StrictRegistrations,
        name: "strict-registrations",
        kind: Kind::Choice(&["no", "yes"]),
        access: Access::Always,
    },
    // What a removed key may have held that a function for before_* events still gets.
    number(Key::BeforeValueMaxBytes, "before-value-max-bytes", 64 << 20, 0, Access::Always),
    // What may wait of that for functions, all together.
    number(Key::BeforeQueueMaxBytes, "before-queue-max-bytes", GIB / 4, 0, Access::Always),
];

#[derive(Clone, Debug, PartialEq)]
enum Setting {
    Number(i64),
    Text(String),
}

/// An option as RG.CONFIGGET shows it.
#[derive(Debug, PartialEq)]
pub(crate) enum Shown<'a> {
    Number(i64),
    Text(&'a str),
    Plugins,
}

/// The reply layouts that clients were written for.
/// A later one has what those before it have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum ReplyCompat {
    /// RedisGears 1.2.1: what redgrease parses.
    V1_2_1,
    /// RedisGears 1.2.13: what RedisGears' own tests index.
    V1_2_13,
    /// Our own: what RedisGears never told comes last.
    Mainspring,
}

#[derive(Clone, Debug)]
pub struct Config {
    settings: Vec<Setting>,
    extra: BTreeMap<String, String>,
    /// Grows with every change while the server runs.
    revision: u64,
}

impl Default for Config {
    fn default() -> Self {
        let default = |known: &Known| match &known.kind {
            Kind::Number(default, _) => Setting::Number(*default),
            Kind::Text(default) => Setting::Text((*default).into()),
            Kind::Choice(words) => Setting::Text(words[0].into()),
        };
        Config {
            settings: OPTIONS.iter().map(default).collect(),
            extra: BTreeMap::new(),
            revision: 0,
        }
    }
}

impl Config {
    /// Sets an option while the server starts, when all of them may be; a name that nobody knows is kept for `configGet()`.
    pub fn load(&mut self, name: &str, value: &str) -> Result<(), String> {
        match known(name) {
            // Plugins are libraries of RedisGears' own: nothing to load here.
            None if name.eq_ignore_ascii_case(PLUGIN) => {}
            None => drop(self.extra.insert(name.into(), value.into())),
            Some(known) => {
                let setting = parse(known, value)
                    .ok_or_else(|| format!("Failed setting config value {name}"))?;
                self.settings[known.key as usize] = setting;
                if matches!(known.access, Access::PythonAlways) {
                    self.extra.insert(known.name.into(), value.into());
                }
            }
        }
        Ok(())
    }

    /// RG.CONFIGSET of one pair: the reply's text, as status or as error.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<&'static str, String> {
        const SAVED: &str = "OK - value was saved in extra config dictionary";
        if name.eq_ignore_ascii_case(PLUGIN) {
            return Err(format!("(error) Config value {name} not modifiable at runtime"));
        }
        let Some(known) = known(name) else {
            self.extra.insert(name.into(), value.into());
            return Ok(SAVED);
        };
        match known.access {
            Access::AtStart => {
                Err(format!("(error) Config value {name} not modifiable at runtime"))
            }
            Access::PythonAtStart => Err(format!("(error) {name} is not configurable at runtime")),
            Access::Always | Access::PythonAlways => {
                let failed = || format!("(error) Failed setting config value {name}");
                self.settings[known.key as usize] = parse(known, value).ok_or_else(failed)?;
                self.revision += 1;
                if known.access == Access::Always {
                    return Ok("OK");
                }
                self.extra.insert(known.name.into(), value.into());
                Ok(SAVED)
            }
        }
    }

    /// RG.CONFIGGET of one name; names are compared exactly here.
    pub(crate) fn get(&self, name: &str) -> Option<Shown<'_>> {
        if name == PLUGIN {
            return Some(Shown::Plugins);
        }
        match OPTIONS.iter().find(|known| known.name == name) {
            Some(known) => Some(match &self.settings[known.key as usize] {
                Setting::Number(number) => Shown::Number(*number),
                Setting::Text(text) => Shown::Text(text),
            }),
            None => self.extra.get(name).map(|value| Shown::Text(value)),
        }
    }

    /// The value of an option, as [`Config::load`] would read it.
    pub fn text(&self, name: &str) -> Option<String> {
        Some(match &self.settings[known(name)?.key as usize] {
            Setting::Number(number) => number.to_string(),
            Setting::Text(text) => text.clone(),
        })
    }

    /// Tells a host that shows these options whether there is anything new.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// `configGet()` of a function: the extra dictionary only.
    pub(crate) fn extra(&self, name: &str) -> Option<&str> {
        self.extra.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, key: Key) -> i64 {
        match &self.settings[key as usize] {
            Setting::Number(number) => *number,
            Setting::Text(_) => unreachable!("{key:?} is no number"),
        }
    }

    /// A number that counts something.
    pub(crate) fn size(&self, key: Key) -> usize {
        usize::try_from(self.number(key)).expect("no option has a least value below zero")
    }

    pub(crate) fn registers_strictly(&self) -> bool {
        self.settings[Key::StrictRegistrations as usize] == Setting::Text("yes".into())
    }

    pub(crate) fn reply_compat(&self) -> ReplyCompat {
        match &self.settings[Key::ReplyCompat as usize] {
            Setting::Text(text) if text == "1.2.13" => ReplyCompat::V1_2_13,
            Setting::Text(text) if text == "mainspring" => ReplyCompat::Mainspring,
            _ => ReplyCompat::V1_2_1,
        }
    }
}

/// CONFIGSET and the start find names in any case.
fn known(name: &str) -> Option<&'static Known> {
    OPTIONS.iter().find(|known| known.name.eq_ignore_ascii_case(name))
}

fn parse(known: &Known, value: &str) -> Option<Setting> {
    match &known.kind {
        Kind::Number(_, least) => {
            let number: i64 = value.parse().ok()?;
            (number >= *least).then_some(Setting::Number(number))
        }
        Kind::Text(_) => Some(Setting::Text(value.into())),
        Kind::Choice(words) => words.contains(&value).then(|| Setting::Text(value.into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_stands_where_its_key_points() {
        for (index, known) in OPTIONS.iter().enumerate() {
            assert_eq!(known.key as usize, index, "{}", known.name);
        }
    }

    #[test]
    fn an_option_is_set_in_any_case_but_read_in_its_own() {
        let mut config = Config::default();
        assert_eq!(config.set("maxexecutions", "7"), Ok("OK"));
        assert_eq!(config.get("MaxExecutions"), Some(Shown::Number(7)));
        assert_eq!(config.get("maxexecutions"), None);
    }

    #[test]
    fn bad_values_and_fixed_options_are_refused_in_redisgears_words() {
        let mut config = Config::default();
        assert_eq!(
            config.set("MaxExecutions", "-1"),
            Err("(error) Failed setting config value MaxExecutions".into())
        );
        assert_eq!(
            config.set("ExecutionThreads", "5"),
            Err("(error) Config value ExecutionThreads not modifiable at runtime".into())
        );
        assert_eq!(
            config.set("CreateVenv", "1"),
            Err("(error) CreateVenv is not configurable at runtime".into())
        );
        assert_eq!(
            config.set("plugin", "x"),
            Err("(error) Config value plugin not modifiable at runtime".into())
        );
    }

    #[test]
    fn unknown_options_go_to_the_dictionary_that_functions_see() {
        let mut config = Config::default();
        assert_eq!(config.set("foo", "1"), Ok("OK - value was saved in extra config dictionary"));
        assert_eq!(config.extra("foo"), Some("1"));
        assert_eq!(config.extra("MaxExecutions"), None);
    }

    #[test]
    fn the_layout_of_replies_is_chosen_among_three() {
        let mut config = Config::default();
        assert_eq!(config.reply_compat(), ReplyCompat::V1_2_1);
        assert!(config.set("ReplyCompat", "2.0").is_err());
        assert_eq!(config.set("replycompat", "1.2.13"), Ok("OK"));
        assert_eq!(config.reply_compat(), ReplyCompat::V1_2_13);
        assert_eq!(config.set("replycompat", "mainspring"), Ok("OK"));
        assert!(config.reply_compat() > ReplyCompat::V1_2_13);
    }

    #[test]
    fn a_start_option_may_be_loaded() {
        let mut config = Config::default();
        assert_eq!(config.load("executionThreads", "1"), Ok(()));
        assert_eq!(config.size(Key::ExecutionThreads), 1);
    }
}
