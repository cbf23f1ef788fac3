use super::area::Area;
use super::distance::{EARTH_RADIUS, Unit, degrees, distance, latitude_distance, radians};
use super::position::Position;

/// What is searched, around a position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shape {
    pub(super) centre: Position,
    pub(super) extent: Extent,
    pub(super) unit: Unit,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Extent {
    Radius(f64),
    Box { width: f64, height: f64 },
}

impl Shape {
    /// How far from the centre a position is, if it is inside.
    pub(super) fn distance_inside(&self, position: Position) -> Option<f64> {
        match self.extent {
            Extent::Radius(radius) => {
                let distance = distance(self.centre, position);
                (distance <= radius * self.unit.0).then_some(distance)
            }
            Extent::Box { width, height } => {
                if latitude_distance(position, self.centre) > height * self.unit.0 / 2.0 {
                    return None;
                }
                let level = Position { latitude: position.latitude, ..self.centre };
                if distance(position, level) > width * self.unit.0 / 2.0 {
                    return None;
                }
                Some(distance(self.centre, position))
            }
        }
    }

    /// The cells of the grid that together hold it.
    pub(super) fn area(&self) -> Area {
        let (half_width, half_height, reach) = match self.extent {
            Extent::Radius(radius) => {
                let metres = radius * self.unit.0;
                (metres, metres, metres)
            }
            Extent::Box { width, height } => (
                self.unit.0 * (width / 2.0),
                self.unit.0 * (height / 2.0),
                ((width / 2.0) * (width / 2.0) + (height / 2.0) * (height / 2.0)).sqrt()
                    * self.unit.0,
            ),
        };
        let Position { longitude, latitude } = self.centre;
        let by_latitude = degrees(half_height / EARTH_RADIUS);
        // A degree of longitude is shortest on the side of the nearer pole.
        let widest = if latitude < 0.0 { latitude - by_latitude } else { latitude + by_latitude };
        let by_longitude = degrees(half_width / EARTH_RADIUS / radians(widest).cos());
        Area::new(
            self.centre,
            reach,
            super::cell::Bounds {
                west: longitude - by_longitude,
                east: longitude + by_longitude,
                south: latitude - by_latitude,
                north: latitude + by_latitude,
            },
        )
    }
}
