"""A session: one script's world in this process, and what the server asks of it."""

import importlib
import marshal
import os
import resource
import sys
import threading
from collections import deque
from functools import partial
from queue import SimpleQueue
from weakref import WeakValueDictionary

from . import (
    api,
    channel,
    confinement,
    desk,
    error_log,
    errors,
    packages,
    pickling,
    processor_time,
    profiling,
    values,
)
from .errors import GearsError, GearsFlatError, GearsForceStopped, error_text
from .execution import Call, Execution
from .forced_stop import name_process
from .protocol import (
    ABORT,
    ABORT_SCRIPT,
    ANSWER,
    FEED,
    FORGET,
    HAND_BACK,
    INVOKE,
    INVOKE_IN_LINE,
    INVOKE_INSIDE,
    LOAD,
    LOADED,
    LOG,
    LOOK,
    OPEN,
    PACKAGES,
    PROFILE,
    PROFILE_REPORT,
    REGISTER,
    REGISTER_TIME_EVENT,
    RUN,
    SCRIPT,
    SCRIPT_DONE,
    SESSION,
    TIME_EVENT,
    WITHDRAW,
    WITHDRAWN,
)
from .suspension import SuspendableExecution

# Marks of aborted calls that are kept; most are of calls that ended while the abort was on its way.
DOOMED_MAX = 1000

# The session of this process. There is one, from its first message to its end.
current = None


def run(stream, box):
    """The life of a worker process; never returns but by its end."""
    global current
    current = Session(desk.Desk(channel.Channel(stream, box)))
    rehearse()
    # The thread that started the process stays out of it: so that all threads of a session are alike.
    threading.Thread(target=current.desk.run, args=(current.dispatch,), name="executor", daemon=True).start()
    while True:
        current.errands_of_main.get().run()


class Errand:
    """Something that a certain thread is to do, for another one that waits."""

    def __init__(self, task):
        self.task = task
        self.done = threading.Event()
        self.raised = None

    def run(self):
        try:
            self.task()
        except OSError as error:
            self.raised = error
        self.done.set()

    def wait(self):
        self.done.wait()
        if self.raised is not None:
            raise self.raised


REHEARSAL = """
def callback(record):
    return record
flow = GearsBuilder('CommandReader').map(callback).filter(lambda record: True).count()
try:
    raise ValueError
except ValueError:
    pass
"""


def rehearse():
    """A process that was forked shares its memory until it writes to it, page by page, and every object that it looks at is
    written to. So a process that waits for a session has looked at what a script needs, while nobody waits for it."""
    exec(compile(REHEARSAL, "<string>", "exec"), dict(current.globals))
    marshal.loads(marshal.dumps(("", b"", [1, None, {}]), 2))


class Body:
    """A script body while it runs: what can be stopped of it."""

    number = None

    def __init__(self):
        self.seat = None
        self.aborted = False


class Line:
    """Invocations that follow each other, one at a time. Guarded by the desk's gate."""

    __slots__ = ("number", "waiting", "is_served", "is_paused")

    def __init__(self, number):
        self.number = number
        self.waiting = deque()
        # One of it is queued or not over: its end brings on the next.
        self.is_served = False
        # Nothing begins in it any more: what was sent before the engine heard of it would overtake what is read again.
        self.is_paused = False


class Session:
    def __init__(self, desk):
        self.desk = desk
        self.name = ""
        # As of now, while nobody waits: asking takes a while.
        self.data_bytes = data_bytes()
        self.globals = api.script_globals()
        self.functions = {}
        self.executions = {}
        # Calls that were aborted while they waited for their turn.
        self.doomed = set()
        self.lines = {}
        self.numbers = 0
        self.lock = threading.Lock()
        # Runs in steps that are not over: their futures, while somebody has them, and their functions.
        self.runs = WeakValueDictionary()
        self.run_functions = {}
        # The outcomes of runs that were over before their future was known, while any is being started.
        self.handed = {}
        self.starting = 0
        self.body = None
        # Callbacks of registerTE, by their numbers.
        self.time_events = []
        self.profiler = profiling.Profiler()
        self.errands_of_main = SimpleQueue()
        self.errands_of_watcher = deque()
        # Why nothing may run here.
        self.refusal = None
        self.meter = None
        self.error_log = error_log.ErrorLog(self.log_line)
        desk.on_tick = self.look_around

    def dispatch(self, messages):
        """By the thread that leads: trivial messages at once, the others as jobs."""
        add, invoke = self.desk.add, self.invoke
        for message in messages:
            kind = message[0]
            if kind == INVOKE:
                add(invoke, message)
            elif kind == FEED:
                _, number, last, records, marked = message
                execution = self.executions.get(number)
                # What follows the end of an execution crossed it on the way.
                if execution is not None:
                    execution.add_batch(records, last, marked)
            elif kind == ANSWER:
                _, token, success, value, marked = message
                self.desk.answer(token, success, marked, value)
            elif kind == INVOKE_IN_LINE:
                self.stand_in_line(message)
            elif kind == WITHDRAW:
                self.withdraw(message[1])
            elif kind == INVOKE_INSIDE:
                self.desk.add_urgent(self.invoke_inside, message)
            elif kind == HAND_BACK:
                self.hand_back(*message[1:])
            elif kind == OPEN:
                self.open(*message[1:])
            elif kind == SCRIPT:
                self.body = Body()
                add(self.script, (self.body, message[1]))
            elif kind == LOAD:
                add(self.load, message)
            elif kind == ABORT:
                self.abort(message[1])
            elif kind == ABORT_SCRIPT:
                self.abort_script()
            elif kind == TIME_EVENT:
                add(self.call_time_event, message[1])
            elif kind == LOOK:
                # What lay in the mailbox has been collected with it.
                pass
            elif kind == FORGET:
                self.functions.pop(message[1], None)
            elif kind == PROFILE:
                self.profile(*message[1:])
            elif kind == SESSION:
                self.begin(*message[1:])
            elif kind == PACKAGES:
                self.use_packages(*message[1:])
            else:
                raise RuntimeError("message %r is unknown" % (kind,))

    def use_packages(self, sites, expected):
        """Before the session begins, while nobody waits for it."""
        if "cloudpickle" in packages.use(sites):
            api.offer_cloudpickle(sys.modules["__main__"].__dict__, self.globals)
        if expected is not None:
            try:
                importlib.import_module(expected)
            except BaseException:
                # Whoever imports it is told.
                pass
        self.data_bytes = data_bytes()

    def begin(self, name, threads, memory_bytes_max, cpu_ms_max, files_max, forbidden, short_errors):
        self.name = name
        errors.is_short = short_errors
        errors.note = self.error_log.add
        self.desk.limit = threads
        name_process("py:" + name)
        if memory_bytes_max is not None:
            limit_memory(memory_bytes_max, self.data_bytes, threads)
        if files_max is not None:
            confinement.limit_files(files_max)
        if cpu_ms_max is not None:
            self.meter = processor_time.Meter(self.desk, cpu_ms_max, self.is_over)
        if forbidden:
            try:
                confinement.confine(forbidden, self.in_every_thread)
            except confinement.Unavailable as error:
                self.refusal = "script was not run: its process cannot be kept from %s: %s" % (" and ".join(forbidden), error)

    def in_every_thread(self, task):
        """There are three before the script runs: this one, the watcher, and the one that started the process. A package
        may have brought one more, which nobody can reach."""
        if len(os.listdir("/proc/self/task")) > 3:
            raise confinement.Unavailable("a package has started a thread of its own")
        errands = Errand(task), Errand(task)
        self.errands_of_main.put(errands[0])
        self.errands_of_watcher.append(errands[1])
        self.desk.wake_watcher()
        task()
        for errand in errands:
            errand.wait()

    def script(self, seat, begun):
        body, code = begun
        raised = None
        if self.refusal is not None:
            self.body = None
            seat.out.append((SCRIPT_DONE, str([self.refusal + "\n"])))
            return
        try:
            try:
                self.desk.enter(seat, body)
                if body.aborted:
                    raise GearsForceStopped
                compiled = compile(code, "<string>", "exec")
                self.error_log.know(code, compiled)
                exec(compiled, self.globals)
            except BaseException as error:
                raised = error
            self.desk.leave(seat, body)
        except GearsForceStopped as error:
            # It came while another error was being caught, or when there was nothing to stop any more.
            raised = error
            self.desk.leave(seat, body)
        if self.body is body:
            self.body = None
        seat.out.append((SCRIPT_DONE, None if raised is None else error_text(raised)))
        # A session mostly begins with one: its answer should not share the fate of what follows.
        self.desk.flush(seat)

    # Functions

    def add_function(self, function):
        with self.lock:
            number = self.numbers
            self.numbers += 1
            self.functions[number] = function
        return number

    def run(self, function, kwargs):
        kwargs = {str(name): values.argument(value) for name, value in kwargs.items()}
        return self.desk.undisturbed(self.start_run, function, function.described(), kwargs)

    def start_run(self, function, described, kwargs):
        number = self.add_function(function)
        execution = self.desk.seat().execution
        is_in_script = execution is not None and execution is self.body
        with self.lock:
            self.starting += 1
        try:
            execution = self.desk.ask(RUN, number, described, kwargs)
            future = api.RunFuture(execution, is_in_script)
            if not is_in_script:
                self.know_run(int(execution.rpartition("-")[2]), number, future)
        except GearsError:
            del self.functions[number]
            raise
        finally:
            with self.lock:
                self.starting -= 1
                if self.starting == 0:
                    self.handed.clear()
        return future

    def know_run(self, execution, function, future):
        with self.lock:
            outcome = self.handed.pop(execution, None)
            if outcome is None:
                self.runs[execution] = future
                self.run_functions[execution] = function
                return
        self.functions.pop(function, None)
        future.settle(outcome)

    def hand_back(self, execution, errors, results, marked):
        """A run in a step is over."""
        outcome = [values.revive(results) if marked else results, errors]
        with self.lock:
            function = self.run_functions.pop(execution, None)
            future = self.runs.pop(execution, None)
            if function is None and self.starting:
                self.handed[execution] = outcome
        self.functions.pop(function, None)
        if future is not None:
            future.settle(outcome)

    def register(self, function, kwargs):
        on_registered = kwargs.pop("onRegistered", None)
        if on_registered is not None and not api.is_function(on_registered):
            raise GearsError("OnRegistered argument must be a function")
        pickle = pickling.dump_function(function, on_registered)
        kwargs = {str(name): values.argument(value) for name, value in kwargs.items()}
        registration = self.desk.undisturbed(self.tell_of, function, function.described(), kwargs, pickle)
        registered(on_registered)
        return registration

    def tell_of(self, function, described, kwargs, pickle):
        number = self.add_function(function)
        try:
            return self.desk.ask(REGISTER, number, described, kwargs, pickle)
        except GearsError:
            del self.functions[number]
            raise

    def load(self, seat, message):
        _, functions = message
        error = self.refusal
        if error is not None:
            functions = []
        try:
            for number, pickle in functions:
                self.functions[number], on_registered = pickling.load_function(pickle)
                self.numbers = max(self.numbers, number + 1)
                registered(on_registered)
        except BaseException as raised:
            error = error_text(raised)
        seat.out.append((LOADED, error))

    # Executions

    def open(self, number, function, first_step, callback):
        found = self.functions.get(function)
        if found is None:
            self.desk.add(self.refuse, (number, function))
            return
        found.prepare()
        steps, taken = self.measured(found.steps[first_step:])
        if found.suspendable:
            source = found.source if callback else None
            execution = SuspendableExecution(number, self.desk, steps, self.end, source)
            execution.taken = taken
            self.executions[number] = execution
            if callback:
                execution.kick()
            return
        execution = Execution(number, self.desk, steps, self.end)
        execution.taken = taken
        execution.scheduled = callback
        self.executions[number] = execution
        if callback:
            self.desk.add(execution.run_callback, found.source)

    def invoke(self, seat, message):
        _, number, function, records, marked = message
        call = self.executions[number] = Call(number)
        # After it has become known: so an abort finds either the call, or this finds the mark.
        if self.doomed and number in self.doomed:
            self.doomed.discard(number)
            Execution(number, self.desk, (), self.end).refuse(seat, GearsForceStopped())
            return
        found = self.functions.get(function)
        if found is None:
            self.refuse(seat, (number, function))
            return
        if found.suspendable is None:
            found.prepare()
        if found.operations is not None and len(records) == 1 and not self.profiler.on:
            if marked:
                records = values.revive(records)
            call.run(seat, self.desk, records[0], found.operations)
            del self.executions[number]
            return
        made = SuspendableExecution if found.suspendable else Execution
        steps, taken = self.measured(found.steps)
        execution = made(number, self.desk, steps, self.end)
        execution.taken = taken
        execution.scheduled = not found.suspendable
        self.executions[number] = execution
        # An abort may have found the call meanwhile; one that finds it from now on looks again.
        execution.aborted = execution.aborted or call.aborted
        if found.suspendable:
            execution.add_batch(records, True, marked)
        else:
            execution.run_batch(seat, records, True, marked)

    # Lines

    def stand_in_line(self, message):
        with self.desk.gate:
            line = self.lines.get(message[1])
            if line is None:
                line = self.lines[message[1]] = Line(message[1])
            is_paused, was_served = line.is_paused, line.is_served
            if not is_paused:
                line.waiting.append(message)
                line.is_served = True
        if is_paused:
            self.desk.channel.send([(WITHDRAWN, message[2])])
        elif not was_served:
            self.desk.add(self.serve_line, line)

    def serve_line(self, seat, line):
        """Begins the first in a line."""
        with self.desk.gate:
            if not self.goes_on(line):
                return
            _, _, number, function, records, marked = line.waiting.popleft()
        found = self.functions.get(function)
        if found is None:
            Execution(number, self.desk, (), self.end_in(line)).refuse(seat, missing(function))
        else:
            found.prepare()
            steps, taken = self.measured(found.steps)
            if found.suspendable:
                execution = SuspendableExecution(number, self.desk, steps, self.end_in(line, posts=True))
                execution.taken = taken
                self.make_known(execution)
                execution.add_batch(records, True, marked)
                return
            execution = Execution(number, self.desk, steps, self.end_in(line))
            execution.taken = taken
            execution.scheduled = True
            self.make_known(execution)
            execution.run_batch(seat, records, True, marked)
        with self.desk.gate:
            if not self.goes_on(line):
                return
        # What came of it does not wait for those behind it.
        self.desk.flush(seat)
        self.desk.add(self.serve_line, line)

    def goes_on(self, line):
        """Whether somebody waits in a line; forgets it otherwise, unless it is paused. Under the gate."""
        if not line.waiting:
            line.is_served = False
            if not line.is_paused:
                self.lines.pop(line.number, None)
        return line.is_served

    def end_in(self, line, posts=False):
        """What is to be done at the end of an execution in a line. `posts`: its thread may have left it, so that the next is not
        served by whoever served it, but by what this gives back, once the end has been told."""

        def end(execution, errors):
            self.end(execution, errors)
            withdrawn = ()
            with self.desk.gate:
                if errors and errors[0].startswith("PAUSE"):
                    line.is_paused = True
                    withdrawn, line.waiting = line.waiting, deque()
            for message in withdrawn:
                self.desk.say((WITHDRAWN, message[2]))
            return partial(self.follow_in, line) if posts else None

        return end

    def follow_in(self, line):
        with self.desk.gate:
            if self.goes_on(line):
                self.desk.post(self.serve_line, line)

    def withdraw(self, number):
        with self.desk.gate:
            line = self.lines.get(number)
            if line is None:
                return
            withdrawn, line.waiting = line.waiting, deque()
        if withdrawn:
            self.desk.channel.send([(WITHDRAWN, message[2]) for message in withdrawn])

    def invoke_inside(self, seat, message):
        """A command waits for it, and for nothing else."""
        _, number, function, may_suspend, records, marked = message
        found = self.functions.get(function)
        if found is not None:
            found.prepare()
        if found is None or not found.suspendable:
            self.invoke(seat, (INVOKE, number, function, records, marked))
            return
        steps, taken = self.measured(found.steps)
        execution = SuspendableExecution(number, self.desk, steps, self.end)
        execution.taken = taken
        self.make_known(execution)
        execution.run_inside(seat, records, marked, may_suspend)

    def make_known(self, execution):
        """Of a call that waited for its turn. In this order: so an abort finds either the execution, or this finds the mark."""
        number = execution.number
        self.executions[number] = execution
        if number in self.doomed:
            self.doomed.discard(number)
            execution.aborted = desk.UNTOLD

    def refuse(self, seat, refused):
        number, function = refused
        execution = Execution(number, self.desk, (), self.end)
        execution.refuse(seat, missing(function))

    def end(self, execution, errors):
        self.executions.pop(execution.number, None)

    def abort(self, number):
        if len(self.doomed) > DOOMED_MAX:
            self.doomed.clear()
        self.doomed.add(number)
        execution = None
        while True:
            found = self.executions.get(number)
            if found is None:
                # Over already, or still in the queue: then it finds the mark.
                return
            if found is execution:
                break
            # Looked for again afterwards: a call may become an execution just now, which knows nothing of this.
            execution = found
            self.desk.abort(execution)
        self.doomed.discard(number)
        execution.kick()

    # Profiles

    def measured(self, steps):
        return self.profiler.measured(steps) if self.profiler.on else (steps, None)

    def profile(self, what, request, order):
        if what == "report":
            # Whatever the executors do: they may be what somebody wants to see.
            self.desk.add_urgent(self.report_profile, (request, order))
        elif what == "reset":
            self.profiler.reset()
        else:
            self.profiler.on = what == "on"

    def report_profile(self, seat, asked):
        request, order = asked
        try:
            seat.out.append((PROFILE_REPORT, request, True, self.profiler.report(order)))
        except Exception as error:
            seat.out.append((PROFILE_REPORT, request, False, str(error)))

    # Time events

    def add_time_event(self, period_s, callback, key):
        return self.desk.undisturbed(self.begin_time_event, period_s, callback, key)

    def begin_time_event(self, period_s, callback, key):
        with self.lock:
            number = len(self.time_events)
            self.time_events.append(callback)
        return self.desk.ask(REGISTER_TIME_EVENT, number, period_s, key)

    def call_time_event(self, seat, number):
        try:
            self.time_events[number]()
        except BaseException as error:
            api.log("a time event failed: %s" % error_text(error), "warning")

    def abort_script(self):
        body = self.body
        if body is not None:
            self.desk.abort(body)

    def log_line(self, line):
        self.desk.say((LOG, "warning", line))

    def is_over(self, execution):
        return execution is not self.body and self.executions.get(execution.number) is not execution

    def look_around(self):
        """On every tick, by the watcher."""
        while self.errands_of_watcher:
            self.errands_of_watcher.popleft().run()
        if self.meter is not None:
            self.meter.look()
        return self.stop_aborted()

    def stop_aborted(self):
        """A script that swallows the forced stop gets it again."""
        aborted = [execution for execution in list(self.executions.values()) if execution.aborted]
        body = self.body
        if body is not None and body.aborted:
            aborted.append(body)
        for execution in aborted:
            self.desk.stop(execution)
        return bool(aborted)


def missing(function):
    return GearsFlatError("function %d is not in this session" % function)


def registered(callback):
    """Tells the script that a function of it is registered here. What goes wrong is only logged."""
    if callback is None:
        return
    try:
        if api.is_coroutine(callback()):
            api.log("onRegistered returned a coroutine, which is not run", "warning")
    except Exception as error:
        api.log("onRegistered failed: %s" % error_text(error), "warning")


def data_bytes():
    """What the process has of the account that limit_memory() bounds."""
    with open("/proc/self/status", "rb") as status:
        data = [line for line in status if line.startswith(b"VmData:")]
    return int(data[0].split()[1]) * 1024


def limit_memory(bytes_max, used, threads):
    # The threads a session may still start have their stacks in the same account.
    stacks = 8 * 1024 * 1024 * (threads + desk.IDLE_MAX)
    limit = used + stacks + bytes_max
    resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
