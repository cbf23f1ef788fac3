use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::server_process::ServerProcess;
use crate::wire::Connect;

/// Something that scripts can be run on. Each start gives a server of its own.
pub trait Target: Sync {
    fn name(&self) -> &str;
    fn start(&self) -> io::Result<Box<dyn Connect>>;
}

/// redis-server from PATH: what it says is what is expected.
#[derive(Default)]
pub struct Oracle {
    pub arguments: Vec<String>,
}

/// Our own binary.
pub struct Mainspring {
    pub binary: PathBuf,
    pub arguments: Vec<String>,
}

/// A server like redis-server that has loaded our module.
pub struct ModuleHost {
    pub name: String,
    pub program: PathBuf,
    pub library: PathBuf,
}

/// A server that somebody else has started and that may be flushed.
pub struct Address(pub SocketAddr);

impl Target for Oracle {
    fn name(&self) -> &str {
        "oracle"
    }

    fn start(&self) -> io::Result<Box<dyn Connect>> {
        Ok(Box::new(ServerProcess::redis(&self.arguments)?))
    }
}

impl Target for Mainspring {
    fn name(&self) -> &str {
        "mainspring"
    }

    fn start(&self) -> io::Result<Box<dyn Connect>> {
        Ok(Box::new(ServerProcess::mainspring(&self.binary, &self.arguments)?))
    }
}

impl ModuleHost {
    pub fn start(&self, arguments: &[&str]) -> io::Result<ServerProcess> {
        let load = ["--loadmodule".to_owned(), self.library.display().to_string()];
        let arguments = arguments.iter().map(|argument| (*argument).to_owned());
        ServerProcess::redis_like(
            &self.program,
            &load.into_iter().chain(arguments).collect::<Vec<_>>(),
        )
    }
}

impl Target for ModuleHost {
    fn name(&self) -> &str {
        &self.name
    }

    fn start(&self) -> io::Result<Box<dyn Connect>> {
        Ok(Box::new(ModuleHost::start(self, &[])?))
    }
}

impl Target for Address {
    fn name(&self) -> &str {
        "address"
    }

    fn start(&self) -> io::Result<Box<dyn Connect>> {
        Ok(Box::new(self.0))
    }
}

/// The targets that `TEST_TARGETS` names, by default `oracle,mainspring,in-process`. A machine without redis-server says
/// `TEST_TARGETS=mainspring`: then what is not compared is left out because somebody said so, never silently.
///
/// `in_process` is the caller's: this crate knows no server. Programs without one leave that name out.
pub fn chosen_targets(
    mainspring: &Path,
    mut in_process: Option<Box<dyn Target>>,
) -> Vec<Box<dyn Target>> {
    chosen_names()
        .iter()
        .filter_map(|name| -> Option<Box<dyn Target>> {
            Some(match name.as_str() {
                "oracle" => Box::new(Oracle::default()),
                "mainspring" => {
                    Box::new(Mainspring { binary: mainspring.to_path_buf(), arguments: Vec::new() })
                }
                "in-process" => return in_process.take(),
                address => Box::new(Address(address.parse().unwrap_or_else(|_| {
                    panic!(
                        "TEST_TARGETS is a list of oracle, mainspring, in-process and host:port, not {address:?}"
                    )
                }))),
            })
        })
        .collect()
}

/// A started server for every chosen target that is a process; other programs are sent to their addresses.
pub fn chosen_processes(mainspring: &Path) -> Vec<(String, ServerProcess)> {
    let start = |name: String| {
        let started = match name.as_str() {
            "oracle" => ServerProcess::redis(&[]),
            "mainspring" => ServerProcess::mainspring(mainspring, &[]),
            _ => return None,
        };
        let server = started.unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        Some((name, server))
    };
    chosen_names().into_iter().filter_map(start).collect()
}

fn chosen_names() -> Vec<String> {
    let chosen =
        std::env::var("TEST_TARGETS").unwrap_or_else(|_| "oracle,mainspring,in-process".into());
    chosen.split(',').map(str::to_string).collect()
}
