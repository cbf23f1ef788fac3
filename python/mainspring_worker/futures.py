"""Futures of scripts: gearsFuture(), which puts its record aside, and the helpers around the asyncio loop."""

import asyncio
import threading
import time
from queue import SimpleQueue

from . import session
from .errors import GearsError

# Said by a seat whose callback may not suspend its record.
REFUSES = object()
# Said where a command waits and nobody may go on after it: inside MULTI, scripts and other functions' commands.
REFUSAL = "Creating async record is not allowed"
# How often it is looked whether a callback has returned: it is about to.
RETURN_S = 0.0002
# A callback that takes longer may be waiting for the very thread that waits for it.
RETURN_MAX_S = 10


class PyFuture:
    """gearsFuture(): its record goes on when it is continued, by whichever thread or later execution."""

    def __init__(self, *args):
        if args:
            raise GearsError("Future gets no arguments")
        entry = session.current.desk.seat().step
        if entry is None:
            raise GearsError("Future object can only be created inside certain execution steps")
        if entry is REFUSES:
            raise GearsError("Step does not support async")
        if not entry.execution.may_suspend:
            raise GearsError(REFUSAL)
        if entry.future_made:
            raise GearsError("Can not create async record twice on the same step")
        entry.future_made = True
        self.entry = None
        # Where it was made: in which call of a callback, by which thread.
        self.origin = entry
        self.maker = threading.get_ident()
        self.continued = False
        self.lock = threading.Lock()

    def continueRun(self, *args):
        if len(args) != 1:
            raise GearsError("Continue function expect an object")
        self._continue(args[0], None)

    def continueFailed(self, *args):
        if len(args) != 1:
            raise GearsError("Continue function expect an object")
        self._continue(None, str(args[0]))

    def _continue(self, value, failed):
        if self.entry is None and threading.get_ident() != self.maker:
            # A thread that the callback has started is faster than the callback's own return. That is no mistake of the
            # script's: which of the two comes first is nobody's choice.
            end = time.monotonic() + RETURN_MAX_S
            while not self.origin.left and time.monotonic() < end:
                time.sleep(RETURN_S)
        # The record may be that of another execution, which would wait for ever.
        session.current.desk.undisturbed(self._settle, value, failed)

    def _settle(self, value, failed):
        with self.lock:
            if self.continued:
                raise GearsError("Can not continue with the same future twice")
            if self.entry is None:
                raise GearsError("Can not handle future untill it returned from the callback")
            self.continued = True
        self.entry.settle(value, failed)

    def __del__(self):
        # The collector may run this anywhere, even where a lock is held that settling takes: another thread does it.
        if getattr(self, "entry", None) is not None and not self.continued:
            _dropped.put(self.entry)


def gearsFuture(*args):
    if _settler is None:
        session.current.desk.undisturbed(start_settler)
    return PyFuture(*args)


# Threads that are started when they are first needed: this one settles the futures that were dropped.

_starting = threading.Lock()
_dropped = SimpleQueue()
_settler = None


def start_settler():
    global _settler
    with _starting:
        if _settler is None:
            settler = threading.Thread(target=settle_dropped, name="settler", daemon=True)
            settler.start()
            _settler = settler


def settle_dropped():
    while True:
        _dropped.get().settle(failed="Async record did not called continue")


# This one runs the asyncio loop of the whole session.

_loop = None


def loop():
    if _loop is None:
        session.current.desk.undisturbed(start_loop)
    return _loop


def start_loop():
    global _loop
    with _starting:
        if _loop is None:
            made = asyncio.new_event_loop()
            threading.Thread(target=made.run_forever, name="asyncio", daemon=True).start()
            _loop = made


def runCoroutine(cr, f=None, delay=0, s=None):
    """Runs a coroutine on the loop; what it returns continues the future `f`."""

    async def run():
        try:
            if delay:
                await asyncio.sleep(delay)
            value = await cr
        except Exception as error:
            if f is not None:
                f.continueFailed(str(error))
        else:
            if f is not None:
                f.continueRun(value)

    asyncio.run_coroutine_threadsafe(run(), loop())


def createFuture():
    """A future for coroutines to await, settled by setFutureResults or setFutureException from any thread."""
    return loop().create_future()


def setFutureResults(future, value):
    loop().call_soon_threadsafe(lambda: future.done() or future.set_result(value))


def setFutureException(future, error):
    error = error if isinstance(error, BaseException) else Exception(error)
    loop().call_soon_threadsafe(lambda: future.done() or future.set_exception(error))
