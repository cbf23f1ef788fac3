//! `mainspring demo`: a server, real text, functions over it, and what came of it in a person's words.
//!
//! Nothing is taken on trust: each chapter counts for itself what it is told, and the story ends where they differ.

mod chapters;
mod connection;
mod failure;
mod interpreter;
mod page;
mod scripts;
mod server_child;
mod texts;
mod traceback;

use std::io;
use std::path::Path;
use std::process::ExitCode;

use connection::Connection;
use failure::Result;
use page::Page;
use server_child::ServerChild;
use texts::Library;

#[derive(Debug, PartialEq)]
pub(crate) struct Options {
    /// Keep the server until it is ended.
    pub(crate) stay: bool,
    /// The interpreter that runs the functions.
    pub(crate) python: String,
}

impl Default for Options {
    fn default() -> Self {
        Options { stay: false, python: "python3".into() }
    }
}

/// What the chapters share.
struct Stage<'a> {
    server: &'a ServerChild,
    library: &'a Library,
    page: &'a mut Page,
}

impl Stage<'_> {
    /// Every part talks over a connection of its own, as programs of different people would.
    fn connect(&self) -> Result<Connection> {
        Connection::open(self.server.address())
    }
}

pub(crate) fn run(options: &Options) -> ExitCode {
    match tell(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("\nmainspring demo: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn tell(options: &Options) -> Result<()> {
    let version = interpreter::version(&options.python)?;
    let library = texts::find(&std::env::current_dir()?)?;
    let mut page = Page::new(io::stdout());
    let program = std::env::current_exe()?;
    let mut server = ServerChild::start(&program, &options.python)?;

    page.title(concat!("Mainspring ", env!("CARGO_PKG_VERSION"), ": a demonstration"))?;
    page.say(&format!(
        "A server of its own: process {}, {}, ready after {}.",
        server.pid(),
        server.address(),
        page::duration(server.ready_after())
    ))?;
    page.say(&format!(
        "Functions run in processes beside it, Python {version}; nothing was installed for them."
    ))?;

    let mut stage = Stage { server: &server, library: &library, page: &mut page };
    if let Err(failure) = chapters::play(&mut stage) {
        return Err(failure.with_log(&server.last_lines()));
    }
    farewell(&mut page, &mut server, options)
}

fn farewell(page: &mut Page, server: &mut ServerChild, options: &Options) -> Result<()> {
    let program = std::env::args().next().unwrap_or_default();
    let name = if Path::new(&program).components().count() > 1 { &program } else { "mainspring" };
    if !options.stay {
        page.title("Go on")?;
        page.say("The server of this demonstration ends with it.")?;
        page.hint(&format!("{name} demo --stay"), "keeps it, to look around")?;
        page.hint(&format!("{name} server"), "serves on port 6379")?;
        page.hint("redis-cli RG.PYEXECUTE \"GB().count().run()\"", "runs a function there")?;
        return Ok(());
    }
    let port = server.address().port();
    page.title("Look around")?;
    page.say("The server stays until Ctrl-C. From another terminal:")?;
    page.hint(&format!("redis-cli -p {port}"), "any Redis client will do")?;
    page.hint(&format!("redis-cli -p {port} RG.TRIGGER find redis server"), "the index of words")?;
    page.hint(&format!("redis-cli -p {port} RG.DUMPREGISTRATIONS"), "what is registered")?;
    page.hint(&format!("redis-cli -p {port} RG.PYEXECUTE \"GB().count().run()\""), "a function")?;
    server.wait()
}
