//! A server that is given more than `maxmemory` stays within it, and keeps the keys that its policy would keep.

use std::ops::Range;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use test_support::{Client, Received, ServerProcess};

const LIMIT: u64 = 20 << 20;
/// What one command may add before the next makes room for it.
const SLACK: u64 = 256 << 10;
const VALUE_LEN: usize = 1000;

/// Keys of three kinds: those that were there first, those of them that are used, and those that came last.
const FIRST: Range<usize> = 0..10_000;
const USED: Range<usize> = 0..500;
const LAST: Range<usize> = 10_000..24_000;

struct Stand {
    _server: ServerProcess,
    client: Client,
}

impl Stand {
    fn start(policy: &str) -> Stand {
        let arguments = ["--maxmemory", "20mb", "--maxmemory-policy", policy];
        let binary = Path::new(env!("CARGO_BIN_EXE_mainspring"));
        let server = ServerProcess::mainspring(binary, &arguments.map(str::to_owned)).unwrap();
        let client = Client::open(&server).unwrap();
        Stand { _server: server, client }
    }

    fn say(&mut self, words: &[&str]) -> String {
        self.client.call(words).unwrap().to_string()
    }

    /// Sends many commands at once, and returns what was answered to each.
    fn pipeline(&mut self, commands: impl Iterator<Item = Vec<String>>) -> Vec<String> {
        let commands: Vec<_> = commands.collect();
        let mut replies = Vec::new();
        for chunk in commands.chunks(200) {
            let mut wire = Vec::new();
            for words in chunk {
                wire.extend(format!("*{}\r\n", words.len()).into_bytes());
                words.iter().for_each(|word| {
                    wire.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
                });
            }
            self.client.send_raw(&wire).unwrap();
            for _ in chunk {
                match self.client.reply().unwrap() {
                    Received::Reply(reply) => replies.push(reply.to_string()),
                    other => panic!("{other:?}"),
                }
            }
        }
        replies
    }

    fn set(&mut self, keys: Range<usize>, ttl: impl Fn(usize) -> Option<usize>) {
        let value = "v".repeat(VALUE_LEN);
        let replies = self.pipeline(keys.map(|n| {
            let mut words = vec!["SET".to_owned(), format!("key:{n}"), value.clone()];
            words.extend(ttl(n).into_iter().flat_map(|ttl| ["EX".to_owned(), ttl.to_string()]));
            words
        }));
        assert!(replies.iter().all(|reply| reply == "OK"), "{:?}", replies.last());
    }

    fn use_keys(&mut self, keys: Range<usize>) {
        self.pipeline(keys.map(|n| vec!["GET".to_owned(), format!("key:{n}")]));
    }

    /// How many of these keys there are, without using them.
    fn left(&mut self, keys: Range<usize>) -> usize {
        let replies = self.pipeline(keys.map(|n| vec!["TYPE".to_owned(), format!("key:{n}")]));
        replies.iter().filter(|reply| *reply == "string").count()
    }

    fn info(&mut self, field: &str) -> u64 {
        let text = self.say(&["INFO"]);
        let (_, rest) = text.split_once(&format!("{field}:")).expect("INFO has the field");
        let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
        digits.parse().unwrap()
    }

    /// As much as may be, and no more: nothing was evicted without need.
    fn assert_full(&mut self) {
        let used = self.info("used_memory");
        assert!((LIMIT - SLACK..LIMIT + SLACK).contains(&used), "{used}");
        assert!(self.info("evicted_keys") > 0);
    }

    /// Fills the server beyond its limit; `USED` are the only keys that are asked for.
    fn overfill(&mut self, ttl: impl Fn(usize) -> Option<usize>) {
        self.set(FIRST, &ttl);
        // The clock of accesses has seconds.
        sleep(Duration::from_millis(1100));
        for _ in 0..20 {
            self.use_keys(USED);
        }
        sleep(Duration::from_millis(1100));
        self.set(LAST, ttl);
        self.assert_full();
    }
}

const fn never(_: usize) -> Option<usize> {
    None
}

fn only_first(n: usize) -> Option<usize> {
    FIRST.contains(&n).then_some(1_000 + n)
}

fn most(keys: &Range<usize>) -> usize {
    keys.len() * 95 / 100
}

#[test]
fn under_allkeys_lru_and_lfu_the_used_keys_stay() {
    for policy in ["allkeys-lru", "allkeys-lfu"] {
        let mut stand = Stand::start(policy);
        stand.overfill(never);
        let used = stand.left(USED);
        assert!(used > most(&USED), "{policy}: {used}");
        assert!(stand.left(FIRST) < FIRST.len() * 3 / 4);
    }
}

#[test]
fn under_volatile_lru_and_lfu_the_used_keys_and_those_that_never_expire_stay() {
    for policy in ["volatile-lru", "volatile-lfu"] {
        let mut stand = Stand::start(policy);
        stand.overfill(only_first);
        let used = stand.left(USED);
        assert!(used > most(&USED), "{policy}: {used}");
        assert_eq!(stand.left(LAST), LAST.len());
    }
}

#[test]
fn under_volatile_ttl_the_shortest_go_first() {
    let mut stand = Stand::start("volatile-ttl");
    stand.overfill(only_first);
    assert_eq!(stand.left(LAST), LAST.len());
    let (soon, late) = (0..2_000, 8_000..10_000);
    assert!(stand.left(soon.clone()) < soon.len() / 5);
    assert!(stand.left(late.clone()) > most(&late));
}

#[test]
fn random_policies_take_of_everything_they_may() {
    let mut stand = Stand::start("allkeys-random");
    stand.overfill(never);
    for keys in [USED, FIRST, LAST] {
        let left = stand.left(keys.clone());
        assert!((1..keys.len()).contains(&left), "{left}");
    }

    let mut stand = Stand::start("volatile-random");
    stand.overfill(only_first);
    assert_eq!(stand.left(LAST), LAST.len());
    assert!((1..USED.len()).contains(&stand.left(USED)));
}

const OOM: &str = "(error) OOM command not allowed when used memory > 'maxmemory'.";

#[test]
fn where_nothing_may_go_writes_are_refused_and_reads_go_on() {
    for policy in ["noeviction", "volatile-lru"] {
        let mut stand = Stand::start(policy);
        let value = "v".repeat(VALUE_LEN);
        let set = |n| vec!["SET".to_owned(), format!("key:{n}"), value.clone()];
        let replies = stand.pipeline(LAST.chain(FIRST).map(set));
        let taken = replies.iter().filter(|reply| *reply == "OK").count();
        assert!(replies[..taken].iter().all(|reply| reply == "OK"));
        assert!(replies[taken..].iter().all(|reply| reply == OOM) && taken < replies.len());
        assert!(stand.info("used_memory") < LIMIT + SLACK);
        assert_eq!(stand.info("evicted_keys"), 0);

        let first = format!("key:{}", LAST.start);
        assert_eq!(stand.say(&["GET", &first]), format!("\"{value}\""));
        assert_eq!(stand.say(&["MULTI"]), "OK");
        assert_eq!(stand.say(&["GET", &first]), OOM);
        assert!(stand.say(&["EXEC"]).starts_with("(error) EXECABORT"));
        for n in LAST.take(100) {
            assert_eq!(stand.say(&["DEL", &format!("key:{n}")]), "(integer) 1");
        }
        assert_eq!(stand.say(&["SET", &first, &value]), "OK");
    }
}

#[test]
fn collections_are_accounted_so_that_the_process_stays_bounded_and_the_data_stays() {
    let mut stand = Stand::start("allkeys-lru");
    let before = stand.info("used_memory_rss");
    let value = "v".repeat(100);
    for (command, arity) in [("RPUSH", 1), ("SADD", 1), ("HSET", 2), ("ZADD", 2), ("XADD", 3)] {
        // 500 keys of some 50 KB each make more than the limit with every type.
        let commands = (0..50).flat_map(|round| (0..500).map(move |key| (round, key)));
        let replies = stand.pipeline(commands.map(|(round, key)| {
            let mut words = vec![command.to_owned(), format!("{command}:{key}")];
            for n in 0..10 {
                let element = format!("{round}:{n}:{value}");
                match arity {
                    1 => words.push(element),
                    2 => words.extend([format!("{}", round * 10 + n), element]),
                    _ if n == 0 => words.extend(["*".to_owned(), "f".to_owned(), value.repeat(10)]),
                    _ => {}
                }
            }
            words
        }));
        assert!(replies.iter().all(|reply| !reply.contains("error")), "{:?}", replies.last());
        stand.assert_full();
    }
    let grown = stand.info("used_memory_rss").saturating_sub(before);
    // Some pages of the allocator stay behind, each with a few blocks of a size that is no longer asked for.
    assert!(grown < 3 * LIMIT, "{grown}");
}

#[test]
fn a_limit_that_is_lowered_is_reached_without_any_command() {
    let mut stand = Stand::start("allkeys-lru");
    stand.set(FIRST, never);
    assert_eq!(stand.info("evicted_keys"), 0);
    assert_eq!(stand.say(&["CONFIG", "SET", "maxmemory", "2mb"]), "OK");
    let start = Instant::now();
    while stand.info("used_memory") > 2 << 20 {
        assert!(start.elapsed() < Client::PATIENCE);
        sleep(Duration::from_millis(20));
    }
    assert!(stand.info("used_memory") > 19 << 16);
    // Raising it again ends all of it.
    assert_eq!(stand.say(&["CONFIG", "SET", "maxmemory", "0"]), "OK");
    let evicted = stand.info("evicted_keys");
    stand.set(FIRST, never);
    assert_eq!(stand.info("evicted_keys"), evicted);
}

#[test]
fn what_object_tells_of_accesses_follows_the_policy() {
    let mut stand = Stand::start("allkeys-lfu");
    stand.say(&["SET", "key", "value"]);
    assert_eq!(stand.say(&["OBJECT", "FREQ", "key"]), "(integer) 5");
    assert!(stand.say(&["OBJECT", "IDLETIME", "key"]).starts_with("(error) ERR An LFU"));
    stand.say(&["CONFIG", "SET", "maxmemory-policy", "volatile-ttl"]);
    assert!(stand.say(&["OBJECT", "FREQ", "key"]).starts_with("(error) ERR An LFU"));
    stand.say(&["SET", "key", "value"]);
    assert_eq!(stand.say(&["OBJECT", "IDLETIME", "key"]), "(integer) 0");
}
