//! What a session shows of itself, with real interpreters: profiles of its callbacks, and the levels of what it logs.

mod driver;

use std::time::Instant;

use driver::{Driver, PATIENCE, everywhere, text};
use functions::host::{Level, Value};
use functions::worker::{
    ExecutionId, FromWorker, FunctionId, Profiling, Source, WorkerId, Workers,
};

fn report(driver: &mut Driver, worker: WorkerId, order: Option<&str>) -> Result<String, String> {
    driver.pool.profile(worker, Profiling::Report { request: 7, order });
    match driver.next(worker) {
        FromWorker::ProfileReport { request: 7, report } => report,
        other => panic!("{other:?}; printed: {:#?}", driver.printed),
    }
}

/// Calls a function that is being measured.
fn durations(driver: &mut Driver, worker: WorkerId, function: FunctionId) -> Vec<u64> {
    let execution = driver.invoke(worker, function, &[b"t"]);
    durations_of(driver, worker, execution)
}

fn durations_of(driver: &mut Driver, worker: WorkerId, wanted: ExecutionId) -> Vec<u64> {
    let mut durations = None;
    loop {
        match driver.next(worker) {
            FromWorker::StepDurations { execution, step_us } if execution == wanted => {
                durations = Some(step_us);
            }
            FromWorker::Progress { execution, done, .. } if execution == wanted => {
                if done {
                    return durations.expect("durations come before the end");
                }
            }
            other => panic!("{other:?}; printed: {:#?}", driver.printed),
        }
    }
}

const SLOW: &str = "import time\n\
    def slow(record):\n    time.sleep(0.02)\n    return record\n\
    GB('CommandReader').map(lambda r: r).map(slow).register(trigger='t')";

#[test]
fn callbacks_are_measured_by_step_and_by_function_while_it_is_wanted() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(worker, SLOW);
        driver.call(worker, function, &[b"t"]);
        let empty = report(driver, worker, None).unwrap_err();
        assert!(empty.contains("nothing was profiled"), "{empty}");

        driver.pool.profile(worker, Profiling::On);
        let steps = durations(driver, worker, function);
        assert!(steps.len() == 4 && steps[1] >= 20_000, "{steps:?}");
        let told = report(driver, worker, None).unwrap();
        assert!(told.contains("Ordered by: cumulative time"), "{told}");
        assert!(told.contains("(slow)") && told.contains("was called by"), "{told}");
        assert!(!told.contains("mainspring_worker"), "{told}");

        driver.pool.profile(worker, Profiling::Off);
        // It says nothing of steps: `call` would not take that.
        driver.call(worker, function, &[b"t"]);
        assert!(report(driver, worker, Some("ncalls")).unwrap().contains("Ordered by: call count"));
        let unknown = report(driver, worker, Some("beauty")).unwrap_err();
        assert_eq!(unknown, "pstats knows no order 'beauty'");

        driver.pool.profile(worker, Profiling::Reset);
        assert!(report(driver, worker, None).is_err());
    });
}

#[test]
fn functions_that_suspend_and_functions_over_batches_are_measured_too() {
    everywhere(|driver| {
        let worker = driver.session();
        let (suspends, ..) = driver.described(
            worker,
            "async def later(r):\n    return r\n\
             GB('CommandReader').map(later).map(lambda r: sum(range(300000))).register(trigger='t')",
        );
        let (counts, ..) = driver.described(
            worker,
            "GB('KeysReader').groupby(lambda r: sum(range(300000)), lambda k, a, r: 1).run()",
        );
        driver.pool.profile(worker, Profiling::On);
        let steps = durations(driver, worker, suspends);
        assert!(steps.len() == 4 && steps[1] > 0, "{steps:?}");

        let execution = driver.execution();
        driver.pool.open(worker, execution, counts, 0, Source::Fed);
        driver.pool.feed(worker, execution, true, &mut |records| {
            records.key(b"k", Some(Value::String(b"v")), None);
        });
        let steps = durations_of(driver, worker, execution);
        assert!(steps.len() == 3 && steps[0] > 0, "{steps:?}");
    });
}

#[test]
fn an_error_of_a_measured_callback_looks_as_ever() {
    everywhere(|driver| {
        let worker = driver.session();
        let code = "GB('CommandReader').map(lambda r: 1/0).register(trigger='t')";
        let (function, ..) = driver.described(worker, code);
        let expected = driver.call(worker, function, &[b"t"]).errors;
        driver.pool.profile(worker, Profiling::On);
        let execution = driver.invoke(worker, function, &[b"t"]);
        assert!(matches!(driver.next(worker), FromWorker::StepDurations { .. }));
        assert_eq!(driver.outcome(worker, execution).errors, expected);
    });
}

#[test]
fn a_measured_callback_can_be_stopped_and_the_next_one_is_measured() {
    everywhere(|driver| {
        let worker = driver.session();
        let (endless, ..) = driver.described(
            worker,
            "def add(a):\n    return a + 1\n\
             def endless(r):\n    execute('STARTED')\n    a = 0\n    while True: a = add(a)\n\
             GB('CommandReader').map(endless).register(trigger='e')",
        );
        let (quick, ..) = driver.described(
            worker,
            "def quick(r):\n    return r\nGB('CommandReader').map(quick).register(trigger='q')",
        );
        driver.pool.profile(worker, Profiling::On);
        let execution = driver.invoke(worker, endless, &[b"e"]);
        match driver.next(worker) {
            FromWorker::Execute { token, .. } => driver.answer(worker, token, text("go on")),
            other => panic!("{other:?}"),
        }
        driver.pool.abort(worker, execution);
        assert!(matches!(driver.next(worker), FromWorker::StepDurations { .. }));
        let errors = driver.outcome(worker, execution).errors;
        assert!(errors.len() == 1 && errors[0].contains("gears.forcestopped"), "{errors:?}");
        durations(driver, worker, quick);
        let told = report(driver, worker, None).unwrap();
        assert!(told.contains("(quick)"), "{told}");
    });
}

#[test]
fn a_profile_can_be_seen_while_every_thread_of_the_session_is_busy() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "import time\ndef busy(r):\n    execute('WAITS')\n    return r\n\
             GB('CommandReader').map(busy).register(trigger='t')",
        );
        driver.pool.profile(worker, Profiling::On);
        let waiting: Vec<_> = (0..3).map(|_| driver.invoke(worker, function, &[b"t"])).collect();
        let mut tokens = Vec::new();
        while tokens.len() < 3 {
            match driver.next(worker) {
                FromWorker::Execute { token, .. } => tokens.push(token),
                other => panic!("{other:?}"),
            }
        }
        // What has not returned yet is in no profile, though what it called may be.
        assert!(!report(driver, worker, None).unwrap_or_default().contains("(busy)"));
        for token in tokens {
            driver.answer(worker, token, text("ok"));
        }
        let mut ended = 0;
        while ended < waiting.len() {
            ended += usize::from(matches!(driver.next(worker), FromWorker::Progress { .. }));
        }
        assert!(report(driver, worker, None).unwrap().contains("(busy)"));
    });
}

#[test]
fn what_logging_prints_has_its_level_and_is_configured_as_ever() {
    everywhere(|driver| {
        let worker = driver.session();
        let code = "import logging, sys\n\
            logging.getLogger('quiet').error('to the last resort')\n\
            logging.basicConfig(level=logging.DEBUG, format='%(name)s: %(message)s')\n\
            log = logging.getLogger('mine')\n\
            log.debug('fine')\nlog.info('known')\nlog.critical('two\\nlines')\n\
            print('printed', file=sys.stderr)";
        assert_eq!(driver.script(worker, code), None);
        let expected = [
            (Level::Warning, "to the last resort"),
            (Level::Verbose, "mine: fine"),
            (Level::Notice, "mine: known"),
            (Level::Warning, "mine: two"),
            (Level::Warning, "lines"),
            (Level::Notice, "printed"),
        ];
        let deadline = Instant::now() + PATIENCE;
        while driver.printed.len() < expected.len() && Instant::now() < deadline {
            driver.pump();
        }
        let told = driver.levels.iter().copied().zip(driver.printed.iter().map(String::as_str));
        assert_eq!(told.collect::<Vec<_>>(), expected);
    });
}

#[test]
fn what_log_says_has_the_bounds_of_what_is_printed() {
    everywhere(|driver| {
        let worker = driver.session();
        let code = "for i in range(1000): log('x' * 5000, level='warning')";
        assert_eq!(driver.script(worker, code), None);
        let deadline = Instant::now() + PATIENCE;
        let is_told = |line: &String| line.ends_with("more lines were printed and dropped)");
        while !driver.printed.iter().any(is_told) && Instant::now() < deadline {
            driver.pump();
        }
        assert!(driver.printed.iter().any(is_told));
        assert!(driver.printed.len() < 900 && driver.printed[0].len() == 5000);
        assert_eq!(driver.levels[0], Level::Warning);
    });
}
