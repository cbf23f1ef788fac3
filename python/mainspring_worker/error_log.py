"""Errors of functions in the server's log, with the lines of the script that they happened in.

Clients parse the texts of errors, which name lines by their numbers only: a script is no file. Whoever reads the log
gets the lines as well. Each error is logged once for each place that it comes from, so that a function that fails for
every key fills no disk.
"""

import re
import traceback

from .errors import GearsFlatError, GearsForceStopped, leave_to_user

# Places that are told of in one session.
PLACES_MAX = 100
LINE_MAX = 300

FRAME = re.compile(r'  File "<string>", line (\d+), in (.*)')


class ErrorLog:
    def __init__(self, write):
        """`write` takes one line."""
        self.write = write
        self.source = []
        self.body = None
        self.places = set()

    def know(self, source, body):
        """The script and what it was compiled to."""
        self.source = source
        self.body = body

    def add(self, error):
        if isinstance(error, (GearsFlatError, GearsForceStopped)) or len(self.places) >= PLACES_MAX:
            return
        place = (type(error), *innermost(error))
        if place in self.places:
            return
        self.places.add(place)
        told = traceback.TracebackException(type(error), error, error.__traceback__)
        leave_to_user(told, set())
        own = self.own_lines(error)
        for text in told.format():
            for line in text.rstrip("\n").split("\n"):
                self.write(line[:LINE_MAX])
                frame = FRAME.match(line)
                if frame and (int(frame[1]), frame[2]) in own:
                    self.write("    " + self.source[int(frame[1]) - 1].strip()[:LINE_MAX])

    def own_lines(self, error):
        """Where the error went through code of the script. What a script gives to exec() is called <string>, too."""
        if self.body is None:
            return set()
        if isinstance(self.source, bytes):
            self.source = self.source.decode("utf-8", "replace").split("\n")
        codes, rest = set(), [self.body]
        while rest:
            code = rest.pop()
            codes.add(code)
            rest += [constant for constant in code.co_consts if isinstance(constant, type(code))]
        own, seen, errors = set(), set(), [error]
        while errors:
            error = errors.pop()
            if error is None or id(error) in seen:
                continue
            seen.add(id(error))
            trace = error.__traceback__
            while trace is not None:
                code = trace.tb_frame.f_code
                if code in codes and trace.tb_lineno <= len(self.source):
                    own.add((trace.tb_lineno, code.co_name))
                trace = trace.tb_next
            errors += [error.__cause__, error.__context__]
        return own


def innermost(error):
    trace = error.__traceback__
    if trace is None:
        return None, None
    while trace.tb_next is not None:
        trace = trace.tb_next
    return trace.tb_frame.f_code.co_filename, trace.tb_lineno
