//! Figures, not checks: `cargo test --release -p worker --test speed -- --ignored --nocapture --test-threads 1`.

mod driver;

use std::time::{Duration, Instant};

use driver::{Driver, text};
use functions::host::Value;
use functions::worker::{FromWorker, Source, WorkerId, Workers};

#[test]
#[ignore = "figures"]
fn start() {
    let begun = Instant::now();
    let mut driver = Driver::new();
    let worker = driver.session();
    wait_script(&mut driver, worker);
    eprintln!("cold: interpreter, zygote, first session ready: {:?}", begun.elapsed());
    let mut times = Vec::new();
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(5));
        driver.pump();
        let begun = Instant::now();
        let worker = driver.session();
        wait_script(&mut driver, worker);
        times.push(begun.elapsed());
        driver.pool.kill(worker);
    }
    report("session from the pool: start + empty script", times);
}

#[test]
#[ignore = "figures"]
fn round_trips() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let (constant, ..) =
        driver.described(worker, "GB('CommandReader').map(lambda r: 'x').register(trigger='t')");
    let mut times = Vec::new();
    for _ in 0..5000 {
        let begun = Instant::now();
        driver.invoke(worker, constant, &[b"t", b"a"]);
        wait_done(&mut driver, worker, 1);
        times.push(begun.elapsed());
    }
    report("one trigger", times);

    for batch in [16, 64, 256] {
        let (begun, rounds) = (Instant::now(), 30_000 / batch);
        for _ in 0..rounds {
            for _ in 0..batch {
                driver.invoke(worker, constant, &[b"t", b"a"]);
            }
            wait_done(&mut driver, worker, batch);
        }
        eprintln!(
            "{batch} triggers a turn: {:.0} k/s",
            (rounds * batch) as f64 / begun.elapsed().as_secs_f64() / 1e3
        );
    }

    let (executes, ..) = driver.described(
        worker,
        "def f(r):\n  for i in range(5000): execute('GET', 'k')\nGB('CommandReader').map(f).register(trigger='e')",
    );
    let begun = Instant::now();
    driver.invoke(worker, executes, &[b"e"]);
    let mut done = false;
    while !done {
        let mut token = None;
        driver.pool.wait_one(worker, Duration::from_secs(5), &mut |_, message| match message {
            FromWorker::Execute { token: asked, .. } => token = Some(asked),
            FromWorker::Progress { done: true, .. } => done = true,
            _ => {}
        });
        if let Some(token) = token {
            driver.pool.answer_wire(worker, token, b"$5\r\nvalue\r\n");
        }
    }
    eprintln!("execute() round trip: {:.1} us", begun.elapsed().as_secs_f64() * 1e6 / 5000.0);
}

#[test]
#[ignore = "figures"]
fn records() {
    let mut driver = Driver::new();
    let worker = driver.session();
    for (name, code) in [
        (
            "filter + map + count",
            "GB().filter(lambda r: r['value'] != 'x').map(lambda r: r['key']).count().run()",
        ),
        ("count alone", "GB().count().run()"),
        ("map to text", "GB().map(lambda r: r['key']).run()"),
        ("countby", "GB().countby(lambda r: r['value']).run()"),
        (
            "aggregate",
            "GB().map(lambda r: len(r['value'])).aggregate(0, lambda a, r: a + r, lambda a, r: a + r).run()",
        ),
    ] {
        let (function, ..) = driver.described(worker, code);
        let execution = driver.execution();
        let (batches, size) = (500, 1000);
        driver.pool.open(worker, execution, function, 0, Source::Fed);
        let begun = Instant::now();
        let (mut sent, mut consumed, mut done, mut busy) = (0, 0, false, 0);
        while !done {
            while sent < batches && sent - consumed < 4 {
                sent += 1;
                driver.pool.feed(worker, execution, sent == batches, &mut |sink| {
                    for n in 0..size {
                        let key = format!("user:{n}");
                        sink.key(key.as_bytes(), Some(Value::String(b"value")), None);
                    }
                });
            }
            driver.pool.wait_one(worker, Duration::from_secs(5), &mut |_, message| {
                if let FromWorker::Progress {
                    consumed: more, done: over, busy_us, errors, ..
                } = message
                {
                    assert_eq!(errors, [""; 0]);
                    consumed += more;
                    busy += busy_us;
                    done |= over;
                }
            });
        }
        let records = (batches * size) as f64;
        eprintln!(
            "{name}: {:.2} M records/s end to end, {:.3} us a record in callbacks",
            records / begun.elapsed().as_secs_f64() / 1e6,
            busy as f64 / records
        );
    }
}

fn wait_script(driver: &mut Driver, worker: WorkerId) {
    driver.pool.script(worker, b"");
    while !driver.pool.wait_one(worker, Duration::from_secs(5), &mut |_, _| {}) {}
}

fn wait_done(driver: &mut Driver, worker: WorkerId, mut left: usize) {
    while left > 0 {
        driver.pool.wait_one(worker, Duration::from_secs(5), &mut |_, message| {
            if let FromWorker::Progress { done: true, records, .. } = message {
                assert_eq!(records, [text("x")]);
                left -= 1;
            }
        });
    }
}

fn report(what: &str, mut times: Vec<Duration>) {
    times.sort();
    eprintln!("{what}: p50 {:?}, p99 {:?}", times[times.len() / 2], times[times.len() * 99 / 100]);
}
