//! Scripts, functions and calls, with real interpreters.

mod driver;

use driver::{Driver, Outcome, everywhere, text};
use functions::host::Value;
use functions::plan::{Argument, StepKind, Visible};
use functions::worker::{FromWorker, Source, Workers};

#[test]
fn an_error_of_a_script_is_the_repr_of_a_list() {
    everywhere(|driver| {
        let worker = driver.session();
        assert_eq!(
            driver.script(worker, "x").unwrap(),
            r#"['Traceback (most recent call last):\n', '  File "<string>", line 1, in <module>\n', "NameError: name 'x' is not defined\n"]"#
        );
        let syntax = driver.script(worker, "1 +").unwrap();
        assert!(syntax.starts_with("[") && syntax.contains("invalid syntax"), "{syntax}");
        assert_eq!(driver.script(worker, "flat_error('plain')").unwrap(), "plain");
        assert_eq!(driver.script(worker, ""), None);
        let error = driver.script(worker, "import sys; sys.exit(3)").unwrap();
        assert!(error.contains("SystemExit: 3"), "{error}");
    });
}

#[test]
fn a_builder_describes_a_plan() {
    everywhere(|driver| {
        let worker = driver.session();
        let (_, plan, _) = driver.described(
            worker,
            "GB('KeysReader', desc='d').filter(lambda r: r).limit(5, 2).count().run('user:*')",
        );
        assert_eq!((plan.reader.as_str(), &plan.argument), ("KeysReader", &text("user:*")));
        assert_eq!(plan.description.as_deref(), Some("d"));
        let kinds: Vec<StepKind> = plan.steps.iter().map(|step| step.kind).collect();
        assert_eq!(
            kinds,
            [
                StepKind::Filter,
                StepKind::Limit { length: 5, offset: 2 },
                StepKind::Count,
                StepKind::ToText,
                StepKind::Collect
            ]
        );
    });
}

#[test]
fn scripts_find_the_names_they_expect() {
    everywhere(|driver| {
        let worker = driver.session();
        let code = "assert __name__ == 'not_main'\n\
            from __main__ import GB, GearsBuilder, configGet, gearsConfigGet\n\
            from redisgears import executeCommand, atomicCtx, getMyHashTag, gearsFutureCtx, log\n\
            import redisAI, rg\nassert rg is redisgears and executeCommand is execute\n\
            try: redisAI.createTensorFromValues()\nexcept redisgears.GearsError as e: assert 'not loaded' in str(e)\n\
            leaked = [n for n in globals() if n in ('Sources', 'control', 'zygote')]\nassert not leaked, leaked\n\
            Thread(target=lambda: log('from a thread', level='verbose')).start()\nsetGearsSession(getGearsSession())\n\
            try: registerTE(1, lambda: 1, 2)\nexcept redisgears.GearsError as e: assert 'key argument' in str(e)";
        assert_eq!(driver.script(worker, code), None);
        let deadline = std::time::Instant::now() + driver::PATIENCE;
        while driver.printed.is_empty() && std::time::Instant::now() < deadline {
            driver.pump();
        }
        assert_eq!(driver.printed, ["from a thread"]);
        assert_eq!(driver.script(worker, "mine = 1"), None);
        let other = driver.session();
        assert!(
            driver.script(other, "mine").unwrap().contains("NameError"),
            "sessions share nothing"
        );
    });
}

#[test]
fn builders_refuse_what_is_no_function() {
    everywhere(|driver| {
        let worker = driver.session();
        for (code, said) in [
            ("GB().map(int)", "gears.error: map argument must be a function"),
            ("GB().map()", "wrong number of args to map function"),
            ("GB('NoReader')", "The given reader does not exists"),
            ("GB().limit('x')", "limit argument must be a number"),
            ("GB('PythonReader').run()", "pyreader argument must be a function"),
            ("GB().groupby(1, 2)", "groupby extractor argument must be a function"),
        ] {
            let error = driver.script(worker, code).unwrap();
            assert!(error.contains(said), "{code}: {error}");
        }
    });
}

#[test]
fn a_refused_registration_raises_in_the_script() {
    let mut driver = Driver::new();
    let worker = driver.session();
    driver.pool.script(worker, b"GB('CommandReader').register(trigger='t')");
    let FromWorker::Register { token, kwargs, .. } = driver.next(worker) else { panic!() };
    assert_eq!(kwargs, [("trigger".to_string(), text("t"))]);
    driver.pool.answer(worker, token, Err("trigger already registered".into()));
    let FromWorker::ScriptDone { error: Some(error) } = driver.next(worker) else { panic!() };
    assert!(error.ends_with(r"gears.error: trigger already registered\n']"), "{error}");
}

#[test]
fn a_trigger_gets_all_arguments_and_gives_text() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(worker, "GB('CommandReader').register(trigger='t')");
        let outcome = driver.call(worker, function, &[b"t", b"a", b"\xff"]);
        assert_eq!(outcome.records, [text(r"['t', 'a', bytearray(b'\xff')]")]);
        let (function, ..) = driver
            .described(worker, "GB('CommandReader').map(lambda x: 1/0).register(trigger='u')");
        let outcome = driver.call(worker, function, &[b"u"]);
        assert_eq!(
            outcome.errors,
            [
                r#"['Traceback (most recent call last):\n', '  File "<string>", line 1, in <lambda>\n', 'ZeroDivisionError: division by zero\n']"#
            ]
        );
    });
}

#[test]
fn results_keep_their_python_types() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "import datetime\n\
             values = [None, True, -1, 2**70, 1.5, 'é', b'b', [1, (2,)], {'k': {3}}, datetime.date(2020, 1, 1), bytearray(b'x')]\n\
             GB('CommandReader').flatmap(lambda r: values).register(convertToStr=False, trigger='t')",
        );
        let mut records = driver.call(worker, function, &[b"t"]).records;
        records.reverse();
        assert_eq!(
            records[..9],
            [
                Argument::None,
                Argument::Bool(true),
                Argument::Int(-1),
                Argument::BigInt("1180591620717411303424".into()),
                Argument::Float(1.5),
                text("é"),
                Argument::Bytes(b"b".to_vec()),
                Argument::List(vec![Argument::Int(1), Argument::Tuple(vec![Argument::Int(2)])]),
                Argument::Dict(vec![(text("k"), Argument::Set(vec![Argument::Int(3)]))]),
            ]
        );
        assert!(records[9..].iter().all(|record| matches!(record, Argument::Pickle(_))));

        // And back: a worker gets every one of them as it was.
        let (same, ..) = driver.described(
            worker,
            "GB('CommandReader').map(lambda r: (type(r).__name__, r == values.pop(0))).register(trigger='u')",
        );
        let execution = driver.execution();
        driver.pool.invoke(worker, execution, same, &mut |sink| {
            records.iter().for_each(|record| sink.value(record))
        });
        let outcome = driver.outcome(worker, execution);
        assert_eq!(outcome.errors, [""; 0]);
        assert_eq!(outcome.records.len(), 11);
        for record in outcome.records {
            let Argument::Text(record) = record else { panic!() };
            assert!(record.ends_with("True)"), "{record}");
        }
    });
}

#[test]
fn a_record_travels_the_whole_chain_before_the_next_one_starts() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "seen = 0\ndef see(r):\n  global seen\n  seen += 1\nGB().foreach(see).map(lambda _: seen).run()",
        );
        assert_eq!(run(driver, worker, function, 3, 1).records, [text("1"), text("2"), text("3")]);
    });
}

#[test]
fn the_first_error_stops_the_reader_and_the_rest_comes_through() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(
            worker,
            "def f(r):\n  if r['key'] == 'k1': raise ValueError(r['key'])\n  return r['key']\n\
             GB().map(f).flatmap(lambda k: [k, k]).run()",
        );
        let outcome = run(driver, worker, function, 3, 2);
        assert_eq!(outcome.records, [text("k0"), text("k0")]);
        assert_eq!(outcome.errors.len(), 1);
        assert!(outcome.satisfied);

        let (function, ..) = driver.described(worker, "GB().map(lambda r: next(iter([]))).run()");
        let outcome = run(driver, worker, function, 3, 1);
        assert_eq!(
            (outcome.records.len(), outcome.errors.len()),
            (0, 1),
            "StopIteration is an error, not an end"
        );
    });
}

#[test]
fn state_lasts_over_the_batches_of_an_execution() {
    everywhere(|driver| {
        let worker = driver.session();
        for (steps, expected) in [
            ("count()", vec!["6"]),
            ("filter(lambda r: r['key'] > 'k1').count()", vec!["4"]),
            (
                "map(lambda r: r['key']).accumulate(lambda a, r: (a or '') + r)",
                vec!["k0k1k2k3k4k5"],
            ),
            ("limit(2, 1).map(lambda r: r['key'])", vec!["k1", "k2"]),
            ("map(lambda r: int(r['key'][1:])).sort()", vec!["0", "1", "2", "3", "4", "5"]),
            ("map(lambda r: int(r['key'][1:]) % 2).distinct().sort(False)", vec!["1", "0"]),
            ("avg(lambda r: float(r['key'][1:]))", vec!["2.5"]),
            (
                "countby(lambda r: int(r['key'][1:]) // 4).map(lambda r: (r['key'], r['value'])).sort()",
                vec!["('0', 4)", "('1', 2)"],
            ),
            (
                "batchgroupby(lambda r: r['key'][:1], lambda k, rs: len(rs))",
                vec!["{'key': 'k', 'value': 6}"],
            ),
            ("aggregate(0, lambda a, r: a + 1, lambda a, r: a + r)", vec!["6"]),
        ] {
            let (function, ..) = driver.described(worker, &format!("GB().{steps}.run()"));
            let outcome = run(driver, worker, function, 3, 2);
            let expected: Vec<Argument> = expected.into_iter().map(text).collect();
            assert_eq!(outcome.errors, [""; 0], "{steps}");
            assert_eq!(outcome.records, expected, "{steps}");
        }
        let (function, ..) = driver.described(worker, "GB().count().run()");
        assert_eq!(
            run(driver, worker, function, 0, 1).records,
            [],
            "nothing counted, nothing said"
        );
    });
}

/// What a plan lets its callbacks see: names, and after `value` what is seen of it.
fn seen(visible: &Visible) -> String {
    let Visible { key, id, value, kind, event, inner } = visible;
    let names = [(key, "key"), (id, "id"), (value, "value"), (kind, "type"), (event, "event")];
    let shown: Vec<&str> =
        names.iter().filter(|(shown, _)| **shown).map(|(_, name)| *name).collect();
    match inner {
        Some(inner) => format!("{} of {}", shown.join(" "), inner.join(" ")),
        None => shown.join(" "),
    }
}

const WHOLE: &str = "key id value type event";

#[test]
fn a_plan_tells_what_its_callbacks_can_see_of_a_record() {
    everywhere(|driver| {
        let worker = driver.session();
        for (steps, expected) in [
            ("filter(lambda r: r['key'][-1] in '02').map(lambda r: r['value'])", "key value"),
            ("countby(lambda r: r['value']['color'])", "value of color"),
            ("map(lambda r: r['value']['a'] + r['value']['b'] + r['type'])", "value type of a b"),
            ("map(lambda r: (r['value']['a'], r['value']))", "value"),
            ("groupby(lambda r: r['key'], lambda k, a, r: r['event'])", "key event"),
            ("accumulate(lambda a, r: (a or 0) + len(r['value']))", "value"),
            ("foreach(lambda r: execute('del', r['key'])).count()", "key"),
            ("limit(3).map(lambda r: r['nonsense'])", ""),
            ("count()", ""),
        ] {
            let code = format!("GB().{steps}.run()");
            assert_eq!(seen(&driver.described(worker, &code).1.visible), expected, "{steps}");
        }
    });
}

#[test]
fn what_is_not_understood_sees_the_whole_record() {
    everywhere(|driver| {
        let worker = driver.session();
        for steps in [
            "foreach(lambda r: r['key'])",
            "map(lambda r: r)",
            "map(lambda r: str(r))",
            "map(lambda r: r.get('key'))",
            "map(lambda r: r['key' if len('k') else 'value'])",
            "map(lambda r: list(r['key'] for _ in 'ab'))",
            "map(lambda r: (lambda: r['key'])())",
            "map(lambda *r: r[0]['key'])",
            "map(lambda r: locals())",
            "map(lambda r: eval(\"r['key']\"))",
            "filter(lambda r: r.pop('key')).count()",
            "batchgroupby(lambda r: r['key'], lambda k, rs: len(rs))",
            "aggregate(0, lambda a, r: a + 1, lambda a, r: a + r)",
        ] {
            let code = format!("GB().{steps}.run()");
            assert_eq!(seen(&driver.described(worker, &code).1.visible), WHOLE, "{steps}");
        }
        let code = "def f(r):\n  r['key'] = 1\n  return 1\nGB().map(f).run()";
        assert_eq!(seen(&driver.described(worker, code).1.visible), WHOLE);
        let code = "GB('CommandReader').map(lambda r: r['key']).register(trigger='t')";
        assert_eq!(seen(&driver.described(worker, code).1.visible), WHOLE);
    });
}

#[test]
fn what_cannot_be_seen_is_not_sent() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(worker, "GB().run()");
        let execution = driver.execution();
        let none = Visible { key: false, id: false, value: false, kind: false, ..Visible::ALL };
        driver.pool.invoke(worker, execution, function, &mut |sink| {
            sink.show(&Visible { event: false, key: true, ..none.clone() });
            sink.key(b"k", Some(Value::String(b"v")), None);
            sink.show(&Visible { event: false, kind: true, ..none.clone() });
            sink.key(b"k", Some(Value::List(&mut ITEMS.iter().copied())), None);
            sink.show(&Visible { inner: Some(["a".into()].into()), ..Visible::ALL });
            sink.key(b"k", Some(Value::Hash(&mut FIELDS.iter().copied())), None);
            sink.stream(b"s", "1-0", &mut FIELDS.iter().copied());
            sink.show(&Visible { event: false, ..none.clone() });
            sink.stream(b"s", "1-0", &mut FIELDS.iter().copied());
        });
        assert_eq!(
            driver.outcome(worker, execution).records,
            [
                "{'key': 'k'}",
                "{'type': 'list'}",
                "{'key': 'k', 'value': {'a': '1'}, 'type': 'hash', 'event': None}",
                "{'key': 's', 'id': '1-0', 'value': {'a': '1'}}",
                "{}",
            ]
            .map(text)
        );
    });
}

const FIELDS: [(&[u8], &[u8]); 2] = [(b"a", b"1"), (b"b", b"2")];

const ITEMS: [&[u8]; 2] = [b"a", b"\xff"];

#[test]
fn values_of_the_keyspace_arrive_as_text_or_bytearray() {
    everywhere(|driver| {
        let worker = driver.session();
        let (function, ..) = driver.described(worker, "GB().run()");
        let execution = driver.execution();
        driver.pool.invoke(worker, execution, function, &mut |sink| {
            sink.key(b"k", Some(Value::String(b"\xff\0")), Some("set"));
            assert!((1, 20) <= (sink.len(), sink.bytes()), "{}", sink.bytes());
            sink.key(b"\xfe", Some(Value::Missing), None);
            sink.key(b"k", Some(Value::Hash(&mut std::iter::once((&b"f"[..], &b"v"[..])))), None);
            sink.key(b"k", Some(Value::List(&mut ITEMS.iter().copied())), None);
            sink.key(b"k", Some(Value::Opaque("zset")), None);
            sink.key(b"k", None, None);
            sink.stream(b"s", "1-0", &mut [(&b"f"[..], &b"v"[..])].into_iter());
            sink.bare_key("é".as_bytes());
        });
        let records: Vec<String> = driver
            .outcome(worker, execution)
            .records
            .into_iter()
            .map(|record| match record {
                Argument::Text(text) => text,
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            records,
            [
                r"{'key': 'k', 'value': bytearray(b'\xff\x00'), 'type': 'string', 'event': 'set'}",
                r"{'key': bytearray(b'\xfe'), 'value': None, 'type': 'empty', 'event': None}",
                "{'key': 'k', 'value': {'f': 'v'}, 'type': 'hash', 'event': None}",
                r"{'key': 'k', 'value': ['a', bytearray(b'\xff')], 'type': 'list', 'event': None}",
                "{'key': 'k', 'value': None, 'type': 'zset', 'event': None}",
                "{'key': 'k', 'event': None}",
                "{'key': 's', 'id': '1-0', 'value': {'f': 'v'}}",
                "é",
            ]
        );
    });
}

#[test]
fn execute_waits_for_the_servers_reply() {
    everywhere(|driver| {
        let worker = driver.session();
        driver.pool.script(
            worker,
            b"r = execute('GET', 'k', 1, b'\\xff', None)\nassert r == ['v', 1, None, bytearray(b'\\xfe')], r\n\
              try: execute('BAD')\nexcept redisgears.GearsError as e: assert str(e) == 'ERR no', e\nelse: assert False",
        );
        let FromWorker::Execute { token, execution: None, args } = driver.next(worker) else {
            panic!()
        };
        assert_eq!(args, [&b"GET"[..], b"k", b"1", b"\xff", b"None"]);
        driver.pool.answer_wire(worker, token, b"*4\r\n$1\r\nv\r\n:1\r\n$-1\r\n$1\r\n\xfe\r\n");
        let FromWorker::Execute { token, .. } = driver.next(worker) else { panic!() };
        driver.pool.answer_wire(worker, token, b"-ERR no\r\n");
        let done = driver.next(worker);
        assert!(matches!(done, FromWorker::ScriptDone { error: None }), "{done:?}");
    });
}

#[test]
fn a_nested_call_runs_while_its_caller_waits() {
    everywhere(|driver| {
        let worker = driver.session();
        let (outer, ..) = driver
            .described(worker, "GB('CommandReader').map(lambda r: execute('RG.TRIGGER', 'inner')).register(trigger='o')");
        let (inner, ..) = driver.described(
            worker,
            "GB('CommandReader').map(lambda r: execute('GET', 'x')).register(trigger='i')",
        );
        // Deeper than there are executor threads: those that wait do not count.
        let mut waiting = Vec::new();
        for _ in 0..10 {
            let execution = driver.invoke(worker, outer, &[b"o"]);
            let FromWorker::Execute { token, execution: Some(caller), .. } = driver.next(worker)
            else {
                panic!()
            };
            assert_eq!(caller, execution);
            waiting.push((execution, token));
        }
        let execution = driver.invoke(worker, inner, &[b"i"]);
        let FromWorker::Execute { token, .. } = driver.next(worker) else { panic!() };
        driver.pool.answer_wire(worker, token, b"+deep\r\n");
        assert_eq!(driver.outcome(worker, execution).records, [text("deep")]);
        for (execution, token) in waiting {
            driver.pool.answer_wire(worker, token, b":1\r\n");
            assert_eq!(driver.outcome(worker, execution).records, [text("1")]);
        }
    });
}

#[test]
fn a_callback_of_many_calls_does_not_hold_up_a_short_one() {
    const CALLS: usize = 10_000;
    everywhere(|driver| {
        let worker = driver.session();
        let (long, ..) = driver.described(
            worker,
            &format!("GB('CommandReader').map(lambda r: [execute('PING') for _ in range({CALLS})]).register(trigger='l')"),
        );
        let (short, ..) = driver
            .described(worker, "GB('CommandReader').map(lambda r: 's').register(trigger='s')");
        driver.invoke(worker, long, &[b"l"]);
        let wanted = driver.invoke(worker, short, &[b"s"]);
        let mut calls = 0;
        loop {
            match driver.next(worker) {
                FromWorker::Execute { token, .. } => {
                    driver.pool.answer_wire(worker, token, b"+PONG\r\n");
                    calls += 1;
                }
                FromWorker::Progress { execution, .. } => {
                    assert_eq!(execution, wanted, "the long one was over first");
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
        assert!(calls < CALLS, "it waited for all of them");
    });
}

#[test]
fn a_long_callback_does_not_hold_up_a_short_one() {
    everywhere(|driver| {
        let worker = driver.session();
        // A long one lasts until its file is there.
        let (sleeping, ..) = driver.described(
            worker,
            "import os, time\ndef sleep(r):\n  while not os.path.exists(r[1]): time.sleep(0.01)\n\
             GB('CommandReader').map(sleep).register(trigger='s')",
        );
        let (busy, ..) = driver.described(
            worker,
            "import os\ndef spin(r):\n  while not os.path.exists(r[1]): pass\n\
             GB('CommandReader').map(spin).register(trigger='b')",
        );
        let (quick, ..) =
            driver.described(worker, "GB('CommandReader').map(lambda r: 1).register(trigger='q')");
        let file = std::env::temp_dir().join(format!("mainspring-long-{}", std::process::id()));
        let path = file.to_str().unwrap().as_bytes();
        for function in [sleeping, busy] {
            for short_one_first in [false, true] {
                let (long, short);
                if short_one_first {
                    // The long one does not keep the answer of one that came before it in the same frame.
                    short = driver.invoke(worker, quick, &[b"q"]);
                    long = driver.invoke(worker, function, &[b"l", path]);
                } else {
                    long = driver.invoke(worker, function, &[b"l", path]);
                    short = driver.invoke(worker, quick, &[b"q"]);
                }
                assert_eq!(driver.outcome(worker, short).records, [text("1")]);
                std::fs::write(&file, "").unwrap();
                assert_eq!(driver.outcome(worker, long).records, [text("None")]);
                std::fs::remove_file(&file).unwrap();
            }
        }
    });
}

#[test]
fn atomic_blocks_do_not_nest() {
    let mut driver = Driver::new();
    let worker = driver.session();
    driver.pool.script(
        worker,
        b"with atomic():\n  assert isInAtomicBlock()\n  try:\n    with atomic(): pass\n  except redisgears.GearsError as e: log(str(e))\n\
          assert not isInAtomicBlock()\ntry: atomic().__exit__(None, None, None)\nexcept redisgears.GearsError as e: log(str(e), 'warning')",
    );
    let begin = driver.next(worker);
    let FromWorker::AtomicBegin { token, .. } = begin else { panic!("{begin:?}") };
    driver.answer(worker, token, Argument::None);
    let FromWorker::AtomicEnd { token } = driver.next(worker) else { panic!() };
    driver.answer(worker, token, Argument::None);
    assert!(matches!(driver.next(worker), FromWorker::ScriptDone { error: None }));
    assert_eq!(driver.printed, ["Already inside an atomic block", "Not inside an atomic block"]);
}

#[test]
fn configuration_is_asked_from_the_server() {
    let mut driver = Driver::new();
    let worker = driver.session();
    driver.pool.script(worker, b"assert configGet('a') == 'x'\nassert gearsConfigGet('b', 7) == 7\nassert hashtag() == '06S'");
    for (wanted, value) in [("a", text("x")), ("b", Argument::None)] {
        let FromWorker::ConfigGet { token, key } = driver.next(worker) else { panic!() };
        assert_eq!(key, wanted);
        driver.answer(worker, token, value);
    }
    let done = driver.next(worker);
    assert!(matches!(done, FromWorker::ScriptDone { error: None }), "{done:?}");
}

#[test]
fn a_reader_callback_is_pulled_lazily() {
    everywhere(|driver| {
        let worker = driver.session();
        for (code, expected) in [
            (
                "def g():\n  yield 1\n  yield 2\nGB('PythonReader').map(lambda x: x + 1).run(g)",
                vec!["2", "3"],
            ),
            // Not a generator: called again and again, until the limit.
            ("GB('PythonReader').limit(3).run(lambda: [1])", vec!["[1]", "[1]", "[1]"]),
            (
                "def n():\n  i = 0\n  while True:\n    yield i\n    i += 1\nGB('PythonReader').limit(2500).count().run(n)",
                vec!["2500"],
            ),
        ] {
            let (function, plan, _) = driver.described(worker, code);
            assert_eq!(plan.reader, "PythonReader");
            let execution = driver.execution();
            driver.pool.open(worker, execution, function, 0, Source::Callback);
            let outcome = driver.outcome(worker, execution);
            assert_eq!(outcome.errors, [""; 0], "{code}");
            assert_eq!(
                outcome.records,
                expected.into_iter().map(text).collect::<Vec<_>>(),
                "{code}"
            );
        }
        let (function, ..) = driver.described(
            worker,
            "def g():\n  yield 1\n  raise ValueError('stop')\nGB('PythonReader').run(g)",
        );
        let execution = driver.execution();
        driver.pool.open(worker, execution, function, 0, Source::Callback);
        let outcome = driver.outcome(worker, execution);
        assert_eq!((outcome.records, outcome.errors.len()), (vec![text("1")], 1));
    });
}

#[test]
fn registered_functions_live_on_in_another_process() {
    everywhere(|driver| {
        let worker = driver.session();
        let code = "import json\ncounter = 3\nbase = 10\ndef helper(n):\n  return n if n < 2 else helper(n - 1)\n\
                    def f(r):\n  global counter\n  counter += 1\n  return json.dumps([counter + base, helper(5)])\n\
                    GB('CommandReader').map(f).register(trigger='a')";
        let (_, _, first) = driver.described(worker, code);
        let (_, _, second) = driver.described(
            worker,
            "def make(k):\n  return lambda r: counter + k\nGB('CommandReader').map(make(100)).countby().register(trigger='b')",
        );
        driver.pool.kill(worker);

        let worker = driver.session();
        let ids = [functions::worker::FunctionId(7), functions::worker::FunctionId(9)];
        driver.pool.load(worker, &[(ids[0], &first), (ids[1], &second)]);
        let loaded = driver.next(worker);
        assert!(matches!(loaded, FromWorker::Loaded { error: None }), "{loaded:?}");
        assert_eq!(driver.call(worker, ids[0], &[b"a"]).records, [text("[14, 1]")]);
        assert_eq!(
            driver.call(worker, ids[1], &[b"b"]),
            Outcome { records: vec![text("{'key': '104', 'value': 1}")], ..Outcome::default() },
            "both see the same globals"
        );
    });
}

#[test]
fn what_cannot_be_pickled_fails_at_registration() {
    everywhere(|driver| {
        let worker = driver.session();
        let error = driver
            .script(worker, "import threading\nlock = threading.Lock()\ndef f(r):\n  lock.acquire()\nGB('CommandReader').map(f).register(trigger='t')")
            .unwrap();
        assert!(
            error.contains("Error occured when serialized a python callback, callback=f error="),
            "{error}"
        );
    });
}

/// Runs a function over `batches` batches of `size` records k0, k1, …
fn run(
    driver: &mut Driver,
    worker: functions::worker::WorkerId,
    function: functions::worker::FunctionId,
    batches: usize,
    size: usize,
) -> Outcome {
    let execution = driver.execution();
    driver.pool.open(worker, execution, function, 0, Source::Fed);
    for batch in 0..batches.max(1) {
        let last = batch + 1 >= batches;
        driver.pool.feed(worker, execution, last, &mut |sink| {
            let from = batch * size;
            let size = if batches == 0 { 0 } else { size };
            (from..from + size).for_each(|n| sink.key(format!("k{n}").as_bytes(), None, None));
        });
    }
    driver.outcome(worker, execution)
}
