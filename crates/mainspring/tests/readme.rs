//! What the README shows is what happens: its files are written, its redis-cli lines run, their output compared.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use test_support::ServerProcess;

const README: &str = include_str!("../../../README.md");
/// A trigger works a moment after the command that caused it.
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn the_readme_tells_the_truth() {
    let server =
        ServerProcess::mainspring(Path::new(env!("CARGO_BIN_EXE_mainspring")), &[]).unwrap();
    let directory = server.directory();
    // People see its answers as a terminal shows them, from a server on its usual port.
    let stand_in = format!(
        "#!/bin/sh\nPATH=${{PATH#*:}} exec redis-cli --no-raw -p {} \"$@\"\n",
        server.address().port()
    );
    fs::write(directory.join("redis-cli"), stand_in).unwrap();
    fs::set_permissions(directory.join("redis-cli"), fs::Permissions::from_mode(0o755)).unwrap();

    let (mut files, mut commands) = (0, 0);
    for (introduction, block) in blocks(README) {
        if block.starts_with("$ ") {
            for exchange in block.split("$ ").skip(1) {
                let (command, output) = exchange.split_once('\n').unwrap();
                says(directory, command, output.trim_end());
                commands += 1;
            }
        } else if let Some(name) = named_file(introduction) {
            fs::write(directory.join(name), block).unwrap();
            files += 1;
        }
    }
    assert_eq!((files, commands), (3, 8));
}

#[test]
fn the_readme_shows_the_version_line() {
    let output = Command::new(env!("CARGO_BIN_EXE_mainspring")).arg("--version").output().unwrap();
    let line = String::from_utf8(output.stdout).unwrap();
    assert!(README.contains(&format!("    {line}")), "{line}");
}

fn says(directory: &Path, command: &str, output: &str) {
    let path = format!("{}:{}", directory.display(), std::env::var("PATH").unwrap());
    let deadline = Instant::now() + PATIENCE;
    loop {
        let mut shell = Command::new("sh");
        let came =
            shell.args(["-c", command]).current_dir(directory).env("PATH", &path).output().unwrap();
        let came = String::from_utf8_lossy(&came.stdout).trim_end().to_owned();
        if came == output {
            return;
        }
        // Asking again changes nothing only if the command changes nothing.
        let may_repeat = command.starts_with("redis-cli HGETALL");
        assert!(
            may_repeat && Instant::now() < deadline,
            "{command}\nsays:\n{came}\nnot:\n{output}"
        );
        sleep(Duration::from_millis(5));
    }
}

/// Every indented block, without its indentation, and the line of prose before it.
fn blocks(text: &str) -> Vec<(&str, String)> {
    let mut blocks: Vec<(&str, String)> = Vec::new();
    let (mut introduction, mut block) = ("", String::new());
    for line in text.lines().chain(["end"]) {
        if let Some(code) = line.strip_prefix("    ") {
            block += code;
            block.push('\n');
        } else if line.is_empty() {
            if !block.is_empty() {
                block.push('\n');
            }
        } else {
            if !block.is_empty() {
                blocks.push((introduction, std::mem::take(&mut block)));
            }
            introduction = line;
        }
    }
    blocks
}

/// `…, `words.py`:` names the file that follows.
fn named_file(introduction: &str) -> Option<&str> {
    introduction.strip_suffix("`:")?.rsplit_once('`').map(|(_, name)| name)
}
