//! The binary's face: what it answers to each way of being called.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

#[test]
fn without_arguments_it_helps() {
    for arguments in [&[][..], &["--help"], &["-h"], &["help"]] {
        let output = run(arguments);
        assert!(output.status.success());
        assert!(
            text(&output.stdout).starts_with("Mainspring: a Redis-compatible"),
            "{arguments:?}"
        );
    }
    assert!(text(&run(&["help", "server"]).stdout).contains("--stop-with-stdin"));
}

#[test]
fn the_version_is_one_line() {
    let output = run(&["--version"]);
    let line = text(&output.stdout);
    assert!(output.status.success() && line.lines().count() == 1, "{line}");
    assert!(line.starts_with("Mainspring server, Redis v=7."), "{line}");
}

#[test]
fn what_it_does_not_know_ends_with_two() {
    let output = run(&["sevrer"]);
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(
        text(&output.stderr),
        "mainspring: unknown command 'sevrer' (did you mean 'server'?)\n"
    );
    assert_eq!(run(&["demo", "--nosuch"]).status.code(), Some(2));
}

#[test]
fn a_wrong_configuration_is_one_line_that_says_where() {
    let file = std::env::temp_dir().join(format!("mainspring-{}.conf", std::process::id()));
    fs::write(&file, "# a comment\nport 70000\n").unwrap();
    let file = file.to_str().unwrap();
    let in_file =
        format!("{file}:2: bad value for 'port': argument must be between 0 and 65535 inclusive");
    for (arguments, line) in [
        (&["server", file][..], in_file.as_str()),
        (&["server", "--config", file], &in_file),
        (
            &["server", "/nonexistent"],
            "cannot read '/nonexistent': No such file or directory (os error 2)",
        ),
        (&["server", "--nosuch", "1"], "unknown option 'nosuch'"),
        (&["--port", "x"], "bad value for 'port': argument must be a number"),
        (
            &["--port", "0", "--logfile", "/nonexistent/log"],
            "cannot open logfile '/nonexistent/log': No such file or directory (os error 2)",
        ),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}");
        assert_eq!(text(&output.stderr), format!("mainspring: {line}\n"), "{arguments:?}");
    }
    fs::remove_file(file).unwrap();
}

/// As pytest-redis and its kind start a redis-server; this one ends when its standard input does.
#[test]
fn options_alone_start_a_server() {
    let (mut server, mut log) = started();
    drop(server.stdin.take());
    assert!(log.any(|line| line.contains("ready to exit")));
    assert!(server.wait().unwrap().success());
}

/// Whoever looks at a machine's processes sees what they are, not their source.
#[test]
fn process_listings_stay_readable() {
    let (mut server, _log) = started();
    let pid = server.id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    let zygote = children.split_whitespace().next().expect("a Python process is kept warm");
    let seen = || text(&fs::read(format!("/proc/{zygote}/cmdline")).unwrap());
    // Clients are not kept waiting for Python: the process may be about to become one.
    let deadline = Instant::now() + Duration::from_secs(20);
    while !seen().trim_end_matches('\0').ends_with("mainspring-workers") {
        assert!(Instant::now() < deadline, "{}", seen());
        thread::sleep(Duration::from_millis(1));
    }
    let command_line = seen();
    assert!(command_line.len() < 200, "{command_line}");
    drop(server.stdin.take());
    assert!(server.wait().unwrap().success());
}

/// A server that is ready, and what it says from then on.
fn started() -> (Child, impl Iterator<Item = String>) {
    let mut server = Command::new(env!("CARGO_BIN_EXE_mainspring"))
        .args(["--port", "0", "--stop-with-stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(log.any(|line| line.contains("Ready to accept connections")));
    (server, log)
}

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mainspring")).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
