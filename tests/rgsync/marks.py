"""The field `#` of a hash decides whether a change goes to the row, and is not kept."""

import databases
from stage import *


def check(connection, database):
    run_recipe(recipe("RGWriteBehind", database), database.packages)
    ada, grace = ("Ada", "Lovelace", 36), ("Grace", "Hopper", 85)

    def marked(key, mark, fields=()):
        """Each change is acknowledged, and by then all is done that belongs to it."""
        marked.count += 1
        uuid = "u%d" % marked.count
        connection.hset(key, mapping={**dict(fields), "#": mark + uuid})
        assert acknowledgement(connection, key, uuid) == {"status": "done"}

    marked.count = 0

    # = writes both.
    marked("person:1", "=", person(*ada))
    marked("person:2", "=", person(*grace))
    assert persons(database) == {"1": ada, "2": grace}
    assert connection.hgetall("person:1") == {**person(*ada), "age": "36"}

    # + writes the hash alone.
    marked("person:1", "+", {"age": 99})
    marked("person:3", "+", person("Alan", "Turing", 41))
    assert connection.hget("person:1", "age") == "99" and connection.exists("person:3")
    assert persons(database) == {"1": ada, "2": grace}

    # - deletes the hash alone.
    marked("person:2", "-")
    assert not connection.exists("person:2")
    assert persons(database) == {"1": ada, "2": grace}

    # ~ deletes both.
    marked("person:1", "~")
    assert not connection.exists("person:1")
    assert persons(database) == {"2": grace}

    # What was written with + goes to its row with the next change.
    marked("person:3", "=")
    assert persons(database) == {"2": grace, "3": ("Alan", "Turing", 41)}

    # An unknown mark is an error of the function; the hash stays, the row does not change.
    (behind,) = (one for one in registrations(connection) if one[1] == "KeysReader")
    assert behind[3]["numFailures"] == 0, behind
    connection.hset("person:3", mapping={"age": 1, "#": "?"})
    (behind,) = (one for one in registrations(connection) if one[1] == "KeysReader")
    assert behind[3]["numFailures"] == 1 and "unknown operations" in behind[3]["lastError"], behind
    assert connection.hgetall("person:3") == {**person("Alan", "Turing", "1")}

    # Without an id, rgsync 1.2.0 acknowledges + and - all the same, under the name of no id.
    connection.hset("person:3", "#", "+")
    assert acknowledgement(connection, "person:3", "None") == {"status": "done"}
    connection.hset("person:3", "#", "=")
    eventually(lambda: persons(database)["3"] == ("Alan", "Turing", 1), "the change")
    assert not connection.keys("{person:3}*")


on_each(databases.ALL, check)
