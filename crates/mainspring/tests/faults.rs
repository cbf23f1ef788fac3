//! Whatever a function does to its process, its caller gets an error that names the cause, and nobody else notices.

mod stand;

use std::process::Command;
use std::time::{Duration, Instant};

use stand::{Stand, descendants, eventually, is_alive, resident_bytes, say};
use test_support::{Client, Received};

/// Something that a function may do, and what an error about it says.
struct Fault {
    code: &'static str,
    named: &'static str,
    cost: Cost,
}

/// Whether the session's process is gone afterwards, and with it what its globals held.
#[derive(PartialEq)]
enum Cost {
    Process,
    Nothing,
    /// That depends on where the interpreter is just then.
    Either,
}

/// A script that only registers must not come near it, however busy the machine is.
const TIMEOUT_MS: &str = "2000";

const FAULTS: [Fault; 8] = [
    fatal("os.kill(os.getpid(), 9)", "worker was ended by SIGKILL"),
    fatal("os._exit(1)", "worker exited with code 1"),
    fatal("ctypes.string_at(0)", "worker was ended by SIGSEGV (segmentation fault)"),
    Fault {
        code: "exec('while True: pass')",
        named: "function-timeout-ms (2000)",
        cost: Cost::Nothing,
    },
    Fault { code: "[0] * (10 ** 10)", named: "MemoryError", cost: Cost::Nothing },
    Fault { code: "bytearray(10 << 30)", named: "MemoryError", cost: Cost::Nothing },
    fatal("sum(iter(int, 1))", "function-timeout-ms (2000)"),
    Fault { code: "stubborn()", named: "function-timeout-ms (2000)", cost: Cost::Either },
];

const fn fatal(code: &'static str, named: &'static str) -> Fault {
    Fault { code, named, cost: Cost::Process }
}

/// What the faults need. Defined in a function, so that every callback that uses it takes it along.
const PRELUDE: &str = "
import os, ctypes

def stubborn():
    while True:
        try:
            while True: pass
        except BaseException: pass
";

fn stand() -> Stand {
    let stand = Stand::start(&[]);
    let counter = "
import os
count = [0]
def counted(r):
    count[0] += 1
    return '%d %d' % (count[0], os.getpid())
GB('CommandReader').map(counted).register(trigger='bystander')";
    assert_eq!(say(&mut stand.client(), &["RG.PYEXECUTE", counter]), "OK");
    assert!(bystander(&stand).starts_with("[\"1 "));
    // Not before: on a busy machine the first interpreter takes longer to start.
    say(&mut stand.client(), &["CONFIG", "SET", "function-timeout-ms", TIMEOUT_MS]);
    stand
}

fn bystander(stand: &Stand) -> String {
    say(&mut stand.client(), &["RG.TRIGGER", "bystander"])
}

/// A function that faults for `bad` and answers `fine` for everything else.
fn script(fault: &Fault, closing: &str) -> String {
    format!(
        "{PRELUDE}
def subject(word):
    if word == 'bad':
        {}
    return 'fine'
{closing}",
        fault.code
    )
}

/// Tries every fault in a server of its own kind of place; another session must have lived through all of it.
fn every_fault(try_it: impl Fn(&Stand, &mut Client, &Fault, usize)) {
    let stand = stand();
    let first = bystander(&stand);
    let mut client = stand.client();
    for (index, fault) in FAULTS.iter().enumerate() {
        eprintln!("{}", fault.code);
        try_it(&stand, &mut client, fault, index);
    }
    let last = bystander(&stand);
    assert_eq!(last.replace("[\"3 ", "[\"2 "), first, "the bystander's process and count go on");
    stand.finish();
}

#[test]
fn a_fault_in_a_batch_is_an_error_among_its_results() {
    every_fault(|_, client, fault, _| {
        say(client, &["SET", "bad", ""]);
        let run = script(fault, "GB().map(lambda r: subject(r['key'])).run('bad')");
        let said = say(client, &["RG.PYEXECUTE", &run]);
        assert!(said.starts_with("[[], [\"") && said.contains(fault.named), "{said}");
        say(client, &["DEL", "bad"]);
    });
}

#[test]
fn a_fault_in_the_script_is_an_error_that_reads_like_a_python_list() {
    every_fault(|_, client, fault, _| {
        let said = say(client, &["RG.PYEXECUTE", &script(fault, "subject('bad')")]);
        assert!(said.starts_with("(error) ['") && said.ends_with("\\n']"), "{said}");
        assert!(said.contains(fault.named), "{said}");
    });
}

#[test]
fn a_fault_in_a_command_is_its_reply_and_the_next_call_finds_it_working_again() {
    every_fault(|_, client, fault, index| {
        let trigger = format!("t{index}");
        let register = format!(
            "import os
GB('CommandReader').map(lambda r: os.getpid() if r[1] == 'pid' else subject(r[1])).register(trigger='{trigger}')"
        );
        assert_eq!(say(client, &["RG.PYEXECUTE", &script(fault, &register)]), "OK");
        let before = say(client, &["RG.TRIGGER", &trigger, "pid"]);
        let said = say(client, &["RG.TRIGGER", &trigger, "bad"]);
        assert!(said.starts_with("(error) ") && said.contains(fault.named), "{said}");
        assert_eq!(say(client, &["RG.TRIGGER", &trigger, "good"]), "[\"fine\"]");
        let after = say(client, &["RG.TRIGGER", &trigger, "pid"]);
        if fault.cost != Cost::Either {
            assert_eq!(before != after, fault.cost == Cost::Process, "{before} {after}");
        }
    });
}

#[test]
fn a_fault_at_a_key_event_is_counted_and_the_next_event_is_handled_again() {
    every_fault(|_, client, fault, index| {
        let register = format!(
            "GB().map(lambda r: execute('SET', 'seen:{index}', subject(r['value']))).register('k{index}')"
        );
        assert_eq!(say(client, &["RG.PYEXECUTE", &script(fault, &register)]), "OK");
        let key = format!("k{index}");
        assert_eq!(say(client, &["SET", &key, "bad"]), "OK");
        eventually("the fault is told", || figures(client, &key).contains(fault.named));
        let told = figures(client, &key);
        assert!(told.contains("\"numFailures\", (integer) 1"), "{told}");
        assert_eq!(say(client, &["SET", &key, "good"]), "OK");
        let seen = format!("seen:{index}");
        eventually("the event is handled", || say(client, &["GET", &seen]) == "\"fine\"");
        unregister_all_but_the_bystander(client);
    });
}

#[test]
fn an_event_whose_function_inside_the_command_loses_its_worker_is_handled_by_the_next_one() {
    let stand = stand();
    let mut client = stand.client();
    let register = "
import os
def copy(r):
    if execute('INCR', 'attempts') == 1:
        os.kill(os.getpid(), 9)
    execute('RPUSH', 'copied', r['key'], r['value'])
GB().foreach(copy).register('k*', mode='sync')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", register]), "OK");
    // The command itself succeeds, and so do those that come before the next worker.
    for (key, value) in [("k1", "a"), ("k2", "b"), ("k3", "c")] {
        assert_eq!(say(&mut client, &["SET", key, value]), "OK");
    }
    let all = r#"["k1", "a", "k2", "b", "k3", "c"]"#;
    eventually("all is copied", || say(&mut client, &["LRANGE", "copied", "0", "-1"]) == all);
    let told = figures(&mut client, "k*");
    assert!(told.contains("\"numSuccess\", (integer) 3"), "{told}");
    stand.finish();
}

#[test]
fn a_fault_at_a_stream_s_batch_is_counted_and_the_stream_goes_on() {
    every_fault(|_, client, fault, index| {
        let stream = format!("s{index}");
        let register = format!(
            "GB('StreamReader').map(lambda r: execute('RPUSH', 'seen:{index}', subject(r['value']['f']))).register('{stream}')"
        );
        assert_eq!(say(client, &["RG.PYEXECUTE", &script(fault, &register)]), "OK");
        say(client, &["XADD", &stream, "1-1", "f", "bad"]);
        say(client, &["XADD", &stream, "1-2", "f", "good"]);
        let seen = format!("seen:{index}");
        eventually("the second entry is handled", || {
            say(client, &["LRANGE", &seen, "0", "-1"]) == "[\"fine\"]"
        });
        let told = figures(client, &stream);
        assert!(told.contains(fault.named), "{told}");
        eventually("both entries are trimmed", || say(client, &["XLEN", &stream]) == "(integer) 0");
        unregister_all_but_the_bystander(client);
    });
}

#[test]
fn a_fault_at_a_removal_is_counted_and_the_next_one_is_handled_again() {
    every_fault(|_, client, fault, index| {
        let register = format!(
            "GB().map(lambda r: execute('SET', 'seen:{index}', subject(r['value']))).register('k{index}', eventTypes=['before_deleted'])"
        );
        assert_eq!(say(client, &["RG.PYEXECUTE", &script(fault, &register)]), "OK");
        let key = format!("k{index}");
        say(client, &["SET", &key, "bad"]);
        assert_eq!(say(client, &["DEL", &key]), "(integer) 1");
        eventually("the fault is told", || figures(client, &key).contains(fault.named));
        say(client, &["SET", &key, "good"]);
        assert_eq!(say(client, &["DEL", &key]), "(integer) 1");
        let seen = format!("seen:{index}");
        eventually("the removal is handled", || say(client, &["GET", &seen]) == "\"fine\"");
        unregister_all_but_the_bystander(client);
    });
}

#[test]
fn a_key_goes_whatever_a_function_does_before() {
    const ATOMIC_MAX: Duration = Duration::from_millis(300);
    // A thread that sleeps does not hear that it is to stop; the process is killed then.
    const GRACE: Duration = Duration::from_secs(1);
    let stand = Stand::with_wait_max(
        ATOMIC_MAX + GRACE + stand::PING_WAIT_MAX,
        &["--atomic-max-ms", &ATOMIC_MAX.as_millis().to_string()],
    );
    let mut client = stand.client();
    for (index, (code, named)) in [
        ("os.kill(os.getpid(), 9)", "worker was ended by SIGKILL"),
        ("os._exit(1)", "worker exited with code 1"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("exec('while True: pass')", "atomic-max-ms (300)"),
        ("time.sleep(10)", "atomic-max-ms (300)"),
        ("1 / 0", "ZeroDivisionError"),
    ]
    .into_iter()
    .enumerate()
    {
        let key = format!("k{index}");
        let body = format!(
            "
import os, ctypes, time
def look(r):
    execute('SET', 'seen', r['key'] + execute('GET', r['key']))
    {code}
GB().foreach(look).register('{key}', eventTypes=['before_deleted', 'before_expired'], mode='sync')"
        );
        assert_eq!(say(&mut client, &["RG.PYEXECUTE", &body]), "OK");
        say(&mut client, &["SET", &key, "!"]);
        assert_eq!(say(&mut client, &["DEL", &key]), "(integer) 1", "{code}");
        assert_eq!(say(&mut client, &["GET", "seen"]), format!("\"{key}!\""));
        assert!(figures(&mut client, &key).contains(named), "{}", figures(&mut client, &key));
        // The session may be back by now, or not yet.
        say(&mut client, &["SET", &key, "!", "PX", "1"]);
        eventually("it expires", || say(&mut client, &["EXISTS", &key]) == "(integer) 0");
    }
    stand.finish();
}

/// The dump of the registration with this prefix.
fn figures(client: &mut Client, prefix: &str) -> String {
    let dump = say(client, &["RG.DUMPREGISTRATIONS"]);
    let named = format!("\"{prefix}\"");
    dump.split("[\"id\", ").find(|one| one.contains(&named)).unwrap_or_default().to_owned()
}

fn unregister_all_but_the_bystander(client: &mut Client) {
    let dump = say(client, &["RG.DUMPREGISTRATIONS"]);
    for one in dump.split("[\"id\", \"").skip(1).filter(|one| !one.contains("\"bystander\"")) {
        let (id, _) = one.split_once('"').unwrap();
        assert_eq!(say(client, &["RG.UNREGISTER", id]), "OK");
    }
}

#[test]
fn an_abort_ends_whatever_runs() {
    let stand = Stand::start(&["--function-timeout-ms", "0"]);
    let mut client = stand.client();
    say(&mut client, &["SET", "bad", ""]);
    for fault in FAULTS.iter().filter(|fault| fault.named.contains("timeout")) {
        let run = script(fault, "GB().map(lambda r: subject(r['key'])).run('bad')");
        let id = say(&mut client, &["RG.PYEXECUTE", &run, "UNBLOCKING"]);
        let id = id.trim_matches('"');
        let status = |client: &mut Client| say(client, &["RG.DUMPEXECUTIONS"]);
        eventually("it runs", || status(&mut client).contains("running"));
        assert_eq!(say(&mut client, &["RG.ABORTEXECUTION", id]), "OK");
        let results = say(&mut client, &["RG.GETRESULTS", id]);
        let is_named = results.contains("RG.ABORTEXECUTION") || results.contains("forcestopped");
        assert!(results.starts_with("[[], [") && is_named, "{}: {results}", fault.code);
        assert_eq!(say(&mut client, &["RG.DROPEXECUTION", id]), "OK");
    }
    stand.finish();
}

#[test]
fn a_limit_that_is_set_later_holds_for_what_runs_already() {
    let stand = Stand::start(&["--function-timeout-ms", "0"]);
    let (mut looping, mut client) = (stand.client(), stand.client());
    looping.send(&["RG.PYEXECUTE", "while True: pass"]).unwrap();
    assert_eq!(looping.next(Duration::from_millis(300)).unwrap(), Received::Silence);
    say(&mut client, &["CONFIG", "SET", "function-timeout-ms", "100"]);
    assert_eq!(say(&mut client, &["RG.CONFIGGET", "function-timeout-ms"]), "[(integer) 100]");
    match looping.reply().unwrap() {
        Received::Reply(reply) => assert!(reply.to_string().contains("function-timeout-ms (100)")),
        other => panic!("{other:?}"),
    }
    say(&mut client, &["RG.CONFIGSET", "function-timeout-ms", "7", "atomic-max-ms", "8"]);
    assert_eq!(
        say(&mut client, &["CONFIG", "GET", "function-timeout-ms", "atomic-max-ms"]),
        r#"["atomic-max-ms", "8", "function-timeout-ms", "7"]"#
    );
    stand.finish();
}

#[test]
fn a_memory_limit_that_is_set_later_holds_for_the_next_session() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let greedy = "x = bytearray(300 << 20)";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", greedy]), "OK");
    say(&mut client, &["CONFIG", "SET", "function-memory-bytes", "100mb"]);
    let said = say(&mut client, &["RG.PYEXECUTE", greedy]);
    assert!(said.contains("MemoryError"), "{said}");
    stand.finish();
}

#[test]
fn the_data_is_taken_back_from_a_function_that_keeps_it() {
    const ATOMIC_MAX: Duration = Duration::from_millis(300);
    let stand = Stand::with_wait_max(
        ATOMIC_MAX + stand::PING_WAIT_MAX,
        &["--atomic-max-ms", &ATOMIC_MAX.as_millis().to_string()],
    );
    let mut client = stand.client();
    for (index, (code, named)) in [
        ("os.kill(os.getpid(), 9)", "worker was ended by SIGKILL"),
        ("os._exit(1)", "worker exited with code 1"),
        ("ctypes.string_at(0)", "SIGSEGV"),
        ("exec('while True: pass')", "atomic-max-ms (300)"),
        ("time.sleep(10)", "atomic-max-ms (300)"),
        ("sum(iter(int, 1))", "atomic-max-ms (300)"),
        ("execute('BLPOP', 'nothing', 0) or time.sleep(10)", "atomic-max-ms (300)"),
        ("[execute('PING') for _ in iter(int, 1)]", "atomic-max-ms (300)"),
    ]
    .into_iter()
    .enumerate()
    {
        let body = format!(
            "
import os, ctypes, time
def keep(r):
    with atomic():
        execute('SET', 'written', {index})
        {code}
GB('CommandReader').map(keep).register(trigger='t{index}')"
        );
        assert_eq!(say(&mut client, &["RG.PYEXECUTE", &body]), "OK");
        let start = Instant::now();
        let said = say(&mut client, &["RG.TRIGGER", &format!("t{index}")]);
        assert!(said.starts_with("(error)") && said.contains(named), "{code}: {said}");
        assert!(start.elapsed() < Duration::from_secs(2), "{code}: {:?}", start.elapsed());
        assert_eq!(say(&mut client, &["GET", "written"]), format!("\"{index}\""));

        let in_script = format!(
            "import os, ctypes, time\nwith atomic():\n    execute('SET', 'written', 'script')\n    {code}"
        );
        let said = say(&mut client, &["RG.PYEXECUTE", &in_script]);
        assert!(said.starts_with("(error) ['") && said.contains(named), "{code}: {said}");
    }
    stand.finish();
}

#[test]
fn a_million_prints_hurt_nobody() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let noise = "
import sys
for i in range(500000):
    print('noise %d' % i)
    print('noise %d' % i, file=sys.stderr)";
    let start = Instant::now();
    client.send(&["RG.PYEXECUTE", noise]).unwrap();
    // Other functions work meanwhile.
    assert_eq!(
        say(&mut stand.client(), &["RG.PYEXECUTE", "GB('ShardsIDReader').run()"]),
        r#"[["1"], []]"#
    );
    match client.next(Duration::from_secs(60)).unwrap() {
        Received::Reply(reply) => assert_eq!(reply.to_string(), "OK"),
        other => panic!("{other:?}"),
    }
    eprintln!("a million prints took {:?}", start.elapsed());
    let log = stand.server.log();
    assert!(log.contains("noise 0") && log.len() < 10 << 20, "the log has {} bytes", log.len());
    stand.finish();
}

#[test]
fn output_without_a_line_s_end_is_no_leak() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let noise = "import os\nfor i in range(64): os.write(1, b'x' * (1 << 20))";
    let before = resident_bytes(stand.server.pid());
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", noise]), "OK");
    let grown = resident_bytes(stand.server.pid()).saturating_sub(before);
    assert!(grown < 16 << 20, "the server grew by {grown} bytes");
    stand.finish();
}

/// Sessions of every kind: idle, looping in Python, looping in C and deaf to everything, with a child of their own.
fn busy_stand() -> Stand {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let idle = "GB('CommandReader').map(lambda r: 1).register(trigger='idle')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", idle]), "OK");
    for code in [
        "while True: pass",
        "sum(iter(int, 1))",
        "import signal, time\nfor n in (1, 2, 15): signal.signal(n, signal.SIG_IGN)\ntime.sleep(100)",
        "import subprocess\nsubprocess.run(['sleep', '100'])",
    ] {
        stand.client_that_leaves(code);
    }
    eventually("all of it runs", || {
        descendants(stand.server.pid()).len() >= 7
            && descendants(stand.server.pid()).iter().any(|pid| {
                std::fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|it| it == "sleep\n")
            })
    });
    stand
}

impl Stand {
    fn client_that_leaves(&self, code: &str) {
        self.client().send(&["RG.PYEXECUTE", code]).unwrap();
    }
}

#[test]
fn no_process_outlives_shutdown() {
    ends(busy_stand(), |stand| {
        // There is no answer to SHUTDOWN.
        stand.client().send(&["SHUTDOWN", "NOSAVE"]).unwrap();
    });
}

#[test]
fn no_process_outlives_sigterm() {
    ends(busy_stand(), |stand| signal("TERM", stand.server.pid()));
}

#[test]
fn no_process_outlives_sigkill() {
    ends(busy_stand(), |stand| signal("KILL", stand.server.pid()));
}

fn ends(mut stand: Stand, end: impl Fn(&Stand)) {
    let longest = stand.stop_probing();
    assert!(longest <= stand::PING_WAIT_MAX, "a PING took {longest:?}");
    let family = descendants(stand.server.pid());
    let start = Instant::now();
    end(&stand);
    let status = stand.server.wait(Duration::from_secs(5)).unwrap();
    let took = start.elapsed();
    eprintln!("the server ended after {took:?} with {status:?}");
    assert!(status.is_some() && took < Duration::from_secs(2), "{took:?}");
    eventually("the whole family is gone", || family.iter().all(|pid| !is_alive(*pid)));
    eprintln!("its {} processes were gone after {:?}", family.len(), start.elapsed());
}

fn signal(name: &str, pid: u32) {
    assert!(Command::new("kill").args(["-s", name, &pid.to_string()]).status().unwrap().success());
}
