use std::time::Instant;

use crate::demo::connection::{Connection, texts};
use crate::demo::failure::{Failure, Result, check};
use crate::demo::page::{count, duration};
use crate::demo::{Stage, scripts, traceback};

/// What goes wrong in a function stays there.
pub(super) fn tell(stage: &mut Stage<'_>) -> Result<()> {
    stage.page.title("7  What goes wrong in a function stays there")?;
    let mut connection = stage.connect()?;
    let keys = connection.number(&["DBSIZE"])?;

    let error = failing(&mut connection, scripts::FAULT)?;
    check("the traceback names the error", error.contains("ZeroDivisionError"), true)?;
    stage.page.say("A mistake comes back as a traceback:")?;
    stage.page.gap()?;
    stage.page.quote(&traceback::readable(&error))?;

    let error = failing(&mut connection, scripts::CRASH)?;
    check("the error names the exit code", error.contains("exited with code 3"), true)?;
    stage
        .page
        .say("A function that ends its whole process, os._exit(3), ends that process only:")?;
    stage.page.gap()?;
    stage.page.quote(&error)?;

    let started = Instant::now();
    connection.call(&["PING"])?;
    let time = started.elapsed();
    check("keys after the crash", connection.number(&["DBSIZE"])?, keys)?;
    texts(stage.connect()?.call(&["RG.TRIGGER", "find", "mainspring"])?)?;
    stage.page.figure("PING afterwards", &duration(time), "")?;
    stage.page.figure("keys afterwards", &count(keys.unsigned_abs() as usize), "as before")?;
    stage.page.say("The other functions go on too: RG.TRIGGER find has just answered.")?;
    Ok(())
}

fn failing(connection: &mut Connection, script: &str) -> Result<String> {
    let outcome = connection.execute(script)?;
    let error = outcome.errors.into_iter().next();
    error.ok_or_else(|| Failure::new("a faulty function reported no error"))
}
