"""The warm interpreter: forks a worker for each request and tells the server when one has ended.

It is single-threaded, and must stay so: a fork copies one thread only, and whatever lock another one held.
"""

import contextlib
import gc
import os
import random
import resource
import select
import signal
import socket
import sys

# Not used here: imported once so that no worker has to.
import asyncio  # noqa: F401
import collections  # noqa: F401
import copy  # noqa: F401
import datetime  # noqa: F401
import functools  # noqa: F401
import itertools  # noqa: F401
import json  # noqa: F401
import re  # noqa: F401
import time  # noqa: F401

try:
    import cloudpickle  # noqa: F401
except ImportError:
    pass

from . import api, log_levels, mailbox, session
from .forced_stop import die_with_parent, name_process


def serve(control):
    server = os.getppid()
    # The socket leaves standard input, where any print or input of a library would meet it.
    control = socket.socket(fileno=os.dup(control.detach()))
    control.setblocking(False)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    children = {}
    # Not a kill: what the workers have started themselves has to go, too.
    signal.signal(signal.SIGTERM, lambda number, frame: end(children))
    die_with_parent(server, by=signal.SIGTERM)
    name_process("mainspring-py")

    woken, wake = os.pipe()
    for fd in (woken, wake):
        os.set_blocking(fd, False)
    signal.signal(signal.SIGCHLD, lambda number, frame: None)
    # A Ctrl-C at the server's terminal is the server's to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    api.install()
    log_levels.install()
    gc.collect()
    gc.freeze()

    notices = []
    while True:
        select.select([control, woken], [control] if notices else [], [])
        try:
            while os.read(woken, 512):
                pass
        except BlockingIOError:
            pass
        requests(control, children, notices)
        reap(children, notices)
        try:
            while notices:
                control.send(notices[0])
                del notices[0]
        except BlockingIOError:
            pass
        except OSError:
            end(children)


def end(children):
    for pid in children:
        kill_group(pid)
    os._exit(0)


def kill_group(pid):
    """A worker and every process that it has started. It is not reaped yet, so the number is still its own."""
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        # It has not come to having a group of its own, or has just been reaped.
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def requests(control, children, notices):
    while True:
        try:
            packet, fds, _, _ = socket.recv_fds(control, 128, 3) if hasattr(socket, "recv_fds") else recv_fds(control)
        except BlockingIOError:
            return
        except OSError:
            end(children)
        if not packet:
            end(children)
        verb, number = packet.split()
        number = int(number)
        if verb == b"fork":
            pid = fork(control, fds)
            children[pid] = number
            notices.append(b"started %d %d" % (number, pid))
        else:
            for pid, child in children.items():
                if child == number:
                    kill_group(pid)


def recv_fds(control):
    """For Python 3.8, which has no socket.recv_fds."""
    packet, ancillary, flags, address = control.recvmsg(128, socket.CMSG_LEN(12))
    fds = []
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds += [int.from_bytes(data[at : at + 4], sys.byteorder) for at in range(0, len(data) - len(data) % 4, 4)]
    return packet, fds, flags, address


def reap(children, notices):
    while children:
        # Its group goes first: afterwards its number may be a stranger's.
        ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        if ended is None:
            return
        kill_group(ended.si_pid)
        pid, status = os.waitpid(ended.si_pid, 0)
        number = children.pop(pid, None)
        if number is not None:
            notices.append(b"exited %d %d" % (number, status))


def fork(control, fds):
    zygote = os.getpid()
    pid = os.fork()
    if pid:
        for fd in fds:
            os.close(fd)
        return pid
    try:
        die_with_parent(zygote)
        os.setsid()
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        # Writing to a stream whose reader is gone is an error, not a signal: as in any Python program.
        stream, output = fds[:2]
        kept = 4
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.dup2(stream, 3)
        if len(fds) > 2:
            os.dup2(fds[2], 4)
            kept = 5
        os.closerange(kept, os.sysconf("SC_OPEN_MAX") if os.sysconf("SC_OPEN_MAX") < 65536 else 65536)
        control.detach()
        os.set_inheritable(3, False)
        for text in (sys.stdout, sys.stderr):
            text.reconfigure(line_buffering=True, errors="backslashreplace")
        random.seed()
        box = None
        if kept > 4:
            box = mailbox.Mailbox(4)
            os.close(4)
        session.run(socket.socket(fileno=3), box)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(70)
