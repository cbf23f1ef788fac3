//! The module in real servers: redis-server from PATH, and the Valkey that `cargo xtask venvs` makes, if it is there.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use test_support::{Client, ModuleHost, Received, Reply, ServerProcess};

mod servers;

/// A server with the module, and one client of it.
struct Host {
    process: ServerProcess,
    client: Client,
}

impl Host {
    fn start(server: &ModuleHost, options: &[&str]) -> Host {
        let process = server.start(options).unwrap();
        let client = Client::open(&process).unwrap();
        Host { process, client }
    }

    fn say(&mut self, words: &[&str]) -> String {
        self.client.call(words).unwrap().to_string()
    }

    fn run(&mut self, script: &str) -> String {
        self.say(&["RG.PYEXECUTE", script])
    }

    fn reply(&mut self) -> String {
        text(self.client.reply().unwrap())
    }

    fn another_client(&self) -> Client {
        Client::open(&self.process).unwrap()
    }

    fn eventually(&mut self, words: &[&str], expected: &str) {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let said = self.say(words);
            if said == expected {
                return;
            }
            assert!(Instant::now() < deadline, "{words:?} is {said}, not {expected}");
            sleep(Duration::from_millis(10));
        }
    }
}

fn text(received: Received) -> String {
    match received {
        Received::Reply(reply) => reply.to_string(),
        other => panic!("no reply: {other:?}"),
    }
}

/// The words of the append-only file.
fn log_of_writes(directory: &Path) -> String {
    let mut words = Vec::new();
    for file in directory.join("appendonlydir").read_dir().unwrap() {
        let path = file.unwrap().path();
        if path.to_string_lossy().ends_with(".incr.aof") {
            let text = std::fs::read_to_string(path).unwrap();
            let is_word = |line: &&str| !line.starts_with(['*', '$']);
            words.extend(text.lines().filter(is_word).map(str::to_owned));
        }
    }
    words.join(" ")
}

/// Runs a test in every server.
fn in_each(options: &[&str], test: impl Fn(&mut Host)) {
    for server in servers::all() {
        test(&mut Host::start(&server, options));
    }
}

#[test]
fn a_run_reads_the_server_s_keys_of_all_types() {
    in_each(&[], |host| {
        host.say(&["MSET", "a", "1", "b", "22"]);
        host.say(&["RPUSH", "l", "x", "y"]);
        host.say(&["HSET", "h", "f", "v"]);
        host.say(&["SADD", "s", "m"]);
        host.say(&["ZADD", "z", "1", "m"]);
        host.say(&["XADD", "st", "1-1", "f", "v"]);
        assert_eq!(host.run("GB().count().run()"), r#"[["7"], []]"#);
        assert_eq!(
            host.run("GB().filter(lambda r: r['type'] in ('string', 'list')).map(lambda r: '%s=%s' % (r['key'], r['value'])).sort().run()"),
            r#"[["a=1", "b=22", "l=['x', 'y']"], []]"#
        );
        assert_eq!(host.run("GB().map(lambda r: r['value']).run('h')"), r#"[["{'f': 'v'}"], []]"#);
        assert_eq!(
            host.run(
                "GB().filter(lambda r: r['value'] is None).map(lambda r: r['type']).sort().run()"
            ),
            r#"[["set", "unknown", "zset"], []]"#
        );
        assert_eq!(
            host.run("GB('KeysOnlyReader').sort().run('?')"),
            r#"[["a", "b", "h", "l", "s", "z"], []]"#
        );
    });
}

#[test]
fn errors_come_in_redisgears_words() {
    in_each(&[], |host| {
        let said = host.run("1/0");
        assert!(
            said.starts_with("(error) ['Traceback") && said.contains("ZeroDivisionError"),
            "{said}"
        );
        host.say(&["SET", "k", "v"]);
        let said = host.run("GB().map(lambda r: r['nosuch']).run()");
        assert!(said.starts_with("[[], [\"['Traceback") && said.contains("KeyError"), "{said}");
        assert_eq!(host.say(&["RG.TRIGGER", "nosuch"]), "(error) ERR subcommand not found");
        assert_eq!(
            host.say(&["RG.UNREGISTER"]),
            "(error) ERR wrong number of arguments for 'rg.unregister' command"
        );
    });
}

#[test]
fn a_run_that_nobody_waits_for_keeps_its_results() {
    in_each(&[], |host| {
        host.say(&["SET", "k", "v"]);
        let Reply::Bulk(id) =
            host.client.call(&["RG.PYEXECUTE", "GB().count().run()", "UNBLOCKING"]).unwrap()
        else {
            panic!("an id is a string");
        };
        let id = String::from_utf8(id).unwrap();
        assert_eq!(host.say(&["RG.GETRESULTSBLOCKING", &id]), r#"[["1"], []]"#);
        assert_eq!(host.say(&["RG.GETRESULTS", &id]), r#"[["1"], []]"#);
        assert_eq!(host.say(&["RG.DROPEXECUTION", &id]), "OK");
    });
}

#[test]
fn a_trigger_calls_commands_and_answers_its_client() {
    in_each(&[], |host| {
        let add = "GB('CommandReader').map(lambda x: execute('INCRBY', x[1], x[2])).register(trigger='add')";
        assert_eq!(host.run(add), "OK");
        assert_eq!(host.say(&["RG.TRIGGER", "add", "n", "5"]), r#"["5"]"#);
        assert_eq!(host.say(&["RG.TRIGGERONKEY", "add", "n", "37"]), r#"["42"]"#);
        assert_eq!(host.say(&["COMMAND", "GETKEYS", "RG.TRIGGERONKEY", "add", "n"]), r#"["n"]"#);
        let dump = host.say(&["RG.DUMPREGISTRATIONS"]);
        assert!(
            dump.contains(r#""numTriggered", (integer) 2, "numSuccess", (integer) 2"#),
            "{dump}"
        );
        let info = host.say(&["INFO", "rg"]);
        assert!(info.contains("# rg\\r\\n") && info.contains("rg_nregistrations:1"), "{info}");
    });
}

#[test]
fn replies_of_commands_reach_the_function_as_they_are() {
    in_each(&[], |host| {
        host.say(&["SET", "k", "a\r\nb"]);
        let read = "GB('ShardsIDReader').map(lambda _: [execute('GET', 'k'), execute('GET', 'no'), execute('INCR', 'n'), execute('PING')]).run()";
        assert_eq!(host.run(read), r#"[["['a\\r\\nb', None, 1, 'PONG']"], []]"#);
        for (call, error) in [
            ("'LPUSH', 'k', 'x'", "WRONGTYPE"),
            ("'NOSUCH'", "unknown command"),
            ("'SELECT', '1'", "'select' is not allowed from a function"),
        ] {
            let said =
                host.run(&format!("GB('ShardsIDReader').map(lambda _: execute({call})).run()"));
            assert!(said.contains(error), "{said}");
        }
    });
}

#[test]
fn nothing_waits_inside_a_transaction_or_a_script() {
    in_each(&[], |host| {
        host.run("GB('CommandReader').map(lambda x: 1).register(trigger='one')");
        for words in [&["MULTI"][..], &["RG.TRIGGER", "one"], &["RG.INFOCLUSTER"]] {
            host.say(words);
        }
        let said = host.say(&["EXEC"]);
        assert!(
            said.contains("blocking is not allowed") && said.contains("no cluster mode"),
            "{said}"
        );
        let said = host.say(&["EVAL", "return redis.call('RG.TRIGGER', 'one')", "0"]);
        assert!(said.contains("blocking is not allowed"), "{said}");
        assert_eq!(host.say(&["RG.TRIGGER", "one"]), r#"["1"]"#);
    });
}

#[test]
fn a_key_event_runs_the_functions_that_asked_for_it() {
    in_each(&[], |host| {
        host.run("GB('KeysReader').foreach(lambda r: execute('RPUSH', 'seen', '%s %s %s' % (r['event'], r['key'], r['value']))).register(prefix='user:*', eventTypes=['set', 'del', 'expired', 'keymiss'])");
        host.say(&["SET", "user:1", "v"]);
        host.say(&["SET", "other", "v"]);
        host.eventually(&["LRANGE", "seen", "0", "-1"], r#"["set user:1 v"]"#);
        // One after the other: functions of different events run side by side.
        host.say(&["DEL", "user:1"]);
        host.eventually(&["LRANGE", "seen", "1", "-1"], r#"["del user:1 None"]"#);
        host.say(&["GET", "user:2"]);
        host.eventually(&["LRANGE", "seen", "2", "-1"], r#"["keymiss user:2 None"]"#);
        host.say(&["SELECT", "1"]);
        host.say(&["SET", "user:9", "other database"]);
        host.say(&["SELECT", "0"]);
        host.say(&["SET", "user:3", "v"]);
        host.eventually(&["LRANGE", "seen", "3", "-1"], r#"["set user:3 v"]"#);
        host.say(&["PEXPIRE", "user:3", "1"]);
        host.eventually(&["LRANGE", "seen", "4", "-1"], r#"["expired user:3 None"]"#);
    });
}

#[test]
fn a_sync_function_runs_inside_its_command() {
    in_each(&[], |host| {
        host.run("GB('CommandReader').map(lambda x: execute('INCR', 'n')).register(trigger='count', mode='sync')");
        assert_eq!(host.say(&["RG.TRIGGER", "count"]), r#"["1"]"#);
        for words in [&["MULTI"][..], &["RG.TRIGGER", "count"], &["GET", "n"]] {
            host.say(words);
        }
        assert_eq!(host.say(&["EXEC"]), r#"[["2"], "2"]"#);
        assert_eq!(
            host.say(&["EVAL", "return redis.call('RG.TRIGGER', 'count')", "0"]),
            r#"["3"]"#
        );
        // A function that calls another one.
        host.run("GB('CommandReader').map(lambda x: execute('RG.TRIGGER', 'count')).register(trigger='outer')");
        assert_eq!(host.say(&["RG.TRIGGER", "outer"]), r#"["['4']"]"#);
    });
}

#[test]
fn a_sync_function_of_an_event_is_done_when_the_client_has_its_reply() {
    in_each(&[], |host| {
        host.run("GB('KeysReader').foreach(lambda r: execute('APPEND', 'seen', r['value'])).register(prefix='k', eventTypes=['set'], mode='sync')");
        for value in ["a", "b", "c"] {
            assert_eq!(host.say(&["SET", "k", value]), "OK");
        }
        assert_eq!(host.say(&["GET", "seen"]), r#""abc""#);
        for words in [&["MULTI"][..], &["SET", "k", "?"], &["GET", "seen"]] {
            host.say(words);
        }
        // Nothing may be written between two commands of a transaction.
        assert_eq!(host.say(&["EXEC"]), r#"[OK, "abc"]"#);
        assert_eq!(host.say(&["GET", "seen"]), r#""abc?""#);
        host.run("GB('CommandReader').map(lambda x: (execute('SET', 'k', 'd'), execute('GET', 'seen'))[1]).register(trigger='write')");
        assert_eq!(host.say(&["RG.TRIGGER", "write"]), r#"["abc?d"]"#);
    });
}

#[test]
fn hooks_are_refused_until_they_are_there() {
    in_each(&[], |host| {
        let said = host.run("GB('CommandReader').register(hook='hset', mode='sync')");
        assert!(said.starts_with("(error)"), "{said}");
        assert_eq!(host.say(&["HSET", "h", "f", "v"]), "(integer) 1");
    });
}

#[test]
fn what_a_removed_key_held_cannot_be_told_and_is_not_promised() {
    in_each(&[], |host| {
        let said = host.run("GB().register('k', eventTypes=['set', 'before_deleted'])");
        assert!(said.contains("there is no event 'before_deleted' here"), "{said}");
        assert_eq!(host.say(&["RG.DUMPREGISTRATIONS"]), "[]");
    });
}

#[test]
fn what_a_function_writes_is_an_event_again() {
    in_each(&[], |host| {
        host.run("GB('KeysReader').foreach(lambda r: execute('SET', 'b', r['value'])).register(prefix='a', eventTypes=['set'])");
        host.run("GB('KeysReader').foreach(lambda r: execute('SET', 'c', r['value'])).register(prefix='b', eventTypes=['set'])");
        host.say(&["SET", "a", "7"]);
        host.eventually(&["GET", "c"], r#""7""#);
    });
}

#[test]
fn a_stream_is_worked_off_in_batches_and_by_time() {
    in_each(&[], |host| {
        host.run("GB('StreamReader').map(lambda r: r['value']['i']).aggregate('', lambda a, r: a + r, lambda a, r: a + r).foreach(lambda r: execute('RPUSH', 'done', r)).register(prefix='orders', batch=3, duration=200)");
        for i in ["1", "2", "3", "4"] {
            host.say(&["XADD", "orders", "*", "i", i]);
        }
        host.eventually(&["LRANGE", "done", "0", "-1"], r#"["123", "4"]"#);
        host.eventually(&["XLEN", "orders"], "(integer) 0");
    });
}

#[test]
fn an_atomic_block_has_the_data_to_itself_and_reaches_the_log_as_one() {
    in_each(&["--appendonly", "yes", "--appendfsync", "always"], |host| {
        host.run(
            "
import time
def f(x):
    with atomic():
        execute('SET', 'k', 'mine')
        time.sleep(0.2)
        execute('APPEND', 'k', '!')
    return 'done'
GB('CommandReader').map(f).register(trigger='slow')",
        );
        // Opens the log: it names the database before the first write.
        host.say(&["SET", "first", "v"]);
        let mut other = host.another_client();
        host.client.send(&["RG.TRIGGER", "slow"]).unwrap();
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let seen = other.call(&["GET", "k"]).unwrap().to_string();
            assert!(seen == "(nil)" || seen == r#""mine!""#, "{seen}");
            if seen != "(nil)" {
                break;
            }
            assert!(Instant::now() < deadline);
        }
        assert_eq!(host.reply(), r#"["done"]"#);
        let log = log_of_writes(host.process.directory());
        assert!(log.contains("MULTI SET k mine APPEND k ! EXEC"), "{log}");
    });
}

#[test]
fn a_block_that_holds_the_data_too_long_is_cut_off() {
    in_each(&[], |host| {
        host.say(&["RG.CONFIGSET", "atomic-max-ms", "200"]);
        host.run(
            "
import time
def f(x):
    with atomic():
        time.sleep(60)
GB('CommandReader').map(f).register(trigger='hold')",
        );
        let said = host.say(&["RG.TRIGGER", "hold"]);
        assert!(said.contains("atomic-max-ms (200)"), "{said}");
        assert_eq!(host.say(&["PING"]), "PONG");
    });
}

#[test]
fn a_worker_s_end_is_an_error_and_the_next_call_finds_a_new_one() {
    in_each(&[], |host| {
        host.run("
import os
GB('CommandReader').map(lambda x: os.abort() if x[1] == 'now' else 'alive').register(trigger='die')");
        let said = host.say(&["RG.TRIGGER", "die", "now"]);
        assert_eq!(said, "(error) worker was ended by SIGABRT");
        assert_eq!(host.say(&["RG.TRIGGER", "die", "later"]), r#"["alive"]"#);
    });
}

#[test]
fn an_endless_function_is_stopped_while_the_server_goes_on() {
    in_each(&["--maxclients", "100"], |host| {
        host.say(&["RG.CONFIGSET", "function-timeout-ms", "3000"]);
        host.client
            .send(&[
                "RG.PYEXECUTE",
                "def f(r):\n  while True: pass\nGB('ShardsIDReader').map(f).run()",
            ])
            .unwrap();
        let mut other = host.another_client();
        let started = Instant::now();
        while started.elapsed() < Duration::from_millis(200) {
            let asked = Instant::now();
            assert_eq!(other.call(&["PING"]).unwrap().to_string(), "PONG");
            assert!(asked.elapsed() < Duration::from_secs(1), "it waited for the function");
        }
        let said = host.reply();
        assert!(said.contains("function-timeout-ms"), "{said}");
    });
}

#[test]
fn a_long_read_leaves_room_for_other_clients() {
    in_each(&[], |host| {
        host.say(&["EVAL", "for i = 1, 60000 do redis.call('SET', 'k' .. i, i) end", "0"]);
        host.client
            .send(&["RG.PYEXECUTE", "GB().filter(lambda r: int(r['value']) > 0).count().run()"])
            .unwrap();
        let mut other = host.another_client();
        let mut pings = 0;
        let said = loop {
            assert_eq!(other.call(&["PING"]).unwrap().to_string(), "PONG");
            pings += 1;
            match host.client.next(Duration::from_millis(1)).unwrap() {
                Received::Silence => {}
                said => break text(said),
            }
        };
        assert_eq!(said, r#"[["60000"], []]"#);
        assert!(pings > 5, "only {pings}");
    });
}

#[test]
fn clients_that_leave_while_they_wait_are_forgotten() {
    in_each(&[], |host| {
        host.run(
            "
import time
GB('CommandReader').map(lambda x: time.sleep(0.1)).register(trigger='wait')",
        );
        for _ in 0..20 {
            let mut client = host.another_client();
            client.send(&["RG.TRIGGER", "wait"]).unwrap();
        }
        assert_eq!(host.say(&["RG.TRIGGER", "wait"]), r#"["None"]"#);
        let clients = host.say(&["INFO", "clients"]);
        assert!(clients.contains("blocked_clients:0"), "{clients}");
    });
}

#[test]
fn many_clients_share_a_turn() {
    in_each(&[], |host| {
        host.run("GB('CommandReader').map(lambda x: x[1]).register(trigger='echo')");
        let mut clients: Vec<Client> = (0..50).map(|_| host.another_client()).collect();
        for round in 0..10 {
            for (index, client) in clients.iter_mut().enumerate() {
                client.send(&["RG.TRIGGER", "echo", &format!("{round}-{index}")]).unwrap();
            }
            for (index, client) in clients.iter_mut().enumerate() {
                assert_eq!(text(client.reply().unwrap()), format!(r#"["{round}-{index}"]"#));
            }
        }
    });
}

#[test]
fn sessions_that_the_loop_has_no_room_for_work_all_the_same() {
    // Room for 128 descriptors more than clients; a session has two.
    in_each(&["--maxclients", "10"], |host| {
        for number in 0..70 {
            let script = format!(
                "GB('CommandReader').map(lambda x: {number}).register(trigger='t{number}')"
            );
            assert_eq!(host.run(&script), "OK");
        }
        for number in 0..70 {
            let said = host.say(&["RG.TRIGGER", &format!("t{number}")]);
            assert_eq!(said, format!(r#"["{number}"]"#));
        }
        let log = std::fs::read_to_string(host.process.directory().join("log")).unwrap();
        assert!(log.contains("raise maxclients"), "{log}");
    });
}

#[test]
fn functions_on_a_replica_read_but_do_not_write() {
    in_each(&[], |host| {
        host.say(&["SET", "k", "v"]);
        host.say(&["REPLICAOF", "127.0.0.1", "1"]);
        host.say(&["CONFIG", "SET", "replica-serve-stale-data", "yes"]);
        assert_eq!(host.run("GB().map(lambda r: r['value']).run('k')"), r#"[["v"], []]"#);
        let said = host.run("GB('ShardsIDReader').map(lambda _: execute('SET', 'k', 'w')).run()");
        assert!(said.contains("write"), "{said}");
        assert_eq!(host.say(&["GET", "k"]), r#""v""#);
    });
}

#[test]
fn the_module_stays_and_is_not_loaded_twice() {
    in_each(&["--enable-module-command", "yes"], |host| {
        assert!(host.say(&["MODULE", "UNLOAD", "rg"]).starts_with("(error)"));
        assert!(
            host.say(&["MODULE", "LOAD", &servers::library().display().to_string()])
                .starts_with("(error)")
        );
        assert_eq!(host.run("GB('ShardsIDReader').run()"), r#"[["1"], []]"#);
    });
}

#[test]
fn an_execution_ends_with_its_client_where_its_session_says_so() {
    in_each(&[], |host| {
        let script = "
import time
def wait(r):
    execute('SET', 'begun', 1)
    while True: time.sleep(0.01)
GB('CommandReader').map(wait).register(trigger='wait')";
        let limit = ["LIMIT", "function-kill-on-disconnect", "yes"];
        let words: Vec<&str> = ["RG.PYEXECUTE", script].into_iter().chain(limit).collect();
        assert_eq!(host.say(&words), "OK");
        let mut leaving = host.another_client();
        leaving.send(&["RG.TRIGGER", "wait"]).unwrap();
        host.eventually(&["GET", "begun"], "\"1\"");
        drop(leaving);
        let deadline = Instant::now() + Duration::from_secs(10);
        while !host.say(&["RG.DUMPREGISTRATIONS"]).contains("function-kill-on-disconnect") {
            assert!(Instant::now() < deadline, "it goes on");
            sleep(Duration::from_millis(10));
        }
    });
}

#[test]
fn the_environment_and_the_network_are_kept_from_functions_here_too() {
    let options =
        ["function-env", "GIVEN=1", "function-inherit-env", "no", "function-network", "no"];
    in_each(&options, |host| {
        let look = "import os\nGB('ShardsIDReader').map(lambda r: os.environ.get('GIVEN')).run()";
        let said = host.run(look);
        let is_there = host.say(&["INFO", "rg"]).contains("rg_no_network:available");
        assert_eq!(said == r#"[["1"], []]"#, is_there, "{said}");
        let said = host.run("import socket\nsocket.socket()");
        assert!(said.contains("PermissionError") || said.contains("was not run"), "{said}");
    });
}
