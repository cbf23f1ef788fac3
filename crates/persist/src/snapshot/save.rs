use std::io::{self, Write};

use keyspace::Keyspace;

use super::{MAGIC, opcode};
use crate::sink::Sink;
use crate::{VERSION, length, string, value};

/// Writes everything that has not expired. `facts` are about the file: a reader may show them, and passes over those that
/// it does not know (`redis-ver`, `ctime` …).
pub fn save(keyspace: &mut Keyspace, facts: &[(&str, &str)], to: &mut dyn Write) -> io::Result<()> {
    let mut sink = Sink::new(to);
    let out = sink.buffer();
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(format!("{VERSION:04}").as_bytes());
    for (name, value) in facts {
        out.push(opcode::FACT);
        string::write(out, name.as_bytes());
        string::write(out, value.as_bytes());
    }
    for db in 0..keyspace.databases() {
        save_database(keyspace, db, &mut sink)?;
    }
    sink.buffer().push(opcode::END);
    sink.flush()?;
    let checksum = sink.checksum();
    sink.buffer().extend(checksum.to_le_bytes());
    sink.flush()
}

fn save_database(keyspace: &mut Keyspace, db: usize, sink: &mut Sink) -> io::Result<()> {
    let sizes = keyspace.database_statistics(db);
    if sizes.keys == 0 {
        return Ok(());
    }
    let out = sink.buffer();
    out.push(opcode::DATABASE);
    length::write(out, db as u64);
    out.push(opcode::SIZES);
    length::write(out, sizes.keys as u64);
    length::write(out, sizes.expiring as u64);

    let mut result = Ok(());
    keyspace.database(db).for_each_entry(|key, value, expiry_ms| {
        if result.is_err() {
            return;
        }
        let out = sink.buffer();
        if let Some(ms) = expiry_ms {
            out.push(opcode::EXPIRY_MS);
            out.extend(ms.to_le_bytes());
        }
        out.push(value::code_of(value));
        string::write(out, key);
        value::write(out, value);
        result = sink.pass_on();
    });
    result
}
