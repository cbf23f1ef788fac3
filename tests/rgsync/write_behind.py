"""What is written to hashes is written to rows, in batches and a little later; what is deleted goes there, too."""

import databases
from stage import *


def check(connection, database):
    run_recipe(recipe("RGWriteBehind", database), database.packages)

    connection.hset("person:1", mapping=person("Ada", "Lovelace", 36))
    connection.hset("person:2", mapping=person("Grace", "Höpper", 85))
    connection.hset("animal:1", mapping=person("Laika", "", 3))
    both = {"1": ("Ada", "Lovelace", 36), "2": ("Grace", "Höpper", 85)}
    eventually(lambda: persons(database) == both, "two rows")

    # A change of one field writes the row as it is then.
    connection.hset("person:1", "age", 37)
    eventually(lambda: persons(database)["1"] == ("Ada", "Lovelace", 37), "a changed row")

    connection.delete("person:2")
    connection.unlink("person:1")
    eventually(lambda: persons(database) == {}, "no rows")

    # Written, deleted and written again within one batch: the last state counts.
    pipeline = connection.pipeline()
    for age in range(50):
        pipeline.hset("person:3", mapping=person("Alan", "Turing", age))
        pipeline.delete("person:3")
    pipeline.hset("person:3", mapping=person("Alan", "Turing", 41))
    pipeline.execute()
    eventually(lambda: persons(database) == {"3": ("Alan", "Turing", 41)}, "the last state")

    # More than one batch at once.
    pipeline = connection.pipeline()
    for number in range(1000):
        pipeline.hset("person:n%d" % number, mapping=person("F%d" % number, "L%d" % number, number))
    pipeline.execute()
    eventually(lambda: len(persons(database)) == 1001, "a thousand rows more")
    assert persons(database)["n999"] == ("F999", "L999", 999)

    # Nothing is left to be written, nothing went wrong, and no key that the recipe needed for itself remains.
    (stream,) = streams(connection)
    eventually(lambda: connection.xlen(stream) == 0, "an empty stream")
    for _, _, _, figures in registrations(connection):
        assert figures["numFailures"] == figures["numAborted"] == 0, figures
    others = [key for key in connection.scan_iter() if not key.startswith(("person:", "animal:"))]
    assert others == [stream], others


def more_events(connection, database):
    """rgsync follows hset, hmset and del unless it is told of more."""
    events = ["hset", "del", "hincrby", "hincrbyfloat", "expired", "evicted"]
    run_recipe(recipe("RGWriteBehind", database, options=", eventTypes=%r" % events), database.packages)
    connection.hset("person:1", mapping=person("Ada", "Lovelace", 36))
    connection.hincrby("person:1", "age", 1)
    eventually(lambda: persons(database) == {"1": ("Ada", "Lovelace", 37)}, "the incremented row")
    connection.pexpire("person:1", 1)
    eventually(lambda: persons(database) == {}, "no row of an expired hash")


on_each(databases.ALL, check)
on_each([databases.Sqlite], more_events)
