use super::cell::{Bounds, Cell, STEPS_MAX};
use super::position::Position;

/// The cell around a position and those of its eight neighbours that are needed, in the order in which Redis visits them:
/// replies without an order show it.
#[derive(Debug)]
pub(super) struct Area {
    cells: Vec<Cell>,
}

const NORTH: (i64, i64) = (0, 1);
const SOUTH: (i64, i64) = (0, -1);
const EAST: (i64, i64) = (1, 0);
const WEST: (i64, i64) = (-1, 0);
const NEIGHBOURS: [(i64, i64); 8] = [NORTH, SOUTH, EAST, WEST, (1, 1), (-1, 1), (1, -1), (-1, -1)];

impl Area {
    /// `reach`: how many metres from the centre its farthest point may be.
    pub(super) fn new(centre: Position, reach: f64, needed: Bounds) -> Area {
        let mut steps = steps_for(reach, centre.latitude);
        let mut cell = Cell::around(centre, steps);
        let beyond = |(east, north)| cell.neighbour(east, north).bounds();
        let falls_short = beyond(NORTH).north < needed.north
            || beyond(SOUTH).south > needed.south
            || beyond(EAST).east < needed.east
            || beyond(WEST).west > needed.west;
        if steps > 1 && falls_short {
            steps -= 1;
            cell = Cell::around(centre, steps);
        }

        let bounds = cell.bounds();
        let is_needed = |(east, north): (i64, i64)| {
            // Very large cells are all searched: there the map's edges are near.
            steps < 2
                || !((north < 0 && bounds.south < needed.south)
                    || (north > 0 && bounds.north > needed.north)
                    || (east < 0 && bounds.west < needed.west)
                    || (east > 0 && bounds.east > needed.east))
        };
        let neighbours = NEIGHBOURS.into_iter().filter(|&side| is_needed(side));
        let mut cells = vec![cell];
        for neighbour in neighbours.map(|(east, north)| cell.neighbour(east, north)) {
            // On a map of few cells, several sides lead to the same.
            if !cells.contains(&neighbour) {
                cells.push(neighbour);
            }
        }
        Area { cells }
    }

    pub(super) fn into_cells(self) -> impl Iterator<Item = Cell> {
        self.cells.into_iter()
    }
}

/// How small the cells may be for nine of them to hold a circle.
fn steps_for(reach: f64, latitude: f64) -> u32 {
    /// Half of the equator on the map.
    const MERCATOR_MAX: f64 = 20_037_726.37;
    if reach == 0.0 {
        return STEPS_MAX;
    }
    let mut steps = -1;
    let mut covered = reach;
    while covered < MERCATOR_MAX {
        covered *= 2.0;
        steps += 1;
    }
    // Towards the poles a cell is narrower.
    steps -= match latitude.abs() {
        80.0.. if latitude.abs() > 80.0 => 2,
        66.0.. if latitude.abs() > 66.0 => 1,
        _ => 0,
    };
    steps.clamp(1, STEPS_MAX as i32) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_shrink_with_the_reach() {
        assert_eq!(steps_for(0.0, 0.0), STEPS_MAX);
        assert_eq!(steps_for(1e9, 0.0), 1);
        assert!(steps_for(100.0, 0.0) > steps_for(1_000.0, 0.0));
        assert_eq!(steps_for(1_000.0, 70.0) + 1, steps_for(1_000.0, 66.0));
        assert_eq!(steps_for(1_000.0, -85.0) + 2, steps_for(1_000.0, 0.0));
    }
}
