//! Clients that send much at once: what they get is what a patient client would have got.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::thread;
use std::time::Duration;

use test_support::{Client, Reply, ServerProcess, chosen_processes};

/// Speaks to every target in turn.
fn with_each_server(talk: impl Fn(&str, TcpStream)) {
    for (name, server) in chosen_processes(Path::new(env!("CARGO_BIN_EXE_mainspring"))) {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        talk(&name, stream);
    }
}

fn request(words: &[&[u8]]) -> Vec<u8> {
    let mut wire = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        wire.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
        wire.extend_from_slice(word);
        wire.extend_from_slice(b"\r\n");
    }
    wire
}

/// Writes all of it while it reads, as a client must that sends more than sockets hold.
fn exchange(stream: &mut TcpStream, wire: Vec<u8>, expected_bytes: usize) -> Vec<u8> {
    let mut writing = stream.try_clone().unwrap();
    let writer = thread::spawn(move || writing.write_all(&wire).unwrap());
    let mut received = vec![0; expected_bytes];
    stream.read_exact(&mut received).unwrap();
    writer.join().unwrap();
    received
}

#[test]
fn a_hundred_thousand_commands_in_one_write_are_answered_in_order() {
    const COMMANDS: usize = 100_000;
    let mut wire = Vec::new();
    let mut expected = Vec::new();
    for number in 1..=COMMANDS {
        wire.extend(request(&[b"INCR", b"counter"]));
        expected.extend_from_slice(format!(":{number}\r\n").as_bytes());
    }
    with_each_server(|name, mut stream| {
        let received = exchange(&mut stream, wire.clone(), expected.len());
        assert!(received == expected, "{name} loses or mixes up replies");
    });
}

#[test]
fn errors_within_a_pipeline_do_not_end_it() {
    let wrong_type = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
    let mut wire = Vec::new();
    let mut expected = String::new();
    for number in 0..1000 {
        let value = number.to_string();
        wire.extend(request(&[b"SET", b"k", value.as_bytes()]));
        wire.extend(request(&[b"LPUSH", b"k", b"x"]));
        wire.extend(request(&[b"GET"]));
        wire.extend(request(&[b"NOSUCH"]));
        wire.extend_from_slice(b"GET k\r\n");
        expected.push_str("+OK\r\n");
        expected.push_str(wrong_type);
        expected.push_str("-ERR wrong number of arguments for 'get' command\r\n");
        expected.push_str("-ERR unknown command 'NOSUCH', with args beginning with: \r\n");
        expected.push_str(&format!("${}\r\n{value}\r\n", value.len()));
    }
    with_each_server(|name, mut stream| {
        let received = exchange(&mut stream, wire.clone(), expected.len());
        assert_eq!(String::from_utf8_lossy(&received), expected, "{name}");
    });
}

#[test]
fn values_of_ten_megabytes_come_back_whole() {
    const LENGTH: usize = 10 << 20;
    let value: Vec<u8> = (0..LENGTH).map(|at| ((at * 31) >> 3) as u8).collect();
    let mut wire = request(&[b"SET", b"big", &value]);
    wire.extend(request(&[b"GET", b"big"]));
    wire.extend(request(&[b"APPEND", b"big", &value]));
    wire.extend(request(&[b"HSET", b"hash", b"field", &value]));
    wire.extend(request(&[b"HGET", b"hash", b"field"]));
    let mut expected = b"+OK\r\n".to_vec();
    expected.extend_from_slice(format!("${LENGTH}\r\n").as_bytes());
    expected.extend_from_slice(&value);
    expected.extend_from_slice(format!("\r\n:{}\r\n:1\r\n${LENGTH}\r\n", 2 * LENGTH).as_bytes());
    expected.extend_from_slice(&value);
    expected.extend_from_slice(b"\r\n");
    with_each_server(|name, mut stream| {
        let received = exchange(&mut stream, wire.clone(), expected.len());
        assert!(received == expected, "{name} changes a large value");
    });
}

#[test]
fn a_million_keys_are_set_and_deleted_by_one_command() {
    const KEYS: usize = 1_000_000;
    let keys: Vec<Vec<u8>> = (0..KEYS).map(|number| format!("key:{number}").into_bytes()).collect();
    let mut set: Vec<&[u8]> = vec![b"MSET"];
    keys.iter().for_each(|key| set.extend([key.as_slice(), b"v"]));
    let mut delete: Vec<&[u8]> = vec![b"DEL"];
    delete.extend(keys.iter().map(Vec::as_slice));
    let mut wire = request(&set);
    wire.extend(request(&[b"DBSIZE"]));
    wire.extend(request(&delete));
    wire.extend(request(&[b"DBSIZE"]));
    let expected = format!("+OK\r\n:{KEYS}\r\n:{KEYS}\r\n:0\r\n");
    with_each_server(|name, mut stream| {
        let received = exchange(&mut stream, wire.clone(), expected.len());
        assert_eq!(String::from_utf8_lossy(&received), expected, "{name}");
    });
}

#[test]
fn silenced_replies_are_missing_from_a_pipeline_and_no_others() {
    let mut wire = Vec::new();
    let mut expected = String::new();
    for number in 0..500 {
        let value = number.to_string();
        wire.extend(request(&[b"CLIENT", b"REPLY", b"OFF"]));
        wire.extend(request(&[b"SET", b"k", value.as_bytes()]));
        wire.extend(request(&[b"NOSUCH"]));
        wire.extend(request(&[b"CLIENT", b"REPLY", b"ON"]));
        wire.extend(request(&[b"CLIENT", b"REPLY", b"SKIP"]));
        wire.extend(request(&[b"APPEND", b"k", b"x"]));
        wire.extend(request(&[b"CLIENT", b"REPLY", b"SKIP"]));
        wire.extend(request(&[b"GET"]));
        wire.extend(request(&[b"GET", b"k"]));
        expected.push_str(&format!("+OK\r\n${}\r\n{value}x\r\n", value.len() + 1));
    }
    with_each_server(|name, mut stream| {
        let received = exchange(&mut stream, wire.clone(), expected.len());
        assert_eq!(String::from_utf8_lossy(&received), expected, "{name}");
    });
}

#[test]
fn clients_that_pipeline_triggers_while_others_keep_the_server_busy_are_all_served() {
    const CLIENTS: usize = 50;
    const ROUNDS: usize = 10;
    const KEYS: usize = 5000;
    let server =
        ServerProcess::mainspring(Path::new(env!("CARGO_BIN_EXE_mainspring")), &[]).unwrap();
    let script = "GB('CommandReader').map(lambda x: 1).register(trigger='one')";
    let reply = Client::open(&server).unwrap().call(&["RG.PYEXECUTE", script]).unwrap();
    assert_eq!(reply, Reply::Simple(b"OK".to_vec()));
    // Some of these in one turn take longer than a turn gives to commands.
    let slow = request(&[b"KEYS", b"none:*"]).repeat(20);
    let pipeline = request(&[b"RG.TRIGGER", b"one"]).repeat(16);
    let expected = b"*1\r\n$1\r\n1\r\n".repeat(16);
    let open = || {
        let stream = TcpStream::connect(server.address()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        stream
    };
    let mut busy = open();
    let filling: Vec<u8> =
        (0..KEYS).flat_map(|key| request(&[b"SET", key.to_string().as_bytes(), b"v"])).collect();
    exchange(&mut busy, filling, KEYS * b"+OK\r\n".len());
    thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|_| {
                let (mut stream, pipeline, expected) = (open(), &pipeline, &expected);
                scope.spawn(move || {
                    for _ in 0..ROUNDS {
                        let received = exchange(&mut stream, pipeline.clone(), expected.len());
                        assert_eq!(&received, expected);
                    }
                })
            })
            .collect();
        while clients.iter().any(|client| !client.is_finished()) {
            exchange(&mut busy, slow.clone(), 20 * b"*0\r\n".len());
        }
    });
}
