//! Registrations in place of commands: a hook runs its function instead of the command, `call_next()` what it hides.

use std::collections::HashMap;

use super::{CommandTrigger, Mode, Registration, Trigger};
use crate::engine::{Answer, Doors, Engine, reply_to};
use crate::execution::{Execution, ReplyForm};
use crate::host::{ClientId, CommandFacts, Host};
use crate::identifier::RegistrationNumber;
use crate::worker::ExecutionId;

/// What a hook takes the place of.
pub(crate) struct Hook {
    /// Only where a key begins so.
    pub(crate) prefix: Option<Box<[u8]>>,
}

/// A call of a command that has hooks.
pub struct HookedCall<'a> {
    pub client: ClientId,
    /// The command's name in lower case, without a subcommand.
    pub command: &'a str,
    /// As called, the name first.
    pub args: &'a [&'a [u8]],
    pub keys: &'a [&'a [u8]],
    /// From [`crate::FunctionCall::below`].
    pub below: Option<RegistrationNumber>,
    pub can_block: bool,
}

/// Hooks by the command they hide, the oldest first.
#[derive(Default)]
pub(crate) struct HookIndex(HashMap<Box<str>, Vec<RegistrationNumber>>);

impl HookIndex {
    pub(super) fn of<'a>(
        registrations: impl Iterator<Item = (RegistrationNumber, &'a Registration)>,
    ) -> Self {
        let mut index = HookIndex::default();
        for (number, registration) in registrations {
            if let Some((trigger, _)) = registration.hook() {
                index.0.entry(trigger.name_text()).or_default().push(number);
            }
        }
        index
    }

    pub(super) fn commands(&self) -> impl Iterator<Item = &str> {
        self.0.keys().map(|command| &**command)
    }
}

impl CommandTrigger {
    fn name_text(&self) -> Box<str> {
        String::from_utf8_lossy(&self.name).to_ascii_lowercase().into()
    }
}

impl Registration {
    pub(super) fn hook(&self) -> Option<(&CommandTrigger, &Hook)> {
        match &self.trigger {
            Trigger::Command(trigger) => Some((trigger, trigger.hook.as_ref()?)),
            Trigger::Keys(_) | Trigger::Stream(_) | Trigger::Cron(_) => None,
        }
    }
}

/// Whether a command can be hidden, by what the server says of it.
pub(crate) fn check_command(
    host: &mut dyn Host,
    name: &[u8],
    by_prefix: bool,
) -> Result<(), String> {
    let facts = host.command_facts(name).ok_or("Can not override an unexisting command")?;
    if facts.no_script {
        return Err("Can not override a command which are not allowed inside a script".into());
    }
    let CommandFacts { movable_keys, first_key, key_step, .. } = facts;
    match () {
        () if !by_prefix => Ok(()),
        () if movable_keys => {
            Err("Can not override a command with moveable keys by key prefix".into())
        }
        () if first_key <= 0 => {
            Err("Can not override a command by key prefix with none positive first key".into())
        }
        () if key_step <= 0 => {
            Err("Can not override a command by key prefix with none positive jump".into())
        }
        () => Ok(()),
    }
}

/// A hook that runs in its own time cannot be hidden: whoever calls the next one could not wait for it.
pub(crate) fn check_next(mode: Option<Mode>, why: &str) -> Result<(), String> {
    match mode {
        None | Some(Mode::Sync) => Ok(()),
        Some(Mode::Async | Mode::AsyncLocal) => Err(why.into()),
    }
}

impl Engine {
    /// The mode of the newest hook of a command.
    pub(crate) fn newest_hook(&self, name: &[u8]) -> Option<Mode> {
        let name = String::from_utf8_lossy(name).to_ascii_lowercase();
        let newest = self.registrations.hooks.0.get(&*name)?.last()?;
        Some(self.registrations.by_number[newest].mode)
    }

    /// A call of a command, before it runs. `None`: no hook wants it, and the command itself is to run.
    pub fn hook(
        &mut self,
        doors: &mut Doors,
        call: HookedCall,
        reply: &mut Vec<u8>,
    ) -> Option<Answer> {
        let number = self.hook_of(&call)?;
        let answer = self.trigger(doors, number, call.client, call.args, call.can_block);
        Some(answer.unwrap_or_else(|refusal| {
            reply_to(reply).error(refusal.as_bytes());
            Answer::Ready
        }))
    }

    fn hook_of(&self, call: &HookedCall) -> Option<RegistrationNumber> {
        let hooks = self.registrations.hooks.0.get(call.command)?;
        let applies = |number: &&RegistrationNumber| {
            let (_, hook) = self.registrations.by_number[number].hook().expect("the index has it");
            let is_older = call.below.is_none_or(|below| **number < below);
            is_older
                && hook
                    .prefix
                    .as_ref()
                    .is_none_or(|prefix| call.keys.iter().any(|key| key.starts_with(prefix)))
        };
        hooks.iter().rev().find(applies).copied()
    }

    /// The hook that an execution is of, and the command it hides.
    pub(crate) fn hooked_command(&self, id: ExecutionId) -> Option<(RegistrationNumber, Vec<u8>)> {
        let number = self.executions.get(&id)?.origin.registration()?;
        let (trigger, _) = self.registrations.by_number.get(&number)?.hook()?;
        Some((number, trigger.name.to_vec()))
    }
}

impl super::Registrations {
    /// How an execution's outcome answers the one who waits for it.
    pub(crate) fn reply_form(&self, execution: &Execution) -> ReplyForm {
        let registration =
            execution.origin.registration().and_then(|number| self.by_number.get(&number));
        match registration.and_then(Registration::hook) {
            Some(_) => ReplyForm::OneRecord,
            None => ReplyForm::Records,
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, plan, text};
    use crate::worker::{ExecutionId, FromWorker, Token, WorkerId};

    fn hook(mode: &str) -> Vec<(&'static str, Argument)> {
        vec![("hook", text("HSET")), ("mode", text(mode))]
    }

    fn hooked(mode: &str) -> Stage {
        Stage::registered(plan("CommandReader", &[StepKind::Map]), &hook(mode))
    }

    fn refusal(kwargs: &[(&str, Argument)]) -> String {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.register(WORKER, 0, plan("CommandReader", &[]), kwargs);
        stage.sent().remove(0).replacen("answer w0 t0 raise ", "", 1)
    }

    #[test]
    fn a_hook_runs_in_place_of_its_command_and_its_one_result_is_the_reply() {
        let mut stage = hooked("async");
        assert_eq!(stage.host.hooked, ["hset"]);
        assert_eq!(stage.hook("hset", "HSET k f v", None, true), Some("…".into()));
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [HSET k f v]"]);
        stage.done(WORKER, 1, vec![text("2")]);
        assert_eq!(stage.reply(), "$1|2|");
        stage.hook("hset", "HSET k f v", None, true);
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.reply(), "-Command hook must return exactly one result|");
        stage.hook("hset", "HSET k f v", None, true);
        stage.failed(WORKER, 3, "no");
        assert_eq!(stage.reply(), "-no|");
    }

    #[test]
    fn a_hook_that_must_wait_is_refused_where_nobody_may() {
        let refused = hooked("async").hook("hset", "HSET k f v", None, false).unwrap();
        assert!(refused.contains("blocking is not allowed"), "{refused}");
        assert_eq!(
            hooked("sync").hook("hset", "HSET k f v", None, false),
            Some("inside e1".into())
        );
    }

    #[test]
    fn the_next_of_a_hook_is_the_older_hook_and_then_the_command() {
        let mut stage = hooked("sync");
        stage.command("RG.PYEXECUTE code");
        stage.register(WorkerId(1), 0, plan("CommandReader", &[]), &hook("sync"));
        stage.script_done(WorkerId(1));
        stage.sent();
        assert_eq!(stage.hook("hset", "HSET k f v", None, false), Some("inside e2".into()));
        assert_eq!(stage.sent(), ["inside w1 e2 f0 [HSET k f v] may not suspend"]);

        let next = |stage: &mut Stage, worker, execution, args: &str| {
            let args = args.split(' ').map(|word| word.as_bytes().to_vec()).collect();
            let execution = Some(ExecutionId(execution));
            stage.tell(worker, FromWorker::CallNext { token: Token(5), execution, args });
            stage.act(|engine, doors| engine.next_call(doors)).expect("it is a hook's")
        };
        let call = next(&mut stage, WorkerId(1), 2, "k f w");
        assert_eq!(call.args.concat(), b"hsetkfw");
        assert_eq!(stage.hook("hset", "HSET k f w", call.below, false), Some("inside e3".into()));
        assert_eq!(stage.sent(), ["inside w0 e3 f0 [HSET k f w] may not suspend"]);
        let call = next(&mut stage, WORKER, 3, "k f x");
        assert_eq!(stage.hook("hset", "HSET k f x", call.below, false), None);
    }

    #[test]
    fn only_a_hook_has_a_next() {
        let mut stage = Stage::with_trigger();
        stage.command("RG.TRIGGER t");
        stage.sent();
        for execution in [None, Some(ExecutionId(1))] {
            stage.from(WORKER, FromWorker::CallNext { token: Token(5), execution, args: vec![] });
            assert_eq!(stage.sent(), ["answer w0 t5 raise Can not get CommandHook ctx"]);
        }
    }

    #[test]
    fn a_prefix_is_held_against_every_key() {
        let kwargs = [("hook", text("mset")), ("keyprefix", text("user:")), ("mode", text("sync"))];
        let mut stage = Stage::registered(plan("CommandReader", &[]), &kwargs);
        assert_eq!(stage.hook("mset", "MSET other:1 x", None, false), None);
        let found = stage.hook("mset", "MSET other:1 user:2", None, false);
        assert_eq!(found, Some("inside e1".into()));
    }

    #[test]
    fn commands_that_cannot_be_hidden_are_refused_in_redisgears_words() {
        for (name, prefix, error) in [
            ("nosuch", None, "Can not override an unexisting command"),
            ("multi", None, "Can not override a command which are not allowed inside a script"),
            ("xread", Some("p"), "Can not override a command with moveable keys by key prefix"),
            (
                "ping",
                Some("p"),
                "Can not override a command by key prefix with none positive first key",
            ),
        ] {
            let mut kwargs = vec![("hook", text(name))];
            kwargs.extend(prefix.map(|prefix| ("keyprefix", text(prefix))));
            assert_eq!(refusal(&kwargs), error);
        }
        assert_eq!(
            refusal(&[("hook", text("get")), ("trigger", text("t"))]),
            "trigger argument can not be given with keyprefix or hook"
        );
    }

    #[test]
    fn an_asynchronous_hook_cannot_be_hidden_by_another() {
        let mut stage = hooked("async");
        stage.command("RG.PYEXECUTE code");
        stage.sent();
        stage.register(WorkerId(1), 0, plan("CommandReader", &[]), &hook("sync"));
        assert_eq!(stage.sent(), ["answer w1 t0 raise Can not override a none sync registration"]);
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("CommandReader", &[]), &hook("async"));
        stage.sent();
        stage.register(WORKER, 1, plan("CommandReader", &[]), &hook("sync"));
        assert_eq!(
            stage.sent(),
            ["answer w0 t1 raise Can not override a none sync registration which already \
              created on this session"]
        );
    }
}
