//! Coroutines and futures in steps.

mod driver;

use std::time::Duration;

use driver::{Driver, everywhere, text};
use functions::worker::{FromWorker, Source, Workers};

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
        for _ in &waiters {
            let parked = driver.next(worker);
            assert!(
                matches!(parked, FromWorker::Progress { consumed: 1, done: false, .. }),
                "{parked:?}"
            );
        }
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
fn a_thread_may_continue_a_future_before_the_callback_has_returned_it() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "import threading, time\ndef early(r):\n  f = gearsFuture()\n\
             \x20 threading.Thread(target=f.continueRun, args=('early',)).start()\n  time.sleep(0.05)\n  return f\n\
             GB('CommandReader').map(early).register(trigger='t')",
        );
        assert_eq!(driver.call(worker, function, &[b"t"]).records, [text("early")]);
        let (own, ..) = driver.described(
            worker,
            "def own(r):\n  gearsFuture().continueRun(1)\n\
             GB('CommandReader').map(own).register(trigger='own')",
        );
        let errors = driver.call(worker, own, &[b"own"]).errors;
        assert!(errors[0].contains("untill it returned from the callback"), "{errors:?}");
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

#[test]
fn calls_of_all_kinds_at_once_all_come_back() {
    everywhere(|driver| {
        let worker = driver.session();
        let mut functions = Vec::new();
        for map in [
            "lambda r: 'quick'",
            "lambda r: execute('GET', r[1])",
            "lambda r: time.sleep(0.002)",
            "lambda r: [execute('GET', r[1]) for _ in range(3)]",
            "nap",
            "ask",
            "spin",
        ] {
            let code = format!(
                "import time\nasync def nap(r):\n  await asyncio.sleep(0.003)\n\
                 async def ask(r):\n  await asyncio.sleep(0)\n  return execute('GET', r[1])\n\
                 def spin(r):\n  end = time.time() + 0.003\n  while time.time() < end: pass\n\
                 GB('CommandReader').map({map}).register(trigger='t')"
            );
            functions.push(driver.described(worker, &code).0);
        }
        let mut seed = 7u32;
        let (mut open, mut sent) = (std::collections::HashSet::new(), 0);
        while sent < 600 || !open.is_empty() {
            if sent < 600 && open.len() < 60 {
                for _ in 0..1 + seed % 7 {
                    seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    let function = functions[(seed >> 16) as usize % functions.len()];
                    open.insert(driver.invoke(worker, function, &[b"t", b"k"]));
                    sent += 1;
                }
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223) >> 1;
            }
            match driver.next(worker) {
                FromWorker::Execute { token, .. } => {
                    driver.pool.answer_wire(worker, token, b":1\r\n")
                }
                FromWorker::Progress { execution, done, errors, .. } => {
                    assert_eq!(errors, [""; 0]);
                    if done {
                        assert!(open.remove(&execution), "each ends once");
                    }
                }
                other => panic!("{other:?}"),
            }
        }
    });
}

#[test]
fn calls_that_are_aborted_at_any_moment_end_once() {
    everywhere(|driver| {
        let worker = driver.session();
        let mut functions = Vec::new();
        for map in [
            "lambda r: 'quick'",
            "lambda r: [execute('GET', r[1]) for _ in range(3)]",
            "nap",
            "forever",
            "stubborn",
            "stubbornly_calling",
            "block",
        ] {
            let code = format!(
                "async def nap(r):\n  await asyncio.sleep(100)\n\
                 def forever(r):\n  while True: execute('GET', 'x')\n\
                 def stubborn(r):\n  for i in range(3):\n    try:\n      while True: pass\n    except redisgears.GearsForceStopped: pass\n\
                 def stubbornly_calling(r):\n  for i in range(3):\n    try: forever(r)\n    except redisgears.GearsForceStopped: pass\n\
                 def block(r):\n  for i in range(10):\n    with atomic(): execute('GET', 'x')\n\
                 GB('CommandReader').map({map}).register(trigger='t')"
            );
            functions.push(driver.described(worker, &code).0);
        }
        let mut seed = 11u32;
        let mut random = |below: usize| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (seed >> 16) as usize % below
        };
        let (mut open, mut sent, mut held) = (Vec::new(), 0, 0);
        while sent < 200 || !open.is_empty() || held > 0 {
            if sent < 200 && open.len() < 12 {
                let function = functions[random(functions.len())];
                open.push(driver.invoke(worker, function, &[b"t", b"k"]));
                sent += 1;
            }
            if random(3) == 0 && !open.is_empty() {
                let aborted = open[random(open.len())];
                driver.pool.abort(worker, aborted);
            }
            match driver.next_within(worker, Duration::from_millis(random(4) as u64)) {
                Some(FromWorker::Execute { token, .. }) => {
                    driver.pool.answer_wire(worker, token, b":1\r\n")
                }
                Some(FromWorker::AtomicBegin { token, .. }) => {
                    driver.answer(worker, token, text("granted"));
                    held += 1;
                }
                Some(FromWorker::AtomicEnd { token }) => {
                    driver.answer(worker, token, text("ended"));
                    assert!(held > 0, "a block ends once");
                    held -= 1;
                }
                Some(FromWorker::Progress { execution, done: true, errors, .. }) => {
                    assert!(
                        errors.iter().all(|error| error.contains("gears.forcestopped")),
                        "{errors:?}"
                    );
                    let at =
                        open.iter().position(|open| *open == execution).expect("each ends once");
                    open.swap_remove(at);
                }
                Some(FromWorker::Progress { done: false, .. }) | None => {}
                other => panic!("{other:?}; printed: {:#?}", driver.printed),
            }
        }
        let quick = driver
            .described(worker, "GB('CommandReader').map(lambda r: 1).register(trigger='q')")
            .0;
        assert_eq!(driver.call(worker, quick, &[b"q"]).records, [text("1")]);
    });
}
