//! The scripts of `tests/scripts`, each on every target.
//!
//! ```text
//! cargo test -p mainspring --test golden -- lists/            one group
//! TEST_TARGETS=oracle cargo test -p mainspring --test golden   redis-server only
//! UPDATE_GOLDEN=1 cargo test -p mainspring --test golden       write down what redis-server says
//! ```

use std::path::Path;
use std::process::ExitCode;

fn main() -> ExitCode {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scripts");
    let binary = Path::new(env!("CARGO_BIN_EXE_mainspring"));
    test_support::golden::main(&scripts, binary, std::env::args().skip(1))
}
