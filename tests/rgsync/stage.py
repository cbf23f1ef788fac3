"""What the programs share: the server, running a recipe as rgsync's README does, and waiting for what happens later."""

import os
import subprocess
import sys
import tempfile
import time

import redis

PORT = int(sys.argv[1])
PERSONS = "CREATE TABLE persons (person_id VARCHAR(32) PRIMARY KEY, first VARCHAR(64), last VARCHAR(64), age INT)"
MAPPINGS = "{'first_name': 'first', 'last_name': 'last', 'age': 'age'}"


def connect():
    return redis.Redis(host="127.0.0.1", port=PORT, decode_responses=True)


def run_recipe(text, packages=()):
    """Gives the program's output; fails unless the server said OK."""
    with tempfile.NamedTemporaryFile("w", suffix=".py") as recipe:
        recipe.write(text)
        recipe.flush()
        program = os.path.join(os.path.dirname(sys.executable), "gears-cli")
        command = [program, "run", "--host", "127.0.0.1", "--port", str(PORT), recipe.name]
        command += ["REQUIREMENTS", "rgsync==1.2.0", *packages]
        done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stdout + done.stderr)
    assert done.stdout == "OK\n", done.stdout


def recipe(kind, database, prefix="person", name="PersonsWriteBehind", version="99.99.99", options=""):
    return """
from rgsync import %(kind)s
from rgsync.Connectors import PostgresConnector, PostgresConnection, SQLiteConnector, SQLiteConnection

connector = %(connector)s
%(kind)s(GB, keysPrefix=%(prefix)r, mappings=%(mappings)s, connector=connector, name=%(name)r, version=%(version)r%(options)s)
""" % {
        "kind": kind,
        "connector": database.connector("persons", "person_id"),
        "prefix": prefix,
        "mappings": MAPPINGS,
        "name": name,
        "version": version,
        "options": options,
    }


def persons(database):
    rows = database.execute("SELECT person_id, first, last, age FROM persons")
    return {key: (first, last, age) for key, first, last, age in rows}


def eventually(condition, what, seconds=60):
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise AssertionError("in vain waited for: %s" % what)
        time.sleep(0.02)


def person(first, last, age):
    return {"first_name": first, "last_name": last, "age": age}


def registrations(connection):
    """What RG.DUMPREGISTRATIONS says, as dictionaries by the name in the description."""
    found = []
    for flat in connection.execute_command("RG.DUMPREGISTRATIONS"):
        one = dict(zip(flat[::2], flat[1::2]))
        data = one["RegistrationData"]
        found.append((one["id"], one["reader"], one["desc"], dict(zip(data[::2], data[1::2]))))
    return found


def streams(connection):
    return list(connection.scan_iter(match="_persons-stream-*"))


def acknowledgement(connection, key, uuid, milliseconds=20_000):
    """What the acknowledging stream says, read as the README reads it."""
    name = "{%s}%s" % (key, uuid)
    entries = connection.xread({name: "0-0"}, block=milliseconds)
    assert entries, "there is no acknowledgement in %s" % name
    ((_, ((_, fields),)),) = entries
    # The two are not one command.
    eventually(lambda: 0 < connection.ttl(name) <= 3600, "the end that an acknowledgement's life has")
    connection.delete(name)
    return fields


def on_each(databases, check):
    """The same with every database behind, from nothing."""
    for kind in databases:
        connection = connect()
        connection.flushall()
        for registration, *_ in registrations(connection):
            connection.execute_command("RG.UNREGISTER", registration)
        database = kind()
        try:
            database.execute(PERSONS)
            check(connection, database)
        except BaseException:
            print("with %s:" % database.name, file=sys.stderr)
            raise
        finally:
            database.close()
