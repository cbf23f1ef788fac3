//! The server's parameters that are options of the engine: whoever sets one, both show it.

use functions::{Doors, Engine};

use super::with_engine;
use crate::config::Config;
use crate::state::State;

/// Their names here and there.
const OPTIONS: [(&str, &str); 17] = [
    ("atomic-max-ms", "atomic-max-ms"),
    ("before-queue-max-bytes", "before-queue-max-bytes"),
    ("before-value-max-bytes", "before-value-max-bytes"),
    ("function-cascade-max", "function-cascade-max"),
    ("function-cpu-ms", "function-cpu-ms"),
    ("function-filesystem", "function-filesystem"),
    ("function-kill-on-disconnect", "function-kill-on-disconnect"),
    ("function-max-files", "function-max-files"),
    ("function-memory-bytes", "function-memory-bytes"),
    ("function-network", "function-network"),
    ("function-processes", "function-processes"),
    ("function-queue-max", "function-queue-max"),
    ("function-queue-policy", "function-queue-policy"),
    ("function-results-bytes", "function-results-bytes"),
    ("function-timeout-ms", "function-timeout-ms"),
    ("reply-compat", "ReplyCompat"),
    ("strict-registrations", "strict-registrations"),
];

/// What the engine begins with.
pub(super) fn of(config: &Config) -> functions::Config {
    let mut options = functions::Config::default();
    for (name, option) in OPTIONS {
        options.load(option, config.text(name)).expect("the configuration has checked the value");
    }
    options
}

/// CONFIG SET has changed something: the engine's options follow.
pub(crate) fn apply_config(state: &mut State) {
    let config = state.config.clone();
    let told = with_engine(state, |engine, doors| set(engine, doors, &config));
    state.gears.options_are_late |= told.is_none();
}

pub(super) fn set(engine: &mut Engine, doors: &mut Doors, config: &Config) {
    for (name, option) in OPTIONS {
        engine
            .set_option(doors, option, config.text(name))
            .expect("the configuration has checked the value");
    }
}

/// The engine's options are the truth: whoever set one, CONFIG GET shows it.
pub(super) fn read_back(engine: &Engine, state: &mut State) {
    if state.gears.options_seen == engine.config().revision() {
        return;
    }
    state.gears.options_seen = engine.config().revision();
    for (name, option) in OPTIONS {
        let value = engine.config().text(option).expect("the engine knows the option");
        state.config.set(name, &value).expect("the engine has checked the value");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_server_s_defaults_are_the_engine_s() {
        let (ours, theirs) = (Config::default(), functions::Config::default());
        for (name, option) in OPTIONS {
            assert_eq!(Some(ours.text(name)), theirs.text(option).as_deref(), "{name}");
        }
    }

    #[test]
    fn what_the_engine_takes_the_configuration_takes() {
        let mut config = Config::default();
        for (name, value) in [
            ("atomic-max-ms", i64::MAX),
            ("before-queue-max-bytes", 0),
            ("before-value-max-bytes", i64::MAX),
            ("function-cascade-max", i64::MAX),
            ("function-cpu-ms", i64::MAX),
            ("function-max-files", 0),
            ("function-memory-bytes", i64::MAX),
            ("function-queue-max", 1),
            ("function-results-bytes", 0),
            ("function-timeout-ms", 0),
        ] {
            assert_eq!(config.set(name, &value.to_string()), Ok(()), "{name}");
        }
    }
}
