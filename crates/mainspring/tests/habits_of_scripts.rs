//! What scripts in the wild do beside calling `execute()`: connections of their own, output, the environment, state in
//! globals, threads.

mod stand;

use std::time::Duration;

use stand::{PING_WAIT_MAX, Stand, descendants, eventually, is_alive, say};
use test_support::Client;

/// A client in a few lines: what redis-py does, without a package to install.
fn own_connection(stand: &Stand) -> String {
    format!(
        "
def own(*words):
    import socket
    request = b'*%d\\r\\n' % len(words)
    for word in words:
        request += b'$%d\\r\\n%s\\r\\n' % (len(word), word.encode())
    with socket.create_connection(('127.0.0.1', {})) as connection:
        connection.sendall(request)
        return connection.recv(1000).decode().strip()
",
        stand.server.address().port()
    )
}

#[test]
fn a_connection_of_its_own_is_served_while_a_function_runs() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = own_connection(&stand)
        + "
assert own('PING') == '+PONG'
GB('CommandReader').map(lambda args: own('SET', 'by:command', 'x')).register(trigger='set')
GB('CommandReader').map(lambda args: own('RG.TRIGGER', 'set')).register(trigger='nested')
GB().foreach(lambda record: own('RPUSH', 'seen', record['key'])).register('watched:*')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &script]), "OK");
    // A text that begins with a plus comes back as a simple string.
    assert!(say(&mut client, &["RG.TRIGGER", "set"]).starts_with("[OK"));
    assert_eq!(say(&mut client, &["GET", "by:command"]), "\"x\"");
    assert_eq!(say(&mut client, &["DEL", "by:command"]), "(integer) 1");
    assert!(say(&mut client, &["RG.TRIGGER", "nested"]).contains("OK"));
    assert_eq!(say(&mut client, &["GET", "by:command"]), "\"x\"");
    assert_eq!(say(&mut client, &["SET", "watched:1", "x"]), "OK");
    eventually("the event is handled", || {
        say(&mut client, &["LRANGE", "seen", "0", "-1"]) == "[\"watched:1\"]"
    });
    stand.finish();
}

#[test]
fn whoever_has_the_data_waits_in_vain_for_its_own_connection_and_is_told() {
    const ATOMIC_MAX: Duration = Duration::from_millis(300);
    const GRACE: Duration = Duration::from_secs(1);
    let stand = Stand::with_wait_max(
        ATOMIC_MAX + GRACE + PING_WAIT_MAX,
        &["--atomic-max-ms", &ATOMIC_MAX.as_millis().to_string()],
    );
    let mut client = stand.client();
    let script = own_connection(&stand)
        + "
def block(args):
    with atomic():
        return own('PING')
def thread(args):
    import threading
    waiting = threading.Thread(target=execute, args=('PING',))
    waiting.start()
    waiting.join()
GB('CommandReader').map(lambda args: own('PING')).register(trigger='sync', mode='sync')
GB('CommandReader').map(block).register(trigger='atomic')
GB('CommandReader').map(thread).register(trigger='thread', mode='sync')
GB('CommandReader').map(lambda args: 'working').register(trigger='other')
GB().foreach(lambda record: own('PING')).register('event:*', mode='sync')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &script]), "OK");
    let told = |said: &str| {
        assert!(said.contains("atomic-max-ms"), "{said}");
        assert!(said.contains("must not wait for a connection of its own"), "{said}");
        assert!(said.contains("execute() in another thread"), "{said}");
    };
    for trigger in ["sync", "atomic", "thread"] {
        let said = say(&mut client, &["RG.TRIGGER", trigger]);
        assert!(said.starts_with("(error) "), "{said}");
        told(&said);
        assert_eq!(say(&mut client, &["RG.TRIGGER", "other"]), "[\"working\"]");
    }
    // The command itself is done, whatever became of the function.
    assert_eq!(say(&mut client, &["SET", "event:1", "kept"]), "OK");
    assert_eq!(say(&mut client, &["GET", "event:1"]), "\"kept\"");
    told(&say(&mut client, &["RG.DUMPREGISTRATIONS"]));

    let body = own_connection(&stand) + "with atomic():\n    own('PING')";
    told(&say(&mut client, &["RG.PYEXECUTE", &body]));
    stand.finish();
}

#[test]
fn whatever_way_a_script_prints_it_goes_to_the_log_and_nowhere_else() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "
import logging, os, subprocess, sys, warnings
def speak(place):
    import ctypes
    print('print in', place)
    print('stderr in', place, file=sys.stderr)
    logging.warning('logging in %s', place)
    warnings.warn('warnings in %s' % place)
    os.write(1, b'descriptor 1 in %s\\n' % place.encode())
    os.write(2, b'descriptor 2 in %s\\n' % place.encode())
    ctypes.CDLL(None).puts(b'C in %s' % place.encode())
    ctypes.CDLL(None).fflush(None)
    subprocess.run('echo child in %s; echo child 2 in %s >&2' % (place, place), shell=True)
    os.system('echo system in %s' % place)
    log('log in %s' % place)
    log('loud in %s' % place, level='warning')
    return sys.stdin.read() + 'spoken'
speak('the body')
GB('CommandReader').map(lambda args: speak('a callback')).register(trigger='speak')
GB('CommandReader').map(lambda args: speak('sync')).register(trigger='speak_sync', mode='sync')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script, "ID", "talker"]), "OK");
    assert_eq!(say(&mut client, &["RG.TRIGGER", "speak"]), "[\"spoken\"]");
    assert_eq!(say(&mut client, &["RG.TRIGGER", "speak_sync"]), "[\"spoken\"]");
    for place in ["the body", "a callback", "sync"] {
        for kind in [
            "print",
            "stderr",
            "logging",
            "UserWarning: warnings",
            "descriptor 1",
            "descriptor 2",
            "C",
            "child",
            "child 2",
            "system",
            "log",
        ] {
            let what = format!("{kind} in {place}");
            let is_line = |line: &str| line.contains(" GEARS: [talker] ") && line.ends_with(&what);
            eventually(&what, || stand.server.log().lines().any(is_line));
        }
        let loud = format!(" # GEARS: [talker] loud in {place}\n");
        eventually("a warning", || stand.server.log().contains(&loud));
    }
    stand.finish();
}

#[test]
fn what_a_thread_dies_of_is_in_the_log() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "
import threading
def begin(args):
    threading.Thread(target=lambda: 1 / 0, name='careless').start()
GB('CommandReader').map(begin).register(trigger='begin')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    assert_eq!(say(&mut client, &["RG.TRIGGER", "begin"]), "[\"None\"]");
    eventually("the traceback is in the log", || {
        let log = stand.server.log();
        log.contains("Exception in thread careless") && log.contains("ZeroDivisionError")
    });
    stand.finish();
}

#[test]
fn the_environment_is_the_server_s_and_a_change_of_it_the_session_s() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "
import os
os.environ['PLACE'] = 'here'
def look(args):
    import subprocess
    child = subprocess.run('echo $LC_ALL $PLACE', shell=True, capture_output=True, text=True)
    return [os.environ['LC_ALL'], os.environ.get('PLACE', 'nowhere'), child.stdout.strip()]
GB('CommandReader').map(look).register(trigger='look', convertToStr=False)";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    assert_eq!(say(&mut client, &["RG.TRIGGER", "look"]), r#"[["C", "here", "C here"]]"#);
    let other = "
import os
GB('ShardsIDReader').map(lambda _: os.environ.get('PLACE', 'nowhere')).run()";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", other]), r#"[["nowhere"], []]"#);
    stand.finish();
}

/// A model, a cache and a pool: none of them can be pickled, all of them are made by onRegistered.
const STATEFUL: &str = "
import os, threading
from concurrent.futures import ThreadPoolExecutor
model = pool = lock = None
cache = {}
def prepare():
    global model, pool, lock
    lock = threading.Lock()
    pool = ThreadPoolExecutor(2)
    model = (part for part in iter(os.getpid, None))
    execute('RPUSH', 'prepared', os.getpid())
def ask(args):
    with lock:
        cache[args[1]] = cache.get(args[1], 0) + 1
    doubled = sum(pool.map(lambda i: int(execute('ECHO', i)), [cache[args[1]]] * 2))
    return [int(next(model) == os.getpid()), cache[args[1]], doubled]
GB('CommandReader').map(ask).register(trigger='ask', convertToStr=False, onRegistered=prepare)
GB('CommandReader').map(lambda args: os._exit(3)).register(trigger='die')";

#[test]
fn state_in_globals_lasts_between_calls_and_onregistered_fills_it_again_after_a_crash() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", STATEFUL]), "OK");
    for life in 1..=3 {
        for count in 1..=3 {
            let said = say(&mut client, &["RG.TRIGGER", "ask", "x"]);
            let expected = format!("[[(integer) 1, (integer) {count}, (integer) {}]]", 2 * count);
            assert_eq!(said, expected, "life {life}");
        }
        assert_eq!(say(&mut client, &["LLEN", "prepared"]), format!("(integer) {life}"));
        let said = say(&mut client, &["RG.TRIGGER", "die"]);
        assert_eq!(said, "(error) worker exited with code 3");
    }
    stand.finish();
}

#[test]
fn what_cannot_be_restored_is_refused_when_it_is_registered() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "
import threading
lock = threading.Lock()
def guarded(args):
    with lock:
        return 1
GB('CommandReader').map(guarded).register(trigger='guarded')";
    let said = say(&mut client, &["RG.PYEXECUTE", script]);
    assert!(said.contains("callback=guarded") && said.contains("_thread.lock"), "{said}");
    stand.finish();
}

#[test]
fn threads_call_the_server_whether_or_not_a_function_runs() {
    let stand = Stand::with_wait_max(Duration::from_secs(1), &[]);
    let mut client = stand.client();
    let script = "
import threading
stop = None
def beat():
    while not stop.wait(0.002):
        execute('INCR', 'beats')
        with atomic():
            execute('INCR', 'steady')
def begin():
    global stop
    stop = threading.Event()
    threading.Thread(target=beat, daemon=True).start()
def end(args):
    stop.set()
def answer(future):
    future.continueRun(execute('ECHO', 'from a thread'))
def later(args):
    future = gearsFuture()
    threading.Thread(target=answer, args=(future,)).start()
    return future
def joined(args):
    said = []
    thread = threading.Thread(target=lambda: said.append(execute('ECHO', 'joined')))
    thread.start()
    thread.join()
    return said[0]
assert joined([]) == 'joined'
GB('CommandReader').map(end).register(trigger='end', onRegistered=begin)
GB('CommandReader').map(later).register(trigger='later')
GB('CommandReader').map(later).register(trigger='later_sync', mode='sync')
GB('CommandReader').map(joined).register(trigger='joined')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    let beats = |client: &mut Client| say(client, &["GET", "beats"]);
    eventually("the thread calls", || beats(&mut client) != "(nil)");
    for round in 0..20 {
        assert_eq!(say(&mut client, &["RG.TRIGGER", "later"]), "[\"from a thread\"]", "{round}");
        assert_eq!(say(&mut client, &["RG.TRIGGER", "later_sync"]), "[\"from a thread\"]");
        assert_eq!(say(&mut client, &["RG.TRIGGER", "joined"]), "[\"joined\"]");
    }
    let before = beats(&mut client);
    eventually("the thread goes on", || beats(&mut client) != before);
    assert_eq!(say(&mut client, &["RG.TRIGGER", "end"]), "[\"None\"]");
    stand.finish();
}

#[test]
fn a_thread_ends_with_its_session() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "
import os, threading
def beat():
    while True:
        execute('SET', 'beating', os.getpid())
def begin():
    threading.Thread(target=beat).start()
GB('CommandReader').register(trigger='nothing', onRegistered=begin)";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    eventually("the thread calls", || say(&mut client, &["EXISTS", "beating"]) == "(integer) 1");
    let process: u32 = say(&mut client, &["GET", "beating"]).trim_matches('"').parse().unwrap();
    assert!(descendants(stand.server.pid()).contains(&process));
    let cleaning = "[execute('RG.UNREGISTER', one[1]) for one in execute('RG.DUMPREGISTRATIONS')]";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", cleaning]), "OK");
    eventually("its process is gone", || !is_alive(process));
    stand.finish();
}
