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
import time

# Not used here: imported once so that no worker has to.
import asyncio  # noqa: F401
import collections  # noqa: F401
import copy  # noqa: F401
import datetime  # noqa: F401
import functools  # noqa: F401
import itertools  # noqa: F401
import json  # noqa: F401
import re  # noqa: F401

try:
    import cloudpickle  # noqa: F401
except ImportError:
    pass

from . import api, confinement, log_levels, mailbox, session
from .forced_stop import adopt_orphans, die_with_parent, name_process


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
    # Not a kill: what the workers have started themselves has to go, too. Only noted: what the signal interrupts may hold
    # a lock that the end needs as well.
    told_to_end = []
    signal.signal(signal.SIGTERM, lambda number, frame: told_to_end.append(number))
    die_with_parent(server, by=signal.SIGTERM)
    adopt_orphans()
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
    while not told_to_end:
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
            break
    end(children)


# How long this process stays to see the last of its workers off; a server that is still there waits for less.
END_S = 5


def end(children):
    workers = list(children)
    for pid in workers:
        # Before their parents: nobody may be left to look after orphans.
        for descendant in descendants(pid):
            with contextlib.suppress(OSError):
                os.kill(descendant, signal.SIGKILL)
        kill_group(pid)
    until = time.monotonic() + END_S
    while time.monotonic() < until:
        try:
            while os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG) is not None:
                pass
        except ChildProcessError:
            break
        kill_strays(())
        time.sleep(0.001)
    for pid in workers:
        confinement.remove_own_directory(pid)
    os._exit(0)


def kill_strays(workers):
    """A process that left its worker's group, as daemons do, becomes ours when its worker ends, for workers adopt orphans
    as we do. So a child of ours that is no worker belongs to nobody. Its own children come to us when it ends."""
    for pid in children_of(os.getpid()):
        if pid not in workers:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)


def descendants(pid):
    """All that a worker has started, daemons included, for it has adopted them."""
    found = children_of(pid)
    for descendant in found:
        found += children_of(descendant)
    return found


def children_of(pid):
    found = []
    # Not every kernel has these files, and processes come and go.
    with contextlib.suppress(OSError):
        for thread in os.listdir("/proc/%d/task" % pid):
            with contextlib.suppress(OSError), open("/proc/%d/task/%s/children" % (pid, thread)) as children:
                found += map(int, children.read().split())
    return found


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
    while True:
        # Its group goes first: afterwards its number may be a stranger's.
        try:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        if ended is None:
            return
        kill_group(ended.si_pid)
        pid, status = os.waitpid(ended.si_pid, 0)
        confinement.remove_own_directory(pid)
        number = children.pop(pid, None)
        if number is not None:
            notices.append(b"exited %d %d" % (number, status))
        kill_strays(children)


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
        adopt_orphans()
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
