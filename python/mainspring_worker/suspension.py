"""Executions whose callbacks may suspend a record: coroutines and gearsFuture().

The steps are generators that pull from each other, as the plain pipeline's iterators do. One that cannot go on before
something settles yields WAIT, which travels to the top; the execution is then left by its thread, and resumed by
whatever settles. Records keep their order: an outstanding one holds back those behind it, up to a window.
"""

import asyncio
import inspect
import threading
import types
from collections import deque
from functools import partial
from time import perf_counter_ns

from . import pickling, session, steps
from .errors import GearsError, GearsForceStopped, error_text
from .protocol import PROGRESS
from .values import portable, revive

WAIT = object()
END = object()
# Outstanding records of one step.
WINDOW = 1000
# Said by a seat whose callback may not suspend.
REFUSES = object()


class Entry:
    """One record whose callback was called, and what came of it."""

    __slots__ = ("execution", "record", "settled", "value", "failed", "future_made")

    def __init__(self, execution, record):
        self.execution = execution
        self.record = record
        self.settled = False
        self.value = None
        # The error's text.
        self.failed = None
        self.future_made = False

    def settle(self, value=None, failed=None):
        self.value = value
        self.failed = failed
        self.settled = True
        self.execution.kick()


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
        if entry.future_made:
            raise GearsError("Can not create async record twice on the same step")
        entry.future_made = True
        self.entry = None
        self.continued = False
        self.lock = threading.Lock()

    def continueRun(self, *args):
        if len(args) != 1:
            raise GearsError("Continue function expect an object")
        self._continue().settle(value=args[0])

    def continueFailed(self, *args):
        if len(args) != 1:
            raise GearsError("Continue function expect an object")
        self._continue().settle(failed=str(args[0]))

    def _continue(self):
        with self.lock:
            if self.continued:
                raise GearsError("Can not continue with the same future twice")
            if self.entry is None:
                raise GearsError("Can not handle future untill it returned from the callback")
            self.continued = True
        return self.entry

    def __del__(self):
        if getattr(self, "entry", None) is not None and not self.continued:
            self.entry.settle(failed="Async record did not called continue")


def gearsFuture(*args):
    return PyFuture(*args)


# The asyncio loop, shared by the whole session and started when it is first needed.

_loop = None
_loop_lock = threading.Lock()


def loop():
    global _loop
    with _loop_lock:
        if _loop is None:
            _loop = asyncio.new_event_loop()
            threading.Thread(target=_loop.run_forever, name="asyncio", daemon=True).start()
    return _loop


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
        flow = self.source()
        for step in described:
            if step.kind not in steps.PASSED_THROUGH:
                flow = STAGES[step.kind](self, step, flow)
        self.flow = flow

    # Scheduling

    def add_batch(self, records, last, marked):
        self.batches.append((revive(records) if marked else records, last))
        self.kick()

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
        self.desk.enter(seat, self)
        try:
            try:
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
        except GearsForceStopped as error:
            # It came while another error was being caught.
            raised = error
        finally:
            self.desk.leave(seat, self)
        if raised is not None:
            self.fail(error_text(raised))
            self.over = True
        self.tell(seat, results, started)

    def tell(self, seat, results, started):
        errors, self.errors = self.errors[:1] if self.aborted else self.errors, []
        consumed, self.consumed = self.consumed, 0
        if not (results or errors or consumed or self.over):
            return
        records, pickled = portable(results, pickling.dumps)
        if self.over:
            for task in self.tasks:
                task.cancel()
            self.on_over(self)
        busy_us = (perf_counter_ns() - started) // 1000
        seat.out.append(
            (PROGRESS, self.number, records, pickled, errors, self.satisfied, self.over, consumed, busy_us)
        )

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
            entry.settled = True
            return entry
        finally:
            seat.step = None
        if isinstance(value, PyFuture):
            value.entry = entry
        elif inspect.iscoroutine(value):
            task = asyncio.run_coroutine_threadsafe(value, loop())
            self.tasks.add(task)
            task.add_done_callback(partial(self.returned, entry))
        else:
            entry.value = value
            entry.settled = True
        return entry

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


# Which functions need all this

ASYNC_FLAGS = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
# How far calls are followed.
DEPTH_MAX = 8


def may_suspend(callbacks):
    """Whether a callback can give a coroutine or a future, as far as its code and what it names can tell. Looking at every
    result instead would cost each record of each function more than most callbacks do."""
    seen = set()
    return any(reaches(callback, seen, 0) for callback in callbacks)


def reaches(value, seen, depth, names=()):
    if id(value) in seen or depth > DEPTH_MAX:
        return False
    seen.add(id(value))
    if isinstance(value, types.MethodType):
        value = value.__func__
    if isinstance(value, partial):
        return reaches(value.func, seen, depth + 1)
    if isinstance(value, types.FunctionType):
        return value in SUSPENDING or function_reaches(value, seen, depth)
    if isinstance(value, types.ModuleType):
        # A module is seen again with other names.
        seen.discard(id(value))
        return any(reaches(vars(value).get(name), seen, depth + 1) for name in names if name in vars(value))
    kind = value if isinstance(value, type) else type(value)
    if kind is PyFuture:
        return True
    if kind.__module__ == "builtins":
        return False
    return any(
        reaches(member, seen, depth + 1) for member in list(vars(kind).values()) if isinstance(member, types.FunctionType)
    )


def function_reaches(function, seen, depth):
    names, flags = set(), 0
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        flags |= code.co_flags
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    if flags & ASYNC_FLAGS:
        return True
    named = [function.__globals__[name] for name in names if name in function.__globals__]
    for cell in function.__closure__ or ():
        try:
            named.append(cell.cell_contents)
        except ValueError:
            pass
    return any(reaches(value, seen, depth + 1, names) for value in named)


SUSPENDING = (gearsFuture, createFuture, runCoroutine)
