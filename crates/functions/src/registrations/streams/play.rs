//! Random plays on streams: whatever befalls workers and executions, no entry goes before it was handled, and none stays.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use crate::config::{Config, Key};
use crate::execution::Status;
use crate::plan::{Argument, StepKind};
use crate::testing::{Dice, Stage, id, plan, text};
use crate::worker::{ExecutionId, FromWorker, WorkerId};

/// Entries are numbered from one on; their identifiers have a zero after it.
type Number = u64;

/// What the host knows of a stream and its group, and what has become of its entries.
#[derive(Default)]
struct Stream {
    added: Number,
    present: BTreeSet<Number>,
    /// The last one that the group was given; `None`: there is no group yet.
    delivered: Option<Number>,
    pending: BTreeSet<Number>,
    /// A thread has taken them up.
    begun: BTreeSet<Number>,
    /// Nobody need try them again; those that were deleted by their owner, too.
    handled: BTreeSet<Number>,
    acknowledged: BTreeSet<Number>,
}

#[derive(Default)]
struct World {
    streams: BTreeMap<String, Stream>,
    /// What was read, until it is sent.
    reads: VecDeque<(String, Vec<Number>)>,
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

fn number(id: &str) -> Number {
    id.split_once('-').and_then(|(number, _)| number.parse().ok()).expect("an entry's identifier")
}

impl World {
    fn respond(&mut self, command: &str) -> Option<String> {
        let words: Vec<&str> = command.split(' ').collect();
        Some(match words[..] {
            ["XLEN", key] => format!(":{}\r\n", self.stream(key).present.len()),
            ["SCAN", ..] => {
                let keys: String = self.streams.keys().map(|key| bulk(key)).collect();
                format!("*2\r\n$1\r\n0\r\n*{}\r\n{keys}", self.streams.len())
            }
            ["XREADGROUP", "GROUP", _, _, "STREAMS", key, _] => self.read_pending(key, usize::MAX),
            ["XREADGROUP", "GROUP", _, _, "COUNT", count, "STREAMS", key, from] => {
                let count = count.parse().unwrap();
                if from == ">" { self.read_new(key, count) } else { self.read_pending(key, count) }
            }
            ["XGROUP", "CREATE", key, _, "0"] => {
                self.stream(key).delivered = Some(0);
                "+OK\r\n".into()
            }
            ["XACK", key, _, ref ids @ ..] => {
                let stream = self.stream(key);
                for entry in ids.iter().map(|id| number(id)) {
                    assert!(stream.handled.contains(&entry), "{key}: {entry} was not handled");
                    assert!(stream.pending.remove(&entry), "{key}: {entry} is acknowledged again");
                    stream.acknowledged.insert(entry);
                }
                format!(":{}\r\n", ids.len())
            }
            ["XPENDING", key, _] => match self.stream(key).pending.first() {
                None => "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n".into(),
                Some(first) => format!("*4\r\n:1\r\n{0}{0}*0\r\n", bulk(&format!("{first}-0"))),
            },
            ["XINFO", "GROUPS", key] => {
                let delivered = format!("{}-0", self.stream(key).delivered.unwrap_or(0));
                let facts = ["name", "__gears_consumer_group__", "last-delivered-id", &delivered];
                format!("*1\r\n*4\r\n{}", facts.map(bulk).concat())
            }
            ["XTRIM", key, "MINID", least] => {
                let stream = self.stream(key);
                // Of an identifier with a one after it, the entry itself is older.
                let least = number(least) + u64::from(least.ends_with("-1"));
                let kept = stream.present.split_off(&least);
                for entry in std::mem::replace(&mut stream.present, kept) {
                    let is_over = stream.acknowledged.contains(&entry);
                    assert!(is_over, "{key}: {entry} is trimmed and was not acknowledged");
                }
                ":0\r\n".into()
            }
            ["XRANGE", key, id, _] => {
                let is_present = self.stream(key).present.contains(&number(id));
                let entry = format!("*1\r\n*2\r\n{}*2\r\n$1\r\nf\r\n$1\r\nv\r\n", bulk(id));
                if is_present { entry } else { "*0\r\n".into() }
            }
            ["XADD", "dead", ..] => {
                let after = |name| 1 + words.iter().position(|word| *word == name).unwrap();
                let entry = number(words[after("__id")]);
                self.stream(words[after("__key")]).handled.insert(entry);
                bulk("1-0")
            }
            _ => return None,
        })
    }

    fn stream(&mut self, key: &str) -> &mut Stream {
        self.streams.entry(key.into()).or_default()
    }

    fn read_pending(&mut self, key: &str, count: usize) -> String {
        let stream = self.stream(key);
        if stream.delivered.is_none() {
            return "-NOGROUP no such group\r\n".into();
        }
        let numbers = stream.pending.iter().take(count).copied().collect();
        self.give(key, numbers)
    }

    fn read_new(&mut self, key: &str, count: usize) -> String {
        let stream = self.stream(key);
        let Some(delivered) = stream.delivered else { return "-NOGROUP no such group\r\n".into() };
        let numbers: Vec<_> = stream.present.range(delivered + 1..).take(count).copied().collect();
        stream.delivered = numbers.last().copied().or(Some(delivered));
        stream.pending.extend(&numbers);
        self.give(key, numbers)
    }

    fn give(&mut self, key: &str, numbers: Vec<Number>) -> String {
        let mut reply = format!("*1\r\n*2\r\n{}*{}\r\n", bulk(key), numbers.len());
        let present = &self.stream(key).present;
        let mut live = Vec::new();
        for entry in numbers {
            reply += &format!("*2\r\n{}", bulk(&format!("{entry}-0")));
            if present.contains(&entry) {
                live.push(entry);
                reply += "*2\r\n$1\r\nf\r\n$1\r\nv\r\n";
            } else {
                reply += "*-1\r\n";
            }
        }
        if !live.is_empty() {
            self.reads.push_back((key.into(), live));
        }
        reply
    }
}

#[derive(Clone)]
struct Task {
    execution: u64,
    line: Option<String>,
    key: String,
    entries: Vec<Number>,
    has_thread: bool,
}

/// The worker that is there now.
#[derive(Default)]
struct Crew {
    worker: u64,
    /// Those with a thread, and those that wait for one.
    order: VecDeque<Task>,
    /// Those that wait for the one before them in their line.
    ahead: VecDeque<Task>,
    /// Nothing begins in these any more.
    paused: BTreeSet<String>,
    /// What it has said and nobody has heard yet.
    said: VecDeque<FromWorker>,
}

impl Crew {
    fn leave(&mut self, place: usize) -> Task {
        let task = self.order.remove(place).expect("the place is one of the order");
        let is_next = |next: &Task| task.line.is_some() && next.line == task.line;
        if let Some(next) = self.ahead.iter().position(is_next) {
            self.order.extend(self.ahead.remove(next));
        }
        task
    }

    fn withdraw(&mut self, line: &str) {
        let is_withdrawn = |task: &Task| !task.has_thread && task.line.as_deref() == Some(line);
        let all = self.order.iter().chain(&self.ahead);
        let withdrawn = all.filter(|task| is_withdrawn(task));
        self.said.extend(
            withdrawn.map(|task| FromWorker::Withdrawn { execution: ExecutionId(task.execution) }),
        );
        self.order.retain(|task| !is_withdrawn(task));
        self.ahead.retain(|task| !is_withdrawn(task));
    }
}

/// What a play is about, by its seed.
#[derive(Clone, Copy)]
struct Kind {
    batch: i64,
    policy: &'static str,
    has_dead_letters: bool,
    pauses: bool,
    aborts: bool,
}

struct Play {
    stage: Stage,
    dice: Dice,
    world: Rc<RefCell<World>>,
    crew: Crew,
    kind: Kind,
    tasks: BTreeMap<u64, Task>,
    now_ms: i64,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let kind = Kind {
            batch: 1 + dice.below(3) as i64,
            policy: ["continue", "continue", "retry"][dice.below(3) as usize],
            has_dead_letters: dice.below(3) == 0,
            pauses: dice.below(2) == 0,
            aborts: dice.below(2) == 0,
        };
        let mut kwargs = vec![
            ("prefix", text("s*")),
            ("batch", Argument::Int(kind.batch)),
            ("duration", Argument::Int(50)),
            ("onFailedPolicy", text(kind.policy)),
        ];
        if kind.has_dead_letters {
            kwargs.push(("dead_letter", text("dead")));
            kwargs.push(("dead_letter_isolate", Argument::Bool(dice.below(2) == 0)));
        }
        if kind.has_dead_letters && kind.policy == "retry" {
            kwargs.push(("max_retries", Argument::Int(1)));
        }
        let mut stage = Stage::registered(plan("StreamReader", &[StepKind::ForEach]), &kwargs);
        if dice.below(2) == 0 {
            stage.command("RG.CONFIGSET function-queue-max 2");
        }
        let world = Rc::new(RefCell::new(World::default()));
        let respond = world.clone();
        stage.host.respond = Some(Box::new(move |command| respond.borrow_mut().respond(command)));
        let crew = Crew::default();
        Play { stage, dice, world, crew, kind, tasks: BTreeMap::new(), now_ms: 0 }
    }

    fn act(&mut self) {
        match self.dice.below(100) {
            0..30 => self.grow(),
            30..45 => self.stage.work(),
            45..70 => self.end_one(),
            70..88 => self.hear(),
            88..92 => self.pass(100),
            92 => self.crash(),
            93..95 if self.kind.pauses => self.pause(),
            95 if self.kind.pauses => self.unpause(),
            96 | 97 if self.kind.aborts => self.abort(),
            98 => self.delete(),
            _ => {}
        }
        self.take_orders();
    }

    fn grow(&mut self) {
        let key = format!("s{}", self.dice.below(4));
        let mut world = self.world.borrow_mut();
        let stream = world.stream(&key);
        stream.added += 1;
        stream.present.insert(stream.added);
        drop(world);
        self.stage.event("xadd", &key);
    }

    /// The owner of a stream takes an entry out of it.
    fn delete(&mut self) {
        let key = format!("s{}", self.dice.below(4));
        let mut world = self.world.borrow_mut();
        let stream = world.stream(&key);
        let last = stream.present.last().copied();
        if let Some(entry) = last.map(|last| last - self.dice.below(4).min(last))
            && stream.present.remove(&entry)
        {
            stream.handled.insert(entry);
            stream.begun.insert(entry);
        }
    }

    fn pass(&mut self, most_ms: u64) {
        self.now_ms += self.dice.below(most_ms) as i64;
        self.stage.at(self.now_ms);
    }

    fn pause(&mut self) {
        self.stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
    }

    fn unpause(&mut self) {
        self.stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1)));
    }

    fn abort(&mut self) {
        let executions = &self.stage.engine.executions;
        let waits = executions.iter().filter(|(_, known)| known.shown_status() == Status::Created);
        let waiting: Vec<u64> = waits.map(|(execution, _)| execution.0).collect();
        if !waiting.is_empty() {
            let execution = waiting[self.dice.below(waiting.len() as u64) as usize];
            self.stage.command(&format!("RG.ABORTEXECUTION {}", id(execution)));
        }
    }

    fn threads(&self) -> usize {
        Config::default().size(Key::ExecutionThreads).min(self.crew.order.len())
    }

    /// One that has a thread comes to its end; that is heard later.
    fn end_one(&mut self) {
        let threads = self.threads() as u64;
        if threads == 0 {
            return;
        }
        let place = self.dice.below(threads) as usize;
        match self.dice.below(12) {
            0..3 => self.fail(place, "no"),
            3 if self.kind.pauses => self.fail(place, "PAUSE"),
            _ => {
                let task = self.crew.leave(place);
                self.world.borrow_mut().stream(&task.key).handled.extend(&task.entries);
                self.say_end(&task, None);
            }
        }
    }

    fn fail(&mut self, place: usize, error: &str) {
        let line = self.crew.order[place].line.clone();
        let withdraws = error == "PAUSE";
        let task = self.crew.leave(place);
        self.say_end(&task, Some(error));
        if let Some(line) = line.filter(|_| withdraws) {
            self.crew.withdraw(&line);
            self.crew.paused.insert(line);
        } else if !withdraws {
            self.has_failed(&task);
        }
    }

    /// Whoever fails where failures are passed over is not tried again.
    fn has_failed(&mut self, task: &Task) {
        if self.kind.policy == "continue" && !self.kind.has_dead_letters {
            self.world.borrow_mut().stream(&task.key).handled.extend(&task.entries);
        }
    }

    fn say_end(&mut self, task: &Task, error: Option<&str>) {
        self.crew.said.push_back(FromWorker::Progress {
            execution: ExecutionId(task.execution),
            records: vec![],
            errors: error.map(String::from).into_iter().collect(),
            satisfied: false,
            done: true,
            consumed: 1,
            busy_us: 1,
        });
    }

    fn hear(&mut self) {
        if let Some(message) = self.crew.said.pop_front() {
            self.stage.from(WorkerId(self.crew.worker), message);
        }
    }

    fn crash(&mut self) {
        // What the engine takes for begun has failed, whether a thread had come to it or not.
        for (execution, known) in &self.stage.engine.executions {
            if known.shown_status() == Status::Running
                && let Some(task) = self.tasks.get(&execution.0).cloned()
            {
                self.world.borrow_mut().stream(&task.key).begun.extend(&task.entries);
                if self.kind.policy == "continue" && !self.kind.has_dead_letters {
                    self.world.borrow_mut().stream(&task.key).handled.extend(&task.entries);
                }
            }
        }
        self.stage.crash(WorkerId(self.crew.worker));
    }

    fn take_orders(&mut self) {
        for order in self.stage.sent() {
            let words: Vec<&str> = order.split(' ').collect();
            let number = |word: &str| word[1..].parse::<u64>().unwrap();
            match words[..] {
                ["invoke", worker, execution, ..] => {
                    assert_eq!(number(worker), self.crew.worker);
                    let line = order.rsplit_once(" in line ").map(|(_, line)| line.into());
                    self.invoke(number(execution), line);
                }
                ["withdraw", _, "line", line] => self.crew.withdraw(line),
                ["abort", _, execution] => self.stop(number(execution)),
                ["load", worker, ..] => {
                    let error = (self.dice.below(4) == 0).then(|| "no".into());
                    let said = VecDeque::from([FromWorker::Loaded { error }]);
                    self.crew = Crew { worker: number(worker), said, ..Crew::default() };
                }
                _ => {}
            }
            self.give_threads();
        }
        self.give_threads();
    }

    fn invoke(&mut self, execution: u64, line: Option<String>) {
        let (key, entries) = self.world.borrow_mut().reads.pop_front().expect("it was read");
        let task = Task { execution, line, key, entries, has_thread: false };
        self.tasks.insert(execution, task.clone());
        if task.line.as_ref().is_some_and(|line| self.crew.paused.contains(line)) {
            let execution = ExecutionId(execution);
            return self.crew.said.push_back(FromWorker::Withdrawn { execution });
        }
        let is_before = |other: &Task| task.line.is_some() && other.line == task.line;
        if self.crew.order.iter().any(is_before) {
            self.crew.ahead.push_back(task);
        } else {
            self.crew.order.push_back(task);
        }
    }

    fn stop(&mut self, execution: u64) {
        self.crew.ahead.retain(|task| task.execution != execution);
        let place = self.crew.order.iter().position(|task| task.execution == execution);
        match place {
            Some(place) if self.crew.order[place].has_thread => self.fail(place, "stopped"),
            Some(place) => drop(self.crew.leave(place)),
            None => {}
        }
    }

    fn give_threads(&mut self) {
        for place in 0..self.threads() {
            let task = &mut self.crew.order[place];
            if std::mem::replace(&mut task.has_thread, true) {
                continue;
            }
            let task = task.clone();
            let mut world = self.world.borrow_mut();
            let stream = world.stream(&task.key);
            stream.begun.extend(&task.entries);
            let last = *task.entries.last().expect("nothing is not sent");
            let overtaken = (1..last).find(|entry| !stream.begun.contains(entry));
            // Who aborts a batch lets others overtake it.
            assert!(self.kind.aborts || overtaken.is_none(), "{overtaken:?} {:?}", task.entries);
            drop(world);
            let threads = self.crew.order.iter().filter(|other| other.has_thread);
            let beside = threads.filter(|other| other.key == task.key).count();
            // What was read before a fresh start still runs when it is read again.
            let starts_anew = self.kind.pauses || self.kind.policy == "retry";
            let starts_anew = starts_anew || self.kind.has_dead_letters;
            assert!(starts_anew || beside == 1, "executions of {} side by side", task.key);
        }
    }

    /// Everybody does what is to be done, and nobody disturbs.
    fn end(&mut self) {
        for _ in 0..200 {
            self.unpause();
            self.stage.work();
            self.take_orders();
            while !self.crew.said.is_empty() || !self.crew.order.is_empty() {
                while self.threads() > 0 {
                    let task = self.crew.leave(0);
                    self.world.borrow_mut().stream(&task.key).handled.extend(&task.entries);
                    self.say_end(&task, None);
                    self.take_orders();
                }
                self.hear();
                self.take_orders();
            }
            self.now_ms += 1000;
            self.stage.at(self.now_ms);
            self.take_orders();
        }
        for (key, stream) in &self.world.borrow().streams {
            let left: Vec<_> = (1..=stream.added)
                .filter(|entry| !stream.handled.contains(entry) || stream.pending.contains(entry))
                .collect();
            assert_eq!(left, [0; 0], "entries of {key} are left");
            let is_read = stream.present.is_subset(&stream.acknowledged);
            assert!(is_read, "entries of {key} were not acknowledged");
        }
    }
}

#[test]
fn whatever_happens_every_entry_is_handled_before_it_goes_and_none_is_overtaken() {
    for seed in 1..=500 {
        let mut play = Play::new(seed);
        for _ in 0..400 {
            play.act();
        }
        play.end();
    }
}
