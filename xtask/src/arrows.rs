//! Which crate may know which, and what no source may contain: the design's absences, held by a table.

mod manifest;
mod source;

use std::fs;
use std::path::{Path, PathBuf};

use crate::root;

/// Crate, and the crates of ours that it may depend on outside its tests.
const ALLOWED: &[(&str, &[&str])] = &[
    ("resp", &[]),
    ("command-spec", &[]),
    ("keyspace", &[]),
    ("commands", &["resp", "command-spec", "keyspace", "persist"]),
    ("scripting", &["resp", "command-spec"]),
    ("functions", &["resp", "command-spec"]),
    ("worker", &["functions", "resp"]),
    ("persist", &["keyspace"]),
    (
        "server",
        &[
            "resp",
            "command-spec",
            "keyspace",
            "commands",
            "scripting",
            "functions",
            "worker",
            "persist",
            "metadata-index",
        ],
    ),
    ("valkey-module", &["resp", "command-spec", "functions", "worker", "metadata-index"]),
    ("metadata-index", &["resp", "client"]),
    ("client", &["resp"]),
    ("mainspring", &["server", "client", "resp"]),
    ("test-support", &[]),
];

/// Every breach, one a line.
pub(crate) fn check() -> Result<(), String> {
    let mut breaches = Vec::new();
    let mut names = Vec::new();
    for directory in crates()? {
        names.push(name_of(&directory));
    }
    for directory in crates()? {
        let name = name_of(&directory);
        let manifest = directory.join("Cargo.toml");
        let text = read(&manifest)?;
        match ALLOWED.iter().find(|(one, _)| *one == name) {
            None => {
                breaches.push(format!("{}: {name} is not in the table of arrows", shown(&manifest)))
            }
            Some((_, allowed)) => {
                for dependency in manifest::dependencies(&text) {
                    let is_ours = names.contains(&dependency.name);
                    if is_ours
                        && !dependency.is_for_tests
                        && !allowed.contains(&dependency.name.as_str())
                    {
                        let place = format!("{}:{}", shown(&manifest), dependency.line);
                        breaches.push(format!("{place}: {name} must not know {}", dependency.name));
                    }
                }
            }
        }
        for file in rust_files(&directory.join("src"))? {
            for (line, why) in source::breaches(&name, &file, &read(&file)?) {
                breaches.push(format!("{}:{line}: {why}", shown(&file)));
            }
        }
    }
    if breaches.is_empty() { Ok(()) } else { Err(format!("\n{}", breaches.join("\n"))) }
}

fn crates() -> Result<Vec<PathBuf>, String> {
    let mut directories = entries(&root().join("crates"))?;
    directories.retain(|path| path.join("Cargo.toml").exists());
    Ok(directories)
}

fn rust_files(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let mut files = Vec::new();
    for path in entries(directory)? {
        if path.is_dir() {
            files.extend(rust_files(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    Ok(files)
}

fn entries(directory: &Path) -> Result<Vec<PathBuf>, String> {
    let failed = |error| format!("{}: {error}", directory.display());
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        paths.push(entry.map_err(failed)?.path());
    }
    paths.sort();
    Ok(paths)
}

fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn name_of(directory: &Path) -> String {
    directory.file_name().expect("a listed directory has a name").to_string_lossy().into_owned()
}

fn shown(path: &Path) -> String {
    path.strip_prefix(root()).unwrap_or(path).display().to_string()
}
