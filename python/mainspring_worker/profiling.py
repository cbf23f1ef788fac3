"""What callbacks take, while the server wants to know: by step of an execution, and by function of the session."""

import cProfile
import io
import pstats
import sys
import types
from collections import deque
from time import perf_counter, perf_counter_ns

from .errors import GearsForceStopped
from .steps import Step

# In which order a report lists functions, unless it is asked for in another.
ORDER = "cumulative"


class Profiler:
    def __init__(self):
        self.on = False
        self.reset()

    def reset(self):
        # One for each callback that runs at the same time as others; those that nobody uses are free. What is in use while
        # all are forgotten is not given back.
        self.profiles, self.free = [], deque()

    def measured(self, described):
        """The same steps, measuring their callbacks, and what these have taken: nanoseconds, by step."""
        taken = [0] * len(described)
        return [self.step(step, taken, at) for at, step in enumerate(described)], taken

    def step(self, step, taken, at):
        is_text = step.kind == "totext"
        callbacks = [self.callback(one, taken, at) for one in ((str,) if is_text else step.callbacks)]
        return Step("map" if is_text else step.kind, callbacks, step.numbers, step.name, step.argument)

    def callback(self, callback, taken, at):
        def profiled(*args):
            started = perf_counter_ns()
            used = self.begin()
            try:
                return callback(*args)
            finally:
                # Here and not in a function of its own, which would be profiled, too.
                while used is not None:
                    try:
                        used.disable()
                        break
                    except GearsForceStopped:
                        # It comes again, where it ends a callback.
                        continue
                if used is not None:
                    self.give_back(used)
                taken[at] += perf_counter_ns() - started

        return profiled

    def begin(self):
        """None where somebody profiles already: a callback below on this thread's stack, or the script itself."""
        if sys.getprofile() is not None:
            return None
        try:
            profile = self.free.pop()
        except IndexError:
            profile = Profile()
            self.profiles.append(profile)
        profile.enable()
        return profile

    def give_back(self, profile):
        if any(profile is known for known in self.profiles):
            self.free.append(profile)

    def report(self, order):
        """What was measured so far, as `pstats` prints it: the functions, their callers, and whom they call."""
        snapshots = [snapshot for snapshot in map(Snapshot, self.profiles) if snapshot.stats]
        if not snapshots:
            raise ValueError("nothing was profiled: no callback has run since ProfileExecutions was set to 1")
        text = io.StringIO()
        told = pstats.Stats(*snapshots, stream=text)
        try:
            told.sort_stats(order or ORDER)
        except KeyError:
            raise ValueError("pstats knows no order '%s'" % order) from None
        told.print_stats()
        told.print_callers()
        told.print_callees()
        return text.getvalue()


class Snapshot:
    """A profile's figures as `pstats` takes them, without an end to the profile: it may be in use."""

    def __init__(self, profile):
        profile.snapshot_stats()
        self.stats = profile.stats

    def create_stats(self):
        pass


class ThreadProfile:
    """What cProfile does, of the one thread that enabled it. From Python 3.12 on cProfile sees the calls of all threads, and
    takes them for one stack; this costs more for each call, but tells them apart."""

    def __init__(self):
        self.figures = {}
        self.stack = []

    def enable(self):
        self.stack = []
        sys.setprofile(self.event)

    def disable(self):
        sys.setprofile(None)

    def event(self, frame, kind, arg):
        now = perf_counter()
        if kind == "call":
            code = frame.f_code
            self.stack.append([(code.co_filename, code.co_firstlineno, code.co_name), now, 0.0])
        elif kind == "c_call":
            self.stack.append([("~", 0, "<%s>" % builtin_name(arg)), now, 0.0])
        # What returns without having been called was there before.
        elif self.stack:
            self.count(*self.stack.pop(), now)

    def count(self, function, called, inner, now):
        """One call is over: `inner` is what the calls in it took."""
        cumulative = now - called
        own = cumulative - inner
        caller = None
        if self.stack:
            caller = self.stack[-1][0]
            self.stack[-1][2] += cumulative
        is_outermost = all(function != below for below, _, _ in self.stack)
        total, callers = self.figures.setdefault(function, ([0, 0, 0.0, 0.0], {}))
        add_call(total, own, cumulative, is_outermost)
        if caller is not None:
            add_call(callers.setdefault(caller, [0, 0, 0.0, 0.0]), own, cumulative, is_outermost)

    def snapshot_stats(self):
        """In the shape that `pstats` reads."""
        self.stats = {
            function: (*total, {caller: tuple(figures) for caller, figures in list(callers.items())})
            for function, (total, callers) in list(self.figures.items())
        }


def add_call(figures, own, cumulative, is_outermost):
    """Calls that are not recursive, calls, own time, time with what was called."""
    figures[0] += is_outermost
    figures[1] += 1
    figures[2] += own
    figures[3] += cumulative if is_outermost else 0.0


def builtin_name(function):
    """As cProfile names it."""
    owner = getattr(function, "__self__", None)
    if owner is None or isinstance(owner, types.ModuleType):
        return "built-in method %s.%s" % (getattr(function, "__module__", None), function.__name__)
    return "method '%s' of '%s' objects" % (function.__name__, type(owner).__name__)


Profile = cProfile.Profile if sys.version_info < (3, 12) else ThreadProfile
