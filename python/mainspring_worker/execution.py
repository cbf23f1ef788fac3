"""One run of a function in this process."""

from collections import deque
from time import perf_counter, perf_counter_ns

from . import pickling, steps
from .errors import GearsForceStopped, error_text
from .protocol import PROGRESS, STEP_DURATIONS
from .values import SIMPLE, portable, revive

# What a reader callback's records become is sent in portions: so many, or whatever there is after so long.
PORTION = 1000
PORTION_S = 0.05


class Call:
    """An execution of one record and of steps that keep no state: a trigger, mostly. It is made and run in one go."""

    seat = None
    aborted = False

    def __init__(self, number):
        self.number = number

    def kick(self):
        """It runs already."""

    def run(self, seat, desk, record, operations):
        started = perf_counter_ns()
        results, raised = NOTHING, None
        try:
            try:
                desk.enter(seat, self)
                for keep, callback in operations:
                    if keep is REPLACE:
                        record = callback(record)
                    elif keep is KEEP:
                        callback(record)
                    elif not callback(record):
                        break
                else:
                    results = [record]
            except BaseException as error:
                raised = error
            desk.leave(seat, self)
        except GearsForceStopped as error:
            # It came while another error was being caught, or when there was nothing to stop any more.
            raised = error
            desk.leave(seat, self)
        errors = NOTHING
        if raised is not None:
            results, errors = NOTHING, [error_text(raised)]
        pickled = NOTHING
        if results and (type(record) not in SIMPLE or type(record) is int):
            results, pickled = portable(results, pickling.dumps)
        busy_us = (perf_counter_ns() - started) // 1000
        seat.out.append((PROGRESS, self.number, results, pickled, errors, False, True, 1, busy_us))


NOTHING = []

# What becomes of the record when its callback has returned.
REPLACE, KEEP, TEST = object(), object(), object()
OPERATIONS = {"map": REPLACE, "foreach": KEEP, "filter": TEST, "totext": REPLACE}


def operations(described):
    """The steps as a Call runs them; None when they need a pipeline."""
    made = []
    for step in described:
        if step.kind in steps.PASSED_THROUGH:
            continue
        if step.kind not in OPERATIONS:
            return None
        made.append((OPERATIONS[step.kind], str if step.kind == "totext" else step.callbacks[0]))
    return made


class Execution:
    __slots__ = ("number", "desk", "pipeline", "errors", "seat", "aborted", "batches", "scheduled", "over", "on_over", "taken")

    def __init__(self, number, desk, described, on_over):
        self.number = number
        self.desk = desk
        # Exceptions, whose texts are made when no forced stop can come any more: making one takes a while.
        self.errors = []
        self.pipeline = steps.Pipeline(described, self.errors)
        # The thread that is in its callbacks.
        self.seat = None
        self.aborted = False
        self.batches = deque()
        # A job of it is queued or runs; guarded by the desk's gate.
        self.scheduled = False
        self.over = False
        self.on_over = on_over
        # What the callbacks of its steps have taken so far, where that is measured.
        self.taken = None

    def add_batch(self, records, last, marked):
        """From within dispatch: batches of one execution are run in order, by one thread at a time."""
        with self.desk.gate:
            self.batches.append((records, last, marked))
            if self.scheduled:
                return
            self.scheduled = True
        self.desk.add(self.run_batches, None)

    def kick(self):
        """It was aborted: if nothing of it runs, a batch may never come to end it."""
        self.add_batch([], True, False)

    def run_batches(self, seat, _):
        while True:
            with self.desk.gate:
                if not self.batches:
                    self.scheduled = False
                    return
                batch = self.batches.popleft()
            if not self.over:
                self.run_batch(seat, *batch)

    def run_batch(self, seat, records, last, marked):
        started = perf_counter_ns()
        results, raised = [], None
        if marked:
            records = revive(records)
        pipeline = self.pipeline
        try:
            try:
                self.desk.enter(seat, self)
                if self.aborted:
                    raise GearsForceStopped
                results = pipeline.feed(steps.Batch(records))
                if last or pipeline.satisfied:
                    self.over = True
                    results += pipeline.finish()
            except BaseException as error:
                raised = error
            self.desk.leave(seat, self)
        except GearsForceStopped as error:
            # It came while another error was being caught, or when there was nothing to stop any more.
            raised = error
            self.desk.leave(seat, self)
        if raised is not None:
            self.errors.append(raised)
        if raised is not None or self.aborted:
            self.over = True
        self.tell(seat, results, 1, started)

    def refuse(self, seat, error):
        """Ends it with an error before it has begun."""
        self.errors.append(error)
        self.over = True
        self.tell(seat, [], 0, perf_counter_ns())

    def run_callback(self, seat, function):
        """The reader is a callback: its records are pulled here, portion by portion."""
        started = perf_counter_ns()
        told = perf_counter()
        held, raised = [], None
        pipeline = self.pipeline
        pulled = steps.Pulled(function)
        try:
            try:
                self.desk.enter(seat, self)
                while not pulled.ended and not pipeline.satisfied and not self.aborted:
                    # A portion is small where records take long: what is there goes out in time.
                    held += pipeline.feed(steps.Portion(pulled, PORTION, perf_counter() + PORTION_S))
                    if held and perf_counter() - told > PORTION_S:
                        # Telling is the runtime's business: no forced stop may tear a frame.
                        self.desk.leave(seat, self)
                        self.tell(seat, held, 0, started)
                        self.desk.flush(seat)
                        held, started, told = [], perf_counter_ns(), perf_counter()
                        self.desk.enter(seat, self)
                held += pipeline.finish()
            except BaseException as error:
                raised = error
            self.desk.leave(seat, self)
        except GearsForceStopped as error:
            raised = error
            self.desk.leave(seat, self)
        if raised is not None:
            self.errors.append(raised)
        self.over = True
        self.tell(seat, held, 0, started)

    def tell(self, seat, results, consumed, started):
        records, pickled = portable(results, pickling.dumps)
        if self.aborted and self.over:
            # However often it had to be stopped, and were it only between two callbacks: it was stopped once.
            self.errors[1:] = ()
            if not self.errors:
                self.errors.append(GearsForceStopped())
        errors = [error_text(error) for error in self.errors]
        self.errors.clear()
        if self.over:
            self.on_over(self, errors)
            if self.taken is not None:
                seat.out.append((STEP_DURATIONS, self.number, [ns // 1000 for ns in self.taken]))
        seat.out.append(
            (
                PROGRESS,
                self.number,
                records,
                pickled,
                errors,
                self.pipeline.satisfied,
                self.over,
                consumed,
                (perf_counter_ns() - started) // 1000,
            )
        )
