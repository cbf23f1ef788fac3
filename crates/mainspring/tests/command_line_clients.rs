//! redis-cli and redis-benchmark, as they are installed, against every target.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use test_support::{ServerProcess, chosen_processes};

const SESSION: &str = "\
PING
SET k \"two words\"
GET k
INCR k
RPUSH l a b c
LRANGE l 0 -1
HSET h f v
HGETALL h
SADD s m
SMEMBERS s
ZADD z 1.5 m
ZRANGE z 0 -1 WITHSCORES
XADD x 1-1 f v
XRANGE x - +
MULTI
GET k
LPUSH k x
EXEC
GET missing
NOSUCH
EXPIRE k 1000
DBSIZE
";

#[test]
fn a_piped_session_reads_the_same_in_both_protocols() {
    for protocol in ["-2", "-3"] {
        let mut sessions = servers().into_iter().map(|(name, server)| {
            let output = run("redis-cli", server.address(), &[protocol], SESSION);
            (name, String::from_utf8_lossy(&output.stdout).into_owned())
        });
        let (_, first) = sessions.next().expect("TEST_TARGETS names at least one target");
        assert!(first.contains("two words") && first.contains("WRONGTYPE"), "{first}");
        for (name, session) in sessions {
            assert_eq!(session, first, "{name}, protocol {protocol}");
        }
    }
}

/// What the interactive mode asks for before its first prompt; without it there is no completion and no hint.
#[test]
fn redis_cli_learns_what_a_command_takes() {
    for (name, server) in servers() {
        let output = run(
            "redis-cli",
            server.address(),
            &["--no-auth-warning", "COMMAND", "DOCS", "SET"],
            "",
        );
        let docs = String::from_utf8_lossy(&output.stdout).into_owned();
        let lines: Vec<&str> = docs.lines().map(str::trim).collect();
        assert_eq!(lines[0], "set", "{name}");
        for field in
            ["summary", "since", "group", "arguments", "key", "value", "condition", "expiration"]
        {
            assert!(lines.contains(&field), "{name} does not tell {field} of SET:\n{docs}");
        }
    }
}

#[test]
fn redis_cli_inserts_in_mass() {
    let commands: String =
        (0..1000).map(|n| format!("*3\r\n$3\r\nSET\r\n$4\r\n{n:04}\r\n$1\r\nv\r\n")).collect();
    for (name, server) in servers() {
        let output = run("redis-cli", server.address(), &["--pipe"], &commands);
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(said.contains("errors: 0, replies: 1000"), "{name}: {said}");
        let scanned = run("redis-cli", server.address(), &["--scan", "--pattern", "00*"], "");
        assert_eq!(String::from_utf8_lossy(&scanned.stdout).lines().count(), 100, "{name}");
    }
}

#[test]
fn redis_benchmark_finishes_every_test() {
    const TESTS: &str =
        "ping,set,get,incr,lpush,rpush,lpop,rpop,sadd,hset,spop,zadd,zpopmin,lrange_100,mset";
    for (name, server) in servers() {
        let arguments = ["-q", "-n", "400", "-c", "8", "-P", "4", "-t", TESTS];
        let output = run("redis-benchmark", server.address(), &arguments, "");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        // PING is measured inline and as a request, and LRANGE fills its list first.
        let finished = said.matches("requests per second").count();
        assert!(finished >= 16 && !said.contains("Error"), "{name}: {said}");
    }
}

fn servers() -> Vec<(String, ServerProcess)> {
    chosen_processes(Path::new(env!("CARGO_BIN_EXE_mainspring")))
}

fn run(program: &str, address: SocketAddr, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(program)
        .args(["-h", &address.ip().to_string(), "-p", &address.port().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} does not start: {error}"));
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    output
}
