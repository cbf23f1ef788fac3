//! Invocations that stand in a line: one begins when the one before it is over.

mod driver;

use driver::{Driver, everywhere};
use functions::plan::Argument;
use functions::worker::{ExecutionId, FromWorker, FunctionId, LineId, WorkerId, Workers};

const LINE: LineId = LineId(7);

/// Puts one record for each execution into the line.
fn line_up(driver: &mut Driver, worker: WorkerId, function: FunctionId) -> [ExecutionId; 3] {
    [b"1", b"2", b"3"].map(|number| {
        let execution = driver.execution();
        driver.pool.invoke_in_line(worker, LINE, execution, function, &mut |sink| {
            sink.command(&mut [&number[..]].into_iter());
        });
        execution
    })
}

/// How the next execution ended: with what, or that it has not begun.
fn ended(driver: &mut Driver, worker: WorkerId) -> (ExecutionId, String) {
    loop {
        match driver.next(worker) {
            FromWorker::Withdrawn { execution } => return (execution, "not begun".into()),
            FromWorker::Progress { execution, records, errors, done: true, .. } => {
                let how = match (&records[..], &errors[..]) {
                    ([], [error]) => error.clone(),
                    ([Argument::Text(text)], []) => text.clone(),
                    other => panic!("{other:?}"),
                };
                return (execution, how);
            }
            // Its record is consumed and it waits.
            FromWorker::Progress { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

fn registered(driver: &mut Driver, code: &str) -> (WorkerId, FunctionId) {
    let worker = driver.session();
    let code = format!("{code}\nGB('CommandReader').map(f).register(trigger='t')");
    let (function, ..) = driver.described(worker, &code);
    (worker, function)
}

#[test]
fn they_follow_each_other_even_where_the_thread_leaves_them() {
    everywhere(|driver| {
        for code in [
            "def f(r):\n  return r[0]",
            "import asyncio\nasync def f(r):\n  await asyncio.sleep(0.03 / int(r[0]))\n  return r[0]",
        ] {
            let (worker, function) = registered(driver, code);
            let [first, second, third] = line_up(driver, worker, function);
            for (execution, number) in [(first, "1"), (second, "2"), (third, "3")] {
                assert_eq!(ended(driver, worker), (execution, number.into()));
            }
            // A line that was empty is none the worse for it.
            let again = line_up(driver, worker, function);
            assert_eq!(again.map(|_| ended(driver, worker).0), again);
        }
    });
}

#[test]
fn an_error_lets_the_others_go_on_unless_it_asks_for_a_pause() {
    everywhere(|driver| {
        for code in [
            "def f(r):\n  return flat_error(why) if r[0] == '1' else r[0]",
            "async def f(r):\n  return flat_error(why) if r[0] == '1' else r[0]",
        ] {
            let (worker, function) = registered(driver, &format!("why = 'no'\n{code}"));
            let all = line_up(driver, worker, function);
            let how = all.map(|_| ended(driver, worker).1);
            assert_eq!(how, ["no", "2", "3"]);

            let (worker, function) = registered(driver, &format!("why = 'PAUSE'\n{code}"));
            let all = line_up(driver, worker, function);
            let mut how = all.map(|_| ended(driver, worker));
            how.sort_by_key(|(execution, _)| execution.0);
            assert_eq!(how.map(|(_, how)| how), ["PAUSE", "not begun", "not begun"]);
            // Whoever sent these had not heard of it yet.
            let late = line_up(driver, worker, function);
            let how = late.map(|execution| (execution, "not begun".into()));
            assert_eq!(late.map(|_| ended(driver, worker)), how);
        }
    });
}

#[test]
fn those_that_wait_can_be_withdrawn_and_the_one_that_runs_cannot() {
    everywhere(|driver| {
        let (worker, function) =
            registered(driver, "def f(r):\n  return execute('get', r[0]) + r[0]");
        let [first, second, third] = line_up(driver, worker, function);
        let token = match driver.next(worker) {
            FromWorker::Execute { token, .. } => token,
            other => panic!("{other:?}"),
        };
        driver.pool.withdraw(worker, LINE);
        assert_eq!(ended(driver, worker), (second, "not begun".into()));
        assert_eq!(ended(driver, worker), (third, "not begun".into()));
        driver.answer(worker, token, Argument::Text("v".into()));
        assert_eq!(ended(driver, worker), (first, "v1".into()));
        driver.pool.withdraw(worker, LINE);
        let [alone, ..] = line_up(driver, worker, function);
        assert!(
            matches!(driver.next(worker), FromWorker::Execute { execution: Some(execution), .. } if execution == alone)
        );
    });
}

#[test]
fn one_that_is_aborted_while_it_waits_ends_in_its_turn() {
    everywhere(|driver| {
        let (worker, function) =
            registered(driver, "def f(r):\n  return execute('get', r[0]) + r[0]");
        let [first, second, third] = line_up(driver, worker, function);
        for (execution, aborted) in [(first, Some(second)), (third, None)] {
            let token = match driver.next(worker) {
                FromWorker::Execute { token, .. } => token,
                other => panic!("{other:?}"),
            };
            if let Some(aborted) = aborted {
                driver.pool.abort(worker, aborted);
            }
            driver.answer(worker, token, Argument::Text("v".into()));
            assert_eq!(ended(driver, worker).0, execution);
            if aborted.is_some() {
                let (execution, how) = ended(driver, worker);
                assert!(execution == second && how.contains("gears.forcestopped"), "{how}");
            }
        }
    });
}
