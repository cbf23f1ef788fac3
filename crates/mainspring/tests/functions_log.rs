//! Whatever a function says, and however, is in the server's log with its session and level; a client sees nothing of it.

mod stand;

use std::fs;
use std::path::Path;

use stand::{eventually, say};
use test_support::{Client, ServerProcess};

const SCRIPT: &str = r"
import ctypes, logging, os, subprocess, sys, threading, warnings
logging.basicConfig(level=logging.DEBUG, format='%(message)s')
def talk(r):
    print('by print')
    print('by stderr', file=sys.stderr)
    log('by log', level='warning')
    log('by debug', level='debug')
    logging.info('by logging info')
    logging.error('by logging error')
    os.write(1, b'+OK by write\r\n')
    os.write(2, b':1 by descriptor\n')
    ctypes.CDLL(None).dprintf(1, b'by C\n')
    subprocess.run(['echo', 'by a child'])
    thread = threading.Thread(target=lambda: 1 / 0)
    thread.start()
    thread.join()
    return 'quiet'
GB('CommandReader').map(talk).register(trigger='talk')
";

#[test]
fn what_a_function_says_is_in_the_log_with_session_and_level() {
    let binary = Path::new(env!("CARGO_BIN_EXE_mainspring"));
    let arguments = ["--loglevel".to_owned(), "debug".to_owned()];
    let server = ServerProcess::mainspring(binary, &arguments).unwrap();
    let mut client = Client::open(&server).unwrap();
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", SCRIPT, "ID", "chatty"]), "OK");
    assert_eq!(say(&mut client, &["RG.TRIGGER", "talk"]), "[\"quiet\"]");
    assert_eq!(say(&mut client, &["PING"]), "PONG");

    let log = server.directory().join("log");
    let expected = [
        "* GEARS: [chatty] by print",
        "* GEARS: [chatty] by stderr",
        "# GEARS: [chatty] by log",
        ". GEARS: [chatty] by debug",
        "* GEARS: [chatty] by logging info",
        "# GEARS: [chatty] by logging error",
        "* GEARS: [chatty] +OK by write",
        "* GEARS: [chatty] :1 by descriptor",
        "* GEARS: [chatty] by C",
        "* GEARS: [chatty] by a child",
        "* GEARS: [chatty] ZeroDivisionError: division by zero",
    ];
    eventually("everything is in the log", || {
        let log = fs::read(&log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let is_there = |line: &&str| log.lines().any(|logged| logged.ends_with(*line));
        expected.iter().all(is_there)
    });
}
