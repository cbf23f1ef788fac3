//! A server under test whose every other client is watched: while something bad happens on one connection, another asks
//! PING all the time, and the longest it had to wait is judged at the end.
#![allow(dead_code, reason = "every test program has a copy of its own and uses a part of it")]

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant};

use test_support::{Client, Reply, ServerProcess};

/// What any other client may have to wait at most.
pub(crate) const PING_WAIT_MAX: Duration = Duration::from_millis(100);

pub(crate) struct Stand {
    pub(crate) server: ServerProcess,
    prober: Option<Prober>,
    wait_max: Duration,
}

struct Prober {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<Duration>,
}

impl Stand {
    pub(crate) fn start(arguments: &[&str]) -> Stand {
        Stand::with_wait_max(PING_WAIT_MAX, arguments)
    }

    /// Where the data itself is lent to a function, others wait for as long as that may last.
    pub(crate) fn with_wait_max(wait_max: Duration, arguments: &[&str]) -> Stand {
        let arguments: Vec<String> = arguments.iter().map(|word| word.to_string()).collect();
        let binary = Path::new(env!("CARGO_BIN_EXE_mainspring"));
        let server = ServerProcess::mainspring(binary, &arguments).unwrap();
        let prober = Some(Prober::start(&server));
        Stand { server, prober, wait_max }
    }

    pub(crate) fn client(&self) -> Client {
        Client::open(&self.server).unwrap()
    }

    /// Nothing is left to be watched: the server may end now. Tells the longest wait of a PING.
    pub(crate) fn stop_probing(&mut self) -> Duration {
        let prober = self.prober.take().expect("probing is stopped once");
        prober.is_over.store(true, Ordering::Relaxed);
        let longest = prober.thread.join().expect("the prober had an answer to every PING");
        eprintln!("longest wait of a PING: {longest:?}");
        longest
    }

    /// The other clients noticed nothing, and no process is left behind that nobody waits for.
    pub(crate) fn finish(mut self) {
        let longest = self.stop_probing();
        assert!(longest <= self.wait_max, "a PING took {longest:?}");
        let zombies = || descendants(self.server.pid()).into_iter().filter(|pid| is_zombie(*pid));
        eventually("there is no zombie", || zombies().next().is_none());
    }
}

impl Prober {
    fn start(server: &ServerProcess) -> Prober {
        let (address, pid) = (server.address(), server.pid());
        let is_over = Arc::new(AtomicBool::new(false));
        let asked = is_over.clone();
        let thread = spawn(move || {
            let mut client = Client::open(&address).expect("the server accepts");
            let mut longest = Duration::ZERO;
            while !asked.load(Ordering::Relaxed) {
                let waited_before = waited_for_a_core(pid);
                let start = Instant::now();
                let reply = client.call(&["PING"]).expect("the server lives");
                let took = start.elapsed();
                assert_eq!(reply, Reply::Simple(b"PONG".to_vec()));
                let waited = waited_for_a_core(pid) - waited_before;
                longest = longest.max(took.saturating_sub(waited));
                sleep(Duration::from_millis(2));
            }
            longest
        });
        Prober { is_over, thread }
    }
}

/// For how long the server, or this thread, could have run but other programs had the cores. That is the machine's
/// doing, not the server's.
fn waited_for_a_core(server: u32) -> Duration {
    let waited = |path: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.split(' ').nth(1).and_then(|nanoseconds| nanoseconds.parse().ok()).unwrap_or(0)
    };
    let server = waited(&format!("/proc/{server}/schedstat"));
    Duration::from_nanos(server + waited("/proc/thread-self/schedstat"))
}

/// The reply, as a golden script would show it.
pub(crate) fn say(client: &mut Client, words: &[&str]) -> String {
    match client.call(words) {
        Ok(reply) => reply.to_string(),
        Err(error) => panic!("{words:?}: {error}"),
    }
}

pub(crate) fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + Client::PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain it was waited until {what}");
        sleep(Duration::from_millis(5));
    }
}

/// The processes that descend from this one, those that are dead but not waited for among them.
pub(crate) fn descendants(root: u32) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        if let Some((_, parent)) = state_and_parent(pid) {
            children.entry(parent).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while next < found.len() {
        found.extend(children.remove(&found[next]).unwrap_or_default());
        next += 1;
    }
    found.split_off(1)
}

pub(crate) fn is_zombie(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state == 'Z')
}

/// A process whose parent is gone and which only waits to be reaped by init counts as gone.
pub(crate) fn is_alive(pid: u32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z')
}

pub(crate) fn resident_bytes(pid: u32) -> u64 {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap();
    let pages: u64 = statm.split(' ').nth(1).unwrap().parse().unwrap();
    pages * 4096
}

fn state_and_parent(pid: u32) -> Option<(char, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name stands in brackets and may hold anything.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}
