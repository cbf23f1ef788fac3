//! The tables of one part, with what a reader must know to judge them; and their place in docs/benchmarks.md.

use std::fs;
use std::io;
use std::process::Command;
use std::thread::available_parallelism;

use super::options::{Options, Section};
use super::table::Table;
use crate::root;

pub(super) struct Report {
    text: String,
}

impl Report {
    pub(super) fn new(options: &Options) -> io::Result<Report> {
        let text = conditions(options)?;
        println!("\n{text}");
        Ok(Report { text })
    }

    /// Shows it at once: a whole run takes long.
    pub(super) fn add(&mut self, table: Table) {
        let table = table.to_markdown();
        println!("{table}");
        self.text.push('\n');
        self.text.push_str(&table);
    }

    /// Into docs/benchmarks.md, in place of what was measured before.
    pub(super) fn write(&self, section: Section) -> Result<(), String> {
        let path = root().join("docs/benchmarks.md");
        let failed = |error: io::Error| format!("{}: {error}", path.display());
        let page = fs::read_to_string(&path).map_err(failed)?;
        let page = between_markers(&page, section.name(), &self.text)
            .ok_or_else(|| format!("{} has lost its markers", path.display()))?;
        fs::write(&path, page).map_err(failed)
    }
}

fn between_markers(page: &str, section: &str, report: &str) -> Option<String> {
    let begin = format!("<!-- cargo xtask bench, {section}: begin -->\n");
    let end = format!("<!-- cargo xtask bench, {section}: end -->\n");
    let (before, rest) = page.split_once(&begin)?;
    let (_, after) = rest.split_once(&end)?;
    Some(format!("{before}{begin}\n{report}\n{end}{after}"))
}

fn conditions(options: &Options) -> io::Result<String> {
    let cores = available_parallelism().map_or(1, usize::from);
    let load = fs::read_to_string("/proc/loadavg")?;
    let load = load.split(' ').next().unwrap_or("unknown");
    let rows = [
        ("date", said_by("date", &["-u", "+%Y-%m-%d"])),
        ("processor", format!("{cores} cores, {}", processor()?)),
        ("memory", memory()?),
        ("system", said_by("uname", &["-sr"])),
        ("Mainspring", format!("commit {}", said_by("git", &["describe", "--always", "--dirty"]))),
        ("peer", said_by("redis-server", &["--version"])),
        ("Python", said_by("python3", &["--version"])),
        ("compiler", said_by("rustc", &["--version"])),
        ("rounds", format!("{}, in turn; medians", options.rounds)),
        ("scale", options.scale.name.into()),
        ("processes that wanted a core when it began", load.to_owned()),
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
    fn a_new_report_replaces_its_old_one_and_nothing_else() {
        let page = "a\n<!-- cargo xtask bench, data: begin -->\nold\n<!-- cargo xtask bench, data: end -->\n\
                    b\n<!-- cargo xtask bench, memory: begin -->\nold\n<!-- cargo xtask bench, memory: end -->\n";
        let data = between_markers(page, "data", "new\n").unwrap();
        assert_eq!(data, page.replacen("old", "\nnew\n", 1));
        assert_eq!(between_markers(&data, "data", "new\n").unwrap(), data);
        assert_eq!(between_markers(page, "functions", "new\n"), None);
    }

    #[test]
    fn the_page_has_a_place_for_every_part() {
        let page = fs::read_to_string(root().join("docs/benchmarks.md")).unwrap();
        for section in Section::ALL {
            assert!(between_markers(&page, section.name(), "").is_some(), "{section:?}");
        }
    }
}
