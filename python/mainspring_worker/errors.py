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


def error_text(error):
    if isinstance(error, GearsFlatError):
        return str(error)
    return str(traceback.format_exception(type(error), error, users_part(error.__traceback__)))


def users_part(trace):
    """The traceback from the first frame on that is not the runtime's."""
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith("<mainspring_worker/"):
        trace = trace.tb_next
    return trace
