//! Registrations on streams: entries in batches, each acknowledged when it is done with.
//!
//! One execution a stream at a time; where a failure does not stop what follows, the next ones are read and sent along
//! meanwhile, and wait in the worker. The first touch of a stream reads what was delivered before and never
//! acknowledged; from then on a batch starts when enough entries wait, or when the oldest has waited long enough.

use std::collections::HashMap;

use super::dead_letters::{self, Epitaph, Failures, Verdict};
use super::{GivingUp, Mode, Pattern, Registration, Trigger};
use crate::deadlines::Due;
use crate::engine::{Doors, Engine};
use crate::execution::{Arguments, Input, Status};
use crate::host::Level;
use crate::identifier::RegistrationNumber;
use crate::readers::stream::{self, Portion, StreamRun, Trim};
use crate::worker::{ExecutionId, LineId};

/// The event that makes a stream grow.
pub(super) const EVENT: &str = "xadd";

/// Executions of a stream that are on their way together, and entries in them that are enough to keep the worker busy.
const UNDER_WAY_MAX: u64 = 4;
const UNDER_WAY_ENTRIES: u64 = 1000;

/// How soon a stream is looked at again that the full queue turned away.
const QUEUE_RETRY_MS: i64 = 100;

/// How soon, at the earliest, what could not be given up is tried again: each attempt has a line in the log.
const GIVE_UP_RETRY_MS: i64 = 1000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FailurePolicy {
    Continue,
    Abort,
    Retry,
}

impl FailurePolicy {
    pub(crate) fn name(self) -> &'static str {
        match self {
            FailurePolicy::Continue => "continue",
            FailurePolicy::Abort => "abort",
            FailurePolicy::Retry => "retry",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamStatus {
    Ok,
    WaitingForRetry,
    Aborted,
    Paused,
}

impl StreamStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            StreamStatus::Ok => "OK",
            StreamStatus::WaitingForRetry => "WAITING_FOR_RETRY_ON_FAILURE",
            StreamStatus::Aborted => "ABORTED",
            StreamStatus::Paused => "PAUSED",
        }
    }
}

/// What `register()` says.
pub(crate) struct StreamOptions {
    pub(crate) pattern: Pattern,
    pub(crate) batch: u64,
    pub(crate) duration_ms: i64,
    pub(crate) policy: FailurePolicy,
    pub(crate) retry_s: i64,
    pub(crate) trims: bool,
    pub(crate) giving_up: GivingUp,
}

pub(crate) struct StreamTrigger {
    pub(crate) options: StreamOptions,
    /// Executions of one stream that may be under way.
    under_way_max: u64,
    pub(crate) status: StreamStatus,
    pub(crate) last_lag_ms: i64,
    pub(crate) total_lag_ms: i64,
    /// Grows with every fresh start; what an older epoch read is not acknowledged but read again.
    epoch: u64,
    streams: HashMap<Box<[u8]>, Backlog>,
    failures: Failures,
}

/// One stream that a registration follows.
#[derive(Default)]
struct Backlog {
    /// Entries that wait, as far as events tell.
    waiting: u64,
    /// Since when the oldest of them waits; `None` with entries waiting: since before anyone looked.
    since_ms: Option<i64>,
    /// Of them, those that executions will read which have not come to it yet.
    claimed: u64,
    /// Executions that are not over.
    under_way: u64,
    /// Entries were delivered and not acknowledged: they are to be read alone, before all others.
    is_owed: bool,
    reads_owed: bool,
    line: Option<LineId>,
    has_timer: bool,
}

impl Backlog {
    fn begin(&mut self, portion: Portion) {
        self.under_way += 1;
        match portion {
            Portion::Unacknowledged => (self.is_owed, self.reads_owed) = (false, true),
            // Until nothing is owed.
            Portion::Oldest => self.is_owed = false,
            Portion::New { count } => self.claimed += count,
        }
    }

    fn unclaim(&mut self, portion: Portion) {
        if let Portion::New { count } = portion {
            self.claimed -= count;
        }
    }
}

enum Decision {
    Idle,
    Run(Portion),
    LookAgainAt(i64),
}

/// Why an execution on a stream was not successful.
#[derive(Clone, Copy)]
pub(crate) struct Failure<'a> {
    pub(crate) error: &'a str,
    /// A thread had taken it up.
    pub(crate) had_begun: bool,
}

impl StreamOptions {
    fn trim(&self) -> Trim {
        if self.trims { Trim::Processed } else { Trim::Nothing }
    }
}

impl StreamTrigger {
    pub(crate) fn new(options: StreamOptions, mode: Mode) -> Self {
        // Of what would be read again after a failure, nothing is read ahead.
        let reads_ahead = mode != Mode::Sync
            && options.policy == FailurePolicy::Continue
            && options.giving_up.dead_letter.is_none();
        let under_way_max = (UNDER_WAY_ENTRIES / options.batch).clamp(2, UNDER_WAY_MAX);
        StreamTrigger {
            under_way_max: if reads_ahead { under_way_max } else { 1 },
            options,
            status: StreamStatus::Ok,
            last_lag_ms: 0,
            total_lag_ms: 0,
            epoch: 0,
            streams: HashMap::new(),
            failures: Failures::default(),
        }
    }

    /// Where the execution is counted.
    fn backlog_of(&mut self, run: &StreamRun) -> Option<&mut Backlog> {
        let backlog = self.streams.get_mut(&run.key)?;
        (self.epoch == run.epoch && backlog.line == run.line).then_some(backlog)
    }

    fn decide(&self, key: &[u8], backlog: &Backlog, now_ms: i64) -> Decision {
        let is_alone = backlog.under_way == 0;
        if self.status != StreamStatus::Ok || backlog.under_way >= self.under_way_max {
            return Decision::Idle;
        }
        if self.failures.is_one_by_one(key) {
            return Decision::Run(Portion::Oldest);
        }
        if backlog.is_owed || backlog.reads_owed {
            return if is_alone { Decision::Run(Portion::Unacknowledged) } else { Decision::Idle };
        }
        let waiting = backlog.waiting.saturating_sub(backlog.claimed);
        let run = Decision::Run(Portion::New { count: self.options.batch });
        if waiting >= self.options.batch {
            return run;
        }
        if waiting == 0 || !is_alone {
            return Decision::Idle;
        }
        let Some(since_ms) = backlog.since_ms else { return run };
        match self.options.duration_ms {
            0 => Decision::Idle,
            duration if now_ms - since_ms >= duration => run,
            duration => Decision::LookAgainAt(since_ms + duration),
        }
    }
}

/// A walk over the keyspace for streams that were there before their registration.
pub(crate) struct StreamSearch {
    number: RegistrationNumber,
    epoch: u64,
    cursor: Vec<u8>,
}

fn stream_of(registration: &mut Registration) -> Option<&mut StreamTrigger> {
    match &mut registration.trigger {
        Trigger::Stream(stream) => Some(stream),
        Trigger::Keys(_) | Trigger::Command(_) | Trigger::Cron(_) => None,
    }
}

impl Engine {
    fn stream_trigger(&mut self, number: RegistrationNumber) -> Option<&mut StreamTrigger> {
        self.registrations.by_number.get_mut(&number).and_then(stream_of)
    }

    /// An entry was added.
    pub(super) fn stream_grew(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let now_ms = doors.host.now_ms();
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.status != StreamStatus::Ok {
            return;
        }
        match trigger.streams.get_mut(key) {
            Some(backlog) => {
                if backlog.waiting == 0 {
                    backlog.since_ms = Some(now_ms);
                }
                backlog.waiting += 1;
                self.consider_stream(doors, number, key);
            }
            None => {
                let waiting = stream::length(doors.host, key);
                // A lone entry is the one that was just added; others are of unknown age.
                let since_ms = (waiting == 1).then_some(now_ms);
                self.touch_stream(
                    doors,
                    number,
                    key,
                    Backlog { waiting, since_ms, ..Backlog::default() },
                );
            }
        }
    }

    fn touch_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
        backlog: Backlog,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.streams.insert(key.into(), Backlog { is_owed: true, ..backlog });
        self.consider_stream(doors, number, key);
    }

    /// Starts what is due on a stream.
    pub(crate) fn consider_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let now_ms = doors.host.now_ms();
        loop {
            let Some(trigger) = self.stream_trigger(number) else { return };
            let Some(backlog) = trigger.streams.get(key) else { return };
            match trigger.decide(key, backlog, now_ms) {
                Decision::Idle => return,
                Decision::Run(portion) => {
                    if !self.run_stream(doors, number, key, portion) {
                        return;
                    }
                }
                Decision::LookAgainAt(at_ms) => return self.look_again(number, key, at_ms),
            }
        }
    }

    fn look_again(&mut self, number: RegistrationNumber, key: &[u8], at_ms: i64) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        if !backlog.has_timer {
            backlog.has_timer = true;
            self.deadlines.insert((at_ms, Due::Stream(number, key.into())));
        }
    }

    pub(crate) fn stream_timer(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.streams.get_mut(key) else { return };
        backlog.has_timer = false;
        self.consider_stream(doors, number, key);
    }

    /// Whether an execution was queued. If the queue is full, a time is set to look again.
    fn run_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
        portion: Portion,
    ) -> bool {
        let is_sync = self.registrations.by_number[&number].mode == Mode::Sync;
        if !is_sync && self.is_full(number) {
            // Nothing is lost: the entries wait where they are.
            let at_ms = doors.host.now_ms() + QUEUE_RETRY_MS;
            self.look_again(number, key, at_ms);
            return false;
        }
        let next = LineId(self.lines);
        let Some(trigger) = self.stream_trigger(number) else { return false };
        let (epoch, reads_ahead) = (trigger.epoch, trigger.under_way_max > 1);
        let Some(backlog) = trigger.streams.get_mut(key) else { return false };
        let line = reads_ahead.then(|| *backlog.line.get_or_insert(next));
        let run = StreamRun {
            key: key.into(),
            portion,
            was_read: false,
            read: Arguments::default(),
            epoch,
            line,
            since_ms: backlog.since_ms,
        };
        backlog.begin(portion);
        self.lines += u64::from(line == Some(next));
        self.enqueue(doors, number, Input::Stream(Box::new(run)));
        true
    }

    /// An execution has read its entries: they wait no more. `live`: how many of them are still in the stream, whose
    /// length was taken for the number of those that wait.
    pub(super) fn stream_was_read(
        &mut self,
        number: RegistrationNumber,
        run: &StreamRun,
        live: usize,
        now_ms: i64,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let Some(backlog) = trigger.backlog_of(run) else { return };
        let live = live as u64;
        backlog.unclaim(run.portion);
        match run.portion {
            Portion::Unacknowledged => backlog.waiting = backlog.waiting.saturating_sub(live),
            // They were counted when their batch was read; and if not, one read too many does no harm.
            Portion::Oldest => {}
            // The stream had no more: whatever the estimate said, nothing waits.
            Portion::New { count } if live < count => backlog.waiting = 0,
            Portion::New { .. } => {
                backlog.waiting = backlog.waiting.saturating_sub(live);
                backlog.since_ms = Some(now_ms);
            }
        }
    }

    /// A stream that cannot be read is left alone until it grows again: trying on would never end.
    pub(super) fn stream_is_unreadable(&mut self, number: RegistrationNumber, key: &[u8]) {
        if let Some(trigger) = self.stream_trigger(number) {
            trigger.streams.remove(key);
            trigger.failures.forget(key);
        }
    }

    /// An execution on a stream is over. Gives the stream, if there may be more to do on it.
    pub(crate) fn stream_run_ended(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: StreamRun,
        status: Status,
        failure: Option<Failure>,
    ) -> Option<Box<[u8]>> {
        let now_ms = doors.host.now_ms();
        let registration = self.registrations.by_number.get_mut(&number)?;
        let retired = registration.retired;
        let trigger = stream_of(registration)?;
        let is_current = trigger.epoch == run.epoch;
        if let Some(backlog) = trigger.backlog_of(&run) {
            backlog.under_way -= 1;
            backlog.reads_owed &= backlog.under_way > 0;
            backlog.is_owed |= status == Status::Aborted && !run.read.is_empty();
            if !run.was_read {
                backlog.unclaim(run.portion);
            }
        }
        if status == Status::Aborted {
            return None;
        }
        if let Some(since_ms) = run.since_ms {
            trigger.last_lag_ms = now_ms - since_ms;
            trigger.total_lag_ms += trigger.last_lag_ms;
        }

        let policy = trigger.options.policy;
        match failure {
            Some(failure) if failure.error.starts_with("PAUSE") => self.pause_stream(doors, number),
            Some(_) if policy == FailurePolicy::Abort => trigger.status = StreamStatus::Aborted,
            Some(failure) if is_current => {
                return self.stream_run_failed(doors, number, run, failure);
            }
            None if is_current => {
                if run.portion != Portion::Oldest || run.read.is_empty() {
                    trigger.failures.forget(&run.key);
                }
                self.acknowledge_run(doors, number, &run);
                return (!retired).then_some(run.key);
            }
            Some(_) | None => {}
        }
        None
    }

    /// Goes on with a stream without waiting for the engine's turn: its function has nothing to do until then.
    pub(crate) fn go_on_with_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        key: &[u8],
    ) {
        self.consider_stream(doors, number, key);
        let is_sync = |registration: &Registration| registration.mode == Mode::Sync;
        let registration = self.registrations.by_number.get(&number);
        if self.may_work() && !registration.is_none_or(is_sync) {
            self.dispatch(doors, number);
        }
    }

    /// Gives the stream, if there may be more to do on it.
    fn stream_run_failed(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: StreamRun,
        failure: Failure,
    ) -> Option<Box<[u8]>> {
        let registration = self.registrations.by_number.get_mut(&number)?;
        let retired = registration.retired;
        let trigger = stream_of(registration)?;
        let policy = trigger.options.policy;
        // Who was not at work when the worker died has no part in it: what it read is read again.
        if !failure.had_begun
            && !retired
            && let Some(backlog) = trigger.streams.get_mut(&run.key)
        {
            backlog.is_owed |= !run.read.is_empty() || run.portion == Portion::Unacknowledged;
            return Some(run.key);
        }
        let verdict = match () {
            () if run.read.is_empty() => Verdict::ByPolicy,
            // Its last batch is not tried again.
            () if retired && policy == FailurePolicy::Retry => Verdict::ByPolicy,
            () => trigger.failures.judge(&trigger.options.giving_up, policy, &run),
        };
        let verdict = match verdict {
            Verdict::OneByOne if retired => Verdict::GiveUp { attempts: 1 },
            verdict => verdict,
        };
        match (verdict, policy) {
            (Verdict::OneByOne, _) => {}
            (Verdict::GiveUp { attempts }, _) => {
                if let Err(why) = self.give_up_run(doors, number, &run, failure.error, attempts) {
                    let name = self.identifiers.text(number.0);
                    let key = String::from_utf8_lossy(&run.key);
                    let text =
                        format!("GEARS: {name}: entries of '{key}' cannot be given up: {why}");
                    doors.host.log(Level::Warning, &text);
                    self.retry_later(doors, number, GIVE_UP_RETRY_MS);
                    return None;
                }
            }
            (Verdict::ByPolicy, FailurePolicy::Retry) => {
                self.retry_later(doors, number, 0);
                return None;
            }
            (Verdict::ByPolicy, _) => self.acknowledge_run(doors, number, &run),
        }
        (!retired).then_some(run.key)
    }

    fn retry_later(&mut self, doors: &mut Doors, number: RegistrationNumber, least_ms: i64) {
        let Some(registration) = self.registrations.get_listed(number) else { return };
        let Some(trigger) = stream_of(registration) else { return };
        let retry_ms = trigger.options.retry_s.saturating_mul(1000).max(least_ms);
        let at_ms = doors.host.now_ms().saturating_add(retry_ms);
        self.reset_stream(doors, number, StreamStatus::WaitingForRetry);
        self.deadlines.insert((at_ms, Due::Retry(number)));
    }

    fn acknowledge_run(&mut self, doors: &mut Doors, number: RegistrationNumber, run: &StreamRun) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        let trim = trigger.options.trim();
        if let Err(error) = stream::acknowledge(doors.host, &run.key, run.read.iter(), trim) {
            doors
                .host
                .log(Level::Warning, &format!("cannot acknowledge entries of a stream: {error}"));
        }
    }

    fn give_up_run(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        run: &StreamRun,
        error: &str,
        attempts: u64,
    ) -> Result<(), String> {
        let name = self.identifiers.text(number.0);
        let Some(registration) = self.registrations.by_number.get_mut(&number) else {
            return Ok(());
        };
        let Registration { trigger, plan, statistics, .. } = registration;
        let Trigger::Stream(trigger) = trigger else { return Ok(()) };
        let (giving_up, trim) = (&trigger.options.giving_up, trigger.options.trim());
        let description = plan.description.as_deref();
        let now_ms = doors.host.now_ms();
        let epitaph = Epitaph { error, attempts, registration: name, description, now_ms };
        dead_letters::give_up(doors.host, giving_up, run, &epitaph, trim, statistics)?;
        if run.portion != Portion::Oldest {
            trigger.failures.forget(&run.key);
        }
        Ok(())
    }

    /// Forgets all backlogs, drops what has not started, and begins a new epoch.
    fn reset_stream(
        &mut self,
        doors: &mut Doors,
        number: RegistrationNumber,
        status: StreamStatus,
    ) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.status = status;
        self.abort_pending(doors, number);
        if let Some(trigger) = self.stream_trigger(number) {
            trigger.streams.clear();
        }
    }

    /// What is sent of streams and has not begun shall not begin.
    pub(crate) fn withdraw_ahead(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let Some(registration) = self.registrations.by_number.get_mut(&number) else { return };
        let session = registration.session;
        let Some(trigger) = stream_of(registration) else { return };
        let busy = trigger.streams.values().filter(|backlog| backlog.under_way > 1);
        let lines: Vec<LineId> = busy.filter_map(|backlog| backlog.line).collect();
        if let Some(worker) = self.sessions.by_number[&session].worker() {
            lines.into_iter().for_each(|line| doors.workers.withdraw(worker, line));
        }
    }

    /// The worker gives an execution back that it has not begun.
    pub(crate) fn withdrawn(&mut self, doors: &mut Doors, id: ExecutionId) {
        let execution = self.execution(id);
        let is_in_line = matches!(&execution.input, Input::Stream(run) if run.line.is_some());
        if is_in_line && execution.status == Status::Running {
            self.finish(doors, id, Status::Aborted);
        }
    }

    /// RG.PAUSEREGISTRATIONS, or an error that asks for it. What runs now ends as usual.
    pub(crate) fn pause_stream(&mut self, doors: &mut Doors, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if matches!(trigger.status, StreamStatus::Ok | StreamStatus::WaitingForRetry) {
            self.reset_stream(doors, number, StreamStatus::Paused);
        }
    }

    pub(crate) fn unpause_stream(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.status == StreamStatus::Paused {
            self.follow_streams(number);
        }
    }

    pub(crate) fn retry_stream(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        if trigger.status == StreamStatus::WaitingForRetry {
            self.follow_streams(number);
        }
    }

    /// Looks for streams that are there already: after the registration, a pause, a failure.
    pub(crate) fn follow_streams(&mut self, number: RegistrationNumber) {
        let Some(trigger) = self.stream_trigger(number) else { return };
        trigger.status = StreamStatus::Ok;
        trigger.epoch += 1;
        let epoch = trigger.epoch;
        self.searches.push_back(StreamSearch { number, epoch, cursor: b"0".to_vec() });
    }

    /// One step of a search; it is put back if there is more to see.
    pub(crate) fn search_streams(&mut self, doors: &mut Doors, mut search: StreamSearch) {
        let Some(registration) = self.registrations.get_listed(search.number) else { return };
        let Some(trigger) = stream_of(registration) else { return };
        if trigger.epoch != search.epoch || trigger.status != StreamStatus::Ok {
            return;
        }
        let pattern = trigger.options.pattern.clone();
        let (found, next) = match &pattern {
            Pattern::Exactly(key) if stream::length(doors.host, key) > 0 => {
                (vec![key.clone()], None)
            }
            Pattern::Exactly(_) => (Vec::new(), None),
            Pattern::Prefix(_) => stream::find(doors.host, &pattern.text(), &search.cursor),
        };
        for key in found {
            let Some(trigger) = self.stream_trigger(search.number) else { return };
            if !trigger.streams.contains_key(&key) {
                let waiting = stream::length(doors.host, &key);
                let backlog = Backlog { waiting, ..Backlog::default() };
                self.touch_stream(doors, search.number, &key, backlog);
            }
        }
        if let Some(next) = next {
            search.cursor = next;
            self.searches.push_back(search);
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::plan::{Argument, StepKind};
    use crate::testing::{Stage, WORKER, id, plan, text};
    use crate::worker::{ExecutionId, ExitReason, FromWorker, WorkerId};

    const PENDING: &str = "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ STREAMS s 0";
    const NOTHING: &str = "*-1\r\n";

    fn new_entries(count: usize) -> String {
        format!(
            "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ COUNT {count} STREAMS s >"
        )
    }

    fn entries(ids: &[&str]) -> String {
        let mut wire = format!("*1\r\n*2\r\n$1\r\ns\r\n*{}\r\n", ids.len());
        for id in ids {
            let length = id.len();
            wire += &format!("*2\r\n${length}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        }
        wire
    }

    fn registered(kwargs: &[(&str, Argument)]) -> Stage {
        let mut kwargs = kwargs.to_vec();
        kwargs.push(("prefix", text("s")));
        let mut stage = Stage::registered(plan("StreamReader", &[StepKind::ForEach]), &kwargs);
        stage.answers(&[("XLEN s", ":0\r\n"), (PENDING, NOTHING), (&new_entries(1), NOTHING)]);
        stage.work();
        stage
    }

    impl Stage {
        fn answers(&mut self, answers: &[(&str, &str)]) {
            for (command, answer) in answers {
                self.host.answers.insert(command.to_string(), answer.to_string());
            }
        }

        /// The stream gets an entry, its first touch included.
        fn grows(&mut self, length: u64, ids: &[&str]) {
            self.answers(&[
                ("XLEN s", &format!(":{length}\r\n")),
                (&new_entries(1), &entries(ids)),
            ]);
            self.event("xadd", "s");
            self.work();
        }

        fn calls(&mut self) -> Vec<String> {
            std::mem::take(&mut self.host.calls)
        }

        fn dead_lettered(&self) -> u64 {
            self.engine.registrations.listed().next().unwrap().1.statistics.dead_lettered
        }

        fn withdrawn(&mut self, execution: u64) {
            self.from(WORKER, FromWorker::Withdrawn { execution: ExecutionId(execution) });
        }

        fn status(&mut self) -> &'static str {
            let number = self.engine.registrations.listed().next().unwrap().0;
            self.engine.stream_trigger(number).unwrap().status.name()
        }
    }

    #[test]
    fn the_first_entry_is_read_after_what_was_left_unacknowledged() {
        let mut stage = registered(&[]);
        stage.calls();
        stage.grows(1, &["1-1"]);
        assert_eq!(stage.calls(), ["XLEN s", PENDING, &new_entries(1)]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
        let (triggered, succeeded, ..) = stage.statistics();
        assert_eq!((triggered, succeeded), (2, 1));
    }

    #[test]
    fn entries_are_acknowledged_and_removed_when_their_execution_is_done() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        assert_eq!(stage.statistics(), (2, 2, 0, 0, None));
    }

    #[test]
    fn a_registration_may_leave_entries_in_the_stream() {
        let mut stage = registered(&[("trimStream", Argument::Bool(false))]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1"]);
    }

    #[test]
    fn the_group_comes_into_being_with_the_first_read() {
        let mut stage = registered(&[]);
        stage.answers(&[(PENDING, "-NOGROUP No such group\r\n")]);
        stage.calls();
        stage.grows(1, &[]);
        assert!(stage.calls().contains(&"XGROUP CREATE s __gears_consumer_group__ 0".to_string()));
    }

    #[test]
    fn the_next_executions_of_a_stream_are_sent_along_and_wait_in_its_line() {
        let mut stage = registered(&[]);
        for n in 1..=6 {
            stage.grows(n, &[&format!("{n}-1")]);
        }
        let invoke = |n: u64| format!("invoke w0 e{} f0 [s@{n}-1:1] in line 0", n + 1);
        assert_eq!(stage.sent(), [1, 2, 3, 4].map(invoke));
        let dump = stage.command("RG.DUMPEXECUTIONS");
        assert_eq!((dump.matches("running").count(), dump.matches("created").count()), (1, 3));
        stage.calls();
        stage.answers(&[(&new_entries(1), &entries(&["5-1"]))]);
        stage.done(WORKER, 2, vec![]);
        assert_eq!(
            stage.calls(),
            ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2", &new_entries(1)]
        );
        assert_eq!(stage.sent(), [invoke(5)]);
    }

    #[test]
    fn where_a_failure_stops_what_follows_one_execution_runs_at_a_time() {
        for policy in ["abort", "retry"] {
            let mut stage = registered(&[("onFailedPolicy", text(policy))]);
            stage.grows(1, &["1-1"]);
            stage.grows(2, &["2-1"]);
            assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1]"]);
            stage.done(WORKER, 2, vec![]);
            stage.work();
            assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@2-1:1]"]);
        }
    }

    #[test]
    fn large_batches_wait_in_smaller_numbers_and_partial_ones_not_at_all() {
        let mut stage = registered(&[("batch", Argument::Int(600))]);
        stage.answers(&[(&new_entries(600), &entries(&["1-1"; 600]))]);
        for n in 1..=2000 {
            stage.grows(n, &[]);
        }
        assert_eq!(stage.sent().len(), 2);
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.sent().len(), 1);
        stage.done(WORKER, 3, vec![]);
        stage.done(WORKER, 4, vec![]);
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn a_pause_withdraws_what_has_not_begun_and_it_is_read_again_afterwards() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.sent();
        stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
        assert_eq!(stage.sent(), ["withdraw w0 line 0"]);
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        stage.withdrawn(3);
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        assert_eq!(stage.statistics(), (3, 2, 0, 1, None));
        stage.answers(&[(PENDING, &entries(&["2-1"]))]);
        stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1)));
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e6 f0 [s@2-1:1] in line 1"]);
    }

    #[test]
    fn what_had_not_begun_when_the_worker_died_is_read_again() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.grows(2, &["2-1"]);
        stage.calls();
        stage.sent();
        stage.from(WORKER, FromWorker::Exited { reason: ExitReason::Signal(9) });
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        assert_eq!(stage.statistics().2, 1);
        stage.answers(&[(PENDING, &entries(&["2-1"]))]);
        stage.from(WorkerId(1), FromWorker::Loaded { error: None });
        stage.work();
        assert_eq!(stage.sent().last().unwrap(), "invoke w1 e4 f0 [s@2-1:1] in line 0");
    }

    #[test]
    fn a_batch_waits_until_it_is_full() {
        let mut stage = registered(&[("batch", Argument::Int(2))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        assert_eq!(stage.sent(), [""; 0]);
        stage.grows(2, &[]);
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1, s@2-1:1] in line 0"]);
    }

    #[test]
    fn a_partial_batch_runs_when_its_oldest_entry_has_waited_long_enough() {
        let mut stage = registered(&[("batch", Argument::Int(2)), ("duration", Argument::Int(50))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1"]))]);
        stage.grows(1, &[]);
        stage.at(49);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(50);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
    }

    #[test]
    fn entries_from_before_the_registration_run_at_once() {
        let mut stage = Stage::new();
        stage.answers(&[
            ("XLEN s", ":1\r\n"),
            (PENDING, NOTHING),
            (&new_entries(9), &entries(&["1-1"])),
        ]);
        stage.command("RG.PYEXECUTE code");
        let kwargs = [("prefix", text("s")), ("batch", Argument::Int(9))];
        stage.register(WORKER, 0, plan("StreamReader", &[]), &kwargs);
        stage.script_done(WORKER);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
    }

    #[test]
    fn streams_with_a_prefix_are_looked_for_over_the_whole_keyspace() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.register(WORKER, 0, plan("StreamReader", &[]), &[("prefix", text("s*"))]);
        stage.script_done(WORKER);
        let scan = |cursor| format!("SCAN {cursor} MATCH s* COUNT 1000 TYPE stream");
        stage.answers(&[
            (&scan(0), "*2\r\n$1\r\n5\r\n*0\r\n"),
            (&scan(5), "*2\r\n$1\r\n0\r\n*1\r\n$1\r\ns\r\n"),
            ("XLEN s", ":1\r\n"),
            (PENDING, NOTHING),
            (&new_entries(1), &entries(&["1-1"])),
        ]);
        stage.sent();
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e2 f0 [s@1-1:1] in line 0"]);
    }

    #[test]
    fn a_failure_is_passed_over_by_default() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls().len(), 2);
        assert_eq!(stage.statistics(), (2, 1, 1, 0, Some("no".into())));
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn a_failure_may_end_it_all() {
        let mut stage = registered(&[("onFailedPolicy", text("Abort"))]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls(), [""; 0]);
        assert_eq!(stage.status(), "ABORTED");
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.statistics().0, 2);
    }

    #[test]
    fn a_failure_may_be_tried_again_with_the_same_entries() {
        let kwargs =
            [("onFailedPolicy", text("retry")), ("onFailedRetryInterval", Argument::Int(2))];
        let mut stage = registered(&kwargs);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.sent();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls(), [""; 0]);
        assert_eq!(stage.status(), "WAITING_FOR_RETRY_ON_FAILURE");
        stage.answers(&[(PENDING, &entries(&["1-1"]))]);
        stage.at(1999);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        stage.at(2000);
        stage.work();
        assert_eq!(stage.status(), "OK");
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@1-1:1]"]);
    }

    const ONE_BY_ONE: &str =
        "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ COUNT 1 STREAMS s 0";

    fn dead(id: &str, error: &str, attempts: u64, time_ms: i64) -> String {
        let registration = crate::testing::id(1);
        format!(
            "XADD dead * f v __key s __id {id} __error {error} __attempts {attempts} \
             __registration {registration} __description  __time_ms {time_ms}"
        )
    }

    fn found(id: &str) -> (String, String) {
        let length = id.len();
        let wire = format!("*1\r\n*2\r\n${length}\r\n{id}\r\n*2\r\n$1\r\nf\r\n$1\r\nv\r\n");
        (format!("XRANGE s {id} {id}"), wire)
    }

    fn with_dead_letters(more: &[(&str, Argument)]) -> Stage {
        let mut kwargs = vec![("dead_letter", text("dead"))];
        kwargs.extend_from_slice(more);
        let mut stage = registered(&kwargs);
        for id in ["1-1", "2-1"] {
            let (command, wire) = found(id);
            stage.answers(&[(&command, &wire)]);
        }
        stage
    }

    fn retrying(more: &[(&str, Argument)]) -> Stage {
        let mut kwargs = vec![
            ("onFailedPolicy", text("retry")),
            ("max_retries", Argument::Int(1)),
            ("onFailedRetryInterval", Argument::Int(0)),
        ];
        kwargs.extend_from_slice(more);
        with_dead_letters(&kwargs)
    }

    #[test]
    fn an_entry_that_used_up_its_retries_goes_to_the_dead_letters_and_the_stream_goes_on() {
        let mut stage = retrying(&[]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.status(), "WAITING_FOR_RETRY_ON_FAILURE");
        stage.answers(&[(PENDING, &entries(&["1-1"]))]);
        stage.at(5);
        stage.work();
        stage.calls();
        stage.failed(WORKER, 3, "no");
        assert_eq!(
            stage.calls(),
            [
                found("1-1").0,
                dead("1-1", "no", 2, 5),
                "XACK s __gears_consumer_group__ 1-1".into(),
                "XTRIM s MINID 1-2".into()
            ]
        );
        assert_eq!(stage.status(), "OK");
        assert_eq!(stage.dead_lettered(), 1);
        stage.sent();
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.sent(), ["invoke w0 e4 f0 [s@2-1:1]"]);
    }

    #[test]
    fn a_worker_that_dies_of_an_entry_counts_as_an_attempt() {
        let mut stage = retrying(&[]);
        stage.grows(1, &["1-1"]);
        stage.answers(&[(PENDING, &entries(&["1-1"]))]);
        for crash in 0..2 {
            stage.crash(crate::worker::WorkerId(crash));
            stage.at(10_000 * crash as i64 + 10_000);
            stage.loaded(crate::worker::WorkerId(crash + 1));
            stage.work();
        }
        assert_eq!(stage.dead_lettered(), 1);
        assert!(stage.calls().iter().any(|call| call.contains("segmentation")));
    }

    #[test]
    fn entries_whose_function_had_no_thread_when_the_worker_died_are_read_again() {
        let mut stage = Stage::registered(
            plan("StreamReader", &[StepKind::ForEach]),
            &[("prefix", text("s*")), ("dead_letter", text("dead"))],
        );
        for key in ["s1", "s2", "s3", "s4"] {
            let group = "XREADGROUP GROUP __gears_consumer_group__ __gears_client__ STREAMS";
            let wire = entries(&["1-1"]);
            stage.answers(&[
                (&format!("XLEN {key}"), ":1\r\n"),
                (&format!("{group} {key} 0"), &wire),
                (&format!("XRANGE {key} 1-1 1-1"), "*0\r\n"),
            ]);
            stage.event("xadd", key);
        }
        stage.work();
        assert_eq!(stage.sent().len(), 4);
        stage.calls();
        stage.crash(WORKER);
        let calls = stage.calls();
        let buried = calls.iter().filter(|call| call.starts_with("XADD dead")).count();
        assert_eq!((buried, stage.dead_lettered()), (3, 3));
        assert!(!calls.iter().any(|call| call.starts_with("XACK s4")));
        stage.loaded(crate::worker::WorkerId(1));
        stage.sent();
        stage.work();
        assert_eq!(stage.sent()[0], "invoke w1 e5 f0 [s@1-1:1]".replace("s@", "s4@"));
    }

    #[test]
    fn of_a_failed_batch_only_what_fails_alone_goes_to_the_dead_letters() {
        let mut stage = with_dead_letters(&[("batch", Argument::Int(2))]);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        stage.grows(2, &[]);
        stage.sent();
        stage.answers(&[(ONE_BY_ONE, &entries(&["1-1"])), (&new_entries(2), NOTHING)]);
        stage.failed(WORKER, 2, "no");
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e3 f0 [s@1-1:1]"]);
        stage.answers(&[(ONE_BY_ONE, &entries(&["2-1"]))]);
        stage.calls();
        stage.done(WORKER, 3, vec![]);
        stage.work();
        let acknowledged = ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2", ONE_BY_ONE];
        assert_eq!(stage.calls(), acknowledged);
        stage.answers(&[(ONE_BY_ONE, NOTHING)]);
        stage.failed(WORKER, 4, "no");
        assert_eq!(stage.calls()[1], dead("2-1", "no", 2, 0));
        stage.work();
        stage.sent();
        stage.grows(3, &[]);
        stage.answers(&[(&new_entries(2), &entries(&["3-1", "4-1"]))]);
        stage.grows(4, &[]);
        assert_eq!(stage.sent().len(), 1, "batches are whole again");
        assert_eq!(stage.dead_lettered(), 1);
    }

    #[test]
    fn a_batch_may_go_to_the_dead_letters_as_a_whole() {
        let whole = [("batch", Argument::Int(2)), ("dead_letter_isolate", Argument::Bool(false))];
        let mut stage = with_dead_letters(&whole);
        stage.answers(&[(&new_entries(2), &entries(&["1-1", "2-1"]))]);
        stage.grows(1, &[]);
        stage.grows(2, &[]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        let calls = stage.calls();
        assert_eq!((&calls[1], &calls[5]), (&dead("1-1", "no", 1, 0), &dead("2-1", "no", 1, 0)));
        assert_eq!(calls[2], "XACK s __gears_consumer_group__ 1-1");
        assert_eq!(stage.dead_lettered(), 2);
    }

    #[test]
    fn what_cannot_be_given_up_is_not_acknowledged_but_tried_again() {
        let mut stage = with_dead_letters(&[]);
        stage.answers(&[(&dead("1-1", "no", 1, 0), "-OOM no room\r\n")]);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert!(!stage.calls().iter().any(|call| call.starts_with("XACK")));
        assert_eq!(stage.status(), "WAITING_FOR_RETRY_ON_FAILURE");
        assert!(stage.host.logs[0].contains("cannot be given up: OOM no room"));
    }

    #[test]
    fn without_dead_letters_what_used_up_its_retries_is_passed_over() {
        let kwargs = [("onFailedPolicy", text("retry")), ("max_retries", Argument::Int(0))];
        let mut stage = registered(&kwargs);
        stage.grows(1, &["1-1"]);
        stage.calls();
        stage.failed(WORKER, 2, "no");
        assert_eq!(stage.calls(), ["XACK s __gears_consumer_group__ 1-1", "XTRIM s MINID 1-2"]);
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn an_entry_that_is_deleted_while_it_waits_for_a_retry_is_acknowledged_and_not_tried_again() {
        let mut stage = registered(&[("onFailedPolicy", text("retry"))]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "no");
        let deleted = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
        stage.answers(&[(PENDING, deleted), (&new_entries(1), NOTHING)]);
        stage.sent();
        stage.calls();
        stage.at(1000);
        stage.work();
        assert_eq!(stage.sent(), [""; 0]);
        assert!(stage.calls().contains(&"XACK s __gears_consumer_group__ 1-1".to_string()));
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn an_entry_that_came_meanwhile_is_not_overlooked_for_one_that_was_deleted() {
        let mut stage = registered(&[("onFailedPolicy", text("retry"))]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "no");
        let deleted = "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*-1\r\n";
        stage.answers(&[(PENDING, deleted), (&new_entries(1), &entries(&["2-1"]))]);
        stage.sent();
        stage.at(1000);
        stage.work();
        assert_eq!(stage.sent(), ["invoke w0 e4 f0 [s@2-1:1]"]);
    }

    #[test]
    fn an_error_may_ask_for_a_pause() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.failed(WORKER, 2, "PAUSE");
        assert_eq!(stage.status(), "PAUSED");
        assert_eq!(stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1))), "+OK|");
        assert_eq!(stage.status(), "OK");
    }

    #[test]
    fn a_paused_registration_ends_its_batch_and_starts_no_other() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        assert_eq!(stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1))), "+OK|");
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls()[0], "XACK s __gears_consumer_group__ 1-1");
        stage.sent();
        stage.grows(2, &["2-1"]);
        assert_eq!(stage.sent(), [""; 0]);
    }

    #[test]
    fn a_batch_of_an_older_epoch_is_not_acknowledged() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1)));
        stage.command(&format!("RG.UNPAUSEREGISTRATIONS {}", id(1)));
        stage.calls();
        stage.done(WORKER, 2, vec![]);
        assert!(!stage.calls().iter().any(|call| call.starts_with("XACK")));
    }

    #[test]
    fn a_stream_that_cannot_be_read_is_not_tried_for_ever() {
        let mut stage = registered(&[]);
        stage.answers(&[(PENDING, "-WRONGTYPE no stream\r\n")]);
        stage.grows(1, &["1-1"]);
        assert!(!stage.engine.has_work());
        assert_eq!(stage.statistics().4.unwrap(), "WRONGTYPE no stream");
    }

    #[test]
    fn only_streams_can_be_paused() {
        let mut stage = Stage::with_trigger();
        assert_eq!(
            stage.command(&format!("RG.PAUSEREGISTRATIONS {}", id(1))),
            "-Reader CommandReader does not support pause|"
        );
        assert!(stage.command("RG.PAUSEREGISTRATIONS x").contains("does not exists on shard"));
    }

    #[test]
    fn an_unregistered_stream_acknowledges_the_batch_that_runs() {
        let mut stage = registered(&[]);
        stage.grows(1, &["1-1"]);
        stage.command(&format!("RG.UNREGISTER {}", id(1)));
        stage.calls();
        stage.sent();
        stage.done(WORKER, 2, vec![]);
        assert_eq!(stage.calls()[0], "XACK s __gears_consumer_group__ 1-1");
        assert_eq!(stage.sent(), ["forget w0 f0", "kill w0"]);
    }
}
