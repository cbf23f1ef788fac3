"""A newer version of a recipe takes the older one's place; one that is not newer is refused."""

import databases
from stage import *


def check(connection, database):
    def versions():
        return sorted((desc.split('"version": ')[1][:7], reader) for _, reader, desc, _ in registrations(connection))

    def run(version, name="PersonsWriteBehind"):
        run_recipe(recipe("RGWriteBehind", database, version=version, name=name), database.packages)

    run("1.0.0")
    assert versions() == [('"1.0.0"', "KeysReader"), ('"1.0.0"', "StreamReader")], versions()
    connection.hset("person:1", mapping=person("Ada", "Lovelace", 36))
    eventually(lambda: "1" in persons(database), "the old version's row")
    eventually(lambda: all(connection.xlen(key) == 0 for key in streams(connection)), "an empty stream")

    run("1.0.1")
    assert versions() == [('"1.0.1"', "KeysReader"), ('"1.0.1"', "StreamReader")], versions()
    connection.hset("person:2", mapping=person("Grace", "Hopper", 85))
    eventually(lambda: "2" in persons(database), "the new version's row")
    # Each change went one way only: the new version has a stream of its own.
    assert sorted(connection.xinfo_stream(key)["entries-added"] for key in streams(connection)) == [1, 1]

    for version in ("1.0.1", "1.0.0", "0.9.9"):
        try:
            run(version)
            raise AssertionError("%s was accepted" % version)
        except RuntimeError as error:
            assert "greater or equals current version" in str(error), error
    assert versions() == [('"1.0.1"', "KeysReader"), ('"1.0.1"', "StreamReader")], versions()

    # 99.99.99 is newer than everything, itself included.
    for _ in range(2):
        run("99.99.99")
    connection.delete("person:1")
    eventually(lambda: set(persons(database)) == {"2"}, "the deletion by the newest version")

    # The pitfall of rgsync 1.2.0: what the old version has not written yet stays in its stream, which nobody reads.
    run_recipe(recipe("RGWriteBehind", database, options=", batch=1000, duration=600000"), database.packages)
    connection.hset("person:3", mapping=person("Alan", "Turing", 41))
    (waiting,) = (key for key in streams(connection) if connection.xlen(key) == 1)
    run("99.99.99")
    connection.hset("person:4", mapping=person("Barbara", "Liskov", 86))
    eventually(lambda: "4" in persons(database), "the row after the upgrade")
    assert connection.xlen(waiting) == 1 and "3" not in persons(database)

    # Another one: the name is looked for anywhere in the others' names: a recipe whose name is part of another's ends that one.
    run("1.0.0", name="OldPersonsWriteBehind")
    assert len(registrations(connection)) == 4
    run("99.99.99", name="PersonsWriteBehind")
    names = {desc.split('"')[3] for _, _, desc, _ in registrations(connection)}
    assert names == {"PersonsWriteBehind.KeysReader", "PersonsWriteBehind.StreamReader"}, names


on_each([databases.Sqlite], check)
