"""`redgrease --watch`: a directory of scripts is kept registered while it is being worked on."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import redis
from stage import connect, eventually

connection = connect()
port = sys.argv[1]
plain = redis.Redis(**connection.connection_pool.connection_kwargs)


def command(trigger, says):
    return f"GB('CommandReader').map(lambda _: {says!r}).register(trigger={trigger!r})\n"


def listener(says):
    return f"GB().foreach(lambda r: execute('RPUSH', 'heard', {says!r})).register('user:*')\n"


def says(trigger):
    try:
        return plain.execute_command("RG.TRIGGER", trigger)[0].decode()
    except redis.exceptions.ResponseError as error:
        return str(error)


def readers():
    return sorted(one.reader for one in connection.gears.dumpregistrations())


with tempfile.TemporaryDirectory() as place:
    scripts = Path(place, "scripts")
    scripts.mkdir()
    (scripts / "requirements.txt").write_text("requests\n")
    (scripts / "one.py").write_text(command("one", "first"))
    (scripts / "keys.py").write_text(listener("old"))
    words = [os.path.join(os.path.dirname(sys.executable), "redgrease"), "--server", "127.0.0.1", "--port", port]
    # What it waits after the last change, in seconds.
    words += ["--watch", "0.2", str(scripts)]
    output = open(Path(place, "output"), "w+")
    watcher = subprocess.Popen(words, stdout=output, stderr=output)
    try:

        def reaches(trigger, expected, seconds=20):
            def is_so():
                assert watcher.poll() is None, "the watcher has ended"
                return says(trigger) == expected

            eventually(is_so, f"{trigger} to say {expected!r}", seconds)

        reaches("one", "first")
        eventually(lambda: readers() == ["CommandReader", "KeysReader"], "what is there to be loaded")
        assert [one.Name for one in connection.gears.pydumpreqs()] == ["requests"]

        # It loads what is there, then it begins to watch: what is written in between is not noticed.
        for _ in range(10):
            (scripts / "two.py").write_text(command("two", "new"))
            try:
                reaches("two", "new", seconds=3)
                break
            except AssertionError:
                continue
        else:
            raise AssertionError("it does not watch")

        # Of an edited script the newest version is registered, and only that.
        (scripts / "one.py").write_text(command("one", "edited"))
        reaches("one", "edited")
        for version in ("newer", "newest"):
            (scripts / "keys.py").write_text(listener(version))

            def is_heard():
                connection.set("user:1", "x")
                return connection.lindex("heard", -1) == version.encode()

            eventually(is_heard, f"the {version} listener")
        assert readers() == ["CommandReader", "CommandReader", "KeysReader"], readers()

        # As many editors save: another file takes its place.
        (scripts / "_saved").write_text(command("one", "replaced"))
        (scripts / "_saved").rename(scripts / "one.py")
        reaches("one", "replaced")

        (scripts / "two.py").unlink()
        reaches("two", "subcommand not found")

        # A mistake is told and costs nobody else; the next version is loaded.
        (scripts / "one.py").write_text("GB('CommandReader'\n")
        reaches("one", "subcommand not found")
        (scripts / "one.py").write_text(command("one", "mended"))
        reaches("one", "mended")
        assert readers() == ["CommandReader", "KeysReader"], readers()
    except BaseException:
        output.seek(0)
        print(output.read()[-4000:], file=sys.stderr)
        raise
    finally:
        watcher.kill()
        watcher.wait()
