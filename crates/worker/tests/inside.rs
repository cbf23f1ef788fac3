//! Functions inside commands: a thread takes them up at once, and they say when it leaves them.

mod driver;

use std::time::Duration;

use driver::{Driver, text};
use functions::plan::Argument;
use functions::worker::{ExecutionId, FromWorker, FunctionId, WorkerId, Workers};

fn invoke_inside(
    driver: &mut Driver,
    worker: WorkerId,
    function: FunctionId,
    may_suspend: bool,
) -> ExecutionId {
    let execution = driver.execution();
    driver.pool.invoke_inside(worker, execution, function, may_suspend, &mut |records| {
        records.command(&mut [&b"t"[..]].into_iter())
    });
    execution
}

fn registered(driver: &mut Driver, worker: WorkerId, code: &str) -> FunctionId {
    driver.described(worker, code).0
}

#[test]
fn a_command_does_not_wait_for_functions_that_take_their_time() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let slow = registered(
        &mut driver,
        worker,
        "import time\nGB('CommandReader').map(lambda r: time.sleep(60)).register(trigger='slow')",
    );
    let quick = registered(
        &mut driver,
        worker,
        "GB('CommandReader').map(lambda r: 'quick').register(trigger='quick')",
    );
    // As many as there are threads, and one that waits for them.
    for _ in 0..4 {
        driver.invoke(worker, slow, &[b"t"]);
    }
    driver.next_within(worker, Duration::from_millis(50));
    let execution = invoke_inside(&mut driver, worker, quick, false);
    assert_eq!(driver.outcome(worker, execution).records, [text("quick")]);
}

#[test]
fn a_function_that_its_thread_has_left_says_so_and_ends_later() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let function = registered(
        &mut driver,
        worker,
        "async def later(r):\n    await asyncio.sleep(0.05)\n    return 'later'\n\
         GB('CommandReader').map(later).register(trigger='t')",
    );
    let execution = invoke_inside(&mut driver, worker, function, true);
    let left = driver.next(worker);
    assert!(matches!(left, FromWorker::Suspended { execution: other } if other == execution));
    assert!(
        matches!(driver.next(worker), FromWorker::Progress { done: false, .. }),
        "its batch is consumed"
    );
    assert_eq!(driver.outcome(worker, execution).records, [text("later")]);
}

#[test]
fn where_nothing_may_be_left_futures_and_coroutines_are_refused() {
    let mut driver = Driver::new();
    let worker = driver.session();
    for code in [
        "async def later(r): pass\nGB('CommandReader').map(later).register(trigger='t')",
        "GB('CommandReader').map(lambda r: gearsFuture()).register(trigger='t')",
    ] {
        let function = registered(&mut driver, worker, code);
        let execution = invoke_inside(&mut driver, worker, function, false);
        let errors = driver.outcome(worker, execution).errors;
        assert!(errors[0].contains("Creating async record is not allowed"), "{errors:?}");
    }
}

#[test]
fn hooks_and_overrides_name_the_execution_that_asks() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let function = registered(
        &mut driver,
        worker,
        "async def ask(r):\n    override_reply([1, {'a': 1}, object()])\n    return get_command()\n\
         GB('CommandReader').map(lambda r: call_next('k', 1)).map(ask).register(trigger='t')",
    );
    let execution = invoke_inside(&mut driver, worker, function, true);
    let FromWorker::CallNext { token, execution: Some(caller), args } = driver.next(worker) else {
        panic!()
    };
    assert_eq!((caller, args), (execution, vec![b"k".to_vec(), b"1".to_vec()]));
    driver.pool.answer_wire(worker, token, b":2\r\n");
    let mut seen = Vec::new();
    loop {
        match driver.next(worker) {
            FromWorker::OverrideReply { token, execution: Some(caller), value } => {
                assert_eq!(caller, execution);
                let dict = Argument::Dict(vec![(text("a"), Argument::Int(1))]);
                let shown = Argument::List(vec![Argument::Int(1), dict, Argument::None]);
                assert_eq!(value, shown);
                seen.push("override");
                driver.answer(worker, token, Argument::None);
            }
            FromWorker::GetCommand { token, execution: Some(caller) } => {
                assert_eq!(caller, execution);
                seen.push("command");
                driver.pool.answer_wire(worker, token, b"*1\r\n$4\r\nPING\r\n");
            }
            FromWorker::Progress { done: true, records, .. } => {
                assert_eq!(records, [text("['PING']")]);
                break;
            }
            FromWorker::Suspended { .. } | FromWorker::Progress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(seen, ["override", "command"]);
}

#[test]
fn the_outcome_of_a_run_is_handed_to_the_coroutine_that_awaits_it() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let function = registered(
        &mut driver,
        worker,
        "async def count(r):\n    return str(await GB().count().run())\n\
         GB('CommandReader').map(count).register(trigger='t')",
    );
    let execution = driver.invoke(worker, function, &[b"t"]);
    let token = loop {
        match driver.next(worker) {
            FromWorker::Run { token, .. } => break token,
            FromWorker::Progress { .. } => {}
            other => panic!("{other:?}"),
        }
    };
    driver.answer(worker, token, Argument::Text("0-77".into()));
    let (results, errors) = ([text("3"), Argument::None], ["no".to_owned()]);
    driver.pool.hand_back(worker, ExecutionId(77), &results, &errors);
    assert_eq!(driver.outcome(worker, execution).records, [text("[['3', None], ['no']]")]);
}

#[test]
fn it_runs_on_top_of_the_call_that_triggered_it() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, "import threading\nthreads = []"), None);
    let (outer, ..) = driver.described(
        worker,
        "def outer(r):\n    threads.append(threading.get_ident())\n    return execute('SET', 'k', 'v')\n\
         GB('CommandReader').map(outer).register(trigger='o')",
    );
    let (inner, ..) = driver.described(
        worker,
        "GB('CommandReader').map(lambda r: threads == [threading.get_ident()]).register(trigger='i')",
    );
    let caller = driver.invoke(worker, outer, &[b"o"]);
    let FromWorker::Execute { token, .. } = driver.next(worker) else { panic!() };
    let execution = invoke_inside(&mut driver, worker, inner, true);
    assert_eq!(driver.outcome(worker, execution).records, [text("True")]);
    driver.pool.answer_wire(worker, token, b"+OK\r\n");
    assert_eq!(driver.outcome(worker, caller).records, [text("OK")]);
}
