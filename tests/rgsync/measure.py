"""What write-behind costs and how late it is. `measure.py <port> <database> <hashes> <seconds>` prints five numbers: HSETs a
second without a recipe and with one, rows a second, and the lag from HSET to the visible row, median and 99th percentile, in ms."""

import statistics
import threading
import time

import databases
from stage import *

DEPTH = 16
# As a light, steady load: one change every so many seconds.
PAUSE = 0.01


def write(connection, prefix, count):
    """Changes a second, with as many on their way at once as DEPTH says."""
    start = time.monotonic()
    for first in range(0, count, DEPTH):
        pipeline = connection.pipeline(transaction=False)
        for number in range(first, min(first + DEPTH, count)):
            pipeline.hset("%s:%d" % (prefix, number), mapping=person("First", "Last", number))
        pipeline.execute()
    return count / (time.monotonic() - start)


def lags(connection, database, seconds):
    """The rows are looked at all the time: each is late by the time from its HSET to the look that shows it."""
    count = int(seconds / PAUSE)
    sent, seen, over = [], [], threading.Event()

    def look():
        while len(seen) < count and not over.is_set():
            ((last,),) = database.execute("SELECT coalesce(max(age), -1) FROM persons WHERE first = 'Lag'")
            now = time.monotonic()
            seen.extend([now] * (last + 1 - len(seen)))
            time.sleep(0.002)

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for number in range(count):
            sent.append(time.monotonic())
            connection.hset("person:lag%d" % number, mapping=person("Lag", "", number))
            time.sleep(PAUSE)
        eventually(lambda: len(seen) == count, "all rows")
    finally:
        over.set()
        watcher.join()
    return [(late - early) * 1000 for early, late in zip(sent, seen)]


def measure(name, hashes, seconds):
    database = next(kind for kind in databases.ALL if kind.name == name)()
    try:
        connection = connect()
        database.execute(PERSONS)
        plain = write(connection, "plain", hashes)
        run_recipe(recipe("RGWriteBehind", database), database.packages)
        # The first row costs the connection.
        connection.hset("person:first", mapping=person("F", "L", 0))
        eventually(lambda: len(persons(database)) == 1, "the first row")

        start = time.monotonic()
        behind = write(connection, "person", hashes)
        (stream,) = streams(connection)
        # An entry leaves the stream when its row is written.
        eventually(lambda: connection.xlen(stream) == 0, "the last row", seconds=600)
        rows = hashes / (time.monotonic() - start)
        assert len(persons(database)) == hashes + 1

        late = lags(connection, database, seconds)
        percentiles = statistics.quantiles(late, n=100)
        print(plain, behind, rows, statistics.median(late), percentiles[98])
    finally:
        database.close()


measure(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
