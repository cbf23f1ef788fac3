//! The RG.* commands. Both hosts mount them from this list.

mod abortexecution;
mod clearregistrationsstats;
mod configget;
mod configset;
mod dropexecution;
mod dumpexecutions;
mod dumpplugins;
mod dumpregistrations;
mod getexecution;
mod getresults;
mod getresultsblocking;
mod hello;
mod infocluster;
mod metrics;
mod pauseregistrations;
mod pydumpreqs;
mod pydumpsessions;
mod pyexecute;
mod pyprofile;
mod pystats;
mod refreshcluster;
mod trigger;
mod triggeronkey;
mod unpauseregistrations;
mod unregister;

use command_spec::{Arity, CommandSpec, Flags, Group};
use resp::ReplyWriter;

use crate::engine::{Answer, Doors, Engine, reply_to};
use crate::execution::Execution;
use crate::host::ClientId;
use crate::identifier::RegistrationNumber;
use crate::worker::ExecutionId;

pub(crate) use hello::random_name;
pub(crate) use pyexecute::Install;
pub(crate) use pystats::MemoryAccount;

/// What a command is given.
pub(crate) struct Call<'c, 'd> {
    pub(crate) doors: &'c mut Doors<'d>,
    pub(crate) client: ClientId,
    /// Without the command's name.
    pub(crate) args: &'c [&'c [u8]],
    pub(crate) can_block: bool,
    pub(crate) reply: ReplyWriter<'c>,
}

pub(crate) struct Command {
    spec: CommandSpec,
    /// Arguments that it takes, its name not counted. COMMAND shows -1 for all, as RedisGears does.
    args: std::ops::RangeInclusive<usize>,
    run: fn(&mut Engine, &mut Call) -> Result<Answer, Refusal>,
}

/// An error reply: its whole text, for RedisGears puts no code before it.
pub(crate) struct Refusal(String);

impl<T: Into<String>> From<T> for Refusal {
    fn from(text: T) -> Self {
        Refusal(text.into())
    }
}

/// Sorted by name.
static COMMANDS: [Command; 25] = [
    abortexecution::COMMAND,
    clearregistrationsstats::COMMAND,
    configget::COMMAND,
    configset::COMMAND,
    dropexecution::COMMAND,
    dumpexecutions::COMMAND,
    dumpplugins::COMMAND,
    dumpregistrations::COMMAND,
    getexecution::COMMAND,
    getresults::COMMAND,
    getresultsblocking::COMMAND,
    hello::COMMAND,
    infocluster::COMMAND,
    metrics::COMMAND,
    pauseregistrations::COMMAND,
    pydumpreqs::COMMAND,
    pydumpsessions::COMMAND,
    pyexecute::COMMAND,
    pyprofile::COMMAND,
    pystats::COMMAND,
    refreshcluster::COMMAND,
    trigger::COMMAND,
    triggeronkey::COMMAND,
    unpauseregistrations::COMMAND,
    unregister::COMMAND,
];

const NAME_LENGTH_MAX: usize = 32;

/// How every RG.* command describes itself: a module's command, arity checked by itself, readonly, without keys.
const fn spec(name: &'static str, summary: &'static str, syntax: &'static str) -> CommandSpec {
    CommandSpec::new(name, Group::Module, Arity::AtLeast(1), summary)
        .flags(Flags::READONLY)
        .flags(Flags::MODULE)
        .syntax(syntax)
}

fn find(name: &[u8]) -> Option<&'static Command> {
    let mut lower = [0; NAME_LENGTH_MAX];
    let lower = lower.get_mut(..name.len())?;
    lower.copy_from_slice(name);
    lower.make_ascii_lowercase();
    let place = COMMANDS.binary_search_by(|command| command.spec.name.as_bytes().cmp(lower));
    place.ok().map(|place| &COMMANDS[place])
}

impl Engine {
    /// What the RG.* commands say of themselves.
    pub fn commands() -> impl Iterator<Item = &'static CommandSpec> {
        COMMANDS.iter().map(|command| &command.spec)
    }

    /// Runs an RG.* command, its name being the first of `args`.
    ///
    /// `can_block` is false inside MULTI, scripts and functions; then the answer is always ready. A reply that is ready
    /// is appended to `reply` in RESP2; one that comes later comes through [`crate::host::Host::reply`].
    pub fn command(
        &mut self,
        doors: &mut Doors,
        client: ClientId,
        args: &[&[u8]],
        can_block: bool,
        reply: &mut Vec<u8>,
    ) -> Answer {
        let Some((name, args)) = args.split_first() else {
            reply_to(reply).error(b"ERR no command was given");
            return Answer::Ready;
        };
        let Some(command) = find(name) else {
            let name = String::from_utf8_lossy(name);
            reply_to(reply).error(format!("ERR unknown command '{name}'").as_bytes());
            return Answer::Ready;
        };
        let start = reply.len();
        let outcome =
            if command.args.contains(&args.len()) || blocking_comes_first(command, can_block) {
                let reply = reply_to(reply);
                (command.run)(self, &mut Call { doors, client, args, can_block, reply })
            } else {
                let name = command.spec.name;
                Err(format!("ERR wrong number of arguments for '{name}' command").into())
            };
        outcome.unwrap_or_else(|Refusal(text)| {
            reply.truncate(start);
            reply_to(reply).error(text.as_bytes());
            Answer::Ready
        })
    }

    fn find_execution(
        &self,
        id: &[u8],
        unknown: &str,
    ) -> Result<(ExecutionId, &Execution), Refusal> {
        let id = self.identifiers.parse_execution(id);
        let found = id.and_then(|id| self.executions.get(&id).map(|execution| (id, execution)));
        found.ok_or_else(|| unknown.into())
    }

    fn find_registration(&self, id: &[u8]) -> Option<RegistrationNumber> {
        let number = self.identifiers.parse_registration(id)?;
        self.registrations.by_number.get(&number).filter(|found| !found.retired).map(|_| number)
    }
}

/// RG.PYEXECUTE refuses to run where it cannot block before it looks at its arguments.
fn blocking_comes_first(command: &Command, can_block: bool) -> bool {
    !can_block && command.spec.name == pyexecute::COMMAND.spec.name
}

pub(crate) const NO_EXECUTION: &str = "execution plan does not exist";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_so_that_it_can_be_searched() {
        assert!(COMMANDS.is_sorted_by(|a, b| a.spec.name < b.spec.name));
    }

    #[test]
    fn every_command_is_found_in_any_case() {
        for spec in Engine::commands() {
            assert!(spec.name.len() <= NAME_LENGTH_MAX);
            assert!(find(spec.name.to_uppercase().as_bytes()).is_some(), "{}", spec.name);
        }
        assert!(find(b"rg.nosuch").is_none());
        assert!(find(&[b'x'; 100]).is_none());
    }

    #[test]
    fn every_command_says_what_it_does() {
        for spec in Engine::commands() {
            assert!(spec.name.starts_with("rg.") && spec.summary.ends_with('.'), "{}", spec.name);
        }
    }

    #[test]
    fn a_wrong_number_of_arguments_is_refused_by_name() {
        let mut stage = crate::testing::Stage::new();
        assert_eq!(
            stage.command("RG.UNREGISTER"),
            "-ERR wrong number of arguments for 'rg.unregister' command|"
        );
        assert_eq!(
            stage.command("rg.pausEregistrations a b"),
            "-ERR wrong number of arguments for 'rg.pauseregistrations' command|"
        );
        assert_eq!(stage.command("RG.NOSUCH"), "-ERR unknown command 'RG.NOSUCH'|");
    }

    #[test]
    fn what_has_nothing_to_tell_without_a_cluster_says_so() {
        let mut stage = crate::testing::Stage::new();
        assert_eq!(stage.command("RG.INFOCLUSTER"), "$15|no cluster mode|");
        assert_eq!(stage.command("RG.REFRESHCLUSTER"), "+OK|");
        assert_eq!(stage.command("RG.PYDUMPREQS"), "*0|");
        assert_eq!(stage.command("RG.DUMPPLUGINS"), "*1|*2|$17|GearsPythonPlugin|:10213|");
    }
}
