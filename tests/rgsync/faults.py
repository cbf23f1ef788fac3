"""Fifty connections change and delete ten thousand hashes while workers are killed and PostgreSQL crashes: in the end every
row is as its hash, and none is missing or too many.

MAINSPRING_WRITE_BEHIND_OPERATIONS: how many changes (30000)."""

import os
import random
import signal
import threading
import time

import databases
from stage import *

HASHES = 10_000
CONNECTIONS = 50
OPERATIONS = int(os.environ.get("MAINSPRING_WRITE_BEHIND_OPERATIONS", 30_000))
KILLS = 8
SEED = int(os.environ.get("MAINSPRING_WRITE_BEHIND_SEED", 1))

# A trigger of the same session tells which process to kill.
PID = "import os\nGB('CommandReader').map(lambda _: os.getpid()).register(trigger='pid')\n"


class Load:
    """So many operations by so many connections; faults happen at shares of the way, however fast it goes."""

    def __init__(self):
        self.done = [0] * CONNECTIONS
        self.errors = []
        self.threads = [threading.Thread(target=self.work, args=(number,)) for number in range(CONNECTIONS)]
        for thread in self.threads:
            thread.start()

    def work(self, number):
        dice = random.Random(SEED * 1000 + number)
        connection = connect()
        try:
            mine = range(number, HASHES, CONNECTIONS)
            for count in range(OPERATIONS // CONNECTIONS):
                # First every hash once; then any, whoever else changes it.
                fresh = count < len(mine)
                key = "person:%d" % (mine[count] if fresh else dice.randrange(HASHES))
                kind = 1.0 if fresh else dice.random()
                if kind < 0.2:
                    connection.delete(key)
                else:
                    connection.hset(key, mapping=person("F%d" % count, "L%d" % number, dice.randrange(1000)))
                self.done[number] = count + 1
        except Exception as error:
            self.errors.append(error)

    def share(self):
        return sum(self.done) / (OPERATIONS // CONNECTIONS * CONNECTIONS)

    def wait_for(self, share):
        while self.share() < share and any(thread.is_alive() for thread in self.threads):
            time.sleep(0.002)

    def join(self):
        for thread in self.threads:
            thread.join()
        assert not self.errors, self.errors[0]


def kill_worker(connection):
    while True:
        try:
            (pid,) = connection.execute_command("RG.TRIGGER", "pid")
            return os.kill(int(pid), signal.SIGKILL)
        except redis.exceptions.ResponseError as error:
            # The server has not noticed yet that the last one is gone.
            assert "SIGKILL" in str(error), error


def check(connection, database):
    text = recipe("RGWriteBehind", database, options=", onFailedRetryInterval=1") + PID
    run_recipe(text, database.packages)
    start = time.monotonic()
    load = Load()
    for number in range(KILLS):
        share = (number + 1) / (KILLS + 2)
        load.wait_for(share)
        if number == 2:
            database.crash()
            stopped = time.monotonic()
        if number == 5:
            time.sleep(max(0, stopped + 3 - time.monotonic()))
            database.start()
        kill_worker(connection)
    load.join()
    print("%d changes in %.1f s" % (OPERATIONS, time.monotonic() - start))

    (stream,) = streams(connection)
    eventually(lambda: connection.xlen(stream) == 0, "an empty stream", seconds=120)
    print("written behind after %.1f s" % (time.monotonic() - start))

    pipeline = connection.pipeline(transaction=False)
    for number in range(HASHES):
        pipeline.hgetall("person:%d" % number)
    hashes = {
        str(number): (found["first_name"], found["last_name"], int(found["age"]))
        for number, found in enumerate(pipeline.execute())
        if found
    }
    rows = persons(database)
    wrong = {key: (hashes.get(key), rows.get(key)) for key in hashes.keys() | rows.keys() if hashes.get(key) != rows.get(key)}
    for _, reader, _, figures in registrations(connection):
        print(reader, figures)
    assert not wrong, "%d rows are not as their hashes: %s" % (len(wrong), list(wrong.items())[:5])
    assert connection.xpending(stream, "__gears_consumer_group__")["pending"] == 0
    for _, reader, _, figures in registrations(connection):
        if reader == "KeysReader":
            assert figures["numFailures"] == figures["numAborted"] == 0, figures
        if reader == "StreamReader":
            assert figures["numFailures"] > 0 and figures["numAborted"] == 0, figures


on_each([databases.Postgres], check)
