"""The threads of a worker: who reads, who runs, who waits.

One thread leads: it alone reads the stream. It runs what it reads itself, at once, and answers a whole frame in one
frame. Only when that takes longer than a moment the lead passes to another thread. In execute() the leader writes its
call and reads the answer itself; what else there is to run waits for a moment, for a switch of threads costs more than
most answers take. So neither a plain call nor one that calls the server costs a switch of threads.
"""

import os
import sys
import threading
import time
import traceback
from collections import deque
from contextvars import ContextVar
from itertools import count
from marshal import dumps
from queue import SimpleQueue
from threading import Lock, get_ident

from .errors import GearsError, GearsForceStopped
from .forced_stop import raise_pending, stop_thread, take_back
from .mailbox import ATTENDED, NUMBER_MASK
from .protocol import ATOMIC_BEGIN, ATOMIC_END, EXECUTE, LOOK
from .values import revive, wire_arguments

# How long the leader may run one job before another thread reads, and how often that is looked at.
TICK_S = 0.001
# How often the watcher looks while the lead is not at stake, or while one job quickly follows the other.
SLOW_TICK_S = 0.005
# Jobs within a tick that make it such a time.
BRISK_TURNS = 4
# How long other jobs wait for a thread that waits for the server.
PATIENCE_S = 0.001
# Jobs that lie on each other on one thread's stack.
NESTED_MAX = 8
# Ticks without any work until the watcher sleeps.
QUIET_TICKS = 50
# Python's own measure of how long one thread may keep the others from running.
SWITCH_S = 0.002
# A batch's answers wait this long at most for the rest of the batch.
FLUSH_S = 0.0005
# Threads that have nothing to do beyond this number end.
IDLE_MAX = 4

EMPTY = object()

# What `aborted` says of an execution that is to be stopped: it has not heard of it, or it has.
UNTOLD, TOLD = 1, 2

# What the server turns into bytes as we would.
PLAIN = frozenset((str, bytes, int))

# The number of the execution that a coroutine belongs to.
CURRENT = ContextVar("execution", default=None)


class Seat:
    """What the desk knows of one thread."""

    __slots__ = ("ident", "lending", "turn", "out", "counted", "execution", "step", "atomic", "guest", "nested", "attends", "followed", "patience", "shielded")

    def __init__(self, guest, nested=0):
        self.ident = get_ident()
        # It leads and runs a job meanwhile: the lead may be taken from it.
        self.lending = False
        self.turn = 0
        # Messages for the next frame; the watcher may send them, too.
        self.out = deque()
        # It counts as one that runs callbacks.
        self.counted = False
        self.execution = None
        # The record whose callback it runs, where that may be suspended.
        self.step = None
        self.atomic = None
        # Not a thread of ours: it never runs jobs.
        self.guest = guest
        # While it leads: it runs what there is to run, soon at least.
        self.attends = False
        # Until when other jobs wait for the calls of this one: None before they do, 0 when it has had its time.
        self.patience = None
        # Another thread read the answers of its calls.
        self.followed = False
        # It does something that a forced stop must not leave half done. By its own thread.
        self.shielded = False
        # How many jobs lie below on the thread's stack, each in execute().
        self.nested = nested


class Slot:
    """One call that waits for its answer."""

    __slots__ = ("kind", "seat", "lock", "outcome", "success", "execution")

    def __init__(self, kind, seat):
        self.kind = kind
        self.seat = seat
        self.execution = seat.execution
        self.outcome = EMPTY
        self.success = True
        self.lock = Lock()
        self.lock.acquire()


def die():
    traceback.print_exc()
    os._exit(71)


class Desk:
    def __init__(self, channel, limit=1):
        self.channel = channel
        self.mailbox = channel.mailbox
        self.limit = limit
        self.here = threading.local()
        self.dispatch = None
        # Guards everything below that more than one thread decides on.
        self.gate = Lock()
        self.leader = None
        self.seats = []
        self.work = deque()
        # Jobs that a command of a client waits for: a thread takes them up whatever the others do.
        self.urgent = deque()
        self.idle = 0
        self.busy = 0
        self.bell = SimpleQueue()
        # Calls by their tokens; None while the mailbox has the call. Answers that came before their thread did.
        # Whoever takes a call out of here settles it.
        self.slots = {}
        self.early = {}
        # Atomic blocks that were asked for by executions that were stopped since: who gets one lets go of it.
        self.abandoned = set()
        self.waiting = []
        self.take_token = count(1).__next__
        self.alarm = Lock()
        self.alarm.acquire()
        self.watcher_sleeps = False
        # Something was left to the watcher since it has looked.
        self.watcher_is_wanted = False
        # Called on every tick; true while it wants to be called again.
        self.on_tick = lambda: False

    # Threads

    def run(self, dispatch):
        self.dispatch = dispatch
        sys.setswitchinterval(SWITCH_S)
        threading.Thread(target=self.watch, name="watcher", daemon=True).start()
        self.serve()

    def serve(self):
        """The body of a thread. Jobs catch what callbacks raise; should anything else get here, a thread that silently ends
        would leave calls without an answer: the process ends instead, which the server sees."""
        try:
            self.take_turns()
        except BaseException:
            die()

    def take_turns(self):
        seat = self.here.seat = Seat(guest=False)
        gate, work = self.gate, self.work
        with gate:
            self.seats.append(seat)
        while True:
            with gate:
                if self.leader is None:
                    self.leader = seat
                leads = self.leader is seat
                urgent = self.urgent.popleft() if self.urgent else None
                retires = seat.followed and not leads and self.leader.attends
                seat.followed = False
                runs = urgent is not None or (bool(work) and self.busy < self.limit and not retires)
                if runs:
                    self.busy += 1
                    seat.counted = seat.attends = True
                    seat.lending = leads
                    if self.watcher_sleeps:
                        self.watcher_sleeps = False
                        self.alarm.release()
                elif not leads:
                    if self.idle >= IDLE_MAX:
                        self.seats.remove(seat)
                        return
                    self.idle += 1
            if urgent is not None:
                job, argument = urgent
                seat.turn += 1
                seat.patience = None
                job(seat, argument)
                self.rest(seat)
            elif runs:
                self.work_off(seat)
            elif leads:
                self.channel.spin()
                self.dispatch(self.channel.receive())
            else:
                self.bell.get()

    def work_off(self, seat):
        popleft = self.work.popleft
        clock = time.perf_counter
        flushed = clock()
        while True:
            try:
                job, argument = popleft()
            except IndexError:
                break
            seat.turn += 1
            seat.patience = None
            job(seat, argument)
            if seat.followed:
                # One thread is faster than two that wait for each other: let the leader do it.
                break
            if seat.out and clock() - flushed > FLUSH_S:
                self.flush(seat)
                flushed = clock()
        self.rest(seat)

    def rest(self, seat):
        with self.gate:
            self.busy -= 1
            seat.counted = seat.lending = seat.attends = False
        self.flush(seat)

    def ring(self):
        """Gets a thread for what is to be done. Under the gate."""
        if self.idle:
            self.idle -= 1
            self.bell.put(None)
            return
        try:
            threading.Thread(target=self.serve, name="executor", daemon=True).start()
        except RuntimeError:
            # No memory for another stack: what is to be done waits for a thread that there is.
            pass

    def wake_watcher(self):
        with self.gate:
            self.watcher_is_wanted = True
            if self.watcher_sleeps:
                self.watcher_sleeps = False
                self.alarm.release()

    def pass_lead(self):
        """Gives the lead to somebody who can use it. Under the gate; the caller does not lead any more."""
        for slot in self.waiting:
            if slot.outcome is EMPTY:
                self.leader = slot.seat
                self.waiting.remove(slot)
                slot.lock.release()
                return
        self.leader = None
        self.ring()

    def watch(self):
        gate = self.gate
        seen = None
        turns = 0
        quiet = 0
        tick = TICK_S
        while True:
            time.sleep(tick)
            wanted = self.on_tick()
            with gate:
                leader = self.leader
                before, turns = turns, 0 if leader is None else leader.turn
                is_brisk = turns - before >= BRISK_TURNS
                if leader is not None and leader.lending:
                    now = (leader, turns)
                    if now == seen:
                        leader.lending = False
                        seen = None
                        self.pass_lead()
                    else:
                        seen = now
                    quiet = 0
                    tick = SLOW_TICK_S if is_brisk else TICK_S
                else:
                    seen = None
                    # A callback computes, and the lead is elsewhere: nothing to be quick about.
                    tick = SLOW_TICK_S if self.busy or is_brisk else TICK_S
                    quiet = 0 if wanted or self.watcher_is_wanted or self.busy or is_brisk else quiet + 1
                self.watcher_is_wanted = False
                sleeps = self.watcher_sleeps = quiet > QUIET_TICKS
                late = [seat for seat in self.seats if seat.out]
            # A job that takes its time must not keep the answers of those before it.
            for seat in late:
                self.flush(seat)
            if sleeps:
                self.alarm.acquire()
                quiet = 0

    # Jobs

    def add(self, job, argument):
        """Queues a job, called with the seat of its thread; from within dispatch, by the thread that leads."""
        self.work.append((job, argument))

    def add_urgent(self, job, argument):
        """Queues a job that a command waits for; from within dispatch."""
        self.urgent.append((job, argument))

    def post(self, job, argument):
        """Queues a job from any thread and sees to it that it is run. Under the gate."""
        self.work.append((job, argument))
        if self.busy < self.limit:
            self.ring()

    # Messages

    def seat(self):
        try:
            return self.here.seat
        except AttributeError:
            seat = self.here.seat = Seat(guest=True)
            return seat

    def execution_number(self):
        """The execution that this thread or coroutine belongs to, if any."""
        execution = self.seat().execution
        return CURRENT.get() if execution is None else execution.number

    def say(self, message):
        """Sends a message with the next flush of the thread: at the end of its batch."""
        seat = self.seat()
        if seat.guest:
            self.channel.send([message])
        else:
            seat.out.append(message)

    def flush(self, seat):
        if seat.out:
            self.channel.send_queued(seat.out)

    def execute(self, args):
        """A command, as execute() is given it."""
        try:
            seat = self.here.seat
        except AttributeError:
            seat = self.seat()
        execution = seat.execution
        number = None if execution is None else execution.number
        if not PLAIN.issuperset(map(type, args)):
            args = wire_arguments(args)
        return self.ask_from(seat, (EXECUTE, self.take_token(), number, args))

    def ask(self, kind, *fields):
        return self.ask_from(self.seat(), (kind, self.take_token(), *fields))

    def ask_from(self, seat, message):
        """Sends a call and waits for its answer: through the mailbox, if that is quick, otherwise at the stream."""
        token = message[1]
        mailbox = self.mailbox
        posted = None
        shielded = seat.shielded
        try:
            # A stop that comes half-way would leave the mailbox locked, or an answer that nobody waits for.
            seat.shielded = True
            execution = seat.execution
            if execution is not None and execution.aborted and message[0] != ATOMIC_END:
                self.catch_up(execution)
            if mailbox is not None and mailbox.words[ATTENDED] and mailbox.acquire(False):
                try:
                    frame = dumps((message,), 2)
                    # Known before it is sent: its answer may come through the stream, to another thread.
                    self.slots[token] = None
                    posted = mailbox.ask(frame, self.channel.sent & NUMBER_MASK)
                finally:
                    # Whoever has to wait keeps the mailbox until he is known to wait: the next frame would take his answer's
                    # place.
                    if type(posted) is not int:
                        mailbox.release()
                if type(posted) is tuple:
                    del self.slots[token]
                    success, marked, value = posted
                    return value if success and not marked else outcome(success, marked, value)
            if posted is None and message[0] == EXECUTE:
                # Where text is no text, this says so.
                kind, _, number, args = message
                message = (kind, token, number, wire_arguments(args))
            return self.ask_at_stream(seat, message, posted)
        finally:
            seat.shielded = shielded

    def ask_at_stream(self, seat, message, posted):
        """`posted`: the number under which the mailbox has it already."""
        token = message[1]
        slot = Slot(message[0], seat)
        with self.gate:
            counted = seat.counted
            seat.counted = False
            self.slots[token] = slot
            early = self.early.pop(token, None)
            if slot.execution is not None and slot.execution.aborted == UNTOLD and slot.kind != ATOMIC_END:
                # `abort` may have looked already.
                self.turn_away(token, slot, posted is not None)
            elif posted is None:
                seat.out.append(message)
            if counted:
                self.busy -= 1
            seat.lending = False
            if self.leader is None:
                self.leader = seat
            leads = self.leader is seat
            if not leads:
                self.waiting.append(slot)
                seat.followed = True
        if posted is not None:
            if early is None:
                early = self.mailbox.give_up(posted)
            self.mailbox.release()
            if early is not None:
                if self.slots.pop(token, None) is slot:
                    slot.success, marked, value = early
                    slot.outcome = revive(value) if marked else value
                else:
                    self.answer(token, *early)
            elif not self.mailbox.words[ATTENDED]:
                # It may have gone to sleep before it saw the call.
                self.channel.send([(LOOK,)])
        self.flush(seat)
        if not leads and slot.outcome is EMPTY and not slot.lock.acquire(timeout=PATIENCE_S):
            with self.gate:
                self.ring_if_due()
            slot.lock.acquire()
        # Without an answer the lock was opened to pass the lead.
        if slot.outcome is EMPTY:
            self.lead_until_answered(seat, slot)
        with self.gate:
            if counted:
                self.busy += 1
                seat.counted = True
                if self.watcher_sleeps:
                    self.watcher_sleeps = False
                    self.alarm.release()
            if self.leader is seat:
                # Others that wait get their answers from whoever leads: no reason to change that.
                seat.lending = counted
                seat.attends = counted and seat.patience != 0
                if not counted:
                    self.pass_lead()
            elif slot in self.waiting:
                self.waiting.remove(slot)
        return outcome(slot.success, False, slot.outcome)

    def lead_until_answered(self, seat, slot):
        receive, dispatch, spin = self.channel.receive, self.dispatch, self.channel.spin
        while slot.outcome is EMPTY:
            if self.urgent and not seat.guest and seat.nested < NESTED_MAX:
                # The server serves that command alone: our answer comes when it is over.
                self.nest(seat, slot)
                continue
            if self.urgent or self.work:
                if seat.patience is None:
                    seat.patience = time.perf_counter() + PATIENCE_S
                if self.urgent or not self.channel.is_ready_until(seat.patience):
                    with self.gate:
                        seat.patience = 0
                        seat.attends = False
                        self.ring_if_due()
                dispatch(receive())
                continue
            # While it waits it does not run what others leave to it. Said before it looks once more: so either they see
            # that, or it sees what they have left.
            attends, seat.attends = seat.attends, False
            if not self.work:
                spin()
                messages = receive()
                seat.attends = attends
                dispatch(messages)
            else:
                seat.attends = attends

    def nest(self, seat, slot):
        """Runs an urgent job on top of this one, which waits. Afterwards it leads, or has its answer."""
        inner = Seat(guest=False, nested=seat.nested + 1)
        with self.gate:
            if not self.urgent:
                return
            job, argument = self.urgent.popleft()
            self.busy += 1
            inner.counted = inner.lending = inner.attends = True
            inner.turn = seat.turn = seat.turn + 1
            self.leader = inner
            self.seats.append(inner)
            if self.watcher_sleeps:
                self.watcher_sleeps = False
                self.alarm.release()
        self.here.seat = inner
        try:
            job(inner, argument)
        except BaseException:
            die()
        self.here.seat = seat
        self.rest(inner)
        with self.gate:
            self.seats.remove(inner)
            if self.leader is inner or self.leader is None:
                self.leader = seat
                return
            self.waiting.append(slot)
            # What the nested job kept from being run.
            self.ring_if_due()
        slot.lock.acquire()
        with self.gate:
            if slot in self.waiting:
                self.waiting.remove(slot)

    def ring_if_due(self):
        """Gets a thread for what must not wait for this one. Under the gate."""
        if self.urgent or (self.work and self.busy < self.limit):
            self.ring()

    def answer(self, token, success, marked, value):
        if self.slots.get(token, EMPTY) is None:
            with self.gate:
                # Unless its thread has come to wait here just now.
                if self.slots.get(token, EMPTY) is None:
                    self.early[token] = (success, marked, value)
                    return
        slot = self.slots.pop(token, EMPTY)
        if slot is EMPTY:
            try:
                self.abandoned.remove(token)
            except KeyError:
                return
            if success:
                self.channel.send([(ATOMIC_END, self.take_token())])
            return
        slot.success = success
        slot.outcome = revive(value) if marked else value
        slot.lock.release()

    # Forced stop

    def abort(self, execution):
        """Ends every wait of an execution; the watcher stops its callbacks. From within dispatch."""
        execution.aborted = UNTOLD
        with self.gate:
            for token in list(self.slots):
                slot = self.slots.get(token)
                if slot is not None and slot.execution is execution and self.turn_away(token, slot, True):
                    slot.lock.release()
        self.wake_watcher()

    def turn_away(self, token, slot, sent):
        """Lets a call of an aborted execution end, unless it has its answer. Under the gate."""
        if sent and slot.kind == ATOMIC_BEGIN:
            # Before anybody can miss the call.
            self.abandoned.add(token)
        if self.slots.pop(token, None) is not slot:
            self.abandoned.discard(token)
            return False
        slot.execution.aborted = TOLD
        slot.success = False
        slot.outcome = GearsForceStopped()
        return True

    def stop(self, execution):
        """Raises in the execution's thread; in its next call, if it is in the runtime's hands right now."""
        with self.gate:
            seat = execution.seat
            if seat is None or seat.execution is not execution:
                return
            if seat.shielded:
                execution.aborted = UNTOLD
            else:
                execution.aborted = TOLD
                stop_thread(seat.ident)

    def catch_up(self, execution):
        """The thread of an aborted execution has raised its shield to make a call, which may wait for long: it hears of the
        stop first, if it has not."""
        with self.gate:
            # `stop` looks at the shield only after it saw `aborted`: whatever it does is done now, and comes here.
            raise_pending()
            untold = execution.aborted == UNTOLD
            execution.aborted = TOLD
        if untold:
            raise GearsForceStopped

    def undisturbed(self, job, *args):
        """Calls what a forced stop must not leave half done."""
        seat = self.seat()
        shielded = seat.shielded
        try:
            seat.shielded = True
            execution = seat.execution
            if execution is not None and execution.aborted:
                with self.gate:
                    raise_pending()
            return job(*args)
        finally:
            seat.shielded = shielded

    def enter(self, seat, execution):
        seat.execution = execution
        execution.seat = seat

    def end_atomic(self, seat):
        """Lets go of the server where a callback did not. The answer finds nobody waiting."""
        seat.atomic = None
        seat.out.append((ATOMIC_END, self.take_token()))

    def leave(self, seat, execution):
        """The thread has left the execution's callbacks: no forced stop reaches it any more."""
        while True:
            try:
                # In this order without the gate: `stop` looks at the seat only after it saw `aborted`, so either it finds
                # no seat, or we find the mark and wait until it has done what it does under the gate.
                execution.seat = seat.execution = None
                if execution.aborted:
                    with self.gate:
                        take_back(seat.ident)
                if seat.atomic is not None:
                    self.end_atomic(seat)
                return
            except GearsForceStopped:
                continue


def outcome(success, marked, value):
    """What a call gives: the value, or the error raised."""
    if success:
        return revive(value) if marked else value
    raise value if isinstance(value, BaseException) else GearsError(value)
