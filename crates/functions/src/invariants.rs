//! Random plays: whatever clients and workers do, in whatever order, the books stay right.

use crate::execution::{Execution, Input};
use crate::host::ClientId;
use crate::plan::{Argument, StepKind};
use crate::registrations::{Announced, Mode, Trigger};
use crate::testing::{Dice, Stage, plan, text};
use crate::worker::{ExecutionId, ExitReason, FromWorker, FunctionId, Token, WorkerId};

struct Play {
    stage: Stage,
    dice: Dice,
    /// Late replies that are owed: one client a command.
    owed: Vec<u64>,
    clients: u64,
    workers: u64,
    now_ms: i64,
    /// Functions inside commands, the outermost first: each on a frame of the host.
    frames: Vec<Frame>,
    /// Clients that write; those that are held do not.
    held: Vec<u64>,
    registers: usize,
}

/// Clients that write at the same time.
const WRITERS: usize = 5;
/// Their numbers follow upon this one.
const FIRST_WRITER: u64 = 1 << 40;

struct Frame {
    execution: u64,
    /// Who is owed the reply, should the function be suspended.
    client: Option<u64>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut stage = Stage::with_keys(2500);
        stage.command("RG.CONFIGSET function-timeout-ms 300 function-queue-max 20");
        stage.command("RG.CONFIGSET MaxExecutions 10 MaxExecutionsPerRegistration 3");
        if seed.is_multiple_of(2) {
            stage.command("RG.CONFIGSET function-kill-on-disconnect yes function-cpu-ms 100");
            stage.command("RG.CONFIGSET function-cascade-max 2");
        }
        let dice = Dice::new(seed);
        Play {
            stage,
            dice,
            owed: Vec::new(),
            clients: 0,
            workers: 0,
            now_ms: 0,
            frames: Vec::new(),
            held: Vec::new(),
            registers: 0,
        }
    }

    fn command(&mut self, line: &str) {
        self.clients += 1;
        let can_block = self.dice.below(8) > 0;
        let reply = self.stage.command_of(ClientId(self.clients), line, can_block);
        if reply == "…" {
            assert!(can_block, "{line} waits where it must not");
            self.owed.push(self.clients);
        } else if let Some(execution) = reply.strip_prefix("inside e") {
            let client = can_block.then_some(self.clients);
            self.frames.push(Frame { execution: execution.parse().unwrap(), client });
            self.look_inside();
        }
        self.workers = self.stage.workers.specs.len() as u64;
    }

    /// As the host does: the innermost command goes on when its function is over.
    fn look_inside(&mut self) {
        let begun = std::mem::take(&mut self.stage.begun_by_calls).into_iter();
        self.frames.extend(begun.map(|execution| Frame { execution, client: None }));
        while let Some(frame) = self.frames.last() {
            match self.stage.inside(frame.execution).as_deref() {
                None => {
                    assert!(self.stage.engine.lease().is_some(), "the host would wait for ever");
                    return;
                }
                Some("…") => self.owed.extend(frame.client),
                Some(_) => {}
            }
            self.frames.pop();
        }
    }

    fn event(&mut self) {
        let writer = FIRST_WRITER + self.dice.below(WRITERS as u64);
        if self.held.contains(&writer) {
            return;
        }
        let event = ["set", "xadd", "keymiss"][self.dice.below(3) as usize];
        let key = ["k", "s"][self.dice.below(2) as usize];
        let kind = self.dice.below(4);
        let written = if kind == 1 { "key:000001" } else { key };
        if self.stage.engine.refusal([written.as_bytes()].into_iter()).is_some() {
            return;
        }
        let inside = match kind {
            0 => self.stage.removed_inside(key, "old", Announced::ToNobody),
            1 => self.stage.goes(written),
            _ => self.stage.event_inside(event, key),
        };
        for execution in inside {
            // The others of this event have their turn when this one is over.
            self.stage.begin(execution);
            self.frames.push(Frame { execution, client: None });
        }
        self.look_inside();
        if self.stage.engine.hold(ClientId(writer)) {
            self.held.push(writer);
        }
    }

    fn take_released(&mut self) {
        for released in std::mem::take(&mut self.stage.host.released) {
            let place = self.held.iter().position(|held| *held == released);
            self.held.swap_remove(place.expect("only who is held is released"));
        }
    }

    fn public_id(&mut self) -> String {
        crate::testing::id(self.dice.below(60))
    }

    fn client_acts(&mut self) {
        let name = ["a", "b", "c"][self.dice.below(3) as usize];
        let id = self.public_id();
        let line = match self.dice.below(22) {
            0 => "RG.PYEXECUTE code".into(),
            1 => "RG.PYEXECUTE code UNBLOCKING".into(),
            2 => format!("RG.PYEXECUTE code ID {name} UPGRADE"),
            3..=9 => format!("RG.TRIGGER {name} x"),
            10 => format!("RG.ABORTEXECUTION {id}"),
            11 => format!("RG.DROPEXECUTION {id}"),
            12 => format!("RG.UNREGISTER {id}"),
            13 => format!("RG.UNREGISTER {id} ABORTPENDING"),
            14 => format!("RG.GETRESULTSBLOCKING {id}"),
            15 => format!("RG.PAUSEREGISTRATIONS {id}"),
            16 => format!("RG.UNPAUSEREGISTRATIONS {id}"),
            17 => "RG.DUMPREGISTRATIONS".into(),
            18 => "RG.PYDUMPSESSIONS VERBOSE".into(),
            19 => "RG.DUMPEXECUTIONS".into(),
            20 => format!("RG.GETEXECUTION {id}"),
            _ => "RG.CLEARREGISTRATIONSSTATS".into(),
        };
        self.command(&line);
    }

    fn worker_acts(&mut self) {
        if self.workers == 0 {
            return;
        }
        let back = self.dice.below(self.workers.min(6));
        let worker = WorkerId(self.workers - 1 - back);
        let token = Token(self.dice.below(100));
        let function = FunctionId(self.dice.below(3) as u32);
        let message = match self.dice.below(28) {
            27 => FromWorker::Withdrawn { execution: ExecutionId(self.dice.below(60)) },
            24 => {
                let lease = self.stage.engine.lease().is_some();
                let known = self.frames.last().filter(|_| lease).map(|frame| frame.execution);
                FromWorker::Suspended { execution: ExecutionId(known.unwrap_or(0)) }
            }
            0..=3 => FromWorker::ScriptDone {
                error: (self.dice.below(6) == 0).then(|| "['no\\n']".into()),
            },
            4 => self.run(token, function),
            5..=7 => self.register(token, function),
            8 | 9 => FromWorker::Loaded { error: (self.dice.below(4) == 0).then(|| "no".into()) },
            10 => FromWorker::Exited { reason: ExitReason::Signal(9) },
            11 => FromWorker::AtomicBegin { token, execution: None },
            12 => FromWorker::AtomicEnd { token },
            13 => {
                let id = self.public_id().into_bytes();
                let name = [&b"RG.UNREGISTER"[..], b"RG.ABORTEXECUTION", b"RG.TRIGGER", b"SET"];
                let name = name[self.dice.below(4) as usize].to_vec();
                FromWorker::Execute { token, execution: None, args: vec![name, id] }
            }
            14 => {
                let execution = ExecutionId(self.dice.below(60));
                FromWorker::Computed { beyond: vec![Some(execution), None] }
            }
            _ => self.progress(),
        };
        self.stage.from(worker, message);
        self.workers = self.stage.workers.specs.len() as u64;
    }

    fn run(&mut self, token: Token, function: FunctionId) -> FromWorker {
        let kinds: [&[StepKind]; 3] =
            [&[StepKind::Count], &[StepKind::Map], &[StepKind::Count, StepKind::Map]];
        let reader = ["KeysReader", "PythonReader", "StreamReader", "CommandReader"];
        let reader = reader[self.dice.below(4) as usize];
        let plan = plan(reader, kinds[self.dice.below(3) as usize]);
        FromWorker::Run { token, function, plan, kwargs: vec![] }
    }

    fn register(&mut self, token: Token, function: FunctionId) -> FromWorker {
        let name = ["a", "b", "c"][self.dice.below(3) as usize];
        self.registers += 1;
        let (reader, kwargs) = match self.dice.below(5) {
            0 if self.dice.below(2) == 0 => {
                let events = Argument::List(vec![text("before_deleted"), text("set")]);
                ("KeysReader", vec![("eventTypes".into(), events)])
            }
            0 => ("KeysReader", vec![]),
            4 => {
                let reader = ["KeysReader", "PythonReader"][self.dice.below(2) as usize];
                (reader, vec![("cron".into(), text("* * * * * *"))])
            }
            1 => {
                let policy = ["continue", "abort", "retry"][self.dice.below(3) as usize];
                let retry = ("onFailedRetryInterval".into(), Argument::Int(0));
                ("StreamReader", vec![("onFailedPolicy".into(), text(policy)), retry])
            }
            kind => {
                let in_order = Argument::Bool(kind == 2);
                let kwargs = vec![("trigger".into(), text(name)), ("inorder".into(), in_order)];
                ("CommandReader", kwargs)
            }
        };
        let mut kwargs = kwargs;
        if self.dice.below(2) == 0 {
            let policy = ["block", "drop", "error"][self.dice.below(3) as usize];
            kwargs.push(("queue_max".into(), Argument::Int(1 + self.dice.below(9) as i64)));
            kwargs.push(("queue_policy".into(), text(policy)));
        }
        if self.dice.below(4) == 0 {
            kwargs.push(("mode".into(), text("sync")));
        }
        let plan = plan(reader, &[StepKind::Map]);
        FromWorker::Register { token, function, plan, kwargs, pickle: vec![] }
    }

    fn progress(&mut self) -> FromWorker {
        // Mostly an execution that is there, as a sane worker would; sometimes any number.
        let known: Vec<ExecutionId> = self.stage.engine.executions.keys().copied().collect();
        let execution = match known.len() as u64 {
            0 => ExecutionId(self.dice.below(60)),
            _ if self.dice.below(10) == 0 => ExecutionId(self.dice.below(60)),
            count => known[self.dice.below(count) as usize],
        };
        let fails = self.dice.below(4) == 0;
        FromWorker::Progress {
            execution,
            records: vec![Argument::Int(1)],
            errors: if fails { vec!["no".into()] } else { vec![] },
            satisfied: self.dice.below(4) == 0,
            done: self.dice.below(3) > 0,
            consumed: self.dice.below(4) as usize,
            busy_us: 1,
        }
    }

    fn act(&mut self) {
        match self.dice.below(10) {
            // While a command waits for a function, workers and the clock go on, and calls of the function.
            0..=3 if self.frames.is_empty() => self.client_acts(),
            7 if self.frames.len() < 8 => self.event(),
            8 if self.frames.is_empty() => self.stage.work(),
            0..=8 => self.worker_acts(),
            _ => {
                self.now_ms += self.dice.below(200) as i64;
                self.stage.workers.cpu_us += self.dice.below(1_000_000);
                self.stage.at(self.now_ms);
            }
        }
        self.look_inside();
        for (client, reply) in std::mem::take(&mut self.stage.host.replies) {
            let place = self.owed.iter().position(|owed| *owed == client);
            let Some(place) = place else { panic!("client {client} waits for no reply: {reply}") };
            self.owed.swap_remove(place);
        }
        self.take_released();
        if self.dice.below(50) == 0 && !self.held.is_empty() {
            let gone = self.held.swap_remove(self.dice.below(self.held.len() as u64) as usize);
            self.stage.act(|engine, doors| engine.client_gone(doors, ClientId(gone)));
        }
        if self.dice.below(50) == 0 && !self.owed.is_empty() {
            let gone = self.dice.below(self.owed.len() as u64) as usize;
            let client = self.owed.swap_remove(gone);
            self.stage.act(|engine, doors| engine.client_gone(doors, ClientId(client)));
        }
        self.workers = self.stage.workers.specs.len() as u64;
    }

    fn check_books(&self) {
        let engine = &self.stage.engine;
        let mut queued = 0;
        for (number, registration) in &engine.registrations.by_number {
            queued += registration.pending.len();
            let session = &engine.sessions.by_number[&registration.session];
            assert!(session.registrations.contains(number));
            let on_the_way = registration.pending.len() + registration.in_flight;
            let statistics = &registration.statistics;
            let over = statistics.succeeded + statistics.failed + statistics.aborted;
            assert_eq!(statistics.triggered, over + on_the_way as u64);
            assert!(!registration.retired || on_the_way > 0, "a drained registration is gone");
            let is_sync = registration.mode == Mode::Sync;
            if matches!(&registration.trigger, Trigger::Command(command) if command.in_order && !is_sync)
            {
                assert!(registration.in_flight <= 1);
            }
        }
        assert_eq!(engine.queued, queued);
        // Each writer may have caused one event of each registration that found the queue full;
        assert!(queued <= 20 + WRITERS * self.registers, "{queued}");
        let has_value = |execution: &Execution| matches!(execution.input, Input::Going(_));
        let have_values = engine.executions.values().filter(|execution| has_value(execution));
        let at_most = "old".len() * have_values.count();
        assert!(engine.removed_bytes.get() <= at_most, "what nobody waits for is let go");

        for (number, session) in &engine.sessions.by_number {
            let unfinished = engine
                .executions
                .values()
                .filter(|execution| execution.session == *number && !execution.status.is_over());
            assert_eq!(session.unfinished, unfinished.count());
            let needed = session.script.is_some()
                || !session.registrations.is_empty()
                || session.unfinished > 0;
            assert!(needed, "an idle session is gone");
        }
        for worker in engine.sessions.by_worker.values() {
            assert!(engine.sessions.by_number.contains_key(worker));
        }
        if let Some(lease) = engine.lease() {
            assert!(engine.sessions.by_worker.contains_key(&lease.worker));
        }
        let kept = engine.executions.values().filter(|execution| execution.status.is_over());
        assert!(kept.count() <= 10);
    }

    /// All registrations end and all workers die: nobody may wait for ever.
    fn end(&mut self) {
        let numbers: Vec<u64> =
            self.stage.engine.registrations.by_number.keys().map(|number| number.0).collect();
        for number in numbers {
            let line = format!("RG.UNREGISTER {} ABORTPENDING", crate::testing::id(number));
            self.command(&line);
        }
        // What waits in ended registrations still starts, one by one where it is ordered; so sessions come back until
        // it has.
        for _ in 0..30 {
            self.now_ms += 60_000;
            self.stage.at(self.now_ms);
            for worker in 0..self.stage.workers.specs.len() as u64 {
                self.stage.loaded(WorkerId(worker));
                self.stage.work();
                self.stage.crash(WorkerId(worker));
                self.look_inside();
            }
        }
        self.look_inside();
        assert!(self.frames.is_empty(), "a command waits for ever");
        for (client, _) in std::mem::take(&mut self.stage.host.replies) {
            self.owed.retain(|owed| *owed != client);
        }
        self.check_books();
        assert_eq!(self.owed, [0; 0], "a client waits for ever");
        self.take_released();
        assert_eq!(self.held, [0; 0], "a writer waits for ever");
        assert!(self.stage.engine.sessions.by_number.is_empty());
        assert_eq!(self.stage.engine.removed_bytes.get(), 0);
    }
}

#[test]
fn whatever_happens_the_books_stay_right_and_nobody_waits_for_ever() {
    for seed in 1..=300 {
        let mut play = Play::new(seed);
        for _ in 0..400 {
            play.act();
            play.check_books();
        }
        play.end();
    }
}
