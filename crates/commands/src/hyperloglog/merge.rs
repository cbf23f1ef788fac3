use command_spec::{Args, Arity, CommandSpec, Flags, Group, Keys};
use keyspace::{Database, EventKind};
use resp::ReplyWriter;

use super::registers::Registers;
use super::sketch;
use super::sparse::Corrupt;
use crate::{Command, Result};

pub(crate) const PFMERGE: Command = Command {
    spec: CommandSpec::new(
        "pfmerge",
        Group::HyperLogLog,
        Arity::AtLeast(2),
        "Merges HyperLogLogs into one, which keeps what it has seen itself.",
    )
    .flags(Flags::WRITE.and(Flags::DENY_OOM))
    .keys(Keys::ALL)
    .since("2.8.9")
    .syntax("destkey [sourcekey [sourcekey ...]]"),
    run: pfmerge,
};

/// PFMERGE destkey [sourcekey ...]
fn pfmerge(database: &mut Database, mut args: Args, reply: &mut ReplyWriter) -> Result {
    let keys = args.rest();
    let destination = keys[0];

    let mut merged = Registers::new();
    let mut any_is_dense = false;
    for key in keys {
        let read = sketch::read(database, key, |sketch| {
            any_is_dense |= sketch.is_dense();
            sketch.merge_into(&mut merged)
        })?;
        read.transpose()?;
    }
    let is_new = !sketch::is_there(database, destination)?;
    database.modify_bytes(destination, |bytes| {
        if is_new {
            *bytes = sketch::empty();
        }
        if any_is_dense {
            sketch::make_dense(bytes)?;
        }
        for (index, value) in merged.iter() {
            sketch::raise(bytes, index, value)?;
        }
        sketch::forget_count(bytes);
        Ok::<(), Corrupt>(())
    })??;
    // Redis has no event of its own for this.
    database.changed(EventKind::PFADD, destination);
    reply.ok();
    Ok(())
}

#[cfg(test)]
mod tests {
    use resp::Reply;

    use crate::testing::{events, run};

    #[test]
    fn the_destination_takes_part() {
        let script = "PFADD d a \n PFADD s b c \n PFMERGE d s nosuch";
        assert_eq!(run(&format!("{script} \n PFCOUNT d")), Reply::Integer(3));
        assert_eq!(events(script), ["pfadd d"]);
        assert_eq!(run("PFMERGE d \n PFCOUNT d"), Reply::Integer(0));
    }
}
