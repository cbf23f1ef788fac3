//! Registrations on what certain commands do to keys (`commands=[…]`): the client waits until the functions that its
//! command triggered are over, and one of them may answer in the command's place.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::Trigger;
use crate::engine::{Answer, Doors, Engine, reply_to};
use crate::execution::write_record;
use crate::host::{ClientId, Host};
use crate::plan::Argument;
use crate::worker::{ExecutionId, Token, WorkerId};

/// A command that runs, and whose events somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct CauseId(u64);

struct Cause {
    /// In lower case, without a subcommand.
    command: Box<str>,
    args: Vec<Vec<u8>>,
    /// Whether its client can be made to wait.
    can_block: bool,
    /// Executions that are not over.
    running: usize,
    /// What `override_reply` gave, as RESP2.
    overriding: Option<Vec<u8>>,
    /// The command is over, and this is what its client gets otherwise.
    held: Option<(ClientId, Vec<u8>)>,
}

#[derive(Default)]
pub(crate) struct Causes {
    by_id: BTreeMap<CauseId, Cause>,
    of: HashMap<ExecutionId, CauseId>,
    begun: u64,
}

impl Causes {
    /// Whether the client of a command may be waiting for this execution.
    pub(crate) fn is_waited_for(&self, execution: ExecutionId) -> bool {
        self.of.contains_key(&execution)
    }

    pub(super) fn is_command(&self, id: CauseId, names: &[Box<str>]) -> bool {
        self.by_id.get(&id).is_some_and(|cause| names.contains(&cause.command))
    }
}

/// Whether a command's events can be waited for, by what the server says of it.
pub(crate) fn check_command(
    host: &mut dyn Host,
    name: &[u8],
    prefix_is_empty: bool,
) -> Result<(), String> {
    let facts = host.command_facts(name).ok_or("bad reply on COMMAND command")?;
    let refusal = if facts.no_script {
        "Can not hook a command which are not allowed inside a script"
    } else if facts.movable_keys {
        "Can not hook a command with moveable keys by key prefix"
    } else if facts.first_key <= 0 {
        "Can not hook a command by key prefix with none positive first key"
    } else if facts.key_step <= 0 {
        "Can not override a command by key prefix with none positive jump"
    } else if prefix_is_empty {
        "Empty perfix given to command hooker"
    } else {
        return Ok(());
    };
    Err(refusal.into())
}

impl super::Registrations {
    pub(super) fn caused_commands(&self) -> BTreeSet<&str> {
        let commands = self.listed().filter_map(|(_, registration)| match &registration.trigger {
            Trigger::Keys(keys) => keys.commands.as_ref(),
            Trigger::Command(_) | Trigger::Stream(_) | Trigger::Cron(_) => None,
        });
        commands.flatten().map(|command| &**command).collect()
    }
}

impl Engine {
    /// A command begins whose events somebody waits for; hand the answer to `key_event` while it runs.
    pub fn command_begins(&mut self, command: &str, args: &[&[u8]], can_block: bool) -> CauseId {
        let id = CauseId(self.causes.begun);
        self.causes.begun += 1;
        let cause = Cause {
            command: command.into(),
            args: args.iter().map(|arg| arg.to_vec()).collect(),
            can_block,
            running: 0,
            overriding: None,
            held: None,
        };
        self.causes.by_id.insert(id, cause);
        id
    }

    /// The command is over. `reply` is its own; what its client gets is appended to `out`, or comes later.
    pub fn command_ended(
        &mut self,
        id: CauseId,
        client: ClientId,
        reply: &[u8],
        out: &mut Vec<u8>,
    ) -> Answer {
        let Some(cause) = self.causes.by_id.get_mut(&id) else {
            out.extend_from_slice(reply);
            return Answer::Ready;
        };
        if cause.running > 0 && cause.can_block {
            cause.held = Some((client, reply.into()));
            return Answer::Later;
        }
        out.extend_from_slice(cause.overriding.as_deref().unwrap_or(reply));
        self.causes.by_id.remove(&id);
        Answer::Ready
    }

    /// An execution was triggered while the cause's command ran. Those that nobody can wait for go their own way.
    pub(super) fn caused(&mut self, execution: ExecutionId, id: CauseId, is_inside: bool) {
        if let Some(cause) = self.causes.by_id.get_mut(&id)
            && (cause.can_block || is_inside)
        {
            cause.running += 1;
            self.causes.of.insert(execution, id);
        }
    }

    /// An execution is over: its cause's client may have waited for it.
    pub(crate) fn leave_cause(&mut self, doors: &mut Doors, execution: ExecutionId) {
        let Some(id) = self.causes.of.remove(&execution) else { return };
        let Some(cause) = self.causes.by_id.get_mut(&id) else { return };
        cause.running -= 1;
        if cause.running == 0
            && let Some((client, reply)) = cause.held.take()
        {
            doors.host.reply(client, cause.overriding.as_deref().unwrap_or(&reply));
            self.causes.by_id.remove(&id);
        }
    }

    fn cause_of(&mut self, execution: Option<ExecutionId>) -> Result<&mut Cause, String> {
        let id = execution.and_then(|execution| self.causes.of.get(&execution));
        let cause = id.and_then(|id| self.causes.by_id.get_mut(id));
        cause.ok_or_else(|| "Can not get command ctx".into())
    }

    /// `get_command()`.
    pub(crate) fn requested_cause(
        &mut self,
        doors: &mut Doors,
        worker: WorkerId,
        token: Token,
        execution: Option<ExecutionId>,
    ) {
        let mut wire = Vec::new();
        let answer = self.cause_of(execution).map(|cause| {
            let mut reply = reply_to(&mut wire);
            reply.array(cause.args.len());
            cause.args.iter().for_each(|arg| reply.bulk(arg));
        });
        match answer {
            Ok(()) => doors.workers.answer_wire(worker, token, &wire),
            Err(error) => doors.workers.answer(worker, token, Err(error)),
        }
    }

    /// `override_reply()`.
    pub(crate) fn requested_override(
        &mut self,
        execution: Option<ExecutionId>,
        value: &Argument,
    ) -> Result<Argument, String> {
        let cause = self.cause_of(execution)?;
        if cause.overriding.is_some() {
            return Err("Can only override reply once".into());
        }
        let mut wire = Vec::new();
        write_record(value, &mut reply_to(&mut wire));
        cause.overriding = Some(wire);
        Ok(Argument::None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::registrations::During;
    use crate::testing::{CLIENT, Stage, WORKER, plan, text, texts};
    use crate::worker::FromWorker;

    /// The recipe for a cache: a read of an absent key fetches the value.
    fn cache(mode: &str) -> Stage {
        let kwargs = [
            ("prefix", text("cache:*")),
            ("eventTypes", texts(&["keymiss"])),
            ("commands", texts(&["GET"])),
            ("mode", text(mode)),
        ];
        Stage::registered(plan("KeysReader", &[]), &kwargs)
    }

    fn get(stage: &mut Stage, key: &str, can_block: bool) -> String {
        let args: [&[u8]; 2] = [b"GET", key.as_bytes()];
        let mut out = Vec::new();
        let answer = stage.act(|engine, doors| {
            let cause = engine.command_begins("get", &args, can_block);
            let during = During { cause: Some(cause), may_suspend: can_block };
            for id in engine.key_event(doors, "keymiss", key.as_bytes(), during) {
                engine.begin_inside(doors, id);
            }
            engine.command_ended(cause, CLIENT, b"$-1\r\n", &mut out)
        });
        stage.work();
        if answer == Answer::Later { "…".into() } else { String::from_utf8(out).unwrap() }
    }

    fn override_reply(stage: &mut Stage, execution: u64) -> String {
        let execution = Some(ExecutionId(execution));
        stage.sent();
        let value = text("fetched");
        stage.from(WORKER, FromWorker::OverrideReply { token: Token(1), execution, value });
        stage.sent().remove(0)
    }

    #[test]
    fn the_client_waits_for_the_function_and_gets_the_reply_it_gives() {
        let mut stage = cache("async_local");
        assert_eq!(stage.host.caused, ["get"]);
        assert_eq!(get(&mut stage, "cache:1", true), "…");
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [cache:1=nothing(keymiss)]"]);
        assert_eq!(override_reply(&mut stage, 1), "answer w0 t1 None");
        assert_eq!(
            override_reply(&mut stage, 1),
            "answer w0 t1 raise Can only override reply once"
        );
        assert_eq!(stage.replies(), [""; 0]);
        stage.done(WORKER, 1, vec![]);
        assert_eq!(stage.reply(), "$7|fetched|");
    }

    #[test]
    fn without_an_override_the_command_s_own_reply_is_given() {
        let mut stage = cache("async");
        assert_eq!(get(&mut stage, "cache:1", true), "…");
        stage.failed(WORKER, 1, "no");
        assert_eq!(stage.reply(), "$-1|");
        assert_eq!(get(&mut stage, "other", true), "$-1\r\n");
        assert!(stage.engine.causes.by_id.is_empty() && stage.engine.causes.of.is_empty());
    }

    #[test]
    fn a_function_knows_the_command_that_triggered_it() {
        let mut stage = cache("async");
        get(&mut stage, "cache:1", true);
        stage.sent();
        for (execution, answer) in
            [(1, "*2|$3|GET|$7|cache:1|"), (9, "raise Can not get command ctx")]
        {
            let execution = Some(ExecutionId(execution));
            stage.from(WORKER, FromWorker::GetCommand { token: Token(1), execution });
            assert_eq!(stage.sent(), [format!("answer w0 t1 {answer}")]);
        }
    }

    #[test]
    fn where_nobody_may_wait_the_function_runs_and_the_reply_is_the_command_s_own() {
        let mut stage = cache("async");
        assert_eq!(get(&mut stage, "cache:1", false), "$-1\r\n");
        assert_eq!(stage.sent(), ["invoke w0 e1 f0 [cache:1=nothing(keymiss)]"]);
        assert!(override_reply(&mut stage, 1).contains("Can not get command ctx"));
    }

    #[test]
    fn events_of_other_commands_start_nothing() {
        let mut stage = cache("async");
        stage.event("keymiss", "cache:1");
        assert!(!stage.engine.has_work());
    }

    #[test]
    fn commands_whose_keys_are_not_known_are_refused() {
        for (command, prefix, error) in [
            ("nosuch", "*", "bad reply on COMMAND command"),
            ("multi", "*", "Can not hook a command which are not allowed inside a script"),
            ("xread", "*", "Can not hook a command with moveable keys by key prefix"),
            ("ping", "*", "Can not hook a command by key prefix with none positive first key"),
            ("get", "", "Empty perfix given to command hooker"),
        ] {
            let mut stage = Stage::new();
            stage.command("RG.PYEXECUTE code");
            stage.sent();
            let kwargs = [("commands", texts(&[command])), ("prefix", text(prefix))];
            stage.register(WORKER, 0, plan("KeysReader", &[]), &kwargs);
            assert_eq!(stage.sent(), [format!("answer w0 t0 raise {error}")]);
        }
    }
}
