use command_spec::{ArgError, Args};
use resp::{Protocol, ReplyWriter, parse_double};

use crate::{Error, Result};

pub(super) const LONGITUDE_MAX: f64 = 180.0;
/// Where the square map of web Mercator ends.
pub(super) const LATITUDE_MAX: f64 = 85.051_128_78;

/// In degrees.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Position {
    pub(super) longitude: f64,
    pub(super) latitude: f64,
}

impl Position {
    /// longitude latitude
    pub(super) fn parse(args: &mut Args) -> Result<Self> {
        let [longitude, latitude] = args.take(2)? else { unreachable!("two were taken") };
        let number = |text| parse_double(text).ok_or(Error::Argument(ArgError::NotFloat));
        let position = Position { longitude: number(longitude)?, latitude: number(latitude)? };
        let Position { longitude, latitude } = position;
        if longitude.abs() <= LONGITUDE_MAX && latitude.abs() <= LATITUDE_MAX {
            return Ok(position);
        }
        let text = format!("ERR invalid longitude,latitude pair {longitude:.6},{latitude:.6}");
        Err(Error::Text(text.into()).into())
    }

    pub(super) fn write(self, reply: &mut ReplyWriter) {
        reply.array(2);
        write_degrees(reply, self.longitude);
        write_degrees(reply, self.latitude);
    }
}

/// With 17 decimals, as far as they are not zero, in either protocol.
fn write_degrees(reply: &mut ReplyWriter, degrees: f64) {
    let text = format!("{degrees:.17}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    let text = if text == "-0" { "0" } else { text };
    match reply.protocol() {
        Protocol::Resp2 => reply.text(text),
        Protocol::Resp3 => reply.raw(format!(",{text}\r\n").as_bytes()),
    }
}
