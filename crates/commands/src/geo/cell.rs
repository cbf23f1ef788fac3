//! The grid: the Earth halved again and again, by longitude and by latitude in turn.
//!
//! A cell's number has a bit for each halving, the latitude's at even places. A position is kept as the number of its cell
//! after 26 steps: 52 bits, which a score holds exactly. The cells inside a larger one are neighbours in that order.

use std::ops::Range;

use keyspace::value::sorted_set::Score;

use super::position::{LATITUDE_MAX, LONGITUDE_MAX, Position};

pub(super) const STEPS_MAX: u32 = 26;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Cell {
    bits: u64,
    pub(super) steps: u32,
}

/// In degrees.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    pub(super) west: f64,
    pub(super) east: f64,
    pub(super) south: f64,
    pub(super) north: f64,
}

impl Cell {
    pub(super) fn around(position: Position, steps: u32) -> Cell {
        Cell { bits: number(position, LATITUDE_MAX, steps), steps }
    }

    /// The smallest cell, by its score. A score that no position has is taken for what its bits say.
    pub(super) fn of_score(score: Score) -> Cell {
        Cell { bits: score as u64, steps: STEPS_MAX }
    }

    pub(super) fn score(self) -> Score {
        self.bits as Score
    }

    /// The middle.
    pub(super) fn position(self) -> Position {
        let bounds = self.bounds();
        let middle = |low: f64, high: f64, max: f64| ((low + high) / 2.0).clamp(-max, max);
        Position {
            longitude: middle(bounds.west, bounds.east, LONGITUDE_MAX),
            latitude: middle(bounds.south, bounds.north, LATITUDE_MAX),
        }
    }

    pub(super) fn bounds(self) -> Bounds {
        let cells = (1_u64 << self.steps) as f64;
        let edge = |number: u64, max: f64| -max + (number as f64 / cells) * (max - -max);
        let [x, y] = [self.bits >> 1, self.bits].map(gather);
        Bounds {
            west: edge(x, LONGITUDE_MAX),
            east: edge(x + 1, LONGITUDE_MAX),
            south: edge(y, LATITUDE_MAX),
            north: edge(y + 1, LATITUDE_MAX),
        }
    }

    /// The cell so many to the east and to the north; beyond an edge the map begins again.
    pub(super) fn neighbour(self, east: i64, north: i64) -> Cell {
        let mask = (1_u64 << self.steps) - 1;
        // The eastern edge itself has a number beyond the last cell's, which only a move along that edge keeps.
        let step = |index: u64, by: i64| match by {
            0 => index,
            by => index.wrapping_add_signed(by) & mask,
        };
        let (x, y) = (step(gather(self.bits >> 1), east), step(gather(self.bits), north));
        Cell { bits: spread(y) | spread(x) << 1, steps: self.steps }
    }

    /// The scores of all that is inside.
    pub(super) fn scores(self) -> Range<Score> {
        let shift = 2 * (STEPS_MAX - self.steps);
        (self.bits << shift) as Score..((self.bits + 1) << shift) as Score
    }
}

/// The eleven characters that geohash.org has for a position. There latitudes go to the poles.
pub(super) fn geohash(position: Position) -> [u8; 11] {
    const ALPHABET: &[u8; 32] = b"0123456789bcdefghjkmnpqrstuvwxyz";
    let bits = number(position, 90.0, STEPS_MAX);
    // 52 bits make ten characters; the last is always the same.
    let mut text = [ALPHABET[0]; 11];
    for (index, character) in text[..10].iter_mut().enumerate() {
        *character = ALPHABET[(bits >> (47 - 5 * index)) as usize & 31];
    }
    text
}

fn number(position: Position, latitude_max: f64, steps: u32) -> u64 {
    let cells = (1_u64 << steps) as f64;
    let index = |degrees: f64, max: f64| ((degrees + max) / (max + max) * cells) as u64;
    let x = index(position.longitude, LONGITUDE_MAX);
    let y = index(position.latitude, latitude_max);
    spread(y) | spread(x) << 1
}

/// Sets a bit apart from the next by an empty place.
fn spread(number: u64) -> u64 {
    let mut bits = number & 0xffff_ffff;
    for (shift, mask) in [
        (16, 0x0000_ffff_0000_ffff),
        (8, 0x00ff_00ff_00ff_00ff),
        (4, 0x0f0f_0f0f_0f0f_0f0f),
        (2, 0x3333_3333_3333_3333),
        (1, 0x5555_5555_5555_5555),
    ] {
        bits = (bits | bits << shift) & mask;
    }
    bits
}

/// Takes the bits at even places together.
fn gather(bits: u64) -> u64 {
    let mut number = bits & 0x5555_5555_5555_5555;
    for (shift, mask) in [
        (1, 0x3333_3333_3333_3333),
        (2, 0x0f0f_0f0f_0f0f_0f0f),
        (4, 0x00ff_00ff_00ff_00ff),
        (8, 0x0000_ffff_0000_ffff),
        (16, 0x0000_0000_ffff_ffff),
    ] {
        number = (number | number >> shift) & mask;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    const PALERMO: Position = Position { longitude: 13.361389, latitude: 38.115556 };

    #[test]
    fn a_position_comes_back_from_its_score_a_step_off_at_most() {
        let cell = Cell::around(PALERMO, STEPS_MAX);
        assert_eq!(cell.score(), 3_479_099_956_230_698.0);
        let back = Cell::of_score(cell.score()).position();
        assert!((back.longitude - PALERMO.longitude).abs() < 1e-5);
        assert!((back.latitude - PALERMO.latitude).abs() < 1e-5);
        assert_eq!(&geohash(back), b"sqc8b49rny0");
    }

    #[test]
    fn bits_spread_and_gather() {
        for number in [0, 1, 0xffff_ffff, 0x1234_5678, 1 << 25] {
            assert_eq!(gather(spread(number)), number);
            assert_eq!(gather(spread(number) << 1), 0);
        }
    }

    #[test]
    fn a_cell_lies_between_its_neighbours() {
        let cell = Cell::around(PALERMO, 10);
        let bounds = cell.bounds();
        assert_eq!(cell.neighbour(1, 0).bounds().west, bounds.east);
        assert_eq!(cell.neighbour(0, -1).bounds().north, bounds.south);
        assert_eq!(cell.neighbour(-3, 5).neighbour(3, -5), cell);
        assert_eq!(Cell { bits: 0, steps: 5 }.neighbour(-1, 0).bounds().east, LONGITUDE_MAX);
        assert!(cell.scores().contains(&Cell::around(PALERMO, STEPS_MAX).score()));
    }
}
