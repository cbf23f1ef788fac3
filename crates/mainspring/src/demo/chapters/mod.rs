//! The chapters, in the order in which they are told.

mod batch;
mod command;
mod data;
mod faults;
mod key_trigger;
mod native;
mod patience;
mod stream_trigger;

use super::{Result, Stage};

pub(super) fn play(stage: &mut Stage<'_>) -> Result<()> {
    data::tell(stage)?;
    batch::tell(stage)?;
    native::tell(stage)?;
    key_trigger::tell(stage)?;
    stream_trigger::tell(stage)?;
    command::tell(stage)?;
    faults::tell(stage)
}
