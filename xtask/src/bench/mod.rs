//! What Mainspring costs, beside redis-server on the same machine in the same minutes.
//!
//! Both servers run at once and are measured in turn, round by round, so that a busy moment of the machine meets both;
//! a figure is the median of its rounds. It is a measurement and not a test: nothing fails because a number is low.

mod command;
mod connection;
mod cores;
mod data;
mod figures;
mod functions;
mod load;
mod memory;
mod options;
mod random;
mod report;
mod server;
mod start_up;
mod table;
mod write_behind;

use std::io;

use crate::phase::{Phases, cargo, run as program};

use options::{Options, Section};
use report::Report;

pub(crate) fn run(phases: &mut Phases, arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    phases.run("build", || {
        program(&mut cargo(&["build", "--release", "--quiet", "--package", "mainspring"]))
    })?;

    for section in Section::ALL {
        if options.includes(section) {
            phases.run(section.name(), || {
                let mut report = Report::new(&options).map_err(|error| error.to_string())?;
                measure(section, &options, &mut report).map_err(|error| error.to_string())?;
                // At once, so that what fails later does not cost what has been measured.
                if options.writes { report.write(section) } else { Ok(()) }
            })?;
        }
    }
    Ok(())
}

fn measure(section: Section, options: &Options, report: &mut Report) -> io::Result<()> {
    match section {
        Section::Data => report.add(data::measure(options)?),
        Section::Memory => {
            report.add(memory::measure(options)?);
            report.add(start_up::measure(options)?);
        }
        Section::Functions => functions::measure(options, report)?,
        Section::WriteBehind => report.add(write_behind::measure(options)?),
    }
    Ok(())
}
