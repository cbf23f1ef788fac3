//! What comes just when it is least expected: forced stops while the runtime has a thread, and aborts of what is about to
//! begin or to end. The scripts here reach into the runtime and make it wait where the moment is.

mod driver;

use std::time::{Duration, Instant};

use driver::{Driver, PATIENCE, interpreters, text};
use functions::worker::{
    ExecutionId, FromWorker, FunctionId, LineId, SessionSpec, Source, Token, WorkerId, Workers,
};

fn everywhere(test: impl Fn(&mut Driver)) {
    for interpreter in interpreters() {
        eprintln!("with {}", interpreter.display());
        test(&mut Driver::with(interpreter));
    }
}

/// The runtime's parts, and waiting for an abort, and somewhat longer: so that a forced stop has its chance.
const RUNTIME: &str = "\
import sys, threading, time
runtime = lambda name: sys.modules['mainspring_worker.' + name]
session = runtime('session').current
desk = session.desk
def is_aborted():
    return any(execution.aborted for execution in list(session.executions.values()))
def linger():
    until = time.time() + 0.05
    while time.time() < until: pass
def until_aborted():
    while not is_aborted(): time.sleep(0.001)
    linger()
";

fn session(driver: &mut Driver) -> WorkerId {
    session_of(driver, 3)
}

fn session_of(driver: &mut Driver, threads: usize) -> WorkerId {
    let spec = SessionSpec { name: "test".into(), threads, ..SessionSpec::default() };
    let worker = driver.pool.start(&spec);
    assert_eq!(driver.script(worker, RUNTIME), None);
    worker
}

fn registered(driver: &mut Driver, worker: WorkerId, code: &str) -> FunctionId {
    driver.described(worker, code).0
}

/// Waits for the call that the execution makes.
fn call(driver: &mut Driver, worker: WorkerId) -> Token {
    match driver.next(worker) {
        FromWorker::Execute { token, .. }
        | FromWorker::AtomicBegin { token, .. }
        | FromWorker::AtomicEnd { token } => token,
        other => panic!("{other:?}; printed: {:#?}", driver.printed),
    }
}

fn assert_stopped(driver: &mut Driver, worker: WorkerId, execution: ExecutionId) {
    let errors = driver.outcome(worker, execution).errors;
    assert!(errors.len() == 1 && errors[0].contains("gears.forcestopped"), "{errors:?}");
}

fn wait_printed(driver: &mut Driver, line: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !driver.printed.iter().any(|printed| printed == line) {
        assert!(Instant::now() < deadline, "{line} never came: {:#?}", driver.printed);
        driver.pump();
    }
}

/// A forced stop is raised between any two steps of the thread, so also where the runtime has just got the thread back.
#[test]
fn a_stop_that_comes_when_the_callbacks_are_over_ends_nothing_else() {
    everywhere(|driver| {
        let worker = session(driver);
        let code = "leave, late = desk.leave, []\n\
             def leave_late(seat, execution):\n\
             \x20   if late:\n        late.pop()\n        while True: pass\n\
             \x20   leave(seat, execution)\n\
             desk.leave = leave_late";
        assert_eq!(driver.script(worker, code), None);
        for (step, before) in [("map", ""), ("flatmap", ""), ("map", "    if not r: later()\n")] {
            let code = format!(
                "async def later(): pass\n\
                 def f(r):\n{before}    execute('LATE')\n    late.append(True)\n\
                 GB('CommandReader').{step}(f).register(trigger='t')"
            );
            let function = registered(driver, worker, &code);
            let execution = driver.invoke(worker, function, &[b"t"]);
            let token = call(driver, worker);
            driver.pool.answer_wire(worker, token, b"+ok\r\n");
            driver.pool.abort(worker, execution);
            assert_stopped(driver, worker, execution);
        }
        driver.pool.script(worker, b"execute('LATE')\nlate.append(True)");
        let token = call(driver, worker);
        driver.pool.answer_wire(worker, token, b"+ok\r\n");
        driver.pool.abort_script(worker);
        match driver.next(worker) {
            FromWorker::ScriptDone { error: Some(error) } => {
                assert!(error.contains("gears.forcestopped"), "{error}");
            }
            other => panic!("{other:?}; printed: {:#?}", driver.printed),
        }
    });
}

#[test]
fn a_stop_does_not_take_the_mailbox_with_it() {
    everywhere(|driver| {
        let worker = session(driver);
        let code = "at_stream = desk.ask_at_stream\n\
             def ask_late(*asked):\n    if asked[-1] is not None: until_aborted()\n    return at_stream(*asked)\n\
             desk.ask_at_stream, desk.mailbox.skipped = ask_late, 0";
        assert_eq!(driver.script(worker, code), None);
        let code = "GB('CommandReader').map(lambda r: execute('GET', 'k')).register(trigger='t')";
        let function = registered(driver, worker, code);
        let execution = driver.invoke(worker, function, &[b"t"]);
        call(driver, worker);
        driver.pool.abort(worker, execution);
        assert_stopped(driver, worker, execution);
        // Not by a call, which would go through the stream then.
        let code = "for _ in range(100):\n    if desk.mailbox.acquire(False): break\n    time.sleep(0.01)\n\
            else: raise ValueError('locked')\ndesk.mailbox.release()";
        assert_eq!(driver.script(worker, code), None);
    });
}

#[test]
fn whoever_swallows_the_stop_and_goes_on_calling_gets_it_again() {
    everywhere(|driver| {
        let worker = session(driver);
        let code = "def stubborn(r):\n    for _ in range(5):\n        try:\n            while True: execute('GET', 'k')\n\
            \x20       except redisgears.GearsForceStopped: pass\n\
            GB('CommandReader').map(stubborn).register(trigger='t')";
        let function = registered(driver, worker, code);
        let execution = driver.invoke(worker, function, &[b"t"]);
        let mut calls = 0;
        let errors = loop {
            match driver.next(worker) {
                FromWorker::Execute { token, .. } => {
                    driver.pool.answer_wire(worker, token, b"+v\r\n");
                    calls += 1;
                }
                FromWorker::Progress { errors, done: true, .. } => break errors,
                other => panic!("{other:?}; printed: {:#?}", driver.printed),
            }
            if calls == 10 {
                driver.pool.abort(worker, execution);
            }
            assert!(calls < 2000, "it is not stopped");
        };
        assert_eq!(errors, [""; 0]);
    });
}

// Atomic blocks

fn atomic(driver: &mut Driver, worker: WorkerId) -> FunctionId {
    let code =
        "def f(r):\n    with atomic(): pass\nGB('CommandReader').map(f).register(trigger='t')";
    registered(driver, worker, code)
}

fn assert_atomic_end(driver: &mut Driver, worker: WorkerId) {
    let message = driver.next(worker);
    assert!(matches!(message, FromWorker::AtomicEnd { .. }), "{message:?}");
}

#[test]
fn an_atomic_block_that_nobody_waits_for_any_more_is_let_go() {
    everywhere(|driver| {
        let worker = session(driver);
        let function = atomic(driver, worker);
        let run_out = |driver: &mut Driver| {
            let execution = driver.invoke(worker, function, &[b"t"]);
            let token = call(driver, worker);
            driver.pool.abort(worker, execution);
            assert_stopped(driver, worker, execution);
            driver.answer(worker, token, text("granted"));
            assert_atomic_end(driver, worker);
        };
        run_out(driver);
        // The abort comes between the mailbox and the stream.
        let code = "at_stream = desk.ask_at_stream\n\
             def ask_late(*asked):\n    if asked[-1] is not None: until_aborted()\n    return at_stream(*asked)\n\
             desk.ask_at_stream, desk.mailbox.skipped = ask_late, 0";
        assert_eq!(driver.script(worker, code), None);
        run_out(driver);
    });
}

#[test]
fn an_atomic_block_that_was_granted_when_the_stop_came_is_ended() {
    everywhere(|driver| {
        let worker = session(driver);
        let function = atomic(driver, worker);
        let code = "ask, begins = desk.ask, runtime('protocol').ATOMIC_BEGIN\n\
             def ask_and_linger(kind, *fields):\n    answer = ask(kind, *fields)\n\
             \x20   if kind == begins: until_aborted()\n    return answer\n\
             desk.ask = ask_and_linger";
        assert_eq!(driver.script(worker, code), None);
        let execution = driver.invoke(worker, function, &[b"t"]);
        let token = call(driver, worker);
        driver.answer(worker, token, text("granted"));
        driver.pool.abort(worker, execution);
        // By the block itself, if the stop comes after it.
        let end = call(driver, worker);
        driver.answer(worker, end, text("ended"));
        driver.outcome(worker, execution);
    });
}

#[test]
fn the_end_of_an_atomic_block_is_told_once() {
    everywhere(|driver| {
        let worker = session(driver);
        let function = atomic(driver, worker);
        let execution = driver.invoke(worker, function, &[b"t"]);
        let token = call(driver, worker);
        driver.answer(worker, token, text("granted"));
        assert_atomic_end(driver, worker);
        // Its answer is on its way, and a second one would end the block of somebody else.
        driver.pool.abort(worker, execution);
        assert_stopped(driver, worker, execution);
        assert_eq!(driver.script(worker, ""), None);
    });
}

// Aborts of what is about to begin or to end

#[test]
fn an_abort_finds_an_invocation_whose_turn_in_its_line_has_just_come() {
    everywhere(|driver| {
        let worker = session(driver);
        let function = registered(
            driver,
            worker,
            "GB('CommandReader').map(lambda r: 'ran').register(trigger='t')",
        );
        let code = "measured = session.measured\n\
             def measure_late(steps):\n    print('begins')\n    while not session.doomed: time.sleep(0.001)\n\
             \x20   return measured(steps)\n\
             session.measured = measure_late";
        assert_eq!(driver.script(worker, code), None);
        let execution = driver.execution();
        driver.pool.invoke_in_line(worker, LineId(7), execution, function, &mut |sink| {
            sink.command(&mut [&b"t"[..]].into_iter());
        });
        wait_printed(driver, "begins");
        driver.pool.abort(worker, execution);
        assert_stopped(driver, worker, execution);
    });
}

#[test]
fn an_abort_finds_a_call_that_becomes_an_execution_just_then() {
    everywhere(|driver| {
        let worker = session(driver);
        let code = "def endless(r):\n    while True: pass\n\
             GB('CommandReader').flatmap(endless).register(trigger='t')";
        let function = registered(driver, worker, code);
        let code = "measured, abort, found = session.measured, desk.abort, threading.Event()\n\
             def measure_late(steps):\n    print('begins')\n    found.wait()\n    return measured(steps)\n\
             def abort_late(execution):\n    found.set()\n\
             \x20   while session.executions[execution.number].seat is None: time.sleep(0.001)\n\
             \x20   abort(execution)\n\
             session.measured, desk.abort = measure_late, abort_late";
        assert_eq!(driver.script(worker, code), None);
        let execution = driver.invoke(worker, function, &[b"t"]);
        wait_printed(driver, "begins");
        driver.pool.abort(worker, execution);
        assert_stopped(driver, worker, execution);
    });
}

#[test]
fn an_abort_ends_an_execution_that_has_just_finished_a_batch() {
    everywhere(|driver| {
        let worker = session(driver);
        let function = registered(driver, worker, "GB('KeysReader').map(lambda r: 'ran').run()");
        let code = "execution = runtime('execution')\nportable = execution.portable\n\
             def portable_late(*records):\n    print('finished')\n    until_aborted()\n    return portable(*records)\n\
             execution.portable = portable_late";
        assert_eq!(driver.script(worker, code), None);
        let execution = driver.execution();
        driver.pool.open(worker, execution, function, 0, Source::Fed);
        driver.pool.feed(worker, execution, false, &mut |records| records.key(b"k", None, None));
        wait_printed(driver, "finished");
        driver.pool.abort(worker, execution);
        assert_stopped(driver, worker, execution);
    });
}

#[test]
fn an_invocation_inside_a_command_that_is_aborted_as_it_begins_ends_once() {
    everywhere(|driver| {
        let worker = session(driver);
        let code = "async def f(r): return 'ran'\nGB('CommandReader').map(f).register(trigger='t')";
        let function = registered(driver, worker, code);
        let code = "made = runtime('suspension').SuspendableExecution\n\
             run_inside, go = made.run_inside, made.go\n\
             def run_late(self, *asked):\n    print('begins')\n    until_aborted()\n    run_inside(self, *asked)\n\
             def go_late(self, seat):\n    time.sleep(0.2)\n    go(self, seat)\n\
             made.run_inside, made.go = run_late, go_late";
        assert_eq!(driver.script(worker, code), None);
        let execution = driver.execution();
        driver.pool.invoke_inside(worker, execution, function, true, &mut |records| {
            records.command(&mut [&b"t"[..]].into_iter());
        });
        wait_printed(driver, "begins");
        driver.pool.abort(worker, execution);
        assert_stopped(driver, worker, execution);
        let more = driver.next_within(worker, Duration::from_millis(500));
        assert!(more.is_none(), "{more:?}");
    });
}

// What belongs to others

#[test]
fn a_record_is_continued_by_an_execution_that_is_stopped_as_it_does() {
    everywhere(|driver| {
        let worker = session(driver);
        let code = "kept = []\ndef wait(r):\n    future = gearsFuture()\n    kept.append(future)\n    return future\n\
             GB('CommandReader').map(wait).register(trigger='t')";
        let waits = registered(driver, worker, code);
        let code = "GB('CommandReader').map(lambda r: kept.pop().continueRun('continued')).register(trigger='t')";
        let continues = registered(driver, worker, code);
        let waiting = driver.invoke(worker, waits, &[b"t"]);
        assert!(matches!(driver.next(worker), FromWorker::Progress { done: false, .. }));
        let code = "entry = runtime('suspension').Entry\nsettle = entry.settle\n\
             def settle_late(self, *outcome):\n    print('settles')\n    until_aborted()\n    settle(self, *outcome)\n\
             entry.settle = settle_late";
        assert_eq!(driver.script(worker, code), None);
        let continuing = driver.invoke(worker, continues, &[b"t"]);
        wait_printed(driver, "settles");
        driver.pool.abort(worker, continuing);
        let mut continued = false;
        for _ in 0..2 {
            match driver.next(worker) {
                FromWorker::Progress { execution, records, done: true, .. } => {
                    if execution == waiting {
                        assert_eq!(records, [text("continued")]);
                        continued = true;
                    }
                }
                other => panic!("{other:?}; printed: {:#?}", driver.printed),
            }
        }
        assert!(continued);
    });
}

#[test]
fn coroutines_run_although_the_first_that_wanted_one_was_stopped() {
    everywhere(|driver| {
        let worker = session(driver);
        let code =
            "GB('CommandReader').map(lambda r: createFuture() and None).register(trigger='t')";
        let first = registered(driver, worker, code);
        let code = "async def f(r): return 'ran'\nGB('CommandReader').map(f).register(trigger='t')";
        let second = registered(driver, worker, code);
        let code = "start = threading.Thread.start\n\
             def start_late(self):\n    if self.name == 'asyncio':\n        print('starts')\n        until_aborted()\n\
             \x20   start(self)\n\
             threading.Thread.start = start_late";
        assert_eq!(driver.script(worker, code), None);
        let execution = driver.invoke(worker, first, &[b"t"]);
        wait_printed(driver, "starts");
        driver.pool.abort(worker, execution);
        driver.outcome(worker, execution);
        let execution = driver.invoke(worker, second, &[b"t"]);
        loop {
            match driver.next(worker) {
                FromWorker::Progress { execution: of, records, done: true, .. } => {
                    assert_eq!((of, &records[..]), (execution, &[text("ran")][..]));
                    break;
                }
                FromWorker::Progress { .. } => {}
                other => panic!("{other:?}; printed: {:#?}", driver.printed),
            }
        }
    });
}

// What one thread leaves to another

#[test]
fn what_a_nested_function_kept_waiting_does_not_wait_for_its_caller_too() {
    everywhere(|driver| {
        let worker = session_of(driver, 1);
        let map = |driver: &mut Driver, code: &str| {
            registered(
                driver,
                worker,
                &format!("GB('CommandReader').map(lambda r: {code}).register(trigger='t')"),
            )
        };
        let caller = map(driver, "execute('CALL')");
        let nested = map(driver, "print('nested') or time.sleep(0.1)");
        let quick = map(driver, "'quick'");
        driver.invoke(worker, caller, &[b"t"]);
        call(driver, worker);
        let inside = driver.execution();
        driver.pool.invoke_inside(worker, inside, nested, false, &mut |records| {
            records.command(&mut [&b"t"[..]].into_iter());
        });
        wait_printed(driver, "nested");
        let kept = driver.invoke(worker, quick, &[b"t"]);
        driver.outcome(worker, inside);
        assert_eq!(driver.outcome(worker, kept).records, [text("quick")]);
    });
}

#[test]
fn nothing_is_left_to_a_thread_that_waits_for_the_server() {
    everywhere(|driver| {
        let worker = session_of(driver, 1);
        let code = "kept = []\ndef wait(r):\n    future = gearsFuture()\n    kept.append(future)\n    return future\n\
             GB('CommandReader').map(wait).register(trigger='t')";
        let waits = registered(driver, worker, code);
        let code = "GB('CommandReader').map(lambda r: execute('UNANSWERED')).register(trigger='t')";
        let calls = registered(driver, worker, code);
        // While it lingers, the other one gets the lead, and reads the second answer.
        let code = "def continues(r):\n    execute('FIRST')\n    linger()\n    execute('SECOND')\n\
             \x20   kept.pop().continueRun('continued')\n\
             GB('CommandReader').map(continues).register(trigger='t')";
        let continues = registered(driver, worker, code);

        let waiting = driver.invoke(worker, waits, &[b"t"]);
        assert!(matches!(driver.next(worker), FromWorker::Progress { done: false, .. }));
        let continuing = driver.invoke(worker, continues, &[b"t"]);
        let first = call(driver, worker);
        driver.invoke(worker, calls, &[b"t"]);
        call(driver, worker);
        driver.pool.answer_wire(worker, first, b"+ok\r\n");
        let second = call(driver, worker);
        driver.pool.answer_wire(worker, second, b"+ok\r\n");
        driver.outcome(worker, continuing);
        assert_eq!(driver.outcome(worker, waiting).records, [text("continued")]);
    });
}

// The watcher

#[test]
fn the_watcher_does_not_sleep_over_what_was_left_to_it_just_before() {
    everywhere(|driver| {
        let worker = session(driver);
        // On every tick, when it has looked, something is left to it; and nothing else keeps it awake.
        let code = "look, looks = desk.on_tick, []\n\
             def look_and_leave():\n    looks.append(1)\n    wanted = look()\n    desk.wake_watcher()\n    return wanted\n\
             desk.on_tick = look_and_leave\n\
             def wait():\n    until = time.time() + 15\n\
             \x20   while len(looks) < 200 and time.time() < until: time.sleep(0.01)\n\
             \x20   print('awake' if len(looks) >= 200 else 'asleep')\n\
             threading.Thread(target=wait, daemon=True).start()";
        assert_eq!(driver.script(worker, code), None);
        wait_printed(driver, "awake");
    });
}
