"""Executions whose callbacks may suspend a record: coroutines and gearsFuture().

The steps are generators that pull from each other, as the plain pipeline's iterators do. One that cannot go on before
something settles yields WAIT, which travels to the top; the execution is then left by its thread, and resumed by
whatever settles. Records keep their order: an outstanding one holds back those behind it, up to a window.
"""

import asyncio
import inspect
from collections import deque
from functools import partial
from time import perf_counter_ns

from . import pickling, steps
from .desk import CURRENT
from .errors import GearsForceStopped, error_text
from .futures import REFUSAL, REFUSES, PyFuture, loop
from .protocol import PROGRESS, STEP_DURATIONS, SUSPENDED
from .values import portable, revive

WAIT = object()
END = object()
# Outstanding records of one step.
WINDOW = 1000


class Entry:
    """One record whose callback was called, and what came of it."""

    __slots__ = ("execution", "record", "settled", "value", "failed", "future_made", "left")

    def __init__(self, execution, record):
        self.execution = execution
        self.record = record
        self.settled = False
        self.value = None
        # The error's text.
        self.failed = None
        self.future_made = False
        # The callback is over, and whatever future it returned is known.
        self.left = False

    def settle(self, value=None, failed=None):
        self.value = value
        self.failed = failed
        self.settled = True
        self.execution.kick()


class SuspendableExecution:
    """An execution that its thread can leave and another can resume."""

    def __init__(self, number, desk, described, on_over, source=None):
        self.number = number
        self.desk = desk
        self.on_over = on_over
        self.errors = []
        self.batches = deque()
        self.records = iter(())
        self.fed = source is None
        self.pulled = None if source is None else steps.Pulled(source)
        self.last = False
        self.consumed = 0
        self.satisfied = False
        self.seat = None
        self.aborted = False
        self.over = False
        # Both guarded by the desk's gate: a job of it is queued or runs; something settled since it was queued.
        self.scheduled = False
        self.kicked = False
        self.tasks = set()
        # What the callbacks of its steps have taken so far, where that is measured.
        self.taken = None
        self.may_suspend = True
        # A command waits for it, and the server is told when it is left before it is over.
        self.inside = False
        flow = self.source()
        for step in described:
            if step.kind not in steps.PASSED_THROUGH:
                flow = STAGES[step.kind](self, step, flow)
        self.flow = flow

    # Scheduling

    def add_batch(self, records, last, marked):
        self.batches.append((revive(records) if marked else records, last))
        self.kick()

    def run_inside(self, seat, records, marked, may_suspend):
        """Runs it here and now, for a command that waits."""
        self.may_suspend = may_suspend
        self.inside = True
        with self.desk.gate:
            self.batches.append((revive(records) if marked else records, True))
            self.kicked = True
            if self.scheduled:
                # It was aborted meanwhile: whoever runs that ends it.
                return
            self.scheduled = True
        self.resume(seat, None)

    def kick(self):
        with self.desk.gate:
            self.kicked = True
            if self.scheduled:
                return
            self.scheduled = True
            self.desk.post(self.resume, None)

    def resume(self, seat, _):
        while True:
            with self.desk.gate:
                if self.over or not self.kicked:
                    self.scheduled = False
                    return
                self.kicked = False
            self.go(seat)

    def go(self, seat):
        started = perf_counter_ns()
        results, raised = [], None
        try:
            try:
                self.desk.enter(seat, self)
                if self.aborted:
                    raise GearsForceStopped
                for record in self.flow:
                    if record is WAIT:
                        break
                    results.append(record)
                else:
                    self.over = True
            except BaseException as error:
                raised = error
            self.desk.leave(seat, self)
        except GearsForceStopped as error:
            # It came while another error was being caught, or when there was nothing to stop any more.
            raised = error
            self.desk.leave(seat, self)
        # A stop may have come before a callback could take it off.
        seat.step = None
        if raised is not None:
            self.fail(error_text(raised))
            self.over = True
        if self.inside and not self.over:
            self.inside = False
            seat.out.append((SUSPENDED, self.number))
        self.tell(seat, results, started)

    def tell(self, seat, results, started):
        errors, self.errors = self.errors[:1] if self.aborted else self.errors, []
        consumed, self.consumed = self.consumed, 0
        if not (results or errors or consumed or self.over):
            return
        records, pickled = portable(results, pickling.dumps)
        follow = None
        if self.over:
            for task in list(self.tasks):
                task.cancel()
            follow = self.on_over(self, errors)
            if self.taken is not None:
                seat.out.append((STEP_DURATIONS, self.number, [ns // 1000 for ns in self.taken]))
        busy_us = (perf_counter_ns() - started) // 1000
        seat.out.append(
            (PROGRESS, self.number, records, pickled, errors, self.satisfied, self.over, consumed, busy_us)
        )
        if follow is not None:
            # What follows may run on another thread, and must not be heard of before this end is.
            self.desk.flush(seat)
            follow()

    def fail(self, text):
        self.errors.append(text)
        self.satisfied = True

    # The flow

    def source(self):
        while not self.satisfied:
            if self.pulled is not None:
                try:
                    record = self.pulled.pull()
                except BaseException as error:
                    if not isinstance(error, StopIteration):
                        self.fail(error_text(error))
                    return
                yield record
                continue
            record = next(self.records, END)
            if record is not END:
                yield record
            elif self.last:
                return
            elif self.batches:
                records, self.last = self.batches.popleft()
                self.records = iter(records)
                self.consumed += 1
            else:
                yield WAIT

    def call(self, callback, *args):
        """Calls a callback that may suspend; `args` end with the record."""
        entry = Entry(self, args[-1])
        seat = self.desk.seat()
        seat.step = entry
        try:
            value = callback(*args)
        except BaseException as error:
            entry.failed = error_text(error)
            entry.settled = entry.left = True
            return entry
        finally:
            seat.step = None
        if isinstance(value, PyFuture):
            value.entry = entry
        elif inspect.iscoroutine(value) and not self.may_suspend:
            value.close()
            entry.failed = REFUSAL
            entry.settled = True
        elif inspect.iscoroutine(value):
            self.desk.undisturbed(self.start, entry, value)
        else:
            entry.value = value
            entry.settled = True
        entry.left = True
        return entry

    def start(self, entry, coroutine):
        # A task runs in the context of the thread that made it.
        outer = CURRENT.set(self.number)
        task = asyncio.run_coroutine_threadsafe(coroutine, loop())
        CURRENT.reset(outer)
        self.tasks.add(task)
        task.add_done_callback(partial(self.returned, entry))

    def returned(self, entry, task):
        self.tasks.discard(task)
        if task.cancelled():
            entry.settle(failed="the coroutine was cancelled")
        elif task.exception() is not None:
            entry.settle(failed=str(task.exception()))
        else:
            entry.settle(value=task.result())

    def plain(self, callback, refusal, *args):
        """Calls a callback that may not suspend."""
        seat = self.desk.seat()
        seat.step = REFUSES
        try:
            value = callback(*args)
        finally:
            seat.step = None
        if inspect.iscoroutine(value):
            value.close()
            raise Refusal(refusal)
        return value


class Refusal(Exception):
    """Its text is the whole error."""


def text_of(error):
    return str(error) if isinstance(error, Refusal) else error_text(error)


def stage(give):
    """A step whose records may be outstanding side by side; `give` says what a settled entry becomes."""

    def flow(execution, step, upstream):
        callback = str if step.kind == "totext" else step.callbacks[0]
        pending = deque()
        ended = False
        while True:
            while pending and pending[0].settled:
                entry = pending.popleft()
                if entry.failed is None:
                    yield from give(entry)
                else:
                    execution.fail(entry.failed)
            if ended or len(pending) >= WINDOW:
                if not pending:
                    return
                yield WAIT
                continue
            record = next(upstream, END)
            if record is END:
                ended = True
            elif record is not WAIT:
                pending.append(execution.call(callback, record))
            elif not (pending and pending[0].settled):
                yield WAIT

    return flow


def give_expanded(entry):
    return entry.value[::-1] if isinstance(entry.value, list) else (entry.value,)


def limit(execution, step, upstream):
    length, offset = step.numbers
    while length > 0:
        record = next(upstream, END)
        if record is END:
            return
        if record is WAIT:
            yield WAIT
        elif offset > 0:
            offset -= 1
        else:
            length -= 1
            yield record
    execution.satisfied = True


def count(execution, step, upstream):
    counted = 0
    for record in upstream:
        if record is WAIT:
            yield WAIT
        else:
            counted += 1
    if counted:
        yield counted


def accumulate(execution, step, upstream):
    value, started = None, False
    for record in upstream:
        if record is WAIT:
            yield WAIT
            continue
        entry = execution.call(step.callbacks[0], value, record)
        while not entry.settled:
            yield WAIT
        if entry.failed is None:
            value, started = entry.value, True
        else:
            execution.fail(entry.failed)
            value, started = None, False
    if started:
        yield value


def groupby(execution, step, upstream):
    extractor, reducer = step.callbacks
    groups = {}
    for record in upstream:
        if record is WAIT:
            yield WAIT
            continue
        try:
            key = steps.group_key(execution.plain(extractor, "coroutine are not allow on extractor", record))
        except BaseException as error:
            execution.fail(text_of(error))
            continue
        entry = execution.call(reducer, key, groups.get(key), record)
        while not entry.settled:
            yield WAIT
        if entry.failed is None:
            groups[key] = entry.value
        else:
            execution.fail(entry.failed)
            groups.pop(key, None)
    for key, value in groups.items():
        yield {"key": key, "value": value}


def batchgroupby(execution, step, upstream):
    extractor, reducer = step.callbacks
    groups = {}
    for record in upstream:
        if record is WAIT:
            yield WAIT
            continue
        try:
            key = steps.group_key(execution.plain(extractor, "coroutine are not allow on extractor", record))
        except BaseException as error:
            execution.fail(text_of(error))
            continue
        groups.setdefault(key, []).append(record)
    while groups:
        key, records = groups.popitem()
        try:
            value = execution.plain(reducer, "coroutine are not allow on reduce", key, records)
        except BaseException as error:
            execution.fail(text_of(error))
            continue
        yield {"key": key, "value": value}


STAGES = {
    "map": stage(lambda entry: (entry.value,)),
    "totext": stage(lambda entry: (entry.value,)),
    "filter": stage(lambda entry: (entry.record,) if entry.value else ()),
    "foreach": stage(lambda entry: (entry.record,)),
    "flatmap": stage(give_expanded),
    "limit": limit,
    "count": count,
    "accumulate": accumulate,
    "groupby": groupby,
    "localgroupby": groupby,
    "batchgroupby": batchgroupby,
}
