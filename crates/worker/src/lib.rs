//! Python worker processes behind the function engine's worker door.
//!
//! [`Pool`] is the door: it keeps one zygote per interpreter, takes a warm process for each session and carries
//! messages both ways. It owns no thread and no event loop; its host watches the descriptors it names.

mod frame;
mod installer;
mod interpreter;
mod log_lines;
mod mailbox;
mod marshal;
mod message;
mod pool;
mod preparation;
mod process;
mod records;
mod resp2;
mod sys;
mod transport;
mod usage;
mod zygote;

pub use pool::{Change, Interest, Pool, PoolSpec};
pub use preparation::Packages;

/// The Python side, as it travels to each interpreter: nothing is read from the disk at run time.
pub mod runtime {
    /// What `python -c` is given: short, since process listings show it. Reads [`BOOT`] from its standard input.
    pub const STUB: &str =
        "import socket; control = socket.socket(fileno=0); exec(control.recv(65536))";

    /// Run by [`STUB`]; receives [`MODULES`] over the same socket.
    pub const BOOT: &str = include_str!("../../../python/mainspring_worker/boot.py");

    /// Started with `python -c` for each installation of packages.
    pub const INSTALLER: &str = include_str!("../../../python/mainspring_worker/installer.py");

    macro_rules! modules {
        ($($name:literal),* $(,)?) => {
            &[$(($name, include_str!(concat!("../../../python/mainspring_worker/", $name, ".py")))),*]
        };
    }

    /// Name and source of every module of the package `mainspring_worker`.
    pub const MODULES: &[(&str, &str)] = modules![
        "__init__",
        "api",
        "builder",
        "channel",
        "desk",
        "errors",
        "execution",
        "forced_stop",
        "futures",
        "log_levels",
        "mailbox",
        "packages",
        "pickling",
        "profiling",
        "protocol",
        "reach",
        "session",
        "steps",
        "suspension",
        "values",
        "zygote",
    ];
}
