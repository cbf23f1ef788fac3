"""The databases behind: each tells a recipe how to reach it and what its rows are."""

import glob
import os
import pwd
import signal
import sqlite3
import subprocess
import tempfile
import time

import psycopg2


class Postgres:
    """A throw-away cluster that is reached over a socket in its own directory: no port that somebody else may have."""

    name = "PostgreSQL"
    packages = ["psycopg2-binary"]

    def __init__(self):
        programs = glob.glob("/usr/lib/postgresql/*/bin")
        self.programs = max(programs, key=lambda path: int(path.split("/")[4]))
        self.scratch = tempfile.TemporaryDirectory(prefix="rgsync-")
        self.directory = os.path.join(self.scratch.name, "cluster")
        self.server = None
        # PostgreSQL refuses to run as root.
        self.prefix = []
        if os.getuid() == 0:
            user = pwd.getpwnam("postgres")
            os.chown(self.scratch.name, user.pw_uid, user.pw_gid)
            self.prefix = ["setpriv", "--reuid=%d" % user.pw_uid, "--regid=%d" % user.pw_gid, "--clear-groups"]
        self.run("initdb", "--no-sync", "--auth=trust", "--username=writer", "--encoding=UTF8", "--locale=C")
        self.start()

    def run(self, program, *arguments):
        command = [*self.prefix, os.path.join(self.programs, program), "--pgdata", self.directory, *arguments]
        done = subprocess.run(command, cwd="/", stdin=subprocess.DEVNULL, capture_output=True, text=True)
        assert done.returncode == 0, "%s: %s%s" % (program, done.stdout, done.stderr)

    def start(self):
        # It goes when this program goes, however that ends: QUIT is PostgreSQL's immediate shutdown.
        log = os.path.join(self.scratch.name, "log")
        command = [*(self.prefix or ["setpriv"]), "--pdeathsig=QUIT", os.path.join(self.programs, "postgres")]
        command += ["-D", self.directory, "-k", self.scratch.name, "-c", "listen_addresses="]
        with open(log, "ab") as output:
            self.server = subprocess.Popen(
                command, cwd="/", stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT
            )
        try:
            self.run_until_ready()
        except AssertionError:
            with open(log, errors="replace") as said:
                raise AssertionError(said.read()) from None

    def run_until_ready(self):
        end = time.monotonic() + 60
        while True:
            try:
                self.connect().close()
                return
            except psycopg2.OperationalError as error:
                assert self.server.poll() is None and time.monotonic() < end, error
                time.sleep(0.02)

    def crash(self):
        """As if the machine had lost its power."""
        self.run("pg_ctl", "stop", "--mode=immediate")
        self.server.wait()

    def close(self):
        # Not SIGTERM, which waits until the recipe's connection is closed.
        self.server.send_signal(signal.SIGQUIT)
        self.server.wait()
        self.scratch.cleanup()

    def connect(self):
        return psycopg2.connect(host=self.scratch.name, user="writer", dbname="postgres")

    def execute(self, statement):
        connection = self.connect()
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall() if cursor.description else None
        finally:
            connection.close()

    def connector(self, table, key):
        place = "/postgres?host=" + self.scratch.name
        return "PostgresConnector(PostgresConnection('writer', '', %r), %r, %r)" % (place, table, key)


class Sqlite:
    name = "SQLite"
    packages = []

    def __init__(self):
        self.scratch = tempfile.TemporaryDirectory(prefix="rgsync-")
        self.path = os.path.join(self.scratch.name, "rows.db")

    def close(self):
        self.scratch.cleanup()

    def execute(self, statement):
        connection = sqlite3.connect(self.path, timeout=30)
        try:
            with connection:
                return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def connector(self, table, key):
        return "SQLiteConnector(SQLiteConnection(%r), %r, %r)" % (self.path, table, key)


ALL = [Postgres, Sqlite]
