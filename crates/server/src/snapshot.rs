//! The data in a file: `dir`/`dbfilename`, which the server reads when it starts and writes when it is told to.
//!
//! The server's folder is its working directory from the start on.

use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::Path;

use crate::log::{self, Level};
use crate::state::State;

/// When and at what state of the data the last snapshot was saved.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LastSave {
    pub(crate) unix_ms: i64,
    dirty: u64,
}

impl LastSave {
    /// There is nothing newer than what the server started with.
    pub(crate) fn at_start(unix_ms: i64) -> Self {
        LastSave { unix_ms, dirty: 0 }
    }

    pub(crate) fn changes_since(self, state: &State) -> u64 {
        state.keyspace.dirty() - self.dirty
    }
}

/// Writes everything, then lets the new file take the place of the old one: whatever happens, one of both is whole.
pub(crate) fn save(state: &mut State) -> io::Result<()> {
    let path = state.config.text("dbfilename").to_owned();
    let unfinished = format!("temp-{}.rdb", std::process::id());
    let result = write(state, &unfinished).and_then(|()| fs::rename(&unfinished, &path));
    if let Err(error) = result {
        // It may not even have been created; what went wrong first is what matters.
        let _ = fs::remove_file(&unfinished);
        log::write(Level::Warning, &format!("Cannot save {path}: {error}"));
        return Err(error);
    }
    // The new name is on disk only when its folder is.
    File::open(".")?.sync_all()?;
    state.last_save = LastSave { unix_ms: state.clock.unix_ms(), dirty: state.keyspace.dirty() };
    log::write(Level::Notice, "DB saved on disk");
    Ok(())
}

fn write(state: &mut State, path: &str) -> io::Result<()> {
    let mut file = File::create(path)?;
    let created = (state.clock.unix_ms() / 1000).to_string();
    let facts = [
        ("redis-ver", crate::REDIS_VERSION),
        ("redis-bits", "64"),
        ("ctime", &created),
        ("mainspring-ver", env!("CARGO_PKG_VERSION")),
    ];
    persist::snapshot::save(&mut state.keyspace, &facts, &mut file)?;
    file.sync_all()
}

/// Fills the keyspace from the file, if there is one. A file that cannot be read is an error: to start without its data,
/// and to save over it later, would lose it.
pub(crate) fn load(state: &mut State) -> io::Result<()> {
    let path = state.config.text("dbfilename").to_owned();
    let file = match File::open(Path::new(&path)) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(refusal(&path, &error)),
    };
    let loaded = persist::snapshot::load(&mut state.keyspace, &mut BufReader::new(file))
        .map_err(|error| refusal(&path, &error))?;
    // Nobody was there to hear of it.
    state.keyspace.take_events(&mut state.events);
    state.events.clear();

    let persist::snapshot::Loaded { keys, expired, skipped } = loaded;
    log::write(
        Level::Notice,
        &format!("DB loaded from disk: {keys} keys, and {expired} that had expired"),
    );
    for what in skipped {
        log::write(Level::Warning, &format!("{path} holds {what}, which was left out"));
    }
    Ok(())
}

fn refusal(path: &str, error: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("cannot load '{path}': {error}"))
}
