"""Everything that gearsclient's builder can do, at work on the server."""

import sys

import cloudpickle
import gearsclient
import redis
from gearsclient import GearsRemoteBuilder, atomic, execute, gearsConfigGet, hashtag, log

# The server's Python need not have gearsclient then, whose pins cannot be met on Python 3.11 and later.
cloudpickle.register_pickle_by_value(gearsclient)

connection = redis.Redis(port=int(sys.argv[1]))
for number in range(4):
    connection.set("n:%d" % number, number)


def builder(reader="KeysReader"):
    return GearsRemoteBuilder(reader, r=connection, requirements=["cloudpickle"], addClientToRequirements=False)


def numbers():
    return builder().map(lambda record: int(record["value"]))


def run(flow):
    results, errors = flow.run("n:*")
    assert errors == [], errors
    return results


assert sorted(run(numbers())) == [0, 1, 2, 3]
assert run(numbers().filter(lambda number: number > 1).count()) == [2]
assert run(numbers().avg()) == [1.5]
assert run(numbers().aggregate(0, lambda total, number: total + number, lambda total, part: total + part)) == [6]
assert sorted(run(numbers().flatmap(lambda number: [number, number]).distinct())) == [0, 1, 2, 3]
assert run(numbers().sort().limit(2)) == [0, 1]
assert run(numbers().accumulate(lambda total, number: (total or 0) + number)) == [6]
assert run(numbers().repartition(lambda number: str(number)).count()) == [4]
by_parity = {one["key"]: one["value"] for one in run(numbers().countby(lambda number: number % 2))}
assert by_parity == {"0": 2, "1": 2}, by_parity
summed = run(numbers().aggregateby(lambda number: number % 2, 0, lambda key, total, number: total + number, lambda key, total, part: total + part))
assert {one["key"]: one["value"] for one in summed} == {"0": 2, "1": 4}, summed
grouped = run(numbers().localgroupby(lambda number: number % 2, lambda key, total, number: (total or 0) + number))
assert {one["key"]: one["value"] for one in grouped} == {"0": 2, "1": 4}, grouped
assert sorted(run(builder("KeysOnlyReader").map(lambda key: execute("get", key)))) == ["0", "1", "2", "3"]


def visit(shard):
    with atomic():
        execute("incr", "visits")
        log("visited")
    return hashtag(), gearsConfigGet("no such parameter", "default")


assert builder("ShardsIDReader").map(visit).run() == ([("06S", "default")], [])
assert connection.get("visits") == b"1"

results, errors = builder().map(lambda record: 1 / 0).run("n:*")
assert results == [] and b"ZeroDivisionError" in errors[0], errors

assert builder("CommandReader").map(lambda words: "Hello, %s!" % words[1]).register(trigger="greet") == b"OK"
assert connection.execute_command("RG.TRIGGER", "greet", "Ada") == [b"Hello, Ada!"]
builder().foreach(lambda record: execute("incr", "changes")).register("n:*", mode="sync", eventTypes=["set"])
connection.set("n:0", 5)
assert connection.get("changes") == b"1"

(requirement,) = connection.execute_command("RG.PYDUMPREQS")
assert requirement[2:8] == [b"Name", b"cloudpickle", b"IsDownloaded", b"yes", b"IsInstalled", b"yes"], requirement
