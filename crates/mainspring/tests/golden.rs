//! The scripts of `tests/scripts`, each on every target: a server inside this process, our binary over TCP, redis-server.
//!
//! ```text
//! cargo test -p mainspring --test golden -- lists/            one group
//! TEST_TARGETS=oracle cargo test -p mainspring --test golden   redis-server only
//! UPDATE_GOLDEN=1 cargo test -p mainspring --test golden       write down what redis-server says
//! ```

mod in_process;

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    let binary = Path::new(env!("CARGO_BIN_EXE_mainspring"));
    let in_process = Box::new(in_process::InProcess);
    test_support::golden::main(&scripts, binary, in_process, std::env::args().skip(1))
}
