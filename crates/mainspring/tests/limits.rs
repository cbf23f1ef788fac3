//! What functions may use and do, and that it ends what goes beyond: with real faults, in real processes.

mod stand;

use std::process::Command;
use std::time::Duration;

use stand::{Stand, descendants, eventually, is_alive, say};
use test_support::{Client, Received};

/// A limit, a script that goes beyond it, and what the error says.
fn refused(client: &mut Client, limit: [&str; 2], code: &str, named: &str) {
    let said = say(client, &["RG.PYEXECUTE", code, "LIMIT", limit[0], limit[1]]);
    assert!(said.starts_with("(error) ['") && said.contains(named), "{code}: {said}");
}

fn allowed(client: &mut Client, limit: [&str; 2], code: &str) {
    let said = say(client, &["RG.PYEXECUTE", code, "LIMIT", limit[0], limit[1]]);
    assert_eq!(said, "OK", "{code}");
}

/// Whether this machine's kernel can enforce it. Where it cannot, asking for it is refused, and that is tested instead.
fn can(client: &mut Client, figure: &str, limit: [&str; 2]) -> bool {
    let info = say(client, &["INFO", "rg"]);
    let line = info.split("\\r\\n").flat_map(str::lines).find(|line| line.contains(figure));
    let line = line.unwrap_or_else(|| panic!("INFO says nothing of {figure}: {info}"));
    if line.contains("unavailable") {
        refused(client, limit, "x = 1", "script was not run");
        eprintln!("{line}");
        return false;
    }
    assert!(line.contains("available"), "{line}");
    true
}

const FILES: [&str; 2] = ["function-max-files", "64"];

#[test]
fn a_thousand_files_are_too_many() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let open = |count| format!("files = [open('/dev/null') for _ in range({count})]");
    refused(&mut client, FILES, &open(1000), "Too many open files");
    allowed(&mut client, FILES, &open(20));
    // 256 unless somebody says otherwise.
    allowed(&mut client, ["function-max-files", "0"], &open(300));
    let said = say(&mut client, &["RG.PYEXECUTE", &open(300)]);
    assert!(said.contains("Too many open files"), "{said}");
    stand.finish();
}

const NO_PROCESSES: [&str; 2] = ["function-processes", "no"];

#[test]
fn a_session_without_processes_has_threads_but_no_way_to_start_a_process() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    if can(&mut client, "rg_no_processes", NO_PROCESSES) {
        let mut refuse = |code: &str| refused(&mut client, NO_PROCESSES, code, "PermissionError");
        refuse("import os\nwhile True: os.fork()");
        refuse("import subprocess\nsubprocess.run(['true'])");
        refuse("import os\nos.execv('/bin/true', ['true'])");
        refuse("import os\nos.posix_spawn('/bin/true', ['true'], {})");
        refuse("import os\nos.posix_spawnp('true', ['true'], {})");
        refuse(
            "import ctypes, os\nif ctypes.CDLL(None, use_errno=True).vfork() == -1: raise PermissionError",
        );
        refuse("import multiprocessing\nmultiprocessing.Process(target=print).start()");
        let said = say(
            &mut client,
            &[
                "RG.PYEXECUTE",
                "import os\nassert os.system('true') != 0",
                "LIMIT",
                "function-processes",
                "no",
            ],
        );
        assert_eq!(said, "OK");
        // The zygote and its warm workers.
        eventually("no other process is left", || descendants(stand.server.pid()).len() <= 4);
        let threads = "
import threading
seen = []
threads = [threading.Thread(target=seen.append, args=(n,)) for n in range(8)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(seen) == 8
GB('ShardsIDReader').map(lambda r: execute('PING')).run()";
        let said =
            say(&mut client, &["RG.PYEXECUTE", threads, "LIMIT", "function-processes", "no"]);
        assert_eq!(said, r#"[["PONG"], []]"#);
    }
    stand.finish();
}

const NO_NETWORK: [&str; 2] = ["function-network", "no"];

#[test]
fn a_session_without_a_network_opens_no_sockets_of_any_kind() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    if can(&mut client, "rg_no_network", NO_NETWORK) {
        let connect = format!(
            "import socket\nsocket.create_connection(('127.0.0.1', {}))",
            stand.server.address().port()
        );
        allowed(&mut client, ["function-network", "yes"], &connect);
        refused(&mut client, NO_NETWORK, &connect, "PermissionError");
        for family in ["AF_INET", "AF_INET6", "AF_NETLINK", "AF_UNIX", "AF_PACKET"] {
            let open = format!("import socket\nsocket.socket(socket.{family}, socket.SOCK_DGRAM)");
            refused(&mut client, NO_NETWORK, &open, "PermissionError");
        }
        // From every thread, and whatever the language.
        let elsewhere = "
import ctypes, threading
made = []
def make(): made.append(ctypes.CDLL(None).socket(2, 1, 0))
threads = [threading.Thread(target=make) for _ in range(4)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert made == [-1] * 4, made";
        allowed(&mut client, NO_NETWORK, elsewhere);
        let inside = "
import asyncio, socket
a, b = socket.socketpair()
async def count(r):
    await asyncio.sleep(0.001)
    return execute('INCR', 'n')
GB('CommandReader').map(count).register(trigger='count')";
        allowed(&mut client, NO_NETWORK, inside);
        assert_eq!(say(&mut client, &["RG.TRIGGER", "count"]), r#"["1"]"#);
    }
    stand.finish();
}

const READ_ONLY: [&str; 2] = ["function-filesystem", "ro"];

#[test]
fn a_session_that_may_not_write_reads_everything_and_writes_to_its_own_directory_alone() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    if can(&mut client, "rg_readonly_filesystem", READ_ONLY) {
        let here = std::env::temp_dir().join(format!("mainspring-test-{}", std::process::id()));
        std::fs::create_dir_all(&here).unwrap();
        let file = here.join("file");
        std::fs::write(&file, "as it was").unwrap();
        let (here, file) = (here.display(), file.display());
        for code in [
            format!("open('{here}/new', 'w')"),
            format!("open('{file}', 'a')"),
            format!("open('{file}', 'r+')"),
            format!("import os\nos.truncate('{file}', 0)"),
            format!("import os\nos.remove('{file}')"),
            format!("import os\nos.rename('{file}', '{file}2')"),
            format!("import os\nos.mkdir('{here}/d')"),
            format!("import os\nos.symlink('{file}', '{here}/l')"),
            format!("import os\nos.link('{file}', '{here}/l')"),
            format!("import os\nos.mkfifo('{here}/p')"),
            format!("import os\nos.chmod('{file}', 0o777)"),
            format!("import os\nos.utime('{file}')"),
            format!("import fcntl\nfcntl.ioctl(open('{file}'), 0x40086602, b'\\0' * 8)"),
            format!(
                "import threading\nerrors = []\ndef write():\n    try: open('{file}', 'w')\n    except OSError as e: errors.append(e)\nt = threading.Thread(target=write)\nt.start(); t.join()\nraise errors[0]"
            ),
        ] {
            refused(&mut client, READ_ONLY, &code, "PermissionError");
        }
        // A child process is bound as its parent is.
        let child =
            format!("import subprocess\nsubprocess.run('echo x > {file}', shell=True, check=True)");
        refused(&mut client, READ_ONLY, &child, "CalledProcessError");
        assert_eq!(std::fs::read_to_string(format!("{file}")).unwrap(), "as it was");

        let own = format!(
            "
import os, tempfile
assert open('{file}').read() == 'as it was'
open('/dev/null', 'w').write('x')
with tempfile.NamedTemporaryFile('w+') as f:
    f.write('mine'); f.seek(0)
    assert f.read() == 'mine'
place = tempfile.mkdtemp()
open(place + '/left', 'w').write('behind')
execute('SET', 'place', place)
GB('CommandReader').map(lambda r: os.path.exists(place)).register(trigger='there')"
        );
        allowed(&mut client, READ_ONLY, &own);
        let place = say(&mut client, &["GET", "place"]);
        let place = std::path::Path::new(place.trim_matches('"')).to_owned();
        assert!(place.exists());
        let dump = say(&mut client, &["RG.DUMPREGISTRATIONS"]);
        let id = dump.split('"').nth(3).unwrap().to_owned();
        say(&mut client, &["RG.UNREGISTER", &id]);
        eventually("its directory is gone with it", || !place.parent().unwrap().exists());
        std::fs::remove_dir_all(format!("{here}")).unwrap();
    }
    stand.finish();
}

#[test]
fn what_is_forbidden_to_all_holds_after_a_crash_too() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    if can(&mut client, "rg_no_network", NO_NETWORK) {
        say(&mut client, &["CONFIG", "SET", "function-network", "no"]);
        let script = "
import os, socket
def look(r):
    if r[1] == 'die': os._exit(3)
    try: socket.socket()
    except PermissionError: return 'refused'
GB('CommandReader').map(look).register(trigger='look')";
        assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
        assert_eq!(say(&mut client, &["RG.TRIGGER", "look", "x"]), r#"["refused"]"#);
        say(&mut client, &["RG.TRIGGER", "look", "die"]);
        assert_eq!(say(&mut client, &["RG.TRIGGER", "look", "x"]), r#"["refused"]"#);
    }
    stand.finish();
}

/// As `say`, for what takes processor time of which others may leave little.
fn say_slowly(client: &mut Client, words: &[&str]) -> String {
    client.send(words).unwrap();
    match client.next(Duration::from_secs(120)).unwrap() {
        Received::Reply(reply) => reply.to_string(),
        other => panic!("{words:?}: {other:?}"),
    }
}

#[test]
fn processor_time_is_limited_wherever_it_is_used() {
    let stand = Stand::start(&["--function-cpu-ms", "200", "--function-timeout-ms", "0"]);
    let mut client = stand.client();
    for code in [
        // In Python, in foreign code that lets nobody in between, and in Python that catches everything.
        "while True: pass",
        "sum(iter(int, 1))",
        "import hashlib\nwhile True: hashlib.sha256(b'x' * (64 << 20))",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
    ] {
        let said = say_slowly(&mut client, &["RG.PYEXECUTE", code]);
        assert!(said.contains("function-cpu-ms (200)"), "{code}: {said}");
        say(&mut client, &["SET", "k", ""]);
        let inside = code.replace('\n', "\n    ");
        let run = format!("def burn(r):\n    {inside}\nGB().foreach(burn).run('k')");
        let said = say_slowly(&mut client, &["RG.PYEXECUTE", &run]);
        assert!(said.starts_with("[[], [\"") && said.contains("function-cpu-ms (200)"), "{said}");
    }
    stand.finish();
}

#[test]
fn waiting_takes_no_processor_time_and_neighbours_none_of_each_other_s() {
    let stand = Stand::start(&["--function-cpu-ms", "300"]);
    let (mut client, mut waiting) = (stand.client(), stand.client());
    let script = "
import time
def wait(r):
    execute('SET', 'waits', 1)
    return execute('BLPOP', 'go', 0)[1]
def burn(r):
    end = time.thread_time() + 0.2
    while time.thread_time() < end: pass
GB('CommandReader').map(wait).register(trigger='wait')
GB('CommandReader').map(burn).register(trigger='burn')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    waiting.send(&["RG.TRIGGER", "wait"]).unwrap();
    eventually("it waits", || say(&mut client, &["GET", "waits"]) == "\"1\"");
    // Together far more than the limit, and more than its grace.
    for _ in 0..8 {
        assert_eq!(say_slowly(&mut client, &["RG.TRIGGER", "burn"]), r#"["None"]"#);
    }
    say(&mut client, &["RPUSH", "go", "gone"]);
    match waiting.reply().unwrap() {
        Received::Reply(reply) => assert_eq!(reply.to_string(), r#"["gone"]"#),
        other => panic!("{other:?}"),
    }
    stand.finish();
}

#[test]
fn an_execution_ends_with_its_client_where_that_is_asked_for() {
    let stand = Stand::start(&["--function-kill-on-disconnect", "yes"]);
    let mut client = stand.client();
    let script = "
import time
def wait(r):
    execute('SET', 'begun:' + r[1], 1)
    while True: time.sleep(0.01)
GB('CommandReader').map(wait).register(trigger='wait')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    let mut leaving = stand.client();
    leaving.send(&["RG.TRIGGER", "wait", "a"]).unwrap();
    eventually("it has begun", || say(&mut client, &["GET", "begun:a"]) == "\"1\"");
    drop(leaving);
    let told = |client: &mut Client| say(client, &["RG.DUMPREGISTRATIONS"]);
    eventually("it has ended", || told(&mut client).contains("function-kill-on-disconnect"));

    // So does a script body, and a run.
    let mut leaving = stand.client();
    let endless = "import time\nexecute('SET', 'begun:s', 1)\nwhile True: time.sleep(0.01)";
    leaving.send(&["RG.PYEXECUTE", endless, "ID", "leaving"]).unwrap();
    eventually("the script has begun", || say(&mut client, &["GET", "begun:s"]) == "\"1\"");
    drop(leaving);
    eventually("its session is gone", || {
        !say(&mut client, &["RG.PYDUMPSESSIONS"]).contains("leaving")
    });
    stand.finish();
}

#[test]
fn without_it_an_execution_outlives_its_client() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let mut leaving = stand.client();
    let script = "
execute('SET', 'begun', 1)
GB('ShardsIDReader').map(lambda r: execute('BLPOP', 'go', 0)).foreach(lambda r: execute('SET', 'done', 1)).run()";
    leaving.send(&["RG.PYEXECUTE", script]).unwrap();
    eventually("it runs", || say(&mut client, &["GET", "begun"]) == "\"1\"");
    drop(leaving);
    say(&mut client, &["RPUSH", "go", "x"]);
    eventually("it has come to its end", || say(&mut client, &["GET", "done"]) == "\"1\"");
    stand.finish();
}

/// Everything that a thread may be in when an abort finds it.
#[test]
fn an_abort_ends_foreign_code_system_calls_locks_and_threads() {
    let stand = Stand::start(&["--function-timeout-ms", "0"]);
    let mut client = stand.client();
    for (index, code) in [
        "while True: pass",
        "sum(iter(int, 1))",
        "time.sleep(1000)",
        "os.read(os.pipe()[0], 1)",
        "signal.pthread_sigmask(signal.SIG_BLOCK, range(1, 64)); ctypes.CDLL(None).pause()",
        "threading.Lock().acquire() and threading.Event().wait()",
        "execute('BLPOP', 'never', 0)",
        "[t.join() for t in [threading.Thread(target=time.sleep, args=(1000,))] if not t.start()]",
        "subprocess.run(['sleep', '1000'])",
        "deaf()",
        "deaf_in_finally()",
    ]
    .into_iter()
    .enumerate()
    {
        let script = format!(
            "
import ctypes, os, signal, subprocess, threading, time
def deaf():
    while True:
        try: time.sleep(0.001)
        except BaseException: pass
def deaf_in_finally():
    try:
        while True: time.sleep(0.001)
    finally: deaf()
def work(r):
    if r[1] == 'pid': return 'well'
    execute('SET', 'begun', {index})
    {code}
GB('CommandReader').map(work).register(trigger='t{index}')"
        );
        assert_eq!(say(&mut client, &["RG.PYEXECUTE", &script]), "OK");
        let trigger = format!("t{index}");
        let mut caller = stand.client();
        caller.send(&["RG.TRIGGER", &trigger, "x"]).unwrap();
        let begun = format!("\"{index}\"");
        eventually("it has begun", || say(&mut client, &["GET", "begun"]) == begun);
        let dump = say(&mut client, &["RG.DUMPEXECUTIONS"]);
        let running = dump.split("[\"executionId\", \"").find(|one| one.contains("\"running\""));
        let id = running.unwrap_or_else(|| panic!("{dump}")).split('"').next().unwrap();
        assert_eq!(say(&mut client, &["RG.ABORTEXECUTION", id]), "OK", "{code}");
        match caller.reply().unwrap() {
            Received::Reply(reply) => {
                let said = reply.to_string();
                let is_named = said.contains("RG.ABORTEXECUTION") || said.contains("forcestopped");
                assert!(said.starts_with("(error)") && is_named, "{code}: {said}");
            }
            other => panic!("{code}: {other:?}"),
        }
        // In the same process or in a new one that has its functions again.
        assert_eq!(say(&mut client, &["RG.TRIGGER", &trigger, "pid"]), r#"["well"]"#, "{code}");
    }
    stand.finish();
}

#[test]
fn functions_find_the_environment_that_was_meant_for_them() {
    let look = "
import os
GB('ShardsIDReader').map(lambda r: [os.environ.get('GIVEN'), os.environ.get('CARGO_PKG_NAME'), b'CARGO_PKG_NAME' in open('/proc/self/environ', 'rb').read(), 'PATH' in os.environ]).run()";
    let stand = Stand::start(&["--function-env", "GIVEN=a b=c", "--function-inherit-env", "no"]);
    let said = say(&mut stand.client(), &["RG.PYEXECUTE", look]);
    assert_eq!(said, r#"[["['a b=c', None, False, True]"], []]"#);
    let config = say(&mut stand.client(), &["CONFIG", "GET", "function-env"]);
    assert_eq!(config, r#"["function-env", "GIVEN=a b=c"]"#);
    stand.finish();

    let stand = Stand::start(&[]);
    let said = say(&mut stand.client(), &["RG.PYEXECUTE", look]);
    assert_eq!(said, r#"[["[None, 'mainspring', True, True]"], []]"#);
    stand.finish();
}

#[test]
fn errors_are_short_where_nobody_wants_a_traceback() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    say(&mut client, &["RG.CONFIGSET", "PythonAttemptTraceback", "0"]);
    let said = say(&mut client, &["RG.PYEXECUTE", "x"]);
    assert_eq!(said, "(error) Error type: <class 'NameError'>, Value: name 'x' is not defined");
    let said = say(
        &mut client,
        &["RG.PYEXECUTE", "GB('ShardsIDReader').map(lambda r: flat_error('plain')).run()"],
    );
    assert_eq!(said, r#"[[], ["plain"]]"#);
    stand.finish();
}

#[test]
fn the_log_shows_the_lines_of_an_error_that_its_text_only_numbers() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "
def ratio(record):
    return int(record[1]) / int(record[2])  # of two words

def outer(record):
    return ratio(record)

GB('CommandReader').map(outer).register(trigger='ratio')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script, "ID", "ratios"]), "OK");
    let text = say(&mut client, &["RG.TRIGGER", "ratio", "1", "0"]);
    assert!(text.contains("line 3, in ratio") && !text.contains("of two words"), "{text}");
    eventually("the line is in the log", || {
        let log = stand.server.log();
        log.contains("[ratios]     return int(record[1]) / int(record[2])  # of two words")
            && log.contains("[ratios]     return ratio(record)")
            && log.contains("[ratios] ZeroDivisionError: division by zero")
    });
    // The same again is not told again; another one is.
    for _ in 0..10 {
        say(&mut client, &["RG.TRIGGER", "ratio", "2", "0"]);
    }
    say(&mut client, &["RG.TRIGGER", "ratio", "x", "0"]);
    eventually("the other error is in the log", || stand.server.log().contains("ValueError"));
    assert_eq!(stand.server.log().matches("ZeroDivisionError").count(), 1);

    let script = "def fail(r):\n    exec('1/0')\nGB('ShardsIDReader').map(fail).run()";
    say(&mut client, &["RG.PYEXECUTE", script, "ID", "inner"]);
    eventually("what exec() ran has no line", || {
        let log = stand.server.log();
        log.contains("[inner]     exec('1/0')") && log.contains("[inner] ZeroDivisionError")
    });
    assert!(!stand.server.log().contains("[inner]     def fail"));
    // What a client compiled elsewhere, and pickled, names its own file.
    let script = "exec(compile('def fail(r): return 1/0', '/client/wheels.py', 'exec'))\nGB('ShardsIDReader').map(fail).run()";
    let said = say(&mut client, &["RG.PYEXECUTE", script]);
    assert!(said.contains(r#"File \"/client/wheels.py\", line 1, in fail"#), "{said}");
    let said = say(&mut client, &["RG.PYEXECUTE", "x = (", "ID", "broken"]);
    assert!(said.contains("SyntaxError"), "{said}");
    eventually("so is a script that is none", || {
        stand.server.log().contains("[broken] SyntaxError")
    });
    stand.finish();
}

#[test]
fn log_is_no_way_to_fill_a_disk() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let noise = "
for i in range(20000): log('noise ' + 'x' * 100)
GB('CommandReader').register(trigger='stays')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", noise]), "OK");
    eventually("what is left out is counted", || {
        stand.server.log().contains("more lines were printed and dropped")
    });
    let log = stand.server.log();
    assert!(log.contains("noise") && log.len() < 1 << 20, "the log has {} bytes", log.len());
    stand.finish();
}

#[test]
fn a_chain_of_functions_ends_where_it_is_told_to() {
    let stand = Stand::start(&["--function-cascade-max", "50"]);
    let mut client = stand.client();
    let script =
        "GB().foreach(lambda r: execute('INCR', 'n')).register('n', eventTypes=['incrby'])";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    say(&mut client, &["INCR", "n"]);
    let told = |client: &mut Client| say(client, &["RG.DUMPREGISTRATIONS"]);
    eventually("it has ended", || told(&mut client).contains("function-cascade-max 50"));
    assert_eq!(say(&mut client, &["GET", "n"]), "\"51\"");
    let figures = told(&mut client);
    for figure in [
        "\"numTriggered\", (integer) 51",
        "\"numSuccess\", (integer) 50",
        "\"numAborted\", (integer) 1",
    ] {
        assert!(figures.contains(figure), "{figures}");
    }
    stand.finish();
}

/// Starts processes that leave their worker's group, and gives their numbers.
fn daemons(client: &mut Client) -> Vec<u32> {
    let script = "
import os, subprocess
def keep(pid): execute('RPUSH', 'daemons', pid)
keep(subprocess.Popen(['sleep', '1000'], start_new_session=True).pid)
reading, writing = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        os.setsid()
        os.write(writing, b'%d ' % os.getpid())
        child = os.fork()
        if child: os.write(writing, b'%d ' % child)
        os.execvp('sleep', ['sleep', '1000'])
    os._exit(0)
pids = b''
while pids.count(b' ') < 2: pids += os.read(reading, 100)
for pid in pids.split(): keep(pid)
GB('CommandReader').register(trigger='stays')";
    assert_eq!(say(client, &["RG.PYEXECUTE", script, "ID", "daemons"]), "OK");
    let pids = say(client, &["LRANGE", "daemons", "0", "-1"]);
    let pids: Vec<u32> = pids.split('"').filter_map(|word| word.parse().ok()).collect();
    assert_eq!(pids.len(), 3);
    assert!(pids.iter().all(|pid| is_alive(*pid)));
    pids
}

#[test]
fn whatever_a_session_has_started_ends_with_it() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let pids = daemons(&mut client);
    let dump = say(&mut client, &["RG.DUMPREGISTRATIONS"]);
    say(&mut client, &["RG.UNREGISTER", dump.split('"').nth(3).unwrap()]);
    eventually("all of it has ended", || pids.iter().all(|pid| !is_alive(*pid)));
    stand.finish();
}

#[test]
fn whatever_a_session_has_started_ends_with_the_server_however_that_ends() {
    for signal in ["TERM", "KILL"] {
        let mut stand = Stand::start(&[]);
        let pids = daemons(&mut stand.client());
        stand.stop_probing();
        let server = stand.server.pid().to_string();
        assert!(Command::new("kill").args(["-s", signal, &server]).status().unwrap().success());
        eventually("all of it has ended", || pids.iter().all(|pid| !is_alive(*pid)));
    }
}
