//! A whole keyspace as a file (RDB).
//!
//! ```text
//! "REDIS0010"    facts about the file    for each database: its number, its sizes, its keys    end    checksum
//! ```

mod load;
mod save;

pub use load::{Loaded, load};
pub use save::save;

const MAGIC: &[u8] = b"REDIS";

/// What stands before anything that is no key: all above the codes of values.
mod opcode {
    pub(super) const FUNCTIONS: u8 = 245;
    pub(super) const FUNCTIONS_OF_A_CANDIDATE: u8 = 246;
    pub(super) const MODULE: u8 = 247;
    pub(super) const IDLE_SECONDS: u8 = 248;
    pub(super) const FREQUENCY: u8 = 249;
    pub(super) const FACT: u8 = 250;
    pub(super) const SIZES: u8 = 251;
    pub(super) const EXPIRY_MS: u8 = 252;
    pub(super) const EXPIRY_SECONDS: u8 = 253;
    pub(super) const DATABASE: u8 = 254;
    pub(super) const END: u8 = 255;
}

#[cfg(test)]
mod tests {
    use std::fs;

    use keyspace::Keyspace;
    use test_support::{Client, Reply, ServerProcess};

    use super::*;
    use crate::testing::{Chance, filled_keyspace, keyspace, told_keyspace};

    fn saved(keyspace: &mut Keyspace) -> Vec<u8> {
        let mut file = Vec::new();
        save(keyspace, &[("redis-ver", "7.2.0"), ("ctime", "1700000000")], &mut file)
            .expect("memory takes all");
        file
    }

    fn redis() -> (ServerProcess, Client) {
        let arguments = ["--enable-debug-command", "yes", "--sanitize-dump-payload", "yes"];
        let redis = ServerProcess::redis(&arguments.map(str::to_owned)).expect("redis-server runs");
        let client = Client::open(&redis).expect("it accepts");
        (redis, client)
    }

    fn call(client: &mut Client, words: &str) -> Reply {
        let words: Vec<&str> = words.split(' ').collect();
        client.call(&words).expect("it answers")
    }

    #[test]
    fn a_saved_keyspace_comes_back() {
        let mut original = filled_keyspace();
        let file = saved(&mut original);
        let mut back = keyspace();
        let loaded = load(&mut back, &mut &file[..]).expect("a well-formed file");
        let told = told_keyspace(&mut original);
        assert_eq!(loaded, Loaded { keys: told.len() as u64, ..Loaded::default() });
        assert!(told.iter().all(|(_, key, ..)| key != "expired"));
        assert_eq!(told_keyspace(&mut back), told);
    }

    #[test]
    fn redis_reads_what_is_saved_and_what_it_saves_is_read() {
        let mut original = filled_keyspace();
        let (redis, mut client) = redis();
        let path = redis.directory().join("dump.rdb");
        fs::write(&path, saved(&mut original)).expect("the directory is the test's");
        let ok = Reply::Simple(b"OK".to_vec());
        assert_eq!(call(&mut client, "DEBUG RELOAD NOSAVE"), ok);
        assert_eq!(call(&mut client, "SAVE"), ok);

        let mut back = keyspace();
        let file = fs::read(&path).expect("it was saved");
        load(&mut back, &mut &file[..]).expect("Redis' files are read");
        assert_eq!(told_keyspace(&mut back), told_keyspace(&mut original));
    }

    #[test]
    fn functions_are_passed_over_and_named() {
        let (redis, mut client) = redis();
        let library = "#!lua name=l\nredis.register_function('f', function() return 1 end)";
        client.call(&["FUNCTION", "LOAD", library]).expect("it answers");
        call(&mut client, "SET k v");
        call(&mut client, "SAVE");
        let file = fs::read(redis.directory().join("dump.rdb")).expect("it was saved");
        let mut back = keyspace();
        let loaded = load(&mut back, &mut &file[..]).expect("functions are no error");
        assert_eq!((loaded.keys, loaded.skipped.len()), (1, 1));
    }

    #[test]
    fn a_damaged_file_is_refused_and_breaks_nothing() {
        let file = saved(&mut filled_keyspace());
        let mut chance = Chance(3);
        for round in 0..60 {
            let mut damaged = file.clone();
            chance.damage(&mut damaged);
            let is_same = damaged == file;
            // Without a checksum, what is wrong must be noticed by itself.
            let is_unchecked = round % 2 == 0 && damaged.len() > 8;
            if is_unchecked {
                let at = damaged.len() - 8;
                damaged[at..].fill(0);
            }
            let result = load(&mut keyspace(), &mut &damaged[..]);
            assert!(is_same || is_unchecked || result.is_err());
        }
    }

    #[test]
    fn files_from_elsewhere_are_refused_by_name() {
        let refusal = |file: &[u8]| load(&mut keyspace(), &mut &file[..]).unwrap_err().to_string();
        assert_eq!(refusal(b"REDIS0099"), "it is of RDB version 99, and read are 1 to 11");
        assert_eq!(refusal(b"PNG"), "it ends too early");
        assert_eq!(refusal(b"<html></html>"), "it is no RDB file");
        assert_eq!(
            refusal(b"REDIS0010\xfe\x10\x00\x01k\x01v\xff"),
            "it has keys in database 16, and there are only 16"
        );
        assert_eq!(refusal(b"REDIS0010\x00\x01k\x01v\x00\x01k\x01v"), "a key is there twice");
        assert_eq!(refusal(b"REDIS0010\x07\x01k\x00"), "a value belongs to a module");
        let wrong = [&b"REDIS0010\x00\x01k\x01v\xff"[..], &[1; 8]].concat();
        assert_eq!(refusal(&wrong), "its checksum is wrong");
    }
}
