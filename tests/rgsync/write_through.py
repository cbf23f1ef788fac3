"""Write-through: the row first, inside the command; the hash only if the row was written."""

import databases
from stage import *


def check(connection, database):
    run_recipe(recipe("RGWriteThrough", database, prefix="__", name="PersonsWriteThrough"), database.packages)

    def through(key, mark, uuid, fields=()):
        connection.hset("__{%s}" % key, mapping={**dict(fields), "#": mark + uuid})
        assert not connection.exists("__{%s}" % key), "the temporary key is gone when the client has its reply"
        return acknowledgement(connection, key, uuid, milliseconds=1)

    # Row, hash and acknowledgement are there when HSET returns.
    ada = ("Ada", "Lovelace", 36)
    assert through("person:1", "=", "a", person(*ada)) == {"status": "done"}
    assert persons(database) == {"1": ada}
    assert connection.hgetall("person:1") == {**person(*ada), "age": "36"}

    # What is not given is taken from the hash.
    assert through("person:1", "=", "b", {"age": 37}) == {"status": "done"}
    assert persons(database) == {"1": ("Ada", "Lovelace", 37)}
    assert connection.hgetall("person:1") == person("Ada", "Lovelace", "37")

    # + writes the hash alone.
    assert through("person:1", "+", "c", {"age": 38}) == {"status": "done"}
    assert persons(database) == {"1": ("Ada", "Lovelace", 37)}
    assert connection.hget("person:1", "age") == "38"

    # What the database refuses does not happen to the hash either, and the acknowledgement says why.
    refused = through("person:2", "=", "d", {"first_name": "Nameless"})
    assert refused["status"] == "failed" and "Could not find last_name" in refused["error"], refused
    assert not connection.exists("person:2")
    database.execute("ALTER TABLE persons RENAME TO elsewhere")
    refused = through("person:1", "=", "e", {"age": 99})
    assert refused["status"] == "failed" and "persons" in refused["error"], refused
    assert connection.hget("person:1", "age") == "38"
    database.execute("ALTER TABLE elsewhere RENAME TO persons")

    # It works again with the next change: the recipe connects anew.
    assert through("person:1", "=", "f", {"age": 40}) == {"status": "done"}
    assert persons(database) == {"1": ("Ada", "Lovelace", 40)}

    # - deletes the hash alone, ~ both.
    assert through("person:3", "=", "g", person("Grace", "Hopper", 85)) == {"status": "done"}
    assert through("person:3", "-", "h") == {"status": "done"}
    assert not connection.exists("person:3") and "3" in persons(database)
    assert through("person:1", "~", "i") == {"status": "done"}
    assert not connection.exists("person:1") and "1" not in persons(database)
    assert not list(connection.scan_iter()), list(connection.scan_iter())


on_each(databases.ALL, check)
