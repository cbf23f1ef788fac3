//! A server on a thread of the test program: no address, no child process, the same loop.

use std::io;
use std::sync::mpsc::channel;
use std::thread::{self, JoinHandle};

use server::{Config, Handle, Server};
use test_support::{Connect, Target, Wire};

pub(crate) struct InProcess;

struct Running {
    handle: Handle,
    thread: Option<JoinHandle<()>>,
}

impl Target for InProcess {
    fn name(&self) -> &str {
        "in-process"
    }

    fn start(&self) -> io::Result<Box<dyn Connect>> {
        let (sender, receiver) = channel();
        // The loop's thread makes the server: workers live as long as the thread that started them.
        let thread = thread::spawn(move || match start() {
            Ok((server, handle)) => {
                sender.send(Ok(handle)).expect("whoever started the server waits for its handle");
                server.run().expect("the loop ends when it is told to");
            }
            Err(error) => sender.send(Err(error)).expect("whoever started the server waits"),
        });
        let handle = receiver.recv().expect("the thread says how it began")?;
        Ok(Box::new(Running { handle, thread: Some(thread) }))
    }
}

fn start() -> io::Result<(Server, Handle)> {
    let arguments = ["--bind", "", "--loglevel", "nothing", "--dbfilename", "no-such-snapshot.rdb"];
    let arguments: Vec<String> = arguments.map(str::to_owned).into();
    let config = Config::from_arguments(&arguments).map_err(io::Error::other)?;
    let server = Server::start(config)?;
    let handle = server.handle()?;
    Ok((server, handle))
}

impl Connect for Running {
    fn connect(&self) -> io::Result<Box<dyn Wire>> {
        Ok(Box::new(self.handle.connect()?))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A server that has ended already takes no message, and a test that failed has said so.
        let _ = self.handle.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
