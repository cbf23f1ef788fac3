//! What a function may do to its process, and what the server sees of it.

mod driver;

use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use driver::{Driver, everywhere, text};
use functions::worker::{ExitReason, FromWorker, SessionSpec, WorkerId, Workers};
use worker::Pool;

fn parent(pid: u32) -> u32 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The name stands in brackets and may hold anything.
    stat.rsplit_once(") ").unwrap().1.split(' ').nth(1).unwrap().parse().unwrap()
}

fn exit_of(driver: &mut Driver, worker: WorkerId) -> ExitReason {
    loop {
        if let FromWorker::Exited { reason } = driver.next(worker) {
            assert!(
                driver.next_within(worker, Duration::from_millis(50)).is_none(),
                "the exit is the last message"
            );
            return reason;
        }
    }
}

#[test]
fn the_end_of_a_process_is_told_once_with_its_reason() {
    everywhere(|driver| {
        for (code, expected) in [
            ("import os; os._exit(1)", ExitReason::Code(1)),
            ("import os; os.kill(os.getpid(), 9)", ExitReason::Signal(9)),
            ("import ctypes; ctypes.string_at(0)", ExitReason::Signal(11)),
        ] {
            let worker = driver.session();
            driver.pool.script(worker, code.as_bytes());
            assert_eq!(exit_of(driver, worker), expected, "{code}");
            assert!(driver.pool.usage(worker).is_none());
        }
    });
}

#[test]
fn what_a_worker_said_before_its_end_comes_before_it() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, "import os"), None);
    driver.pool.script(worker, b"");
    driver.pool.script(worker, b"os._exit(7)");
    assert!(matches!(driver.next(worker), FromWorker::ScriptDone { error: None }));
    assert_eq!(exit_of(&mut driver, worker), ExitReason::Code(7));
}

#[test]
fn what_lies_in_the_mailbox_at_the_end_comes_before_it() {
    let mut driver = Driver::new();
    let worker = driver.session();
    // A call makes the pool look into the mailbox from then on.
    driver
        .described(worker, "import os\nGB('CommandReader').map(lambda r: 1).register(trigger='t')");
    let process = format!("/proc/{}", driver.pid(worker));
    driver.pool.script(worker, b"");
    driver.pool.script(worker, b"os._exit(7)");
    driver.pool.flush(0);
    // Its end is known to the zygote before anybody looks for its last words.
    while Path::new(&process).exists() {
        std::thread::sleep(Duration::from_millis(1));
    }
    std::thread::sleep(Duration::from_millis(50));
    assert!(matches!(driver.next(worker), FromWorker::ScriptDone { error: None }));
    assert_eq!(exit_of(&mut driver, worker), ExitReason::Code(7));
}

#[test]
fn a_killed_session_says_nothing_more_and_leaves_no_process() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, ""), None);
    let pid = driver.pid(worker);
    driver.pool.kill(worker);
    driver.pool.kill(worker);
    assert!(driver.next_within(worker, Duration::from_millis(100)).is_none());
    assert_gone(pid);
}

#[test]
fn figures_cover_the_session_and_everything_kept_for_it() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, "keep = bytearray(b'x' * (64 << 20))"), None);
    driver.pid(worker);
    let session = driver.pool.usage(worker).unwrap();
    let total = driver.pool.usage_total();
    assert!(session.rss_bytes > 64 << 20);
    assert!(total.rss_bytes > session.rss_bytes);
    assert!(total.cpu_us >= session.cpu_us);
}

#[test]
fn an_interpreter_that_does_not_start_is_an_exit_with_its_reason() {
    let mut driver = Driver::with("/nonexistent/python".into());
    let worker = driver.session();
    let ExitReason::NotStarted(why) = exit_of(&mut driver, worker) else { panic!() };
    assert!(why.contains("cannot start '/nonexistent/python': No such file"), "{why}");

    let mut driver = Driver::with("false".into());
    let worker = driver.session();
    let reason = exit_of(&mut driver, worker);
    assert!(matches!(reason, ExitReason::NotStarted(_)), "{reason:?}");
}

#[test]
fn a_flood_of_output_is_cut_and_does_not_stop_the_session() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, "for i in range(100000): print('x' * 50)"), None);
    driver.pump();
    assert!(driver.printed.len() < 2000, "{}", driver.printed.len());
}

#[test]
fn the_zygotes_end_ends_its_workers_and_the_next_session_has_a_new_one() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, ""), None);
    let pid = driver.pid(worker);
    let zygote = parent(pid).to_string();
    assert!(Command::new("kill").args(["-9", &zygote]).status().unwrap().success());
    assert_eq!(exit_of(&mut driver, worker), ExitReason::Signal(9));
    assert_gone(pid);
    let worker = driver.session();
    assert_eq!(driver.script(worker, ""), None);
}

/// An interpreter that is told to end whenever it asks for the directory of temporary files, which is under a lock: as
/// when the server dies just when a worker has ended.
const TOLD_TO_END_UNDER_A_LOCK: &str = "\
#!/usr/bin/env python3
import os, signal, sys, tempfile, threading

def gettempdir(lock=threading.Lock(), kill=os.kill, number=os.getpid(), signal=signal.SIGTERM):
    with lock:
        kill(number, signal)
        return '/tmp'

tempfile.gettempdir = gettempdir
exec(sys.argv[sys.argv.index('-c') + 1], {})
";

#[test]
fn a_zygote_that_is_told_to_end_within_its_work_ends() {
    let path = std::env::temp_dir().join(format!("told-to-end-{}", std::process::id()));
    std::fs::write(&path, TOLD_TO_END_UNDER_A_LOCK).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o755)).unwrap();
    let mut driver = Driver::with(path.clone().into());
    let ends = driver.session();
    assert_eq!(driver.script(ends, ""), None);
    let zygote = parent(driver.pid(ends));
    driver.pool.script(ends, b"import os; os._exit(1)");
    let stays = driver.session();
    let told = exit_of(&mut driver, ends);
    // Whichever the zygote came to first.
    assert!(matches!(told, ExitReason::Code(1) | ExitReason::Signal(9)), "{told:?}");
    assert_eq!(exit_of(&mut driver, stays), ExitReason::Signal(9));
    assert_gone(zygote);
    assert!(driver.printed.is_empty(), "{:?}", driver.printed);
    std::fs::remove_file(&path).unwrap();
}

#[test]
fn an_aborted_loop_ends_with_one_error_and_the_session_lives() {
    everywhere(|driver| {
        let worker = driver.session();
        let (endless, ..) = driver.described(
            worker,
            "def f(r):\n  while True: pass\nGB('CommandReader').map(f).register(trigger='e')",
        );
        let (stubborn, ..) = driver.described(
            worker,
            "left = []\ndef g(r):\n  while len(left) < 3:\n    try:\n      while True: pass\n    except redisgears.GearsForceStopped:\n      left.append(1)\n\
             GB('CommandReader').map(g).map(lambda r: 1).register(trigger='s')",
        );
        let (waiting, ..) = driver.described(
            worker,
            "GB('CommandReader').map(lambda r: execute('BRPOP', 'x', 0)).register(trigger='w')",
        );

        for function in [endless, stubborn] {
            let execution = driver.invoke(worker, function, &[b"t"]);
            assert!(driver.next_within(worker, Duration::from_millis(30)).is_none());
            driver.pool.abort(worker, execution);
            let outcome = driver.outcome(worker, execution);
            if function == endless {
                assert_eq!((outcome.records.len(), outcome.errors.len()), (0, 1));
                assert!(outcome.errors[0].contains("gears.forcestopped"), "{:?}", outcome.errors);
            }
        }
        let execution = driver.invoke(worker, waiting, &[b"t"]);
        assert!(matches!(driver.next(worker), FromWorker::Execute { .. }));
        driver.pool.abort(worker, execution);
        assert!(driver.outcome(worker, execution).errors[0].contains("gears.forcestopped"));

        let (quick, ..) =
            driver.described(worker, "GB('CommandReader').map(lambda r: 1).register(trigger='q')");
        assert_eq!(driver.call(worker, quick, &[b"q"]).records, [text("1")]);
    });
}

#[test]
fn an_aborted_execution_lets_go_of_the_server() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let (function, ..) = driver.described(
        worker,
        "def f(r):\n  with atomic():\n    while True: pass\nGB('CommandReader').map(f).register(trigger='t')",
    );
    let execution = driver.invoke(worker, function, &[b"t"]);
    let FromWorker::AtomicBegin { token, .. } = driver.next(worker) else { panic!() };
    driver.answer(worker, token, functions::plan::Argument::None);
    driver.pump();
    std::thread::sleep(Duration::from_millis(20));
    driver.pool.abort(worker, execution);
    let FromWorker::AtomicEnd { token } = driver.next(worker) else { panic!() };
    driver.answer(worker, token, functions::plan::Argument::None);
    assert_eq!(driver.outcome(worker, execution).errors.len(), 1);
}

#[test]
fn a_call_can_be_aborted_before_its_turn() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let (endless, ..) = driver.described(
        worker,
        "def f(r):\n  while True: pass\nGB('CommandReader').map(f).register(trigger='t')",
    );
    // As many as there are threads, and one more.
    let calls: Vec<_> = (0..4).map(|_| driver.invoke(worker, endless, &[b"t"])).collect();
    driver.pump();
    std::thread::sleep(Duration::from_millis(50));
    for call in calls.iter().rev() {
        driver.pool.abort(worker, *call);
    }
    let mut ended = 0;
    while ended < calls.len() {
        let FromWorker::Progress { errors, done: true, .. } = driver.next(worker) else { panic!() };
        assert!(errors[0].contains("gears.forcestopped"), "{errors:?}");
        ended += 1;
    }
}

#[test]
fn an_execution_that_waits_for_records_can_be_aborted() {
    let mut driver = Driver::new();
    let worker = driver.session();
    let (function, ..) = driver.described(worker, "GB().count().run()");
    let execution = driver.execution();
    driver.pool.open(worker, execution, function, 0, functions::worker::Source::Fed);
    driver.pool.abort(worker, execution);
    let outcome = driver.outcome(worker, execution);
    assert_eq!((outcome.records.len(), outcome.errors.len()), (0, 1));
}

#[test]
fn memory_beyond_the_limit_is_a_python_error() {
    everywhere(|driver| {
        let worker = driver.pool.start(&SessionSpec {
            name: "small".into(),
            threads: 3,
            memory_bytes_max: Some(200 << 20),
            ..SessionSpec::default()
        });
        assert_eq!(driver.script(worker, "keep = bytearray(50 << 20)"), None);
        let error = driver.script(worker, "x = bytearray(10 << 30)").unwrap();
        assert!(error.contains("MemoryError"), "{error}");
        assert_eq!(driver.script(worker, "len(keep)"), None, "the session lives on");
    });
}

#[test]
fn what_a_script_prints_becomes_log_lines() {
    everywhere(|driver| {
        let worker = driver.session();
        let code = "import os, sys\nprint('one')\nprint('é\\udcff', file=sys.stderr)\nos.write(1, b'raw\\n')\nos.system('echo child')";
        assert_eq!(driver.script(worker, code), None);
        let deadline = Instant::now() + Duration::from_secs(5);
        while driver.printed.len() < 4 && Instant::now() < deadline {
            driver.pump();
        }
        assert_eq!(driver.printed, ["one", "é\\udcff", "raw", "child"]);
        assert_eq!(
            driver.script(
                worker,
                "assert sys.stdin.read() == ''\nassert os.getpid() == os.getsid(0)"
            ),
            None
        );
    });
}

#[test]
fn a_worker_that_scribbles_into_its_mailbox_is_ended() {
    let mut driver = Driver::new();
    for scribble in [
        // A frame longer than there is room; one that is no frame; a message that nobody knows.
        "words[17] = 1 << 23; words[16] += 1",
        "box.request[:4] = b'\\xff' * 4; words[17] = 4; words[16] += 1",
        "frame = marshal.dumps([(77,)], 2); box.put(frame, len(frame))",
    ] {
        let worker = driver.session();
        // The first call goes through the stream; then the server looks into the mailbox.
        let (function, ..) = driver.described(
            worker,
            &format!(
                "def f(r):\n  import marshal\n  from mainspring_worker import session\n  \
                 box = session.current.desk.mailbox\n  words = box.words\n  {scribble}\n  while True: pass\n\
                 GB('CommandReader').map(f).register(trigger='t')"
            ),
        );
        driver.invoke(worker, function, &[b"t"]);
        let reason = exit_of(&mut driver, worker);
        assert!(matches!(reason, ExitReason::Protocol(_)), "{scribble}: {reason:?}");
    }
}

#[test]
fn a_worker_that_breaks_the_protocol_is_ended() {
    let mut driver = Driver::new();
    for junk in [
        "b'\\xff' * 64",
        "b'\\x01\\0\\0\\0c'",
        "b'\\x05\\0\\0\\0[\\0\\0\\0\\x01'",
        "b'\\x01\\0\\0\\0N'",
    ] {
        let worker = driver.session();
        driver.pool.script(worker, format!("import os; os.write(3, {junk})").as_bytes());
        let reason = exit_of(&mut driver, worker);
        assert!(matches!(reason, ExitReason::Protocol(_)), "{junk}: {reason:?}");
    }
}

#[test]
fn a_lease_serves_one_worker_and_keeps_the_others_ends() {
    let mut driver = Driver::new();
    let (leased, other) = (driver.session(), driver.session());
    assert_eq!(driver.script(leased, ""), None);
    assert_eq!(driver.script(other, "import os"), None);
    driver.pool.script(other, b"os._exit(1)");
    driver.pool.flush(0);
    std::thread::sleep(Duration::from_millis(50));

    driver.pool.script(leased, b"");
    let mut seen = Vec::new();
    while !driver.pool.wait_one(leased, Duration::from_secs(5), &mut |worker, message| {
        seen.push((worker, message))
    }) {}
    assert!(
        matches!(seen[..], [(worker, FromWorker::ScriptDone { error: None })] if worker == leased)
    );
    assert_eq!(exit_of(&mut driver, other), ExitReason::Code(1));

    driver.pool.script(leased, b"os = __import__('os'); os._exit(2)");
    let mut end = None;
    while end.is_none() {
        driver.pool.wait_one(leased, Duration::from_secs(5), &mut |_, message| end = Some(message));
    }
    assert!(matches!(end, Some(FromWorker::Exited { reason: ExitReason::Code(2) })), "{end:?}");
}

#[test]
fn no_process_outlives_the_server() {
    // This test program again, as a server that we can kill.
    let mut server = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "a_server_to_be_killed", "--ignored", "--nocapture"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let pid = loop {
        let line = lines.next().unwrap().unwrap();
        if let Some((_, pid)) = line.split_once("worker pid ") {
            break pid.parse().unwrap();
        }
    };
    assert!(Path::new(&format!("/proc/{pid}")).exists());
    server.kill().unwrap();
    server.wait().unwrap();
    assert_gone(pid);
}

#[test]
#[ignore = "the other half of no_process_outlives_the_server"]
fn a_server_to_be_killed() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, ""), None);
    // Busy, so that it would not notice the end of its stream.
    driver.pool.script(worker, b"while True: pass");
    driver.pump();
    println!("\nworker pid {}", driver.pid(worker));
    std::thread::sleep(Duration::from_secs(60));
}

#[test]
fn a_pool_that_is_dropped_takes_its_processes_along() {
    let mut driver = Driver::new();
    let worker = driver.session();
    assert_eq!(driver.script(worker, ""), None);
    let pid = driver.pid(worker);
    drop::<Pool>(driver.pool);
    assert_gone(pid);
}

fn assert_gone(pid: u32) {
    let deadline = Instant::now() + Duration::from_secs(5);
    while alive(pid) {
        assert!(Instant::now() < deadline, "process {pid} is still there");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A zombie whose parent is no longer ours counts as gone: reaping it is the init process's business.
fn alive(pid: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{pid}/stat"))
        .is_ok_and(|stat| !stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('Z')))
}
