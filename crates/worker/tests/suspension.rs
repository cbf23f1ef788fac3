//! Coroutines and futures in steps.

mod driver;

use std::time::Duration;

use driver::{Driver, interpreters, text};
use functions::worker::{FromWorker, Source, Workers};

fn everywhere(test: impl Fn(&mut Driver)) {
    for interpreter in interpreters() {
        eprintln!("with {}", interpreter.display());
        test(&mut Driver::with(interpreter));
    }
}

#[test]
fn a_coroutines_result_continues_its_record() {
    everywhere(|driver| {
        let worker = driver.session();
        for (steps, expected) in [
            ("map(f)", vec!["t!", "a!"]),
            ("map(lambda r: f(r))", vec!["t!", "a!"]),
            ("filter(is_a)", vec!["a"]),
            ("foreach(f)", vec!["t", "a"]),
            ("flatmap(twice)", vec!["t", "t", "a", "a"]),
            ("accumulate(join).map(f)", vec!["ta!"]),
            ("groupby(lambda r: 'k', group)", vec!["{'key': 'k', 'value': 'ta'}"]),
            ("map(f).limit(1)", vec!["t!"]),
            ("map(f).count()", vec!["2"]),
        ] {
            let (function, ..) = driver.described(
                worker,
                &format!(
                    "async def f(r):\n  await asyncio.sleep(0.01)\n  return r + '!'\n\
                     async def is_a(r):\n  return r == 'a'\nasync def twice(r):\n  return [r, r]\n\
                     async def join(a, r):\n  return (a or '') + r\nasync def group(k, a, r):\n  return (a or '') + r\n\
                     GB('CommandReader').{steps}.register(trigger='t')"
                ),
            );
            let execution = driver.execution();
            driver.pool.invoke(worker, execution, function, &mut |sink| {
                sink.bare_key(b"t");
                sink.bare_key(b"a");
            });
            let outcome = driver.outcome(worker, execution);
            assert_eq!(outcome.errors, [""; 0], "{steps}");
            assert_eq!(
                outcome.records,
                expected.into_iter().map(text).collect::<Vec<_>>(),
                "{steps}"
            );
        }
    });
}

#[test]
fn coroutines_of_many_records_run_side_by_side() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let (function, ..) = driver.described(
        worker,
        "async def f(r):\n  await asyncio.sleep(0.2)\n  return r\nGB('KeysOnlyReader').map(f).run()",
    );
    let execution = driver.execution();
    driver.pool.open(worker, execution, function, 0, Source::Fed);
    let begun = std::time::Instant::now();
    for batch in 0..5 {
        driver.pool.feed(worker, execution, batch == 4, &mut |sink| {
            (0..100).for_each(|n| sink.bare_key(format!("{}", batch * 100 + n).as_bytes()));
        });
    }
    let records = driver.outcome(worker, execution).records;
    assert_eq!(records, (0..500).map(|n| text(&n.to_string())).collect::<Vec<_>>());
    assert!(begun.elapsed() < Duration::from_secs(10), "one after the other they would take 100 s");
}

#[test]
fn an_error_of_a_coroutine_is_its_text_alone() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "async def f(r):\n  raise ValueError('no luck')\nGB('CommandReader').map(f).register(trigger='t')",
        );
        assert_eq!(driver.call(worker, function, &[b"t"]).errors, ["no luck"]);
        let (function, ..) = driver.described(
            worker,
            "async def f(r):\n  return 'k'\nGB('CommandReader').batchgroupby(f, lambda k, r: 1).register(trigger='u')",
        );
        assert_eq!(
            driver.call(worker, function, &[b"u"]).errors,
            ["coroutine are not allow on extractor"]
        );
    });
}

#[test]
fn a_later_execution_continues_the_futures_of_earlier_ones() {
    everywhere(|driver| {
        let worker = driver.session();
        let (wait, ..) = driver.described(
            worker,
            "waiting = []\ndef wait(r):\n  f = gearsFuture()\n  waiting.append(f)\n  return f\n\
             GB('CommandReader').map(wait).register(trigger='w')",
        );
        let (release, ..) = driver.described(
            worker,
            "def release(r):\n  for f in waiting: f.continueRun(r[1])\n  n = len(waiting)\n  waiting.clear()\n  return n\n\
             GB('CommandReader').map(release).register(trigger='r')",
        );
        // More than there are threads.
        let waiters: Vec<_> = (0..20).map(|_| driver.invoke(worker, wait, &[b"w"])).collect();
        assert!(
            driver
                .next_within(worker, Duration::from_millis(50))
                .map(|m| format!("{m:?}"))
                .is_none_or(|m| m.contains("done: false"))
        );
        let releasing = driver.invoke(worker, release, &[b"r", b"v"]);
        let mut answers = std::collections::HashMap::new();
        while answers.len() < 21 {
            if let FromWorker::Progress { execution, records, errors, done: true, .. } =
                driver.next(worker)
            {
                assert_eq!(errors, [""; 0]);
                answers.insert(execution, records);
            }
        }
        assert_eq!(answers[&releasing], [text("20")]);
        assert!(waiters.iter().all(|waiter| answers[waiter] == [text("v")]));
    });
}

#[test]
fn a_future_that_is_dropped_is_an_error() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "GB('CommandReader').map(lambda r: gearsFuture()).register(trigger='t')",
        );
        assert_eq!(
            driver.call(worker, function, &[b"t"]).errors,
            ["Async record did not called continue"]
        );
        let error = driver.script(worker, "gearsFuture()").unwrap();
        assert!(
            error.contains("Future object can only be created inside certain execution steps"),
            "{error}"
        );
    });
}

#[test]
fn a_coroutine_may_call_execute_and_be_aborted() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let (function, ..) = driver.described(
        worker,
        "async def f(r):\n  v = execute('GET', 'k')\n  await asyncio.sleep(0)\n  return v\nGB('CommandReader').map(f).register(trigger='t')",
    );
    let execution = driver.invoke(worker, function, &[b"t"]);
    let token = loop {
        match driver.next(worker) {
            FromWorker::Execute { token, .. } => break token,
            FromWorker::Progress { done: false, .. } => {}
            other => panic!("{other:?}"),
        }
    };
    driver.pool.answer_wire(worker, token, b"+v\r\n");
    assert_eq!(driver.outcome(worker, execution).records, [text("v")]);

    let (function, ..) = driver.described(
        worker,
        "async def g(r):\n  await asyncio.sleep(600)\nGB('CommandReader').map(g).register(trigger='u')",
    );
    let execution = driver.invoke(worker, function, &[b"u"]);
    assert!(!matches!(
        driver.next_within(worker, Duration::from_millis(50)),
        Some(FromWorker::Progress { done: true, .. })
    ));
    driver.pool.abort(worker, execution);
    assert!(driver.outcome(worker, execution).errors[0].contains("gears.forcestopped"));
}
