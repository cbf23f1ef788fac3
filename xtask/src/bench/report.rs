//! All tables of one run, with what a reader must know to judge them; and their place in docs/benchmarks.md.

use std::fs;
use std::io;
use std::process::Command;
use std::thread::available_parallelism;

use super::cores::Apart;
use super::options::Options;
use super::table::Table;
use crate::root;

const BEGIN: &str = "<!-- written by cargo xtask bench: begin -->\n";
const END: &str = "<!-- written by cargo xtask bench: end -->\n";

#[derive(Default)]
pub(super) struct Report {
    tables: Vec<Table>,
}

impl Report {
    /// Shows it at once too: a whole run takes long.
    pub(super) fn add(&mut self, table: Table) {
        println!("\n{}", table.to_markdown());
        self.tables.push(table);
    }

    pub(super) fn to_markdown(&self, options: &Options) -> io::Result<String> {
        let mut text = conditions(options)?;
        for table in &self.tables {
            text.push('\n');
            text.push_str(&table.to_markdown());
        }
        Ok(text)
    }
}

pub(super) fn write(report: &str) -> Result<(), String> {
    let path = root().join("docs/benchmarks.md");
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    let page = fs::read_to_string(&path).map_err(failed)?;
    let page = between_markers(&page, report)
        .ok_or_else(|| format!("{} has lost its markers", path.display()))?;
    fs::write(&path, page).map_err(failed)
}

fn between_markers(page: &str, report: &str) -> Option<String> {
    let (before, rest) = page.split_once(BEGIN)?;
    let (_, after) = rest.split_once(END)?;
    Some(format!("{before}{BEGIN}\n{report}\n{END}{after}"))
}

fn conditions(options: &Options) -> io::Result<String> {
    let cores = available_parallelism().map_or(1, usize::from);
    let placement = if Apart::here().is_some() {
        "server and load generator on cores of their own"
    } else {
        "server and load generator not held apart"
    };
    let rows = [
        ("date", said_by("date", &["-u", "+%Y-%m-%d"])),
        ("processor", format!("{cores} cores, {}", processor()?)),
        ("memory", memory()?),
        ("system", said_by("uname", &["-sr"])),
        ("Mainspring", format!("commit {}", said_by("git", &["rev-parse", "--short", "HEAD"]))),
        ("peer", said_by("redis-server", &["--version"])),
        ("Python", said_by("python3", &["--version"])),
        ("compiler", said_by("rustc", &["--version"])),
        ("rounds", format!("{}, in turn; medians; {placement}", options.rounds)),
    ];
    let mut text = String::from("| | |\n| --- | --- |\n");
    for (name, value) in rows {
        text.push_str(&format!("| {name} | {value} |\n"));
    }
    Ok(text)
}

fn processor() -> io::Result<String> {
    Ok(value_of(&fs::read_to_string("/proc/cpuinfo")?, "model name"))
}

fn memory() -> io::Result<String> {
    let total = value_of(&fs::read_to_string("/proc/meminfo")?, "MemTotal");
    let kilobytes = total.trim_end_matches(" kB").parse::<u64>().unwrap_or_default();
    Ok(format!("{} GiB", kilobytes >> 20))
}

fn value_of(text: &str, name: &str) -> String {
    text.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(one, _)| one.trim() == name)
        .map_or_else(|| "unknown".into(), |(_, value)| value.trim().to_owned())
}

/// The first line that a program says.
fn said_by(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).current_dir(root()).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    text.ok()
        .and_then(|text| text.lines().next().map(str::to_owned))
        .unwrap_or_else(|| "unknown".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_report_replaces_the_old_one_and_nothing_else() {
        let page = format!("before\n{BEGIN}old\n{END}after\n");
        let once = between_markers(&page, "new\n").unwrap();
        assert_eq!(once, format!("before\n{BEGIN}\nnew\n\n{END}after\n"));
        assert_eq!(between_markers(&once, "new\n").unwrap(), once);
        assert_eq!(between_markers("no markers", "new"), None);
    }
}
