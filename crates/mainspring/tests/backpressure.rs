//! Writers that are faster than the functions their writes trigger: what `queue_max` and `queue_policy` do to them.

mod stand;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use stand::{Stand, eventually, say};
use test_support::Client;

/// Three threads wait for `go`, so that what comes after the third event waits in the queue.
fn stuck(options: &str) -> String {
    format!(
        "def handle(r):\n    execute('BRPOP', 'go', 0)\n    execute('RPUSH', 'seen', r['key'])\n\
         GB().foreach(handle).register('w:*', eventTypes=['set'], {options})"
    )
}

fn held(client: &mut Client) -> u64 {
    let info = say(client, &["INFO", "rg"]);
    let (_, rest) = info.split_once("rg_held_clients:").expect("INFO tells it");
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn request(words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", words.matches('$').count())
}

fn writes(keys: std::ops::RangeInclusive<usize>) -> String {
    keys.map(|key| request(&["SET", &format!("w:{key}"), "v"])).collect()
}

/// A client that has written until it is held, with one more request sent; and another one.
fn with_held(stand: &Stand, options: &str) -> (TcpStream, Client) {
    let mut client = stand.client();
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &stuck(options)]), "OK");
    let mut writer = TcpStream::connect(stand.server.address()).unwrap();
    writer.set_read_timeout(Some(Client::PATIENCE)).unwrap();
    writer.write_all((writes(1..=5) + &request(&["PING"])).as_bytes()).unwrap();
    expect(&mut writer, &"+OK\r\n".repeat(5));
    eventually("the writer is held", || held(&mut client) == 1);
    (writer, client)
}

fn expect(stream: &mut TcpStream, wire: &str) {
    let mut received = vec![0; wire.len()];
    stream.read_exact(&mut received).unwrap();
    assert_eq!(String::from_utf8_lossy(&received), wire);
}

fn let_go(client: &mut Client, count: usize) {
    for _ in 0..count {
        say(client, &["LPUSH", "go", "x"]);
    }
}

#[test]
fn fifty_writers_and_a_short_queue_lose_no_event_and_handle_none_twice() {
    const WRITERS: usize = 50;
    const ROUNDS: usize = 8;
    // What is judged here is that nothing is lost.
    let stand = Stand::with_wait_max(Duration::from_secs(1), &[]);
    let mut client = stand.client();
    let script = "GB().foreach(lambda r: execute('INCR', 'seen:' + r['key'])).register('w:*', \
                  eventTypes=['set'], queue_max=16)";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    say(&mut client, &["RG.CONFIGSET", "ReplyCompat", "1.2.13"]);

    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let mut stream = TcpStream::connect(stand.server.address()).unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(120))).unwrap();
            thread::spawn(move || {
                for round in 0..ROUNDS {
                    let key = |n: usize| format!("w:{writer}:{round}:{n}");
                    let set = |n: usize| request(&["SET", &key(n), "v"]);
                    // A pipeline, then a transaction: it runs whole.
                    let pipeline: String = (0..4).map(set).collect();
                    let transaction: String = (4..6).map(set).collect();
                    let wire = pipeline
                        + &request(&["MULTI"])
                        + &transaction
                        + &request(&["EXEC"])
                        + &request(&["PING"]);
                    stream.write_all(wire.as_bytes()).unwrap();
                    let expected = "+OK\r\n".repeat(5)
                        + &"+QUEUED\r\n".repeat(2)
                        + "*2\r\n+OK\r\n+OK\r\n+PONG\r\n";
                    expect(&mut stream, &expected);
                }
            })
        })
        .collect();

    let mut longest = 0;
    while !writers.iter().all(|writer| writer.is_finished()) {
        let dump = say(&mut client, &["RG.DUMPREGISTRATIONS"]);
        let (_, queued) = dump.split_once("\"queued\", (integer) ").expect("it is listed");
        let digits: String = queued.chars().take_while(char::is_ascii_digit).collect();
        longest = longest.max(digits.parse().unwrap());
        thread::sleep(Duration::from_millis(1));
    }
    writers.into_iter().for_each(|writer| writer.join().unwrap());
    assert!(longest <= 16 + 2 * WRITERS, "{longest} executions waited");

    let total = WRITERS * ROUNDS * 6;
    let counted = |client: &mut Client| {
        let dump = say(client, &["RG.DUMPREGISTRATIONS"]);
        dump.contains(&format!(
            "\"numTriggered\", (integer) {total}, \"numSuccess\", (integer) {total},"
        ))
    };
    eventually("every event is handled", || counted(&mut client));
    assert_eq!(held(&mut client), 0);
    let twice = "GB().filter(lambda r: r['value'] != '1').count().run('seen:*')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", twice]), "[[], []]");
    let all = "GB().count().run('seen:*')";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", all]), format!("[[\"{total}\"], []]"));
    stand.finish();
}

#[test]
fn a_writer_ahead_of_its_function_waits_and_the_others_go_on() {
    let stand = Stand::start(&[]);
    let (mut writer, mut client) = with_held(&stand, "queue_max=1");
    // Writes that trigger nothing, and reads, are as fast as ever.
    assert_eq!(say(&mut client, &["SET", "other", "v"]), "OK");
    assert_eq!(say(&mut client, &["LLEN", "seen"]), "(integer) 0");
    assert_eq!(held(&mut client), 1);
    let_go(&mut client, 5);
    expect(&mut writer, "+PONG\r\n");
    eventually("all are handled", || say(&mut client, &["LLEN", "seen"]) == "(integer) 5");
    assert_eq!(held(&mut client), 0);
    stand.finish();
}

#[test]
fn what_a_held_client_had_sent_before_it_went_away_is_done() {
    let stand = Stand::start(&[]);
    let (mut writer, mut client) = with_held(&stand, "queue_max=1");
    writer.write_all(request(&["SET", "last", "words"]).as_bytes()).unwrap();
    drop(writer);
    let_go(&mut client, 5);
    eventually("it is done", || say(&mut client, &["GET", "last"]) == "\"words\"");
    eventually("it is gone", || {
        let list = say(&mut client, &["CLIENT", "LIST"]);
        held(&mut client) == 0 && list.matches("id=").count() == 2
    });
    stand.finish();
}

#[test]
fn a_held_client_can_be_killed() {
    let stand = Stand::start(&[]);
    let (mut writer, mut client) = with_held(&stand, "queue_max=1");
    let address = writer.local_addr().unwrap().to_string();
    say(&mut client, &["CLIENT", "KILL", &address]);
    eventually("it is gone", || held(&mut client) == 0);
    assert_eq!(writer.read(&mut [0; 16]).unwrap_or(0), 0);
    stand.finish();
}

#[test]
fn the_end_of_the_registration_and_a_longer_queue_let_the_held_go_on() {
    let stand = Stand::start(&[]);
    let (mut writer, mut client) = with_held(&stand, "queue_max=1");
    let dump = say(&mut client, &["RG.DUMPREGISTRATIONS"]);
    let id = dump.split('"').nth(3).unwrap().to_owned();
    assert_eq!(say(&mut client, &["RG.UNREGISTER", &id]), "OK");
    expect(&mut writer, "+PONG\r\n");
    let_go(&mut client, 5);
    eventually("all are handled", || say(&mut client, &["LLEN", "seen"]) == "(integer) 5");
    stand.finish();
}

#[test]
fn the_death_of_the_worker_lets_the_held_go_on() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "import os\ndef handle(r):\n    if execute('BRPOP', 'go', 0)[1] == 'die': os._exit(3)\n\
                  GB().foreach(handle).register('w:*', eventTypes=['set'], queue_max=1)";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    let mut writer = TcpStream::connect(stand.server.address()).unwrap();
    writer.set_read_timeout(Some(Client::PATIENCE)).unwrap();
    writer.write_all((writes(1..=5) + &request(&["PING"])).as_bytes()).unwrap();
    expect(&mut writer, &"+OK\r\n".repeat(5));
    eventually("the writer is held", || held(&mut client) == 1);
    say(&mut client, &["LPUSH", "go", "die"]);
    expect(&mut writer, "+PONG\r\n");
    stand.finish();
}

#[test]
fn writes_are_refused_before_they_are_done_where_a_registration_says_so() {
    let stand = Stand::start(&["--function-queue-policy", "error"]);
    let mut client = stand.client();
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &stuck("queue_max=1")]), "OK");
    let mut early = stand.client();
    say(&mut early, &["MULTI"]);
    assert_eq!(say(&mut early, &["SET", "w:9", "v"]), "QUEUED");
    for key in ["w:1", "w:2", "w:3", "w:4"] {
        assert_eq!(say(&mut client, &["SET", key, "v"]), "OK");
    }
    let busy = "(error) BUSY function queue of 0000000000000000000000000000000000000000-1 is full";
    assert_eq!(say(&mut client, &["SET", "w:5", "v"]), busy);
    assert_eq!(say(&mut client, &["MSET", "other", "v", "w:5", "v"]), busy);
    let refused = say(&mut early, &["EXEC"]);
    assert!(refused.starts_with("(error) EXECABORT") && refused.contains("BUSY"), "{refused}");
    assert_eq!(say(&mut client, &["EXISTS", "w:5", "w:9", "other"]), "(integer) 0");
    let by_function = say(&mut client, &["RG.PYEXECUTE", "execute('SET', 'w:5', 'v')"]);
    assert!(by_function.contains("BUSY function queue"), "{by_function}");
    assert_eq!(say(&mut client, &["GET", "w:4"]), "\"v\"");
    assert_eq!(say(&mut client, &["SET", "other", "v"]), "OK");
    say(&mut client, &["MULTI"]);
    assert_eq!(say(&mut client, &["SET", "w:5", "v"]), busy);
    assert!(say(&mut client, &["EXEC"]).contains("EXECABORT"));
    let_go(&mut client, 4);
    eventually("there is room", || say(&mut client, &["SET", "w:5", "v"]) == "OK");
    let_go(&mut client, 1);
    stand.finish();
}

#[test]
fn events_may_be_dropped_and_are_counted_then() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let options = "queue_max=1, queue_policy='drop'";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &stuck(options)]), "OK");
    for key in 1..=9 {
        assert_eq!(say(&mut client, &["SET", &format!("w:{key}"), "v"]), "OK");
    }
    assert!(say(&mut client, &["INFO", "rg"]).contains("rg_dropped:5"));
    assert_eq!(held(&mut client), 0);
    let_go(&mut client, 4);
    eventually("four are handled", || say(&mut client, &["LLEN", "seen"]) == "(integer) 4");
    stand.finish();
}

#[test]
fn a_function_that_triggers_itself_faster_than_it_runs_is_not_made_to_wait_for_itself() {
    let stand = Stand::start(&[]);
    let mut client = stand.client();
    let script = "def handle(r):\n    if r['key'] == 'w:0':\n        for i in range(1, 101): execute('SET', 'w:%d' % i, 'v')\n    \
                  execute('RPUSH', 'seen', r['key'])\n\
                  GB().foreach(handle).register('w:*', eventTypes=['set'], queue_max=1)";
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", script]), "OK");
    assert_eq!(say(&mut client, &["SET", "w:0", "v"]), "OK");
    eventually("all are handled", || say(&mut client, &["LLEN", "seen"]) == "(integer) 101");
    stand.finish();
}
