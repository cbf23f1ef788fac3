"""Speaks over every type through redis-py and prints each normalised reply on a line of its own.

Two servers are alike for a client if this prints the same for both: ``python smoke.py HOST PORT``.
It keeps to what redis-py has had since 3.5.
"""

import sys
import threading

import redis


def normal(reply):
    """Text that does not depend on the order of what has none."""
    if isinstance(reply, dict):
        return "{%s}" % ", ".join(sorted("%s: %s" % (normal(key), normal(value)) for key, value in reply.items()))
    if isinstance(reply, (set, frozenset)):
        return "{%s}" % ", ".join(sorted(normal(member) for member in reply))
    if isinstance(reply, (list, tuple)):
        return "[%s]" % ", ".join(normal(element) for element in reply)
    return repr(reply)


def show(title, ask):
    """Prints what ``ask`` returns or which error it raises."""
    try:
        answer = normal(ask())
    except redis.RedisError as error:
        answer = "%s: %s" % (type(error).__name__, error)
    print("%s -> %s" % (title, answer))


def strings(r):
    show("set", lambda: r.set("k", "v"))
    show("set nx", lambda: r.set("k", "w", nx=True))
    show("set ex", lambda: r.set("brief", "v", ex=1000))
    show("get", lambda: r.get("k"))
    show("get missing", lambda: r.get("missing"))
    show("mset", lambda: r.mset({"a": 1, "b": "two"}))
    show("mget", lambda: r.mget("a", "b", "missing"))
    show("append", lambda: r.append("k", "more"))
    show("getrange", lambda: r.getrange("k", 1, -2))
    show("incr", lambda: r.incr("n", 5))
    show("decr", lambda: r.decr("n"))
    show("incrbyfloat", lambda: r.incrbyfloat("n", 0.5))
    show("incr text", lambda: r.incr("k"))
    show("setbit", lambda: r.setbit("bits", 7, 1))
    show("bitcount", lambda: r.bitcount("bits"))
    show("strlen", lambda: r.strlen("k"))
    show("getset", lambda: r.getset("k", "new"))


def keys(r):
    show("exists", lambda: r.exists("k", "missing"))
    show("type", lambda: r.type("k"))
    show("expire", lambda: r.expire("k", 1000))
    show("ttl", lambda: 990 < r.ttl("k") <= 1000)
    show("persist", lambda: r.persist("k"))
    show("ttl none", lambda: r.ttl("k"))
    show("rename", lambda: r.rename("k", "renamed"))
    show("rename missing", lambda: r.rename("missing", "x"))
    show("delete", lambda: r.delete("renamed", "missing"))
    show("unlink", lambda: r.unlink("brief"))
    show("keys", lambda: set(r.keys("*")))
    show("scan_iter", lambda: set(r.scan_iter(count=3)))
    show("dbsize", lambda: r.dbsize())


def lists(r):
    show("rpush", lambda: r.rpush("l", "a", "b", "c"))
    show("lpush", lambda: r.lpush("l", "z"))
    show("lrange", lambda: r.lrange("l", 0, -1))
    show("lindex", lambda: r.lindex("l", -1))
    show("lset", lambda: r.lset("l", 0, "y"))
    show("linsert", lambda: r.linsert("l", "BEFORE", "b", "new"))
    show("lrem", lambda: r.lrem("l", 1, "a"))
    show("lpop", lambda: r.lpop("l"))
    show("rpop", lambda: r.rpop("l"))
    show("blpop", lambda: r.blpop(["none", "l"], timeout=1))
    show("blpop timeout", lambda: r.blpop("none", timeout=1))
    show("rpoplpush", lambda: r.rpoplpush("l", "m"))
    show("llen", lambda: r.llen("l"))
    show("lpush wrong type", lambda: r.lpush("n", "a"))


def hashes(r):
    show("hset", lambda: r.hset("h", "f", "v"))
    show("hset mapping", lambda: r.hset("h", mapping={"g": 1, "i": 2}))
    show("hget", lambda: r.hget("h", "f"))
    show("hmget", lambda: r.hmget("h", "f", "missing"))
    show("hgetall", lambda: r.hgetall("h"))
    show("hgetall missing", lambda: r.hgetall("missing"))
    show("hincrby", lambda: r.hincrby("h", "g", 4))
    show("hexists", lambda: r.hexists("h", "g"))
    show("hdel", lambda: r.hdel("h", "g", "missing"))
    show("hlen", lambda: r.hlen("h"))
    show("hscan_iter", lambda: dict(r.hscan_iter("h")))


def sets(r):
    show("sadd", lambda: r.sadd("s", "a", "b", "c"))
    show("smembers", lambda: r.smembers("s"))
    show("sismember", lambda: r.sismember("s", "a"))
    show("srem", lambda: r.srem("s", "a"))
    show("sadd other", lambda: r.sadd("t", "b", "x"))
    show("sinter", lambda: r.sinter("s", "t"))
    show("sunion", lambda: r.sunion("s", "t"))
    show("sdiff", lambda: r.sdiff("s", "t"))
    show("sunionstore", lambda: r.sunionstore("u", "s", "t"))
    show("scard", lambda: r.scard("u"))
    show("spop", lambda: r.spop("s", 10) and None)


def sorted_sets(r):
    show("zadd", lambda: r.zadd("z", {"a": 1, "b": 2.5, "c": 3}))
    show("zadd nx", lambda: r.zadd("z", {"a": 9}, nx=True))
    show("zscore", lambda: r.zscore("z", "b"))
    show("zincrby", lambda: r.zincrby("z", 2, "a"))
    show("zrange", lambda: r.zrange("z", 0, -1, withscores=True))
    show("zrevrange", lambda: r.zrevrange("z", 0, 0))
    show("zrangebyscore", lambda: r.zrangebyscore("z", "(2.5", "+inf", withscores=True))
    show("zrank", lambda: r.zrank("z", "a"))
    show("zrank missing", lambda: r.zrank("z", "missing"))
    show("zcount", lambda: r.zcount("z", 2, 3))
    show("zpopmin", lambda: r.zpopmin("z"))
    show("bzpopmax", lambda: r.bzpopmax("z", timeout=1))
    show("zrem", lambda: r.zrem("z", "a", "c"))
    show("zcard", lambda: r.zcard("z"))


def streams(r):
    show("xadd", lambda: r.xadd("x", {"f": "v"}, id="1-1"))
    show("xadd again", lambda: r.xadd("x", {"f": "w"}, id="2-1"))
    show("xadd too small", lambda: r.xadd("x", {"f": "w"}, id="1-1"))
    show("xlen", lambda: r.xlen("x"))
    show("xrange", lambda: r.xrange("x"))
    show("xread", lambda: r.xread({"x": "1-1"}))
    show("xread timeout", lambda: r.xread({"x": "2-1"}, block=10))
    show("xgroup create", lambda: r.xgroup_create("x", "g", id="0"))
    show("xreadgroup", lambda: r.xreadgroup("g", "alice", {"x": ">"}, count=1))
    show("xpending", lambda: r.xpending("x", "g"))
    show("xack", lambda: r.xack("x", "g", "1-1"))
    show("xinfo groups", lambda: r.xinfo_groups("x"))
    show("xtrim", lambda: r.xtrim("x", maxlen=1, approximate=False))


def pipelines(r):
    def transaction():
        with r.pipeline() as pipe:
            return pipe.set("p", 1).incr("p").get("p").execute()

    def watched():
        with r.pipeline() as pipe:
            pipe.watch("p")
            r.set("p", "changed")
            pipe.multi()
            pipe.get("p")
            return pipe.execute()

    def with_error():
        with r.pipeline(transaction=False) as pipe:
            return pipe.set("p", "text").incr("p").get("p").execute(raise_on_error=False)[::2]

    show("transaction", transaction)
    show("watch", watched)
    show("pipeline", with_error)


def pubsub(r):
    listener = r.pubsub()
    listener.subscribe("news")
    listener.psubscribe("n*")

    def messages(count):
        seen = []
        while len(seen) < count:
            message = listener.get_message(timeout=5)
            if message is None:
                break
            seen.append(message)
        return seen

    show("subscribe", lambda: messages(2))
    show("publish", lambda: r.publish("news", "hello"))
    show("messages", lambda: messages(2))
    listener.close()


def connections(r):
    show("ping", lambda: r.ping())
    show("echo", lambda: r.echo("hello"))
    show("client setname", lambda: r.client_setname("smoke"))
    show("config get", lambda: r.config_get("maxmemory-policy"))
    show("info", lambda: "redis_version" in r.info("server"))
    show("time", lambda: len(r.time()))
    show("unknown", lambda: r.execute_command("NOSUCH", "a"))
    show("arity", lambda: r.execute_command("GET"))
    results = []
    waiter = threading.Thread(target=lambda: results.append(r.blpop("later", timeout=5)))
    waiter.start()
    r.rpush("later", "woken")
    waiter.join()
    show("blocked across connections", lambda: results)
    show("flushall", lambda: r.flushall())


def main():
    host, port = sys.argv[1], int(sys.argv[2])
    r = redis.Redis(host=host, port=port, decode_responses=True)
    r.flushall()
    for part in (strings, keys, lists, hashes, sets, sorted_sets, streams, pipelines, pubsub, connections):
        part(r)
    binary = redis.Redis(host=host, port=port)
    show("binary set", lambda: binary.set(b"\x00key", bytes(range(256))))
    show("binary get", lambda: binary.get(b"\x00key") == bytes(range(256)))


if __name__ == "__main__":
    main()
