"""The exceptions scripts know, and the text form clients parse: the repr of a list of strings."""

import traceback


class GearsError(Exception):
    """Raised by execute() and by every refused call into the engine."""


class GearsForceStopped(Exception):
    """Raised in the thread of an execution that was aborted."""


class GearsFlatError(Exception):
    """An error whose text reaches the client as it is."""


# Their qualified names are part of error texts that clients compare.
for _exception, _name in ((GearsError, "error"), (GearsForceStopped, "forcestopped"), (GearsFlatError, "flat_error")):
    _exception.__module__ = "gears"
    _exception.__name__ = _exception.__qualname__ = _name


# PythonAttemptTraceback 0: without the traceback.
is_short = False
# Is told of every error whose text is made: the server's log.
note = None


def error_text(error):
    if note is not None:
        note(error)
    if isinstance(error, GearsFlatError):
        return str(error)
    if is_short:
        return "Error type: %s, Value: %s" % (type(error), error)
    told = traceback.TracebackException(type(error), error, error.__traceback__)
    leave_to_user(told, set())
    return str(list(told.format()))


def leave_to_user(told, seen):
    """Takes the runtime's frames out of a traceback, and out of those of its causes: they say nothing about the script."""
    if told is None or id(told) in seen:
        return
    seen.add(id(told))
    told.stack[:] = [frame for frame in told.stack if not frame.filename.startswith("<mainspring_worker/")]
    leave_to_user(told.__cause__, seen)
    leave_to_user(told.__context__, seen)
