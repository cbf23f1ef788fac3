//! The demonstration, as people run it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn the_story_is_told_over_the_repository() {
    let story = told(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert!(story.contains("documents and sources of this repository"), "{story}");
    assert!(number_after(&story, "  lines") > 10_000, "{story}");
    assert!(story.contains("1,000 lines at once") && story.contains("  *.rs "), "{story}");
}

#[test]
fn the_story_is_told_anywhere() {
    let directory = Scratch::new("anywhere");
    let story = told(&directory.path);
    assert!(story.contains("documents that come with the program"), "{story}");
    for essential in [
        "1  Data",
        "words/s",
        "GearsBuilder('KeysOnlyReader').count()",
        "from the SET until the line is in the index",
        "entries/s",
        "RG.TRIGGER find ",
        "from call to reply",
        "Traceback (most recent call last):",
        "ZeroDivisionError: division by zero",
        "worker exited with code 3",
        "as before",
        "redis-cli",
    ] {
        assert!(story.contains(essential), "no {essential:?} in:\n{story}");
    }
    // What the server and its log say is no part of the story.
    assert!(!story.contains("Ready to accept"), "{story}");
    assert_eq!(fs::read_dir(&directory.path).unwrap().count(), 0);
}

#[test]
fn a_server_that_stays_serves_until_the_demonstration_is_ended() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainspring"));
    command.args(["demo", "--stay"]).current_dir("/").stdout(Stdio::piped());
    let mut demo = command.spawn().unwrap();
    // Read from until the end of the test: a demonstration that nobody listens to ends.
    let mut lines = BufReader::new(demo.stdout.take().unwrap()).lines().map_while(Result::ok);
    let port = lines.find_map(|line| {
        line.trim().strip_prefix("redis-cli -p ")?.split(' ').next()?.parse().ok()
    });
    let port: u16 = port.expect("the story ends with how to connect");

    let mut client = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(b"RG.TRIGGER find functions\r\n").unwrap();
    let mut kind = [0];
    client.read_exact(&mut kind).unwrap();
    assert_eq!(&kind, b"*", "the command is still registered");

    // Not a chance to tidy up: whoever killed it must not have to look for its server.
    demo.kill().unwrap();
    demo.wait().unwrap();
    let deadline = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
        assert!(Instant::now() < deadline, "the server outlives the demonstration");
        sleep(Duration::from_millis(10));
    }
}

#[test]
fn without_a_python_there_is_a_clear_message() {
    let output = demo(Path::new("/"), &["--python", "no-such-python"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("Python 3.8 or newer") && said.contains("no-such-python"), "{said}");
}

#[test]
fn a_python_that_is_too_old_is_named_with_its_version() {
    let directory = Scratch::new("old");
    let python = directory.path.join("python");
    fs::write(&python, "#!/bin/sh\necho 3.7.16\n").unwrap();
    fs::set_permissions(&python, fs::Permissions::from_mode(0o755)).unwrap();
    let output = demo(Path::new("/"), &["--python", python.to_str().unwrap()]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("is Python 3.7.16"), "{said}");
}

/// What it says, in `directory`; it must end well and leave no server behind.
fn told(directory: &Path) -> String {
    let output = demo(directory, &[]);
    let story = String::from_utf8(output.stdout).unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{story}\n{said}");
    assert_eq!(said, "", "{story}");
    let server = number_after(&story, "A server of its own: process");
    assert!(!Path::new(&format!("/proc/{server}")).exists(), "process {server} is left over");
    story
}

fn demo(directory: &Path, options: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mainspring"));
    command.arg("demo").args(options).current_dir(directory).output().unwrap()
}

/// The number that follows the first of these words.
fn number_after(story: &str, words: &str) -> usize {
    let (_, rest) = story.split_once(words).unwrap_or_else(|| panic!("no {words:?} in:\n{story}"));
    let digits =
        rest.trim_start().chars().take_while(|letter| *letter == ',' || letter.is_ascii_digit());
    digits.filter(char::is_ascii_digit).collect::<String>().parse().unwrap()
}

struct Scratch {
    path: PathBuf,
}

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path =
            std::env::temp_dir().join(format!("mainspring-demo-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        Scratch { path }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.path);
    }
}
