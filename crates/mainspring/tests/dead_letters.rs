//! A stream with poisonous entries among the good ones, some of which end the whole process: the good ones are handled,
//! the others are kept aside, and the stream goes on.

mod stand;

use std::time::Duration;

use stand::{Stand, eventually, say};

const ENTRIES: usize = 60;
const DEADLY: usize = 25;

fn is_poisonous(entry: usize) -> bool {
    entry.is_multiple_of(10) || entry == DEADLY
}

fn hold_out(options: &str) {
    // What is judged here is that nothing is lost.
    let stand = Stand::with_wait_max(Duration::from_secs(1), &[]);
    let mut client = stand.client();
    for entry in 0..ENTRIES {
        say(&mut client, &["XADD", "s", &format!("{}-0", entry + 1), "n", &entry.to_string()]);
    }
    let script = format!(
        "import os\ndef handle(r):\n    n = int(r['value']['n'])\n    if n == {DEADLY}: os._exit(3)\n    \
         if n % 10 == 0: flat_error('no good')\n    execute('SADD', 'seen', n)\n\
         GB('StreamReader').foreach(handle).register('s', batch=7, duration=10, dead_letter='dead', {options})"
    );
    assert_eq!(say(&mut client, &["RG.PYEXECUTE", &script]), "OK");
    let good = (0..ENTRIES).filter(|entry| !is_poisonous(*entry)).count();
    let bad = ENTRIES - good;

    eventually("the stream is empty", || say(&mut client, &["XLEN", "s"]) == "(integer) 0");
    assert_eq!(say(&mut client, &["SCARD", "seen"]), format!("(integer) {good}"));
    assert_eq!(say(&mut client, &["XLEN", "dead"]), format!("(integer) {bad}"));
    let group = "__gears_consumer_group__";
    assert!(say(&mut client, &["XPENDING", "s", group]).starts_with("[(integer) 0,"));
    assert!(say(&mut client, &["INFO", "rg"]).contains(&format!("rg_dead_lettered:{bad}")));
    let dead = say(&mut client, &["XRANGE", "dead", "-", "+"]);
    for entry in (0..ENTRIES).filter(|entry| is_poisonous(*entry)) {
        let fields =
            format!("[\"n\", \"{entry}\", \"__key\", \"s\", \"__id\", \"{}-0\",", entry + 1);
        assert_eq!(dead.matches(&fields).count(), 1, "{entry} is not there once: {dead}");
    }
    assert_eq!(dead.matches("\"__error\", \"worker exited with code 3\"").count(), 1);

    say(&mut client, &["XADD", "s", "*", "n", "1001"]);
    eventually("it goes on", || say(&mut client, &["SISMEMBER", "seen", "1001"]) == "(integer) 1");
    stand.finish();
}

#[test]
fn poison_is_kept_aside_when_its_retries_are_used_up() {
    hold_out("onFailedPolicy='retry', onFailedRetryInterval=0, max_retries=1");
}

#[test]
fn poison_is_kept_aside_without_retries() {
    hold_out("onFailedPolicy='continue'");
}
