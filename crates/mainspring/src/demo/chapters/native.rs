use std::time::Instant;

use crate::demo::failure::{Result, check};
use crate::demo::page::{count, duration, rate};
use crate::demo::{Stage, scripts};

/// Steps without a callback run inside the server.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.page.title("3  A function without callbacks runs inside the server")?;
    stage.page.quote(scripts::LINE_COUNT)?;

    let mut connection = stage.connect()?;
    let started = Instant::now();
    let counted = connection.execute(scripts::LINE_COUNT)?.faultless()?;
    let time = started.elapsed();

    let lines = stage.library.lines().count();
    check("the number of lines", counted, vec![lines.to_string()])?;
    stage.page.figure("lines", &count(lines), "")?;
    stage.page.figure("took", &duration(time), &rate(lines, time, "lines"))?;
    Ok(())
}
