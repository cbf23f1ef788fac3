//! What the command line asks for, and how much work that means.

use std::time::Duration;

pub(super) const USAGE: &str = "\
cargo xtask bench [--quick] [--only data|memory|functions|write-behind] [--rounds N] [--write]

  --quick   small counts: to see in a few minutes that everything runs; its figures are noise
  --only    one part
  --rounds  how often every figure is taken (5); its median counts
  --write   put the tables into docs/benchmarks.md, each part when it is done";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Data,
    Memory,
    Functions,
    WriteBehind,
}

#[derive(Debug)]
pub(super) struct Options {
    pub(super) rounds: usize,
    pub(super) writes: bool,
    pub(super) scale: Scale,
    only: Option<Section>,
}

/// How large the data are and how long a figure is taken.
#[derive(Debug)]
pub(super) struct Scale {
    pub(super) name: &'static str,
    pub(super) keys: u64,
    pub(super) hashes: u64,
    /// Of the server's processor, for one figure. The kernel counts in ticks of 10 ms.
    pub(super) cpu: Duration,
    /// For the figures that are taken by the clock.
    pub(super) wall: Duration,
    pub(super) stream_entries: u64,
    pub(super) calls: usize,
    pub(super) starts: usize,
    /// That a database behind us gets.
    pub(super) rows: u64,
}

const FULL: Scale = Scale {
    name: "full",
    keys: 1_000_000,
    hashes: 200_000,
    cpu: Duration::from_secs(1),
    wall: Duration::from_secs(2),
    stream_entries: 500_000,
    calls: 1000,
    starts: 15,
    rows: 20_000,
};

const QUICK: Scale = Scale {
    name: "quick: these figures are noise",
    keys: 50_000,
    hashes: 10_000,
    cpu: Duration::from_millis(100),
    wall: Duration::from_millis(200),
    stream_entries: 20_000,
    calls: 50,
    starts: 5,
    rows: 1000,
};

impl Section {
    pub(super) const ALL: [Section; 4] =
        [Section::Data, Section::Memory, Section::Functions, Section::WriteBehind];

    pub(super) fn name(self) -> &'static str {
        match self {
            Section::Data => "data",
            Section::Memory => "memory",
            Section::Functions => "functions",
            Section::WriteBehind => "write-behind",
        }
    }
}

impl Options {
    pub(super) fn parse(arguments: &[String]) -> Result<Options, String> {
        let mut options = Options { rounds: 5, writes: false, scale: FULL, only: None };
        let mut arguments = arguments.iter().map(String::as_str);
        while let Some(argument) = arguments.next() {
            match argument {
                "--quick" => options.scale = QUICK,
                "--write" => options.writes = true,
                "--only" => options.only = Some(section(arguments.next())?),
                "--rounds" => options.rounds = rounds(arguments.next())?,
                _ => return Err(USAGE.into()),
            }
        }
        if options.writes && options.scale.name == QUICK.name {
            return Err("what --quick measures is noise: it is not written down".into());
        }
        Ok(options)
    }

    pub(super) fn includes(&self, section: Section) -> bool {
        self.only.is_none_or(|only| only == section)
    }
}

fn section(name: Option<&str>) -> Result<Section, String> {
    Section::ALL.into_iter().find(|one| Some(one.name()) == name).ok_or_else(|| USAGE.into())
}

fn rounds(number: Option<&str>) -> Result<usize, String> {
    let rounds = number.and_then(|number| number.parse().ok()).filter(|&rounds| rounds > 0);
    rounds.ok_or_else(|| USAGE.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, String> {
        Options::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn everything_is_measured_unless_one_part_is_named() {
        assert!(parse("").unwrap().includes(Section::Memory));
        let options = parse("--quick --only data --rounds 3").unwrap();
        assert!(options.includes(Section::Data) && !options.includes(Section::Memory));
        assert_eq!(options.rounds, 3);
    }

    #[test]
    fn quick_figures_are_not_written_down() {
        assert!(parse("--write").unwrap().writes);
        assert!(parse("--write --quick").unwrap_err().contains("noise"));
    }

    #[test]
    fn what_is_not_understood_is_answered_with_the_usage() {
        for line in ["--fast", "--only", "--only cpu", "--rounds", "--rounds 0", "--rounds x"] {
            assert_eq!(parse(line).unwrap_err(), USAGE, "{line}");
        }
    }
}
