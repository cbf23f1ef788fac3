//! What clients may do to the wire, to their sockets and to each other's patience.

mod stand;

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use stand::{Stand, eventually, resident_bytes, say};
use test_support::{Client, Received, ServerProcess, chosen_processes};

/// Bytes that are no request, and the error that Redis has for them.
fn malformed() -> Vec<(Vec<u8>, &'static str)> {
    let long = 70 << 10;
    let filled = |start: &str, byte: u8| {
        let mut bytes = start.as_bytes().to_vec();
        bytes.resize(bytes.len() + long, byte);
        bytes
    };
    vec![
        (b"*x\r\n".to_vec(), "invalid multibulk length"),
        (b"*99999999999\r\n".to_vec(), "invalid multibulk length"),
        (b"*99999999999999999999999\r\n".to_vec(), "invalid multibulk length"),
        (b"*1 \r\n".to_vec(), "invalid multibulk length"),
        (b"*1\r\n$-1\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$999999999999\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\n$536870913\r\n".to_vec(), "invalid bulk length"),
        (b"*1\r\nPING\r\n".to_vec(), "expected '$', got 'P'"),
        (b"*2\r\n$4\r\nPING\r\n*1\r\n".to_vec(), "expected '$', got '*'"),
        (b"SET k \"unbalanced\r\n".to_vec(), "unbalanced quotes in request"),
        (b"SET k 'un'balanced\r\n".to_vec(), "unbalanced quotes in request"),
        (filled("", b'x'), "too big inline request"),
        (filled("*", b'1'), "too big mbulk count string"),
        (filled("*1\r\n$", b'1'), "too big bulk count string"),
    ]
}

#[test]
fn what_is_no_request_gets_redis_s_error_and_the_connection_ends() {
    for (name, server) in chosen_processes(Path::new(env!("CARGO_BIN_EXE_mainspring"))) {
        for (bytes, error) in malformed() {
            let shown = String::from_utf8_lossy(&bytes[..bytes.len().min(30)]).into_owned();
            let mut socket = socket(&server);
            // What stands before it is answered first.
            socket.write_all(b"*1\r\n$4\r\nPING\r\n").unwrap();
            socket.write_all(&bytes).unwrap();
            let said = read_to_the_end(&mut socket);
            assert_eq!(
                said,
                format!("+PONG\r\n-ERR Protocol error: {error}\r\n"),
                "{name} {shown}"
            );
        }
    }
}

#[test]
fn odd_but_good_requests_are_answered() {
    for (name, server) in chosen_processes(Path::new(env!("CARGO_BIN_EXE_mainspring"))) {
        for (bytes, expected) in [
            ("\r\n\r\nPING\r\n", "+PONG\r\n"),
            ("*0\r\n*-5\r\nPING\n", "+PONG\r\n"),
            ("  ECHO   'a b'  \r\n", "$3\r\na b\r\n"),
            ("echo \"\\x41\\n\"\r\n", "$2\r\nA\n\r\n"),
            ("PING\r\n*1\r\n$4\r\nPING\r\nPING\r\n", "+PONG\r\n+PONG\r\n+PONG\r\n"),
            ("*2\r\n$4\r\nECHO\r\n$0\r\n\r\n", "$0\r\n\r\n"),
            ("*3\r\n$3\r\nGET\r\n$1\r\nk", ""),
        ] {
            let mut socket = socket(&server);
            socket.write_all(bytes.as_bytes()).unwrap();
            socket.shutdown(Shutdown::Write).unwrap();
            assert_eq!(read_to_the_end(&mut socket), expected, "{name}: {bytes:?}");
        }
    }
}

/// A connection on which no reply is waited for in vain for ever.
fn socket(server: &ServerProcess) -> TcpStream {
    let socket = TcpStream::connect(server.address()).unwrap();
    socket.set_read_timeout(Some(Client::PATIENCE)).unwrap();
    socket.set_write_timeout(Some(Client::PATIENCE)).unwrap();
    socket
}

fn read_to_the_end(socket: &mut TcpStream) -> String {
    let mut said = Vec::new();
    match socket.read_to_end(&mut said) {
        // The server may close while bytes of ours are under way.
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("{error}"),
        _ => String::from_utf8_lossy(&said).into_owned(),
    }
}

/// `PROTOCOL_SEED=7` replays one run.
#[test]
fn random_bytes_neither_stop_nor_confuse_the_server() {
    let seed = std::env::var("PROTOCOL_SEED").map_or(1, |text| text.parse().unwrap());
    eprintln!("PROTOCOL_SEED={seed}");
    let stand = Stand::start(&[]);
    let mut witness = stand.client();
    assert_eq!(say(&mut witness, &["SET", "witness", "untouched"]), "OK");
    let mut random = Random(seed);
    for _ in 0..1500 {
        let bytes = random.conversation();
        let mut socket = socket(&stand.server);
        // In pieces, as a network would; the server may have closed before the last.
        for piece in bytes.chunks(1 + random.below(bytes.len())) {
            if socket.write_all(piece).is_err() {
                break;
            }
        }
        let _ = socket.shutdown(Shutdown::Write);
        read_to_the_end(&mut socket);
    }
    assert_eq!(say(&mut witness, &["GET", "witness"]), "\"untouched\"");
    stand.finish();
}

/// xorshift64*: the same bytes for the same seed, on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 33) as usize % bound
    }

    /// Either nothing but noise, or good requests with a few bytes changed, removed or added.
    fn conversation(&mut self) -> Vec<u8> {
        if self.below(4) == 0 {
            let length = 1 + self.below(200);
            return (0..length).map(|_| self.below(256) as u8).collect();
        }
        let mut bytes = Vec::new();
        for _ in 0..1 + self.below(5) {
            let request: &[u8] = [
                &b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$5\r\nvalue\r\n"[..],
                b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
                b"PING\r\n",
                b"SET k \"a\\x00b\"\r\n",
                b"*5\r\n$5\r\nRPUSH\r\n$1\r\nl\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n",
                b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n",
                b"*1\r\n$5\r\nMULTI\r\n",
                b"*1\r\n$4\r\nEXEC\r\n",
            ][self.below(8)];
            bytes.extend_from_slice(request);
        }
        for _ in 0..self.below(4) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 => bytes[at] = self.below(256) as u8,
                1 if bytes.len() > 1 => drop(bytes.remove(at)),
                _ => bytes.insert(at, b"*$\r\n-0919\""[self.below(10)]),
            }
        }
        bytes
    }
}

#[test]
fn who_sends_no_more_still_gets_all_replies() {
    let stand = Stand::start(&[]);
    let value = "x".repeat(100_000);
    say(&mut stand.client(), &["SET", "k", &value]);
    let mut socket = socket(&stand.server);
    // Far more replies than the server keeps for a client, so that it has to pause in between.
    socket.write_all("GET k\r\n".repeat(500).as_bytes()).unwrap();
    socket.shutdown(Shutdown::Write).unwrap();
    std::thread::sleep(Duration::from_millis(50));
    let mut said = Vec::new();
    socket.read_to_end(&mut said).unwrap();
    assert_eq!(said.len(), 500 * (value.len() + "$100000\r\n\r\n".len()));
    stand.finish();
}

#[test]
fn ten_thousand_idle_clients_cost_little_and_slow_nobody_down() {
    let wanted = 10_000;
    let possible = raise_descriptor_limit(wanted + 500) - 500;
    let count = wanted.min(possible);
    if count < wanted {
        eprintln!("the hard limit of descriptors allows {count} connections only");
    }
    // In the end all of them leave at once, and their sockets are closed one after the other.
    let wait_max = Duration::from_millis(300);
    let stand = Stand::with_wait_max(wait_max, &["--maxclients", "11000"]);
    let before = resident_bytes(stand.server.pid());
    let start = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..count {
        let mut socket = socket(&stand.server);
        socket.write_all(b"PING\r\n").unwrap();
        let mut pong = [0; 7];
        socket.read_exact(&mut pong).unwrap();
        assert_eq!(&pong, b"+PONG\r\n");
        idle.push(socket);
    }
    let took = start.elapsed();
    let mut client = stand.client();
    let mut pings: Vec<Duration> = (0..2000)
        .map(|_| {
            let start = Instant::now();
            assert_eq!(say(&mut client, &["PING"]), "PONG");
            start.elapsed()
        })
        .collect();
    pings.sort();
    let busy = resident_bytes(stand.server.pid()).saturating_sub(before) / count as u64;
    // Idle connections give their buffers back after two seconds.
    std::thread::sleep(Duration::from_millis(2500));
    let each = resident_bytes(stand.server.pid()).saturating_sub(before) / count as u64;
    eprintln!(
        "{count} clients in {took:?}; PING {:?} median, {:?} at 99 %; {busy} bytes each, {each} when idle",
        pings[1000], pings[1980]
    );
    assert!(busy < 32 << 10, "{busy} bytes for each");
    drop(idle);
    let connected = |client: &mut Client| say(client, &["INFO", "clients"]);
    eventually("all are gone", || connected(&mut client).contains("connected_clients:2\\r"));
    stand.finish();
}

/// Descriptors that this process may have from now on.
fn raise_descriptor_limit(wanted: usize) -> usize {
    let hard = || {
        let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
        let line = limits.lines().find(|line| line.starts_with("Max open files")).unwrap();
        let columns: Vec<&str> = line.split_whitespace().collect();
        (columns[3].parse().unwrap_or(usize::MAX), columns[4].parse().unwrap_or(usize::MAX))
    };
    let (soft, hard) = hard();
    if soft < wanted {
        let limit = format!("--nofile={}:{hard}", wanted.min(hard));
        let process = std::process::id().to_string();
        let status = Command::new("prlimit").args(["--pid", &process, &limit]).status().unwrap();
        assert!(status.success(), "prlimit {limit}");
    }
    wanted.min(hard)
}

#[test]
fn who_never_reads_makes_the_server_keep_little() {
    let stand = Stand::start(&[]);
    say(&mut stand.client(), &["SET", "k", &"x".repeat(1 << 20)]);
    let before = resident_bytes(stand.server.pid());
    let mut deaf = socket(&stand.server);
    deaf.write_all("GET k\r\n".repeat(10_000).as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    let grown = resident_bytes(stand.server.pid()).saturating_sub(before);
    eprintln!("10,000 unread replies of 1 MB: the server grew by {grown} bytes");
    assert!(grown < 32 << 20, "the server grew by {grown} bytes");
    // When it reads at last, they all come.
    let mut buffer = vec![0; 1 << 20];
    let mut left = 10_000 * ((1 << 20) + "$1048576\r\n\r\n".len());
    while left > 0 {
        let wanted = left.min(buffer.len());
        left -= deaf.read(&mut buffer[..wanted]).unwrap();
    }
    stand.finish();
}

#[test]
fn a_subscriber_that_never_reads_is_closed_at_its_limit() {
    let stand = Stand::start(&["--client-output-buffer-limit", "pubsub 4mb 0 0"]);
    let mut client = stand.client();
    let mut deaf = stand.client();
    assert!(say(&mut deaf, &["SUBSCRIBE", "news"]).contains("subscribe"));
    let before = resident_bytes(stand.server.pid());
    let message = "x".repeat(100_000);
    // The sockets' own buffers take some megabytes.
    let heard =
        (0..400).filter(|_| say(&mut client, &["PUBLISH", "news", &message]) == "(integer) 1");
    let heard = heard.count();
    let grown = resident_bytes(stand.server.pid()).saturating_sub(before);
    eprintln!("closed after {heard} messages of 100 kB; the server grew by {grown} bytes");
    assert!(heard > 30 && heard < 400, "{heard} messages were taken");
    assert!(grown < 32 << 20, "the server grew by {grown} bytes");
    stand.finish();
}

#[test]
fn a_subscriber_that_stays_behind_is_closed_after_a_while() {
    let stand = Stand::start(&["--client-output-buffer-limit", "pubsub 0 1mb 1"]);
    let mut client = stand.client();
    let mut deaf = stand.client();
    assert!(say(&mut deaf, &["SUBSCRIBE", "news"]).contains("subscribe"));
    let message = "x".repeat(100_000);
    let start = Instant::now();
    // The sockets' own buffers are full after some megabytes; from then on it is behind.
    eventually("nobody subscribes any more", || {
        say(&mut client, &["PUBLISH", "news", &message]) == "(integer) 0"
    });
    assert!(start.elapsed() > Duration::from_secs(1), "{:?}", start.elapsed());
    stand.finish();
}

#[test]
fn who_sends_byte_by_byte_is_served_when_it_is_done() {
    let stand = Stand::start(&[]);
    let request = b"*3\r\n$6\r\nINCRBY\r\n$1\r\nn\r\n$1\r\n2\r\n";
    let mut slow: Vec<TcpStream> = (0..200)
        .map(|_| {
            let socket = socket(&stand.server);
            socket.set_nodelay(true).unwrap();
            socket
        })
        .collect();
    for byte in request {
        for socket in &mut slow {
            socket.write_all(&[*byte]).unwrap();
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    for socket in &mut slow {
        let mut start = [0; 1];
        socket.read_exact(&mut start).unwrap();
        assert_eq!(&start, b":");
    }
    assert_eq!(say(&mut stand.client(), &["GET", "n"]), "\"400\"");
    stand.finish();
}

#[test]
fn a_huge_pipeline_is_answered_in_order_and_others_are_served_meanwhile() {
    const COUNT: usize = 300_000;
    let stand = Stand::start(&[]);
    let mut socket = socket(&stand.server);
    let mut reader = socket.try_clone().unwrap();
    let writer = std::thread::spawn(move || {
        socket.write_all("INCR n\r\n".repeat(COUNT).as_bytes()).unwrap();
        socket.shutdown(Shutdown::Write).unwrap();
    });
    let mut said = String::new();
    reader.read_to_string(&mut said).unwrap();
    writer.join().unwrap();
    assert_eq!(said.lines().count(), COUNT);
    assert!(said.lines().enumerate().all(|(index, line)| line == format!(":{}", index + 1)));
    stand.finish();
}

#[test]
fn a_storm_of_connections_leaves_nothing_behind() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    // Workers have descriptors too. Once a script has run, their interpreter is up; then they come within a cron turn.
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", ""]), "OK");
    let descriptors =
        || std::fs::read_dir(format!("/proc/{}/fd", stand.server.pid())).unwrap().count();
    let (mut before, mut same) = (descriptors(), 0);
    eventually("the workers that are kept ready are there", || {
        let now = descriptors();
        same = if now == before { same + 1 } else { 0 };
        before = now;
        same == 100
    });
    let start = Instant::now();
    for index in 0..5000 {
        let mut socket = socket(&stand.server);
        // Some say nothing, some do not wait for the answer, some break off in the middle.
        match index % 4 {
            0 => {}
            1 => socket.write_all(b"PING\r\n").unwrap(),
            2 => socket.write_all(b"*2\r\n$3\r\nGET\r\n$5\r\nab").unwrap(),
            _ => {
                socket.write_all(b"PING\r\n").unwrap();
                socket.read_exact(&mut [0; 7]).unwrap();
            }
        }
    }
    eprintln!("5,000 connections took {:?}", start.elapsed());
    eventually("their descriptors are closed", || descriptors() <= before);
    stand.finish();
}

#[test]
fn who_leaves_while_blocked_takes_nothing() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let mut blocked = stand.client();
    blocked.send(&["BLPOP", "queue", "0"]).unwrap();
    assert_eq!(blocked.next(Duration::from_millis(50)).unwrap(), Received::Silence);
    drop(blocked);
    eventually("the server has noticed", || clients(&mut client) == 2);
    assert_eq!(say(&mut client, &["RPUSH", "queue", "kept"]), "(integer) 1");
    assert_eq!(say(&mut client, &["LRANGE", "queue", "0", "-1"]), r#"["kept"]"#);
    stand.finish();
}

#[test]
fn who_leaves_in_a_transaction_has_done_nothing() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let mut leaver = stand.client();
    for words in [&["WATCH", "k"][..], &["MULTI"], &["SET", "k", "v"]] {
        say(&mut leaver, words);
    }
    drop(leaver);
    eventually("the server has noticed", || clients(&mut client) == 2);
    assert_eq!(say(&mut client, &["EXISTS", "k"]), "(integer) 0");
    stand.finish();
}

#[test]
fn a_function_goes_on_without_the_client_that_has_left() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let register = "
import time
def slow(r):
    time.sleep(0.3)
    execute('SET', 'from:' + r[1], 'done')
GB('CommandReader').map(slow).register(trigger='slow')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", register]), "OK");
    let mut caller = stand.client();
    caller.send(&["RG.TRIGGER", "slow", "trigger"]).unwrap();
    let mut runner = stand.client();
    let run = "
import time
def slow(r):
    time.sleep(0.3)
    execute('SET', 'from:run', 'done')
GB('ShardsIDReader').map(slow).run()";
    runner.send(&["RG.PYEXECUTE", run]).unwrap();
    std::thread::sleep(Duration::from_millis(100));
    drop((caller, runner));
    eventually("the server has noticed", || clients(&mut client) == 2);
    for key in ["from:trigger", "from:run"] {
        eventually("the function is done", || say(&mut client, &["GET", key]) == "\"done\"");
    }
    eventually("the execution is gone", || say(&mut client, &["RG.DUMPEXECUTIONS"]) == "[]");
    stand.finish();
}

/// The prober and the one that asks count, too.
fn clients(client: &mut Client) -> usize {
    say(client, &["CLIENT", "LIST"]).matches("id=").count()
}
