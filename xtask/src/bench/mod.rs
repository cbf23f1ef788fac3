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

use std::io;

use crate::phase::{Phases, cargo, run as program};

use options::{Options, Section};
use report::Report;

pub(crate) fn run(phases: &mut Phases, arguments: &[String]) -> Result<(), String> {
    let options = Options::parse(arguments)?;
    phases.run("build", || {
        program(&mut cargo(&["build", "--release", "--quiet", "--package", "mainspring"]))
    })?;

    let mut report = Report::default();
    let sections: [(&str, Section, Measure); 3] = [
        ("data", Section::Data, measure_data),
        ("memory", Section::Memory, measure_memory),
        ("functions", Section::Functions, functions::measure),
    ];
    for (name, section, measure) in sections {
        if options.includes(section) {
            phases
                .run(name, || measure(&options, &mut report).map_err(|error| error.to_string()))?;
        }
    }
    let text = report.to_markdown(&options).map_err(|error| error.to_string())?;
    println!("\n{text}");
    if options.writes { report::write(&text) } else { Ok(()) }
}

type Measure = fn(&Options, &mut Report) -> io::Result<()>;

fn measure_data(options: &Options, report: &mut Report) -> io::Result<()> {
    report.add(data::measure(options)?);
    Ok(())
}

fn measure_memory(options: &Options, report: &mut Report) -> io::Result<()> {
    report.add(memory::measure(options)?);
    report.add(start_up::measure(options)?);
    Ok(())
}
