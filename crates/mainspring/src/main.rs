//! The binary: finds out what is wanted and hands over.

mod command_line;
mod demo;
mod help;
mod serve;

use std::process::ExitCode;

use command_line::Invocation;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What a command line that makes no sense ends with, as everywhere.
const USAGE_ERROR: u8 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match Invocation::of(&arguments) {
        Invocation::Show(text) => {
            print!("{text}");
            ExitCode::SUCCESS
        }
        Invocation::Version => {
            println!("{}", help::version());
            ExitCode::SUCCESS
        }
        Invocation::Server(arguments) => serve::serve(arguments),
        Invocation::Demo(options) => demo::run(&options),
        Invocation::Wrong(why) => {
            eprintln!("mainspring: {why}");
            ExitCode::from(USAGE_ERROR)
        }
    }
}
