//! The `redis` crate against every target.

use std::collections::HashMap;
use std::path::Path;

use redis::{
    Client, Commands, Connection, ErrorKind, RedisError, RedisResult, ServerErrorKind, Value, cmd,
    pipe,
};
use test_support::chosen_processes;

#[test]
fn the_redis_crate_reads_and_writes_every_type() {
    for (name, server) in chosen_processes(Path::new(env!("CARGO_BIN_EXE_mainspring"))) {
        for protocol in ["", "?protocol=resp3"] {
            let client = Client::open(format!("redis://{}/{protocol}", server.address())).unwrap();
            let mut connection = client.get_connection().unwrap();
            converse(&mut connection).unwrap_or_else(|error| panic!("{name} {protocol}: {error}"));
        }
    }
}

fn converse(connection: &mut Connection) -> RedisResult<()> {
    cmd("FLUSHALL").exec(connection)?;

    connection.set::<_, _, ()>("k", "v")?;
    assert_eq!(connection.get::<_, Option<String>>("k")?.as_deref(), Some("v"));
    assert_eq!(connection.get::<_, Option<String>>("missing")?, None);
    assert_eq!(connection.incr::<_, _, i64>("n", 41)?, 41);

    connection.rpush::<_, _, ()>("l", &["a", "b", "c"])?;
    assert_eq!(connection.lrange::<_, Vec<String>>("l", 0, -1)?, ["a", "b", "c"]);

    connection.hset_multiple::<_, _, _, ()>("h", &[("f", 1), ("g", 2)])?;
    let hash: HashMap<String, i64> = connection.hgetall("h")?;
    assert_eq!(hash, HashMap::from([("f".into(), 1), ("g".into(), 2)]));

    connection.sadd::<_, _, ()>("s", &["a", "b"])?;
    assert!(connection.sismember::<_, _, bool>("s", "b")?);

    connection.zadd::<_, _, _, ()>("z", "m", 1.5)?;
    assert_eq!(
        connection.zrange_withscores::<_, Vec<(String, f64)>>("z", 0, -1)?,
        [("m".into(), 1.5)]
    );

    cmd("XADD").arg("x").arg("1-1").arg("f").arg("v").exec(connection)?;
    assert_eq!(cmd("XLEN").arg("x").query::<i64>(connection)?, 1);

    let (doubled, value): (i64, i64) = pipe().atomic().incr("n", 1).get("n").query(connection)?;
    assert_eq!((doubled, value), (42, 42));

    let wrong: Result<Value, RedisError> = connection.lpush("k", "x");
    assert_eq!(wrong.unwrap_err().code(), Some("WRONGTYPE"));
    let unknown: Result<Value, RedisError> = cmd("NOSUCH").query(connection);
    assert_eq!(unknown.unwrap_err().kind(), ErrorKind::Server(ServerErrorKind::ResponseError));
    Ok(())
}
