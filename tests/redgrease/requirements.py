"""What scripts require is installed once, for all sessions, and what cannot be is said so that redgrease can read it."""

import ast
import threading
import time

import redis
from redgrease import KeysReader
from stage import connect

connection = connect()
for number in range(4):
    connection.set(f"n:{number}", number)


def refusal(*args, **kwargs):
    try:
        connection.gears.pyexecute(*args, **kwargs)
    except redis.exceptions.ResponseError as error:
        return "".join(error.args)
    raise AssertionError("it was not refused")


# Nothing is installed yet, and no script finds it.
assert "ModuleNotFoundError" in refusal("import redgrease\nGB().run()", enforce_redgrease=False)

start = time.monotonic()
assert KeysReader("n:*").values().map(int).aggregate(0, lambda a, b: a + b).run(on=connection) == 6
first = time.monotonic() - start
start = time.monotonic()
assert KeysReader("n:*").values().map(int).aggregate(0, lambda a, b: a + b).run(on=connection) == 6
print("first call %.2f s, second %.2f s" % (first, time.monotonic() - start))

(known,) = connection.gears.pydumpreqs()
assert known.Name == "redgrease[runtime]" and known.IsDownloaded and known.IsInstalled, known
assert known.GearReqVersion and "redis-4.6.0-py3-none-any.whl" in known.Wheels, known

# An empty script's requirements are kept, too, and every later session can import them.
assert connection.gears.pyexecute("", requirements=["requests"], enforce_redgrease=False)
assert {one.Name for one in connection.gears.pydumpreqs()} == {"redgrease[runtime]", "requests"}
assert connection.gears.pyexecute("import requests, redgrease, redis\nGB().count().run()", enforce_redgrease=False) == b"4"
version = connection.gears.pyexecute("import redis\nGB('ShardsIDReader').map(lambda _: redis.__version__).run()", enforce_redgrease=False)
assert version == b"4.6.0", version

# A class that a script defines survives pickling: cloudpickle came with redgrease.
script = "class Point:\n    x = 3\nGB('CommandReader').map(lambda _: Point().x).register(trigger='point')"
assert connection.gears.pyexecute(script, enforce_redgrease=False)
plain = redis.Redis(**connection.connection_pool.connection_kwargs)
assert plain.execute_command("RG.TRIGGER", "point") == [b"3"]



def refused_requirement(requirement):
    try:
        plain.execute_command("RG.PYEXECUTE", "", "REQUIREMENTS", requirement)
    except redis.exceptions.ResponseError as error:
        lines = ast.literal_eval(str(error))
        assert lines[0].startswith("Could not satisfy requirements"), lines
        return "".join(lines)
    raise AssertionError("it was not refused: %s" % requirement)


assert "place.whl" in refused_requirement("/no/such/place.whl")
assert "names no package" in refused_requirement("-r/etc/passwd")

# A function that another Python pickled is refused before it can do harm.
why = refusal("f = load(b'...', python_version=(3, 1, 7, 'final', 0))", enforce_redgrease=False)
assert "Python 3.1," in why and "--python python3.1" in why, why

# Others are served while pip works.
answered = []
installing = threading.Thread(
    target=lambda: connection.gears.pyexecute("", requirements=["numpy"], enforce_redgrease=False)
)
installing.start()
other = connect()
while installing.is_alive():
    start = time.monotonic()
    other.ping()
    answered.append(time.monotonic() - start)
    time.sleep(0.005)
installing.join()
assert len(answered) > 5 and sorted(answered)[len(answered) // 2] < 0.05, answered
