"""Gives what the standard library's `logging` prints its level in the server's log.

It stays a printed line: that reaches the log even when the process dies the moment after. A mark at its start says the
level; the server takes it off (crates/worker/src/log_lines.rs).
"""

import logging
import sys

# From this level on, the mark.
MARKS = ((logging.WARNING, "\x01w"), (logging.INFO, "\x01n"), (logging.DEBUG, "\x01v"), (0, "\x01d"))

plain_emit = logging.StreamHandler.emit


def emit(handler, record):
    """In place of StreamHandler's own, which every handler that prints ends in."""
    stream = handler.stream
    if stream is not sys.__stderr__ and stream is not sys.__stdout__:
        plain_emit(handler, record)
        return
    try:
        mark = next(mark for level, mark in MARKS if record.levelno >= level)
        stream.write("".join("%s%s\n" % (mark, line) for line in handler.format(record).splitlines()))
        handler.flush()
    except RecursionError:
        raise
    except Exception:
        handler.handleError(record)


def install():
    logging.StreamHandler.emit = emit
