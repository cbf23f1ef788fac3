//! Runs over a whole reader: read in slices, so that other clients are served in between, and sent in batches.

use super::{Batch, Input, Status};
use crate::engine::{Doors, Engine};
use crate::host::{Host, Projection, Value};
use crate::operators::Leading;
use crate::plan::{Argument, Step};
use crate::readers::{Shape, Walk, stream};
use crate::worker::{ExecutionId, RecordSink, Source};

/// Batches that a worker has at once: one in its hands, one waiting, one on its way.
const IN_FLIGHT: usize = 3;

/// Records in a batch, and bytes after which a batch is full with fewer.
const BATCH_RECORDS: usize = 1000;
const BATCH_BYTES: usize = 256 * 1024;

/// Keys to ask the host for at once.
const SCAN_COUNT: std::ops::RangeInclusive<usize> = 8..=1000;

/// The longest that one execution reads before another has its turn.
const SLICE_US: u64 = 500;

/// Keys to ask for at first, before the size of values is known.
const SCAN_COUNT_FIRST: usize = 128;

impl Batch {
    pub(crate) fn over(walk: Walk, steps: &[Step]) -> Self {
        let leading = match walk {
            Walk::Callback => Leading::none(steps),
            _ => Leading::of(steps),
        };
        let scan_count = SCAN_COUNT_FIRST;
        Batch { walk, leading, in_flight: 0, opened: false, queued: false, scan_count }
    }
}

impl Engine {
    /// Begins a run: from now on `work` reads for it.
    pub(crate) fn start_batch(&mut self, doors: &mut Doors, id: ExecutionId) {
        let now_us = doors.host.monotonic_us();
        let execution = self.execution(id);
        execution.status = Status::Running;
        execution.started_us = Some(now_us);
        let (number, function) = (execution.session, execution.function);
        let session = self.sessions.by_number.get_mut(&number);
        let session = session.expect("a session outlives its executions");
        session.beside_queue.push(id);
        let worker = session.worker();
        let batch = self.execution(id).batch().expect("a run has a reader");

        let source = if batch.walk == Walk::Callback { Source::Callback } else { Source::Fed };
        // A count opens the worker's part, if there is one, when its one record is there.
        if !batch.leading.counts() {
            batch.opened = true;
            let first_step = batch.leading.next_step;
            let worker = worker.expect("its script ran a moment ago");
            doors.workers.open(worker, id, function, first_step, source);
        }
        if source == Source::Fed {
            batch.queued = true;
            self.reading.push_back(id);
        } else {
            batch.walk = Walk::Over;
        }
        self.watch_limits(doors);
    }

    /// The worker has consumed something, or wants nothing more.
    pub(crate) fn read_on(&mut self, doors: &mut Doors, id: ExecutionId, wants_more: bool) {
        let Some(execution) = self.executions.get_mut(&id) else { return };
        let (session, status) = (execution.session, execution.status);
        let Some(batch) = execution.batch() else { return };
        if status != Status::Running || batch.walk == Walk::Over {
            return;
        }
        if wants_more {
            if !batch.queued && batch.in_flight < IN_FLIGHT {
                batch.queued = true;
                self.reading.push_back(id);
            }
            return;
        }
        batch.walk = Walk::Over;
        if let Some(worker) = self.sessions.by_number[&session].worker() {
            doors.workers.feed(worker, id, true, &mut |_| {});
        }
    }

    /// Reads for one execution for a while.
    pub(crate) fn read_slice(&mut self, doors: &mut Doors, id: ExecutionId, end_us: u64) {
        let began_us = doors.host.monotonic_us();
        let end_us = end_us.min(began_us + SLICE_US);
        let Some(execution) = self.executions.get_mut(&id) else { return };
        let (Input::Batch(batch), Status::Running) = (&mut execution.input, execution.status)
        else {
            return;
        };
        let visible = &execution.plan.visible;
        batch.queued = false;
        if batch.walk == Walk::Over {
            return;
        }
        let session = &self.sessions.by_number[&execution.session];

        let mut failure = None;
        if batch.leading.counts() {
            failure = count(doors.host, batch, end_us).err();
        } else {
            let worker = session.worker().expect("an execution ends with its worker");
            let walk = std::mem::replace(&mut batch.walk, Walk::Over);
            let Doors { host, workers } = doors;
            match walk {
                Walk::Scan { pattern, cursor, shape } => {
                    let mut next = 0;
                    workers.feed(worker, id, false, &mut |sink| {
                        sink.show(visible);
                        next = fill(*host, sink, batch, pattern.as_deref(), cursor, shape, end_us);
                    });
                    batch.in_flight += 1;
                    if next != 0 {
                        batch.walk = Walk::Scan { pattern, cursor: next, shape };
                    } else {
                        workers.feed(worker, id, true, &mut |_| {});
                    }
                }
                Walk::One { key, shape } => workers.feed(worker, id, true, &mut |sink| {
                    sink.show(visible);
                    put_one(*host, sink, batch, &key, shape);
                }),
                Walk::Stream { key, from } => match stream::read_after(*host, &key, &from) {
                    Ok(entries) => workers.feed(worker, id, true, &mut |sink| {
                        sink.show(visible);
                        entries.put_some(&key, sink, || batch.leading.admit());
                    }),
                    Err(error) => {
                        failure = Some(error);
                        workers.feed(worker, id, true, &mut |_| {});
                    }
                },
                Walk::ShardId => workers.feed(worker, id, true, &mut |sink| {
                    if batch.leading.admit() {
                        sink.value(&Argument::Text("1".into()));
                    }
                }),
                Walk::Callback | Walk::Over => {}
            }
        }
        let is_over = batch.walk == Walk::Over;
        let counts = batch.leading.counts();
        if !is_over && batch.in_flight < IN_FLIGHT {
            batch.queued = true;
            self.reading.push_back(id);
        }
        execution.errors.extend(failure);
        execution.read_us += doors.host.monotonic_us().saturating_sub(began_us);
        if is_over && counts {
            self.counted(doors, id);
        }
    }

    /// A count has seen everything: its record is the result, or what the rest of the steps work on.
    fn counted(&mut self, doors: &mut Doors, id: ExecutionId) {
        let execution = self.executions.get_mut(&id).expect("it was just read for");
        let worker = self.sessions.by_number[&execution.session].worker();
        let function = execution.function;
        let Input::Batch(batch) = &mut execution.input else { return };
        let total = batch.leading.total();
        match worker.filter(|_| !batch.leading.is_whole_plan() && execution.errors.is_empty()) {
            None => {
                execution.results.extend(total);
                self.finish(doors, id, Status::Done);
            }
            Some(worker) => {
                batch.opened = true;
                let first_step = batch.leading.next_step;
                doors.workers.open(worker, id, function, first_step, Source::Fed);
                doors.workers.feed(worker, id, true, &mut |sink| {
                    if let Some(total) = &total {
                        sink.value(total);
                    }
                });
            }
        }
    }
}

/// One batch straight from the keyspace into the worker's format. Returns the cursor to go on from, 0 at the end.
fn fill(
    host: &mut dyn Host,
    sink: &mut dyn RecordSink,
    batch: &mut Batch,
    pattern: Option<&[u8]>,
    mut cursor: u64,
    shape: Shape,
    end_us: u64,
) -> u64 {
    let Batch { leading, scan_count, .. } = batch;
    loop {
        let wanted = (*scan_count).min(BATCH_RECORDS - sink.len().min(BATCH_RECORDS - 1));
        cursor = host.scan(cursor, wanted, pattern, shape.projection(), &mut |key, value| {
            if leading.admit() {
                put(sink, key, value, shape);
            }
        });
        *scan_count = next_scan_count(sink);
        if cursor == 0 || leading.is_full() {
            return 0;
        }
        let is_full = sink.len() >= BATCH_RECORDS || sink.bytes() >= BATCH_BYTES;
        if is_full || host.monotonic_us() >= end_us {
            return cursor;
        }
    }
}

/// As many keys as make a batch of a decent size, by the records so far.
fn next_scan_count(sink: &dyn RecordSink) -> usize {
    let bytes_each = sink.bytes() / sink.len().max(1);
    (BATCH_BYTES / bytes_each.max(1)).clamp(*SCAN_COUNT.start(), *SCAN_COUNT.end())
}

fn put(sink: &mut dyn RecordSink, key: &[u8], value: Value, shape: Shape) {
    match shape {
        Shape::BareKey => sink.bare_key(key),
        Shape::Record(Projection::Key) => sink.key(key, None, None),
        Shape::Record(Projection::KeyAndValue) => sink.key(key, Some(value), None),
    }
}

fn put_one(
    host: &mut dyn Host,
    sink: &mut dyn RecordSink,
    batch: &mut Batch,
    key: &[u8],
    shape: Shape,
) {
    if shape == Shape::BareKey && !exists(host, key) {
        return;
    }
    if batch.leading.admit() {
        match shape {
            Shape::BareKey | Shape::Record(Projection::Key) => {
                put(sink, key, Value::Missing, shape);
            }
            Shape::Record(projection) => {
                host.read(key, projection, &mut |value| put(sink, key, value, shape));
            }
        }
    }
}

/// Counts in place: no record is made, no value is read.
fn count(host: &mut dyn Host, batch: &mut Batch, end_us: u64) -> Result<(), String> {
    let Batch { walk, leading, .. } = batch;
    let over = match walk {
        Walk::Scan { pattern, cursor, .. } => loop {
            *cursor = host.scan(
                *cursor,
                *SCAN_COUNT.end(),
                pattern.as_deref(),
                Projection::Key,
                &mut |_, _| leading.take(),
            );
            if *cursor == 0 || leading.is_full() {
                break true;
            }
            if host.monotonic_us() >= end_us {
                break false;
            }
        },
        Walk::One { key, shape } => {
            if *shape != Shape::BareKey || exists(host, key) {
                leading.take();
            }
            true
        }
        Walk::Stream { key, from } => {
            let entries = stream::read_after(host, key, from);
            *walk = Walk::Over;
            (0..entries?.len()).for_each(|_| leading.take());
            true
        }
        Walk::ShardId => {
            leading.take();
            true
        }
        Walk::Callback | Walk::Over => true,
    };
    if over {
        *walk = Walk::Over;
    }
    Ok(())
}

fn exists(host: &mut dyn Host, key: &[u8]) -> bool {
    let mut wire = Vec::new();
    host.call(&[b"EXISTS", key], &mut wire);
    wire == b":1\r\n"
}

#[cfg(test)]
mod tests {
    use crate::plan::{StepKind, Visible};
    use crate::testing::{Stage, WORKER, plan};
    use crate::worker::{ExecutionId, FromWorker};

    const TEXT: StepKind = StepKind::ToText;

    fn begun(mut stage: Stage, plan: crate::plan::Plan) -> Stage {
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, plan);
        stage.script_done(WORKER);
        stage.sent();
        stage
    }

    #[test]
    fn a_count_of_keys_is_answered_without_worker_and_without_values() {
        let count = plan("KeysReader", &[StepKind::Count, TEXT, StepKind::Collect]);
        let mut stage = begun(Stage::with_keys(3), count);
        stage.work();
        assert_eq!(stage.reply(), "*2|*1|$1|3|*0|");
        assert_eq!(stage.host.scans_with_values, 0);
        assert_eq!(stage.sent(), ["kill w0"]);
    }

    #[test]
    fn a_count_of_nothing_has_no_result() {
        let mut stage = begun(Stage::new(), plan("KeysReader", &[StepKind::Count, TEXT]));
        stage.work();
        assert_eq!(stage.reply(), "*2|*0|*0|");
    }

    #[test]
    fn a_count_before_a_callback_hands_the_worker_one_record() {
        let mut stage =
            begun(Stage::with_keys(3), plan("KeysReader", &[StepKind::Count, StepKind::Map]));
        stage.work();
        assert_eq!(stage.sent(), ["open w0 e0 f0 from step 1 Fed", "feed w0 e0 [Int(3)] last"]);
    }

    #[test]
    fn other_clients_are_served_between_two_slices_of_a_long_run() {
        let mut stage = begun(Stage::with_keys(10_000), plan("KeysReader", &[StepKind::Count]));
        stage.host.look_us = 400;
        stage.act(|engine, doors| engine.work(doors, 1000));
        assert!(stage.engine.has_work());
        assert_eq!(stage.replies(), [""; 0]);
        stage.work();
        assert_eq!(stage.reply(), "*2|*1|:10000|*0|");
        assert!(!stage.engine.has_work());
    }

    #[test]
    fn records_go_to_the_worker_in_batches_of_which_three_are_on_their_way() {
        let mut stage = begun(Stage::with_keys(5000), plan("KeysReader", &[StepKind::Filter]));
        stage.work();
        assert_eq!(
            stage.sent(),
            ["feed w0 e0 [1000 records]", "feed w0 e0 [1000 records]", "feed w0 e0 [1000 records]"]
        );
        assert!(!stage.engine.has_work());
        stage.progress(WORKER, 0, vec![], vec![], false);
        stage.work();
        assert_eq!(stage.sent(), ["feed w0 e0 [1000 records]"]);
        stage.progress(WORKER, 0, vec![], vec![], false);
        stage.work();
        assert_eq!(stage.sent(), ["feed w0 e0 [1000 records]", "feed w0 e0 [] last"]);
    }

    #[test]
    fn values_that_no_callback_can_see_are_not_read() {
        let mut unseen = plan("KeysReader", &[StepKind::Map]);
        unseen.visible = Visible { value: false, kind: false, ..Visible::ALL };
        let mut stage = begun(Stage::with_keys(1), unseen);
        stage.work();
        assert_eq!(stage.host.scans_with_values, 0);
        assert!(!stage.sent()[0].contains('='));
    }

    #[test]
    fn large_values_make_small_batches() {
        let mut stage = Stage::with_keys(1000);
        stage.host.keys.values_mut().for_each(|value| *value = vec![b'x'; 100_000]);
        let mut stage = begun(stage, plan("KeysReader", &[StepKind::Map]));
        stage.work();
        let sent = stage.sent();
        assert_eq!(sent[0], "feed w0 e0 [128 records]");
        assert_eq!(sent[1], "feed w0 e0 [8 records]");
    }

    #[test]
    fn a_worker_that_is_satisfied_is_told_the_end_and_fed_no_more() {
        let mut stage = begun(Stage::with_keys(9000), plan("KeysReader", &[StepKind::Map]));
        stage.work();
        stage.sent();
        stage.from(
            WORKER,
            FromWorker::Progress {
                execution: ExecutionId(0),
                records: vec![],
                errors: vec![],
                satisfied: true,
                done: false,
                consumed: 1,
                busy_us: 0,
            },
        );
        stage.work();
        assert_eq!(stage.sent(), ["feed w0 e0 [] last"]);
    }

    #[test]
    fn the_first_error_stops_the_reader() {
        let mut stage = begun(Stage::with_keys(9000), plan("KeysReader", &[StepKind::Map]));
        stage.work();
        stage.sent();
        stage.progress(WORKER, 0, vec![], vec!["no".into()], false);
        stage.work();
        assert_eq!(stage.sent(), ["feed w0 e0 [] last"]);
    }

    #[test]
    fn a_limit_at_the_front_reads_no_more_than_it_lets_through() {
        let limit = StepKind::Limit { length: 2, offset: 1 };
        let mut stage = Stage::with_keys(9000);
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, plan("KeysReader", &[limit, StepKind::Map]));
        stage.script_done(WORKER);
        stage.work();
        assert_eq!(
            stage.sent()[3..],
            [
                "open w0 e0 f0 from step 1 Fed",
                "feed w0 e0 [key:000001=value, key:000002=value]",
                "feed w0 e0 [] last"
            ]
        );
    }

    #[test]
    fn a_python_reader_produces_its_records_itself() {
        let mut stage = Stage::new();
        stage.command("RG.PYEXECUTE code");
        stage.run(WORKER, 0, plan("PythonReader", &[StepKind::Count]));
        stage.script_done(WORKER);
        stage.work();
        assert_eq!(stage.sent()[3..], ["open w0 e0 f0 from step 0 Callback"]);
    }

    #[test]
    fn keys_alone_are_bare_records() {
        let mut stage = begun(Stage::with_keys(2), plan("KeysOnlyReader", &[StepKind::Map]));
        stage.work();
        assert_eq!(stage.sent()[0], "feed w0 e0 [key:000000, key:000001]");
        assert_eq!(stage.host.scans_with_values, 0);
    }

    #[test]
    fn the_shard_s_id_is_one() {
        let mut stage = begun(Stage::new(), plan("ShardsIDReader", &[StepKind::Map]));
        stage.work();
        assert_eq!(stage.sent(), ["feed w0 e0 [Text(\"1\")] last"]);
    }

    #[test]
    fn a_stream_is_read_from_its_beginning_and_a_wrong_read_is_an_error_of_the_run() {
        let mut stage = Stage::new();
        stage.host.answers.insert(
            "XREAD STREAMS s 0-0".into(),
            "*1\r\n*2\r\n$1\r\ns\r\n*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$1\r\na\r\n$1\r\nb\r\n".into(),
        );
        stage.host.answers.insert("XREAD STREAMS t 0-0".into(), "-ERR wrong\r\n".into());
        let reader = |key: &str| {
            let mut plan = plan("StreamReader", &[StepKind::Map]);
            plan.argument = crate::testing::text(key);
            plan
        };
        let mut stage = begun(stage, reader("s"));
        stage.work();
        assert_eq!(stage.sent(), ["feed w0 e0 [s@1-1:1] last"]);

        stage.command("RG.PYEXECUTE code");
        stage.run(crate::worker::WorkerId(1), 0, reader("t"));
        stage.script_done(crate::worker::WorkerId(1));
        stage.work();
        stage.done(crate::worker::WorkerId(1), 1, vec![]);
        assert_eq!(stage.reply(), "*2|*0|*1|$9|ERR wrong|");
    }
}
