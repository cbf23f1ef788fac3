//! Runs every script on every target; stands in for the test harness, so that each pair is a test of its own.
//!
//! `UPDATE_GOLDEN=1` rewrites the expectations instead: from the oracle, or from our own server where the oracle lacks
//! the commands. A line that still fits, placeholders included, stays as it was written.

use std::collections::VecDeque;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::client::Client;
use crate::conversation::Conversation;
use crate::expectation::matches;
use crate::script::{Block, Script, Section};
use crate::target::{Target, chosen_targets};
use crate::wire::Connect;

/// Groups of which the installed redis-server knows nothing.
const UNKNOWN_TO_THE_ORACLE: [&str; 2] = ["functions", "redis-7.2"];

/// How often `soon>` asks again.
const ASKING_INTERVAL: Duration = Duration::from_millis(5);

/// What `soon>` becomes is not known then: so it is what there is after a while.
const REWRITING_PATIENCE: Duration = Duration::from_secs(2);

/// The whole test program: `arguments` are those that cargo hands to a test.
pub fn main(
    scripts: &Path,
    mainspring: &Path,
    in_process: Box<dyn Target>,
    arguments: impl Iterator<Item = String>,
) -> ExitCode {
    let rewrite = std::env::var_os("UPDATE_GOLDEN").is_some();
    run_all(scripts, &chosen_targets(mainspring, Some(in_process)), |_| true, rewrite, arguments)
}

/// The same for targets that are held against what others have said, and have not all groups of commands.
pub fn compare(
    scripts: &Path,
    targets: &[Box<dyn Target>],
    has_script: impl Fn(&str) -> bool,
    arguments: impl Iterator<Item = String>,
) -> ExitCode {
    run_all(scripts, targets, has_script, false, arguments)
}

fn run_all(
    scripts: &Path,
    targets: &[Box<dyn Target>],
    has_script: impl Fn(&str) -> bool,
    rewrite: bool,
    arguments: impl Iterator<Item = String>,
) -> ExitCode {
    let options = Options::read(arguments);
    let all = match find_scripts(scripts) {
        Ok(all) => all,
        Err(error) => {
            eprintln!("no scripts in {}: {error}", scripts.display());
            return ExitCode::FAILURE;
        }
    };

    let mut plans: Vec<Plan> = Vec::new();
    for target in targets {
        let tests: VecDeque<Test> = all
            .iter()
            .filter(|script| has_script(&script.name))
            .filter(|script| {
                let has_commands =
                    target.name() != "oracle" || !is_unknown_to_the_oracle(&script.name);
                let is_authority =
                    (target.name() == "oracle") != is_unknown_to_the_oracle(&script.name);
                if rewrite { is_authority } else { has_commands }
            })
            .map(|script| Test {
                title: format!("{} @{}", script.name, target.name()),
                path: script.path.clone(),
            })
            .filter(|test| options.wants(&test.title))
            .collect();
        plans.push(Plan { target: target.as_ref(), tests: Mutex::new(tests) });
    }
    if options.list {
        for test in
            plans.iter().flat_map(|plan| plan.tests.lock().expect("nobody runs yet").clone())
        {
            println!("{}: test", test.title);
        }
        return ExitCode::SUCCESS;
    }

    let total: usize =
        plans.iter().map(|plan| plan.tests.lock().expect("nobody runs yet").len()).sum();
    println!("\nrunning {total} tests");
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for plan in &plans {
            for _ in 0..options.threads {
                scope.spawn(|| plan.work(rewrite, &failures));
            }
        }
    });

    let failures = failures.into_inner().expect("no test panics while it reports");
    for failure in &failures {
        println!("\n---- {failure}");
    }
    let verdict = if failures.is_empty() { "ok" } else { "FAILED" };
    println!(
        "\ntest result: {verdict}. {} passed; {} failed\n",
        total - failures.len(),
        failures.len()
    );
    if failures.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

struct Options {
    filters: Vec<String>,
    skipped: Vec<String>,
    exact: bool,
    list: bool,
    threads: usize,
}

impl Options {
    /// Understands what matters of the standard harness's options and passes over the rest.
    fn read(mut arguments: impl Iterator<Item = String>) -> Options {
        let threads = thread::available_parallelism().map_or(1, usize::from);
        let mut options =
            Options { filters: vec![], skipped: vec![], exact: false, list: false, threads };
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--exact" => options.exact = true,
                "--list" => options.list = true,
                "--skip" => options.skipped.extend(arguments.next()),
                "--test-threads" => {
                    options.threads =
                        arguments.next().and_then(|count| count.parse().ok()).unwrap_or(threads);
                }
                // These have a value that must not be taken for a filter.
                "--format" | "--color" | "--logfile" | "-Z" => drop(arguments.next()),
                option if option.starts_with('-') => {}
                _ => options.filters.push(argument),
            }
        }
        options
    }

    fn wants(&self, title: &str) -> bool {
        let fits = |pattern: &String| {
            if self.exact { title == pattern } else { title.contains(pattern.as_str()) }
        };
        (self.filters.is_empty() || self.filters.iter().any(fits)) && !self.skipped.iter().any(fits)
    }
}

struct Plan<'a> {
    target: &'a dyn Target,
    tests: Mutex<VecDeque<Test>>,
}

#[derive(Clone)]
struct Test {
    title: String,
    path: PathBuf,
}

impl Plan<'_> {
    /// Takes tests until none is left, with one server for as long as nothing fails: a failed script may leave any
    /// state behind. So do those that register functions.
    fn work(&self, rewrite: bool, failures: &Mutex<Vec<String>>) {
        let mut server: Option<Box<dyn Connect>> = None;
        loop {
            let Some(test) = self.tests.lock().expect("no holder panics").pop_front() else {
                return;
            };
            let started = match server.take() {
                Some(running) => Ok(running),
                None => self
                    .target
                    .start()
                    .map_err(|error| format!("the target does not start: {error}")),
            };
            let outcome = started.and_then(|running| {
                if rewrite {
                    rewrite_script(&test.path, running.as_ref())
                } else {
                    run(&test.path, running.as_ref())
                }?;
                if !leaves_functions(&test.path) {
                    server = Some(running);
                }
                Ok(())
            });
            println!("test {} ... {}", test.title, if outcome.is_ok() { "ok" } else { "FAILED" });
            if let Err(why) = outcome {
                failures.lock().expect("no holder panics").push(format!("{}\n{why}", test.title));
            }
        }
    }
}

/// Runs one script to its end or to the first block that is not as expected.
pub fn run(path: &Path, server: &dyn Connect) -> Result<(), String> {
    let script = read_script(path)?;
    let mut conversation = Conversation::begin(server).map_err(|error| error.to_string())?;
    for section in &script.sections {
        let Section::Block(block) = section else { continue };
        let spoken = speak(&mut conversation, block, Client::PATIENCE);
        let shown =
            spoken.map_err(|why| format!("{}:{}\n{why}", path.display(), block.line_number))?;
        let same = shown.len() == block.expected.len()
            && shown
                .iter()
                .zip(&block.expected)
                .all(|(actual, expected)| matches(expected, actual));
        if !same {
            return Err(format!(
                "{}:{}\n{}",
                path.display(),
                block.line_number,
                difference(block, &shown)
            ));
        }
    }
    Ok(())
}

fn rewrite_script(path: &Path, server: &dyn Connect) -> Result<(), String> {
    let script = read_script(path)?;
    let mut conversation = Conversation::begin(server).map_err(|error| error.to_string())?;
    let mut text = String::new();
    for section in &script.sections {
        match section {
            Section::Prose(line) => {
                text.push_str(line);
                text.push('\n');
            }
            Section::Block(block) => {
                let spoken = speak(&mut conversation, block, REWRITING_PATIENCE);
                let mut shown = spoken
                    .map_err(|why| format!("{}:{}\n{why}", path.display(), block.line_number))?;
                for (actual, expected) in shown.iter_mut().zip(&block.expected) {
                    if matches(expected, actual) {
                        actual.clone_from(expected);
                    }
                }
                text.push_str(&block.rewritten(&shown));
            }
        }
    }
    fs::write(path, text).map_err(|error| error.to_string())
}

fn speak(
    conversation: &mut Conversation,
    block: &Block,
    patience: Duration,
) -> Result<Vec<String>, String> {
    let mut shown = Vec::new();
    for line in &block.lines {
        let deadline = Instant::now() + patience;
        loop {
            let reply = conversation
                .speak(line)
                .map_err(|error| format!("  {}\n! {error}", line.source))?;
            let is_as_expected = || {
                let expected = block.expected.get(shown.len());
                reply.as_ref().zip(expected).is_some_and(|(reply, it)| matches(it, reply))
            };
            if !line.soon || is_as_expected() || Instant::now() > deadline {
                shown.extend(reply);
                break;
            }
            thread::sleep(ASKING_INTERVAL);
        }
    }
    Ok(shown)
}

fn difference(block: &Block, shown: &[String]) -> String {
    let mut text: String = block.lines.iter().map(|line| format!("  {}\n", line.source)).collect();
    for index in 0..shown.len().max(block.expected.len()) {
        match (block.expected.get(index), shown.get(index)) {
            (Some(expected), Some(actual)) if matches(expected, actual) => {
                text.push_str(&format!("  {actual}\n"))
            }
            (expected, actual) => {
                text.extend(expected.map(|line| format!("- {line}\n")));
                text.extend(actual.map(|line| format!("+ {line}\n")));
            }
        }
    }
    text
}

struct Found {
    /// `group/name`
    name: String,
    path: PathBuf,
}

fn leaves_functions(path: &Path) -> bool {
    path.parent().is_some_and(|group| group.ends_with("functions"))
}

fn is_unknown_to_the_oracle(name: &str) -> bool {
    UNKNOWN_TO_THE_ORACLE.iter().any(|group| name.split('/').next() == Some(group))
}

fn find_scripts(root: &Path) -> io::Result<Vec<Found>> {
    let mut found = Vec::new();
    for group in fs::read_dir(root)? {
        let group = group?;
        if !group.file_type()?.is_dir() {
            continue;
        }
        for script in fs::read_dir(group.path())? {
            let path = script?.path();
            if path.extension().is_some_and(|extension| extension == "script") {
                let stem = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
                found.push(Found {
                    name: format!("{}/{stem}", group.file_name().to_string_lossy()),
                    path,
                });
            }
        }
    }
    found.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(found)
}

fn read_script(path: &Path) -> Result<Script, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Script::parse(&text).map_err(|why| format!("{}: {why}", path.display()))
}
