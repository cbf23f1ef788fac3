//! The binary.

use std::process::ExitCode;

use server::{Config, Server};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.split_first() {
        Some((command, rest)) if command == "server" => serve(rest),
        _ => ExitCode::FAILURE,
    }
}

fn serve(arguments: &[String]) -> ExitCode {
    let result =
        Config::from_arguments(arguments).map_err(|error| error.to_string()).and_then(|config| {
            let server = Server::start(config).map_err(|error| error.to_string())?;
            server.stop_on_signals().map_err(|error| error.to_string())?;
            server.run().map_err(|error| error.to_string())
        });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mainspring: {error}");
            ExitCode::FAILURE
        }
    }
}
