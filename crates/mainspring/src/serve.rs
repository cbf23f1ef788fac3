//! `mainspring server`.

use std::io;
use std::process::ExitCode;
use std::thread;

use server::{Config, Handle, Server};

const STOP_WITH_STDIN: &str = "--stop-with-stdin";

pub(crate) fn serve(arguments: &[String]) -> ExitCode {
    match try_to_serve(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("mainspring: {error}");
            ExitCode::FAILURE
        }
    }
}

fn try_to_serve(arguments: &[String]) -> Result<(), String> {
    // About this process, not about the server: no parameter of its configuration.
    let (ours, parameters): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|word| *word == STOP_WITH_STDIN);
    let parameters: Vec<String> = parameters.into_iter().cloned().collect();
    let config = Config::from_arguments(&parameters).map_err(|error| error.to_string())?;

    let server = Server::start(config).map_err(|error| error.to_string())?;
    server.stop_on_signals().map_err(|error| error.to_string())?;
    if !ours.is_empty() {
        stop_with_stdin(server.handle().map_err(|error| error.to_string())?);
    }
    server.run().map_err(|error| error.to_string())
}

/// The other end of a pipe is closed at the latest when the process that holds it dies, however it dies.
fn stop_with_stdin(server: Handle) {
    thread::spawn(move || {
        // An input that cannot be read has ended as well.
        let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
        // This fails only when the server is gone already.
        let _ = server.stop();
    });
}
