//! What the engine asks of workers, as messages to them.

use functions::plan::Argument;
use functions::worker::{
    ExecutionId, ExitReason, Forbidden, FromWorker, FunctionId, Installed, LineId, Needs,
    Preparing, Profiling, RecordSink, SessionSpec, Source, Token, Usage, WorkerId, Workers,
};

use super::Pool;
use crate::marshal::{Names, Writer};
use crate::message::to_worker;
use crate::records::Records;
use crate::{confinement, resp2, usage};

impl Workers for Pool {
    fn prepare(&mut self, needs: &Needs) -> Preparing {
        self.prepare_script(needs)
    }

    fn export(&mut self, installed: &Installed) -> WorkerId {
        self.begin_export(installed)
    }

    fn import(&mut self, parts: &[&[u8]]) -> WorkerId {
        self.begin_import(parts)
    }

    fn start(&mut self, spec: &SessionSpec) -> WorkerId {
        let number = match self.take(spec.interpreter) {
            Ok(number) => number,
            Err(error) => {
                let worker = WorkerId(self.next);
                self.next += 1;
                let reason = ExitReason::NotStarted(error);
                self.late.push_back((worker, FromWorker::Exited { reason }));
                return worker;
            }
        };
        self.processes.get_mut(&number).expect("just taken").taken = true;
        let worker = WorkerId(number);
        self.queue(worker, |to| {
            to.tuple(8);
            to.int(to_worker::SESSION);
            to.text(&spec.name);
            to.int(i64::try_from(spec.threads.max(1)).unwrap_or(i64::MAX));
            limit(to, spec.memory_bytes_max);
            limit(to, spec.cpu_ms_max);
            limit(to, spec.files_max);
            to.list(spec.forbidden.len());
            spec.forbidden.iter().for_each(|what| to.text(confinement::name(*what)));
            to.bool(spec.short_errors);
        });
        worker
    }

    fn script(&mut self, worker: WorkerId, code: &[u8]) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::SCRIPT);
            to.bytes(code);
        });
    }

    fn load(&mut self, worker: WorkerId, functions: &[(FunctionId, &[u8])]) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::LOAD);
            to.list(functions.len());
            for (function, pickle) in functions {
                to.tuple(2);
                to.int(i64::from(function.0));
                to.bytes(pickle);
            }
        });
    }

    fn open(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        first_step: usize,
        source: Source,
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::OPEN);
            number(to, execution.0);
            to.int(i64::from(function.0));
            number(to, first_step as u64);
            to.bool(source == Source::Callback);
        });
    }

    fn feed(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        last: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::FEED);
            number(to, execution.0);
            to.bool(last);
            batch(to, fill);
        });
    }

    fn invoke(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::INVOKE);
            number(to, execution.0);
            to.int(i64::from(function.0));
            batch(to, fill);
        });
    }

    fn invoke_in_line(
        &mut self,
        worker: WorkerId,
        line: LineId,
        execution: ExecutionId,
        function: FunctionId,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        self.queue(worker, |to| {
            to.tuple(6);
            to.int(to_worker::INVOKE_IN_LINE);
            number(to, line.0);
            number(to, execution.0);
            to.int(i64::from(function.0));
            batch(to, fill);
        });
    }

    fn withdraw(&mut self, worker: WorkerId, line: LineId) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::WITHDRAW);
            number(to, line.0);
        });
    }

    fn invoke_inside(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        function: FunctionId,
        may_suspend: bool,
        fill: &mut dyn FnMut(&mut dyn RecordSink),
    ) {
        // Whoever looks for an answer has to look for this first: it comes before the answer does.
        if let Some(mailbox) = self.mailbox(worker.0) {
            mailbox.send_elsewhere();
        }
        self.queue(worker, |to| {
            to.tuple(6);
            to.int(to_worker::INVOKE_INSIDE);
            number(to, execution.0);
            to.int(i64::from(function.0));
            to.bool(may_suspend);
            batch(to, fill);
        });
    }

    fn hand_back(
        &mut self,
        worker: WorkerId,
        execution: ExecutionId,
        results: &[Argument],
        errors: &[String],
    ) {
        self.queue(worker, |to| {
            to.tuple(5);
            to.int(to_worker::HAND_BACK);
            number(to, execution.0);
            to.list(errors.len());
            errors.iter().for_each(|error| to.text(error));
            to.list(results.len());
            results.iter().for_each(|result| to.argument(result));
            let marked = to.marked;
            to.bool(marked);
        });
    }

    fn abort(&mut self, worker: WorkerId, execution: ExecutionId) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::ABORT);
            number(to, execution.0);
        });
    }

    fn abort_script(&mut self, worker: WorkerId) {
        self.queue(worker, |to| {
            to.tuple(1);
            to.int(to_worker::ABORT_SCRIPT);
        });
    }

    fn time_event(&mut self, worker: WorkerId, event: u32) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::TIME_EVENT);
            to.int(i64::from(event));
        });
    }

    fn answer_wire(&mut self, worker: WorkerId, token: Token, wire: &[u8]) {
        if let Some(text) = resp2::error(wire) {
            return self.answer(worker, token, Err(String::from_utf8_lossy(text).into_owned()));
        }
        self.reply(worker, token, true, |to| resp2::write(wire, to));
    }

    fn answer(&mut self, worker: WorkerId, token: Token, result: Result<Argument, String>) {
        match &result {
            Ok(value) => self.reply(worker, token, true, |to| to.argument(value)),
            Err(text) => self.reply(worker, token, false, |to| to.text(text)),
        }
    }

    fn forget(&mut self, worker: WorkerId, function: FunctionId) {
        self.queue(worker, |to| {
            to.tuple(2);
            to.int(to_worker::FORGET);
            to.int(i64::from(function.0));
        });
    }

    fn profile(&mut self, worker: WorkerId, what: Profiling<'_>) {
        let (word, request, order) = match what {
            Profiling::On => ("on", 0, None),
            Profiling::Off => ("off", 0, None),
            Profiling::Reset => ("reset", 0, None),
            Profiling::Report { request, order } => ("report", request, order),
        };
        self.queue(worker, |to| {
            to.tuple(4);
            to.int(to_worker::PROFILE);
            to.text(word);
            number(to, request);
            match order {
                Some(order) => to.text(order),
                None => to.none(),
            }
        });
    }

    fn kill(&mut self, worker: WorkerId) {
        self.kill_process(worker.0);
        self.late.retain(|(from, _)| *from != worker);
        self.remove(worker.0);
    }

    fn can_forbid(&self, what: Forbidden) -> Result<(), String> {
        confinement::is_available(what)
    }

    fn usage(&self, worker: WorkerId) -> Option<Usage> {
        usage::usage(self.processes.get(&worker.0)?.pid?)
    }

    fn private_bytes(&self, worker: WorkerId) -> Option<u64> {
        usage::private_bytes(self.processes.get(&worker.0)?.pid?)
    }

    /// Zygotes count, too; the pid says nothing here.
    fn usage_total(&self) -> Usage {
        let zygotes = self
            .homes
            .iter()
            .filter_map(|home| home.zygote.as_ref())
            .map(|(_, zygote)| zygote.pid());
        let processes = self.processes.values().filter_map(|process| process.pid);
        zygotes.chain(processes).filter_map(usage::usage).fold(Usage::default(), |total, one| {
            Usage {
                pid: 0,
                rss_bytes: total.rss_bytes + one.rss_bytes,
                cpu_us: total.cpu_us + one.cpu_us,
            }
        })
    }
}

impl Pool {
    /// Answers a call where the worker looks for the answer.
    pub(super) fn reply(
        &mut self,
        worker: WorkerId,
        token: Token,
        success: bool,
        value: impl Fn(&mut Writer<'_>),
    ) {
        let process = self.processes.get_mut(&worker.0);
        let mailbox = process.and_then(|process| process.mailbox.as_mut());
        if let Some(mailbox) = mailbox.filter(|mailbox| mailbox.is_asked(token)) {
            self.answer.clear();
            let mut names = Names::default();
            let mut to = Writer::new(&mut self.answer, &mut names);
            value(&mut to);
            let marked = to.marked;
            if mailbox.answer(success, marked, &self.answer) {
                return;
            }
        }
        self.queue(worker, |to| answer(to, token, success, value));
    }
}

fn limit(to: &mut Writer<'_>, limit: Option<u64>) {
    match limit {
        Some(number) => to.int(i64::try_from(number).unwrap_or(i64::MAX)),
        None => to.none(),
    }
}

fn number(to: &mut Writer<'_>, number: u64) {
    to.int(i64::try_from(number).expect("numbers are counted up from one"));
}

/// The records, then whether Python has to revive some of them: that is known only afterwards.
fn batch(to: &mut Writer<'_>, fill: &mut dyn FnMut(&mut dyn RecordSink)) {
    let mut records = Records::open(to);
    fill(&mut records);
    records.close();
    let marked = to.marked;
    to.bool(marked);
}

fn answer(to: &mut Writer<'_>, token: Token, success: bool, value: impl FnOnce(&mut Writer<'_>)) {
    to.tuple(5);
    to.int(to_worker::ANSWER);
    number(to, token.0);
    to.bool(success);
    value(to);
    let marked = to.marked;
    to.bool(marked);
}
