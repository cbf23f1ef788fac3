"""Raising an exception in another thread, and the other things only the C level can do: dying with the parent, and
adopting what others have left."""

import ctypes
import os
import signal

from .errors import GearsForceStopped

PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36

_set_async_exc = ctypes.pythonapi.PyThreadState_SetAsyncExc
_set_async_exc.argtypes = (ctypes.c_ulong, ctypes.py_object)
_prctl = ctypes.CDLL(None, use_errno=True).prctl
_prctl.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_ulong, ctypes.c_ulong, ctypes.c_ulong)


def stop_thread(ident):
    _set_async_exc(ident, GearsForceStopped)


def raise_pending():
    """Raises what stop_thread() has left for this thread: Python looks where a function begins."""


def take_back(ident):
    """Clears what was not raised yet; by the thread itself."""
    # A null pointer, which is not None. It leaves Python's mark that something is to be raised, which slows down every
    # thread, and in Python 3.11 makes profiled calls hang; the mark goes when something is raised.
    _set_async_exc(ident, ctypes.py_object())
    try:
        while _set_async_exc(ident, GearsForceStopped):
            pass
    except GearsForceStopped:
        pass


def die_with_parent(parent, by=signal.SIGKILL):
    _prctl(PR_SET_PDEATHSIG, int(by), 0, 0, 0)
    # It may have died before we asked.
    if os.getppid() != parent:
        os._exit(0)


def adopt_orphans():
    """Processes whose parents have ended become children of this one, not of init."""
    _prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def name_process(name):
    """For process listings. The kernel cuts it to 15 bytes."""
    try:
        comm = os.open("/proc/self/comm", os.O_WRONLY)
    except OSError:
        return
    try:
        os.write(comm, name.encode("utf-8", "replace"))
    finally:
        os.close(comm)
