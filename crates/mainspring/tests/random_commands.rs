//! Random commands to redis-server and to every other target: same replies, same data.
//!
//! `RANDOM_SEED=17 RANDOM_ROUNDS=1` replays one run; more rounds search longer.

mod in_process;

use std::io;
use std::path::Path;
use std::time::Duration;

use test_support::random::duel;
use test_support::{Connect, Oracle, Target, Wire, chosen_targets};

const STEPS: usize = 400;

/// That the oracle agrees with itself proves that only what may differ is excused.
#[test]
fn the_oracle_agrees_with_itself() {
    let Some(chosen) = Chosen::start() else { return };
    rounds(chosen.oracle.as_ref(), &Oracle::default());
}

#[test]
fn every_target_agrees_with_the_oracle() {
    let Some(chosen) = Chosen::start() else { return };
    for target in &chosen.others {
        rounds(chosen.oracle.as_ref(), target.as_ref());
    }
}

#[test]
fn a_server_that_mixes_up_two_commands_is_found_out() {
    let Some(chosen) = Chosen::start() else { return };
    let twin = Oracle::default()
        .start()
        .unwrap_or_else(|error| panic!("the twin does not start: {error}"));
    let why = duel(chosen.oracle.as_ref(), &MixedUp(twin.as_ref()), 1, STEPS)
        .expect_err("LPUSH is not RPUSH");
    assert!(why.contains("LPUSH"), "{why}");
    assert!(why.lines().count() < 10, "it was hardly shrunk: {why}");
}

/// A server, but for taking LPUSH for RPUSH.
struct MixedUp<'a>(&'a dyn Connect);

struct MixedUpWire(Box<dyn Wire>);

impl Connect for MixedUp<'_> {
    fn connect(&self) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(MixedUpWire(self.0.connect()?)))
    }
}

impl Wire for MixedUpWire {
    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut bytes = bytes.to_vec();
        if let Some(position) = bytes.windows(7).position(|window| window == b"LPUSH\r\n") {
            bytes[position] = b'R';
        }
        self.0.send(&bytes)
    }

    fn receive(&mut self, buffer: &mut Vec<u8>, wait: Duration) -> io::Result<usize> {
        self.0.receive(buffer, wait)
    }
}

/// The oracle and what is to be compared with it.
struct Chosen {
    oracle: Box<dyn Connect>,
    others: Vec<Box<dyn Target>>,
}

impl Chosen {
    /// Nothing where `TEST_TARGETS` has left the oracle out.
    fn start() -> Option<Chosen> {
        let mut others = chosen_targets(
            Path::new(env!("CARGO_BIN_EXE_mainspring")),
            Some(Box::new(in_process::InProcess)),
        );
        let position = others.iter().position(|target| target.name() == "oracle")?;
        let oracle = others
            .remove(position)
            .start()
            .unwrap_or_else(|error| panic!("the oracle does not start: {error}"));
        Some(Chosen { oracle, others })
    }
}

fn rounds(oracle: &dyn Connect, target: &dyn Target) {
    let first = number("RANDOM_SEED", 1);
    let other =
        target.start().unwrap_or_else(|error| panic!("{} does not start: {error}", target.name()));
    for seed in first..first + number("RANDOM_ROUNDS", 25) {
        if let Err(why) = duel(oracle, other.as_ref(), seed, STEPS) {
            panic!("{} differs from the oracle: {why}", target.name());
        }
    }
}

fn number(variable: &str, default: u64) -> u64 {
    match std::env::var(variable) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{variable} is a number, not {text:?}")),
        Err(_) => default,
    }
}
