//! stub
use crate::{client::Slot, config::Config, dispatch::Outcome, state::State};
#[derive(Debug)]
pub(crate) struct Gears;
impl Gears {
    pub(crate) fn new(_: &Config) -> Self {
        Gears
    }
    pub(crate) fn configure(&mut self, _: &Config) {}
    pub(crate) fn interest(&self) -> functions::host::EventInterest {
        Default::default()
    }
    pub(crate) fn info(&self, _: &mut String) {}
    pub(crate) fn has_work(&self) -> bool {
        false
    }
    pub(crate) fn next_deadline_ms(&self) -> Option<i64> {
        None
    }
    pub(crate) fn shutdown(&mut self) {}
}
pub(crate) fn command(_: &mut State, _: Slot, _: &[&[u8]], _: &mut Vec<u8>) -> Outcome {
    Outcome::Answered
}
pub(crate) fn key_event(_: &mut State, _: &str, _: &[u8]) {}
pub(crate) fn client_gone(_: &mut State, _: Slot) {}
pub(crate) fn worker_ready(_: &mut State, _: u64) {}
pub(crate) fn turn(_: &mut State, _: u64) {}
pub(crate) fn watch(_: &mut State, _: &mio::Registry, _: usize) -> std::io::Result<()> {
    Ok(())
}
