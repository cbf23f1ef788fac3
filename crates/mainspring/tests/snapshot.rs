//! The data outlives its server.

use std::fs;
use std::path::Path;

use test_support::{Client, Reply, ServerProcess};

fn start(arguments: &[&str]) -> std::io::Result<ServerProcess> {
    let arguments: Vec<String> = arguments.iter().map(|word| word.to_string()).collect();
    ServerProcess::mainspring(Path::new(env!("CARGO_BIN_EXE_mainspring")), &arguments)
}

fn say(client: &mut Client, line: &str) -> Reply {
    client.call(&line.split(' ').collect::<Vec<_>>()).expect("it answers")
}

#[test]
fn what_was_saved_is_there_after_a_restart() {
    let before = start(&[]).unwrap();
    let mut client = Client::open(&before).unwrap();
    say(&mut client, "SET text value EX 100");
    say(&mut client, "RPUSH list a b");
    say(&mut client, "SELECT 3");
    say(&mut client, "ZADD scores 1.5 a");
    assert_eq!(say(&mut client, "SAVE"), Reply::Simple(b"OK".to_vec()));
    say(&mut client, "SET unsaved value");
    let Reply::Bulk(info) = say(&mut client, "INFO persistence") else { panic!("a bulk string") };
    assert!(String::from_utf8_lossy(&info).contains("rdb_changes_since_last_save:1\r\n"));

    let file = before.directory().join("dump.rdb");
    let after = start(&["--dbfilename", &file.to_string_lossy()]).unwrap();
    let mut client = Client::open(&after).unwrap();
    assert_eq!(say(&mut client, "GET text"), Reply::Bulk(b"value".to_vec()));
    assert!(matches!(say(&mut client, "TTL text"), Reply::Integer(90..=100)));
    assert_eq!(say(&mut client, "LLEN list"), Reply::Integer(2));
    say(&mut client, "SELECT 3");
    assert_eq!(say(&mut client, "ZSCORE scores a"), Reply::Bulk(b"1.5".to_vec()));
    assert_eq!(say(&mut client, "DBSIZE"), Reply::Integer(1));
    let files = fs::read_dir(before.directory()).unwrap();
    let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().starts_with("temp-")), "{names:?}");
}

#[test]
fn a_file_that_cannot_be_read_is_not_started_without() {
    let server = start(&[]).unwrap();
    let file = server.directory().join("damaged.rdb");
    fs::write(&file, b"REDIS0010\x00\x01k\x05v").unwrap();
    let refusal = start(&["--dbfilename", &file.to_string_lossy()]).err().expect("it ends");
    assert!(refusal.to_string().contains("it ends too early"), "{refusal}");
}
