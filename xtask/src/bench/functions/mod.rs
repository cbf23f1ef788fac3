//! Functions: ours only, beside what RedisGears was once measured at on this class of machine.
//!
//! RedisGears needs a build of its own and cannot run beside us in every checkout; its figures are quoted, not taken,
//! and every table says so.

mod batch;
mod keys;
mod peer;
mod registration;
mod script;
mod streams;
mod trigger;

use std::io;

use super::options::Options;
use super::report::Report;

pub(super) fn measure(options: &Options, report: &mut Report) -> io::Result<()> {
    for table in batch::measure(options)? {
        report.add(table);
    }
    report.add(script::measure(options)?);
    report.add(trigger::measure(options)?);
    report.add(keys::measure(options)?);
    report.add(streams::measure(options)?);
    Ok(())
}
