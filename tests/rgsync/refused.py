"""A value that the database refuses holds up what comes after it, in order, until somebody takes it out; nothing is lost."""

import databases
from stage import *


def check(connection, database):
    run_recipe(recipe("RGWriteBehind", database, options=", onFailedRetryInterval=1"), database.packages)
    connection.hset("person:1", mapping=person("Ada", "Lovelace", 36))
    eventually(lambda: "1" in persons(database), "the first row")

    connection.hset("person:2", mapping=person("Grace", "Hopper", "eighty-five"))
    connection.hset("person:3", mapping=person("Alan", "Turing", 41))
    (stream,) = streams(connection)

    def behind():
        (figures,) = (one[3] for one in registrations(connection) if one[1] == "StreamReader")
        return figures

    # It is tried again and again, and the error says what is wrong.
    eventually(lambda: behind()["numFailures"] >= 2, "another attempt")
    assert "eighty-five" in behind()["lastError"], behind()
    assert set(persons(database)) == {"1"} and connection.xlen(stream) == 2

    # Taken out by hand, with the hash put right, it lets the others through.
    (refused,) = (entry for entry, fields in connection.xrange(stream) if fields["person_id"] == "2")
    connection.xdel(stream, refused)
    connection.hset("person:2", "age", 85)
    everybody = {"1": ("Ada", "Lovelace", 36), "2": ("Grace", "Hopper", 85), "3": ("Alan", "Turing", 41)}
    eventually(lambda: persons(database) == everybody, "all rows")
    eventually(lambda: connection.xlen(stream) == 0, "an empty stream")
    assert connection.xpending(stream, "__gears_consumer_group__")["pending"] == 0
    assert behind()["status"] == "OK", behind()


# SQLite takes any value in any column.
on_each([databases.Postgres], check)
