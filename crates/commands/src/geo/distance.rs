//! Distances on a sphere, in metres, and the units that commands speak.

use command_spec::Args;
use resp::parse_double;

use super::position::Position;
use crate::error::fail;
use crate::{Error, Result};

pub(super) const EARTH_RADIUS: f64 = 6_372_797.560_856;

/// By the haversine formula.
pub(super) fn distance(from: Position, to: Position) -> f64 {
    let [from_longitude, to_longitude] = [from, to].map(|end| radians(end.longitude));
    let v = ((to_longitude - from_longitude) / 2.0).sin();
    if v == 0.0 {
        return latitude_distance(from, to);
    }
    let [from_latitude, to_latitude] = [from, to].map(|end| radians(end.latitude));
    let u = ((to_latitude - from_latitude) / 2.0).sin();
    let a = u * u + from_latitude.cos() * to_latitude.cos() * v * v;
    2.0 * EARTH_RADIUS * a.sqrt().asin()
}

/// As if both had the same longitude.
pub(super) fn latitude_distance(from: Position, to: Position) -> f64 {
    EARTH_RADIUS * (radians(to.latitude) - radians(from.latitude)).abs()
}

pub(super) fn radians(degrees: f64) -> f64 {
    degrees * (std::f64::consts::PI / 180.0)
}

pub(super) fn degrees(radians: f64) -> f64 {
    radians / (std::f64::consts::PI / 180.0)
}

/// A distance in metres, times what one of its unit has.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Unit(pub(super) f64);

impl Unit {
    pub(super) const METRE: Unit = Unit(1.0);

    pub(super) fn parse(text: &[u8]) -> Result<Self> {
        let units = [("m", 1.0), ("km", 1000.0), ("ft", 0.3048), ("mi", 1609.34)];
        let found = units.iter().find(|(name, _)| text.eq_ignore_ascii_case(name.as_bytes()));
        match found {
            Some((_, metres)) => Ok(Unit(*metres)),
            None => fail("ERR unsupported unit provided. please use M, KM, FT, MI"),
        }
    }

    /// How a reply tells a number of metres.
    pub(super) fn text_of(self, metres: f64) -> String {
        format!("{:.4}", metres / self.0)
    }
}

/// A length that must not be negative, without its unit.
pub(super) fn parse_length(args: &mut Args, not_a_number: &'static str) -> Result<f64> {
    Ok(parse_double(args.bytes()?).ok_or(Error::text(not_a_number))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn palermo_and_catania_are_166_km_apart() {
        let palermo = Position { longitude: 13.361389, latitude: 38.115556 };
        let catania = Position { longitude: 15.087269, latitude: 37.502669 };
        assert!((distance(palermo, catania) - 166_274.0).abs() < 1.0);
        let south = Position { latitude: 0.0, ..palermo };
        assert_eq!(distance(palermo, south), latitude_distance(palermo, south));
    }

    #[test]
    fn units_are_known_in_any_case() {
        assert_eq!(Unit::parse(b"KM"), Ok(Unit(1000.0)));
        assert!(Unit::parse(b"leagues").is_err());
        assert_eq!(Unit(1000.0).text_of(1234.56), "1.2346");
    }
}
