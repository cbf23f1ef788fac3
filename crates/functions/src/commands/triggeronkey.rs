use command_spec::Keys;

use super::{Command, spec, trigger};

/// The same as RG.TRIGGER; the key is there so that a cluster's clients find the shard.
pub(crate) const COMMAND: Command = Command {
    spec: spec(
        "rg.triggeronkey",
        "Calls a function that is registered as a command, where a key is.",
        "name key [argument ...]",
    )
    .keys(Keys::Range { first: 2, last: 2, step: 1 }),
    args: 2..=usize::MAX,
    run: trigger::run,
};
