//! What is known to have ended servers in which functions run inside: the ideas of the reports in RedisGears' tracker, by
//! their numbers there. Here the worst that may happen is an error for whoever asked.
//!
//! Of #789, #817 and #955 no recipe is public; `scripts_from_all_sides_at_once` and
//! `functions_that_crash_whenever_they_are_restored` stand for them.

mod stand;

use std::path::Path;
use std::process::Command;
use std::thread;

use stand::{Stand, eventually, say};
use test_support::Client;

/// A server with something to lose: a key, and a registered function that another session has.
struct Kitchen {
    stand: Stand,
    client: Client,
}

impl Kitchen {
    fn open() -> Kitchen {
        Kitchen::with(&[])
    }

    fn with(options: &[&str]) -> Kitchen {
        let stand = Stand::start(options);
        let mut client = stand.client();
        assert_eq!(say(&mut client, &["SET", "kept", "data"]), "OK");
        let witness = "GB('CommandReader').map(lambda args: 'here').register(trigger='witness')";
        assert_eq!(say(&mut client, &["RG.PYEXECUTE", witness, "ID", "witness"]), "OK");
        Kitchen { stand, client }
    }

    fn script(&mut self, code: &str) -> String {
        self.say(&["RG.PYEXECUTE", code])
    }

    fn say(&mut self, words: &[&str]) -> String {
        say(&mut self.client, words)
    }

    /// Of the registration with these words in its dump.
    fn figures(&mut self, named: &str) -> String {
        let dump = self.say(&["RG.DUMPREGISTRATIONS"]);
        dump.split("[\"id\", ").find(|one| one.contains(named)).unwrap_or_default().to_owned()
    }

    /// Nothing is lost, and everything works.
    fn close(mut self) {
        assert_eq!(self.say(&["PING"]), "PONG");
        assert_eq!(self.say(&["GET", "kept"]), "\"data\"");
        assert_eq!(self.say(&["RG.TRIGGER", "witness"]), "[\"here\"]");
        assert_eq!(self.script("GB().count().run('kept')"), r#"[["1"], []]"#);
        self.stand.finish();
    }
}

/// #144: the second import of an extension module ended the server.
#[test]
#[ignore = "needs the virtual environment that `cargo xtask test` makes"]
fn numpy_is_imported_again_and_again() {
    let environment = Path::new(env!("CARGO_BIN_EXE_mainspring")).parent().unwrap();
    let environment = environment.with_file_name("venvs").join("redgrease");
    assert!(environment.exists(), "there is no environment: run `cargo xtask venvs`");
    let ask = "import os, sys; print(os.path.realpath(sys.executable))";
    let python = Command::new(environment.join("bin/python")).args(["-c", ask]).output().unwrap();
    let python = String::from_utf8(python.stdout).unwrap();
    let wheels = environment.join("wheels");
    let mut kitchen = Kitchen::with(&[
        "--python",
        python.trim(),
        "--requirements-wheels",
        wheels.to_str().unwrap(),
    ]);
    let install = ["RG.PYEXECUTE", "import numpy as np", "REQUIREMENTS", "numpy"];
    assert_eq!(kitchen.say(&install), "OK");
    for _ in 0..3 {
        assert_eq!(kitchen.script("import numpy as np"), "OK");
    }
    let script = "
import threading
def sums(args):
    import numpy as np
    found = []
    threads = [threading.Thread(target=lambda: found.append(int(np.arange(1000).sum()))) for _ in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return found
def crash(args):
    import ctypes, numpy as np
    ctypes.memmove(np.zeros(1).ctypes.data, 1, 8)
GB('CommandReader').map(sums).register(trigger='sums')
GB('CommandReader').map(crash).register(trigger='crash')";
    assert_eq!(kitchen.script(script), "OK");
    for _ in 0..2 {
        assert_eq!(kitchen.say(&["RG.TRIGGER", "sums"]), "[\"[499500, 499500, 499500, 499500]\"]");
        let said = kitchen.say(&["RG.TRIGGER", "crash"]);
        assert!(said.contains("SIGSEGV"), "{said}");
    }
    kitchen.close();
}

/// #154: entries and batch jobs that come faster than Python handles them.
#[test]
fn more_comes_than_can_be_handled() {
    const ENTRIES: usize = 5000;
    let mut kitchen = Kitchen::open();
    let script = "
GB('StreamReader').flatmap(lambda r: r['value']['text'].split()).countby().foreach(
    lambda r: execute('HINCRBY', 'counts', r['key'], r['value'])).register('demo', batch=50, duration=10)";
    assert_eq!(kitchen.script(script), "OK");
    assert_eq!(kitchen.say(&["RG.CONFIGSET", "MaxExecutions", "10"]), "[OK]");
    for _ in 0..ENTRIES {
        kitchen.client.send(&["XADD", "demo", "*", "text", "one two two"]).unwrap();
    }
    for _ in 0..50 {
        kitchen.client.send(&["RG.PYEXECUTE", "GB().run('kept')", "UNBLOCKING"]).unwrap();
    }
    for _ in 0..ENTRIES + 50 {
        kitchen.client.reply().unwrap();
    }
    let all = format!("[\"{ENTRIES}\", \"{}\"]", 2 * ENTRIES);
    eventually("every entry is counted", || kitchen.say(&["HMGET", "counts", "one", "two"]) == all);
    eventually("the stream is trimmed", || kitchen.say(&["XLEN", "demo"]) == "(integer) 0");
    kitchen.close();
}

/// #214: a command of a module that is not there, called at an event.
#[test]
fn an_event_s_function_calls_a_command_that_does_not_exist() {
    let mut kitchen = Kitchen::open();
    let script = "GB().foreach(lambda r: execute('FT.ADDHASH', 'index', r['key'], '1.0', 'REPLACE')).register('person:*')";
    assert_eq!(kitchen.script(script), "OK");
    assert_eq!(kitchen.say(&["HSET", "person:1", "name", "Lori"]), "(integer) 1");
    eventually("the error is told", || {
        kitchen.figures("\"person:*\"").contains("unknown command 'FT.ADDHASH'")
    });
    assert_eq!(kitchen.say(&["HGETALL", "person:1"]), r#"["name", "Lori"]"#);
    kitchen.close();
}

/// #424, #59: `execute()` with arguments that are no texts, or none at all.
#[test]
fn execute_is_called_with_what_it_cannot_send() {
    let mut kitchen = Kitchen::open();
    let script = "
gb = GearsBuilder()
gb.foreach(lambda x: execute('XADD', 'log', x))
gb.register('person:*')";
    assert_eq!(kitchen.script(script), "OK");
    assert_eq!(kitchen.say(&["HSET", "person:1", "name", "Lori"]), "(integer) 1");
    eventually("the error is told", || {
        kitchen.figures("\"person:*\"").contains("wrong number of arguments for 'xadd'")
    });
    for arguments in ["", "'GET', object(), {}, []", "'SET', 'k', 'v' * (1 << 24)", "None", "'\\0'"]
    {
        let said = kitchen.script(&format!("redisgears.executeCommand({arguments})"));
        assert!(said == "OK" || said.starts_with("(error) ['Traceback"), "{arguments}: {said}");
    }
    kitchen.close();
}

/// #474, #331: what ran as a batch is registered, with a model that is loaded first, and then once more.
#[test]
fn a_batch_job_becomes_a_registration_and_is_registered_again() {
    let mut kitchen = Kitchen::open();
    let script = |how: &str| {
        format!(
            "
model = None
def load():
    global model
    model = {{'terms': list(range(1000))}}
def match(record):
    if model is None: load()
    execute('SADD', 'matched', record['key'])
bg = GearsBuilder('KeysReader')
bg.foreach(match)
bg.count()
bg.{how}('sentence:*', mode='async_local', onRegistered=load)"
        )
    };
    for number in 0..20 {
        kitchen.say(&["SET", &format!("sentence:{number}"), "text"]);
    }
    assert_eq!(kitchen.script(&script("run")), r#"[["20"], []]"#);
    assert_eq!(kitchen.script(&script("register")), "OK");
    assert_eq!(kitchen.script(&script("run")), r#"[["20"], []]"#);
    assert_eq!(kitchen.script(&script("register")), "OK");
    kitchen.say(&["SET", "sentence:20", "text"]);
    eventually("both are told", || {
        let dump = kitchen.say(&["RG.DUMPREGISTRATIONS"]);
        dump.matches("\"numSuccess\", (integer) 1").count() == 2
    });
    assert_eq!(kitchen.say(&["SCARD", "matched"]), "(integer) 21");
    kitchen.close();
}

/// #542: a function of a stream connects to the server that it runs in.
#[test]
fn a_stream_s_function_opens_a_connection_to_its_own_server() {
    let mut kitchen = Kitchen::open();
    let script = format!(
        "
import socket
def check(message):
    with socket.create_connection(('127.0.0.1', {})) as connection:
        connection.sendall(b'SET checked 1\\r\\n')
        return connection.recv(100)
gb = GearsBuilder(reader='StreamReader', desc='checks')
gb.map(check)
gb.register('check')",
        kitchen.stand.server.address().port()
    );
    assert_eq!(kitchen.script(&script), "OK");
    kitchen.say(&["XADD", "check", "*", "eat", "paste"]);
    eventually("it has worked", || kitchen.say(&["GET", "checked"]) == "\"1\"");
    kitchen.close();
}

/// #545: what was a command listens to missing keys from now on.
#[test]
fn a_trigger_is_exchanged_for_a_listener_to_missing_keys() {
    let mut kitchen = Kitchen::open();
    let make = "
def make(key):
    value = 'made ' + key
    execute('SET', key, value)
    return value
";
    let command = "GB('CommandReader').map(lambda args: make(args[1])).register(trigger='make')";
    let listener = "
def fill(record):
    override_reply(make(record['key']))
GB('KeysReader').foreach(fill).register('lazy:*', mode='async_local', commands=['get'], eventTypes=['keymiss'])";
    assert_eq!(kitchen.script(&format!("{make}{command}")), "OK");
    assert_eq!(kitchen.say(&["RG.TRIGGER", "make", "lazy:1"]), "[\"made lazy:1\"]");
    assert_eq!(kitchen.script(&format!("{make}{listener}")), "OK");
    let address = kitchen.stand.server.address();
    let askers: Vec<_> = (0..8)
        .map(|asker| {
            thread::spawn(move || {
                let mut client = Client::open(&address).unwrap();
                for number in 0..25 {
                    let key = format!("lazy:{asker}:{number}");
                    assert_eq!(say(&mut client, &["GET", &key]), format!("\"made {key}\""));
                }
            })
        })
        .collect();
    for asker in askers {
        asker.join().unwrap();
    }
    assert_eq!(kitchen.say(&["RG.TRIGGER", "make", "lazy:2"]), "[\"made lazy:2\"]");
    kitchen.close();
}

/// #788: a batch of no entries. It counts as one of one.
#[test]
fn a_stream_is_registered_with_a_batch_of_nothing() {
    for batch in ["0", "-1", "10 ** 30", "'x'"] {
        let mut kitchen = Kitchen::open();
        let script = format!(
            "GB('StreamReader').foreach(lambda r: execute('INCR', 'seen')).register('s', batch={batch}, duration=10, trimStream=False)"
        );
        let said = kitchen.script(&script);
        kitchen.say(&["XADD", "s", "*", "name", "x"]);
        if said == "OK" {
            eventually("the entry is handled", || kitchen.say(&["GET", "seen"]) == "\"1\"");
        } else {
            assert!(said.contains("batch argument must be a number"), "{batch}: {said}");
        }
        assert_eq!(kitchen.say(&["XLEN", "s"]), "(integer) 1");
        kitchen.close();
    }
}

/// #71: a run over a stream, whether or not there is one.
#[test]
fn a_stream_is_read_in_a_run() {
    let mut kitchen = Kitchen::open();
    let run =
        |name: &str| format!("GearsBuilder('StreamReader').map(lambda r: r['id']).run('{name}')");
    assert_eq!(kitchen.script(&run("none")), "[[], []]");
    kitchen.say(&["XADD", "stream", "1-1", "f", "v"]);
    assert_eq!(kitchen.script(&run("stream")), r#"[["1-1"], []]"#);
    let said = kitchen.script(&run("kept"));
    assert!(said.starts_with("[[], [\"WRONGTYPE"), "{said}");
    kitchen.close();
}

/// #283: requirements that cannot be had. Nothing is asked of a network: the names are no packages.
#[test]
fn requirements_cannot_be_satisfied() {
    let mut kitchen = Kitchen::open();
    for requirement in ["/no/such/place.whl", "../..", "", "-r/etc/passwd", "a b c; rm"] {
        let said = kitchen.say(&["RG.PYEXECUTE", "", "REQUIREMENTS", requirement]);
        assert!(said.starts_with("(error) ["), "{requirement:?}: {said}");
    }
    kitchen.close();
}

/// #497, #825: commands of a cluster, where there is none.
#[test]
fn commands_of_a_cluster_come_to_a_server_that_is_alone() {
    let mut kitchen = Kitchen::open();
    for words in [
        &["RG.NETWORKTEST"][..],
        &["RG.CLUSTERSET", "NO-USED", "x"],
        &["RG.CLUSTERSETFROMSHARD", "x"],
        &["RG.INNERMSGCOMMAND", "x"],
        &["CLUSTER", "MEET", "127.0.0.1", "1"],
        &["CONFIG", "SET", "cluster-enabled", "yes"],
    ] {
        let said = kitchen.say(words);
        assert!(said.starts_with("(error) ERR"), "{words:?}: {said}");
    }
    assert_eq!(kitchen.say(&["RG.REFRESHCLUSTER"]), "OK");
    assert_eq!(kitchen.say(&["RG.INFOCLUSTER"]), "\"no cluster mode\"");
    kitchen.close();

    let server = Command::new(env!("CARGO_BIN_EXE_mainspring"))
        .args(["server", "--port", "0", "--cluster-enabled", "yes"])
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&server.stderr);
    assert!(!server.status.success() && said.contains("cluster-enabled"), "{said}");
}

/// RedisGraph #2061: a command that would block its client, called by functions of every kind.
#[test]
fn functions_call_commands_that_block() {
    let mut kitchen = Kitchen::open();
    let script = "
def take(args):
    return execute('BLPOP', 'nothing', '0.01')
GB('CommandReader').map(take).register(trigger='take')
GB('CommandReader').map(take).register(trigger='take_sync', mode='sync')
GB().foreach(take).register('event:*', mode='sync')
take([])";
    assert_eq!(kitchen.script(script), "OK");
    assert_eq!(kitchen.say(&["RG.TRIGGER", "take"]), "[\"None\"]");
    assert_eq!(kitchen.say(&["RG.TRIGGER", "take_sync"]), "[\"None\"]");
    assert_eq!(kitchen.say(&["SET", "event:1", "x"]), "OK");
    for words in [&["MULTI"][..], &["RG.TRIGGER", "take_sync"], &["EXEC"]] {
        kitchen.say(words);
    }
    for command in ["'SUBSCRIBE', 'c'", "'MONITOR'", "'MULTI'", "'RG.PYEXECUTE', ''"] {
        let said = kitchen.script(&format!("execute({command})"));
        assert!(said.contains("gears.error"), "{command}: {said}");
    }
    kitchen.close();
}

#[test]
fn scripts_from_all_sides_at_once() {
    let mut kitchen = Kitchen::open();
    let address = kitchen.stand.server.address();
    let sides: Vec<_> = (0..6)
        .map(|side| {
            thread::spawn(move || {
                for round in 0..10 {
                    // Some stay for the answer, some hang up as soon as they have asked.
                    let mut client = Client::open(&address).unwrap();
                    let mine = format!("{side}:{round}");
                    let register = format!(
                        "def crash(args):\n    import os\n    os.abort()\n\
                         GB('CommandReader').map(crash).register(trigger='crash:{mine}')\n\
                         GB().foreach(lambda r: execute('INCR', 'events')).register('key:{mine}')"
                    );
                    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &register]), "OK");
                    client.send(&["RG.PYEXECUTE", "GB().map(lambda r: 1 / 0).run()"]).unwrap();
                    client.send(&["RG.TRIGGER", &format!("crash:{mine}")]).unwrap();
                    client.send(&["SET", &format!("key:{mine}"), "x"]).unwrap();
                    client.send(&["RG.DUMPREGISTRATIONS"]).unwrap();
                    client.send(&["RG.PYSTATS"]).unwrap();
                    client.send(&["RG.PYDUMPSESSIONS"]).unwrap();
                    if round % 2 == 0 {
                        for _ in 0..6 {
                            client.reply().unwrap();
                        }
                    }
                }
            })
        })
        .collect();
    for side in sides {
        side.join().unwrap();
    }
    let clean = "
for one in execute('RG.DUMPREGISTRATIONS'):
    if 'witness' not in str(one):
        execute('RG.UNREGISTER', one[1])";
    eventually("all is unregistered", || {
        assert_eq!(kitchen.script(clean), "OK");
        kitchen.say(&["RG.DUMPREGISTRATIONS"]).matches("[\"id\", ").count() == 1
    });
    kitchen.close();
}

/// A crash loop: each new process dies of what it has to load.
#[test]
fn functions_that_crash_whenever_they_are_restored() {
    let mut kitchen = Kitchen::open();
    let script = "
import os
class Bomb:
    def __reduce__(self):
        return (os.abort, ())
bomb = Bomb()
def crash(args):
    if bomb: os.abort()
GB('CommandReader').map(crash).register(trigger='crash')
GB('CommandReader').map(crash).register(trigger='crash_sync', mode='sync')
GB().foreach(crash).register('event:*', mode='sync')";
    assert_eq!(kitchen.say(&["RG.PYEXECUTE", script, "ID", "bomb"]), "OK");
    for _ in 0..3 {
        // Either the function's process dies, or the next one that was to have it.
        for trigger in ["crash", "crash_sync"] {
            let said = kitchen.say(&["RG.TRIGGER", trigger]);
            assert!(said.starts_with("(error)") && said.contains("worker"), "{said}");
        }
        assert_eq!(kitchen.say(&["SET", "event:1", "done all the same"]), "OK");
        assert_eq!(kitchen.say(&["PING"]), "PONG");
    }
    let mended = "GB('CommandReader').map(lambda args: 'mended').register(trigger='crash')";
    assert_eq!(kitchen.say(&["RG.PYEXECUTE", mended, "ID", "bomb", "UPGRADE"]), "OK");
    assert_eq!(kitchen.say(&["RG.TRIGGER", "crash"]), "[\"mended\"]");
    kitchen.close();
}

/// What a script says when it is told that its function is registered may be its last word, too.
#[test]
fn onregistered_ends_its_process() {
    let mut kitchen = Kitchen::open();
    let script = "
import os
def load():
    os.abort()
GB('CommandReader').map(lambda args: 1).register(trigger='never', onRegistered=load)";
    let said = kitchen.script(script);
    assert!(said.contains("worker was ended by SIGABRT"), "{said}");
    assert_eq!(kitchen.say(&["RG.TRIGGER", "never"]), "(error) ERR subcommand not found");
    kitchen.close();
}
