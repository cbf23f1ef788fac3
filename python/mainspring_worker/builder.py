"""GearsBuilder: how a script describes a function."""

import copy
import types

from . import api, reach, session, values, visible
from .errors import GearsError
from .execution import operations
from .steps import Step, count_one

READERS = ("KeysReader", "KeysOnlyReader", "StreamReader", "PythonReader", "ShardsIDReader", "CommandReader")


class Function:
    """A described function: what run() and register() hand over, and executions run."""

    def __init__(self, reader, argument, description, steps, source=None):
        self.reader = reader
        self.argument = argument
        self.description = description
        self.steps = steps
        # The reader callback of a PythonReader.
        self.source = source
        # How it is run: judged when it first is, since a script may define what a callback names after it.
        self.suspendable = None
        self.operations = None

    def prepare(self):
        if self.suspendable is None:
            callbacks = [callback for step in self.steps for callback in step.callbacks]
            suspendable = reach.may_suspend(callbacks)
            self.operations = None if suspendable else operations(self.steps)
            self.suspendable = suspendable

    def described(self):
        argument = None if self.source is not None else values.argument(self.argument)
        steps = [step.described() for step in self.steps]
        return (self.reader, argument, self.description, steps, visible.fields(self.reader, self.steps))


class PyFlatExecution:
    """The native builder: each method appends one step and checks its arguments."""

    def __init__(self, reader="KeysReader", desc=None):
        if not isinstance(reader, str):
            raise GearsError("reader argument must be a string")
        if desc is not None and not isinstance(desc, str):
            raise GearsError("desc argument must be a string")
        if reader not in READERS:
            raise GearsError("The given reader does not exists")
        self.reader = reader
        self.description = desc
        self.steps = []

    def map(self, *args):
        return self._callback_step("map", "RedisGearsPy_PyCallbackMapper", args)

    def filter(self, *args):
        return self._callback_step("filter", "RedisGearsPy_PyCallbackFilter", args)

    def flatmap(self, *args):
        return self._callback_step("flatmap", "RedisGearsPy_PyCallbackFlatMapper", args)

    def foreach(self, *args):
        return self._callback_step("foreach", "RedisGearsPy_PyCallbackForEach", args)

    def accumulate(self, *args):
        return self._callback_step("accumulate", "RedisGearsPy_PyCallbackAccumulate", args)

    def repartition(self, *args):
        return self._callback_step("repartition", "RedisGearsPy_PyCallbackExtractor", args)

    def groupby(self, *args):
        return self._group_step("groupby", "groupby", args)

    def localgroupby(self, *args):
        return self._group_step("localgroupby", "groupby", args)

    def batchgroupby(self, *args):
        return self._group_step("batchgroupby", "batchgroupby", args)

    def collect(self, *args):
        if args:
            raise GearsError("wrong number of args to collect function")
        return self._append(Step("collect"))

    def limit(self, *args):
        if not 1 <= len(args) <= 2:
            raise GearsError("wrong number of args to limit function")
        if not all(isinstance(arg, int) for arg in args):
            raise GearsError("limit argument must be a number")
        length, offset = args if len(args) == 2 else (args[0], 0)
        return self._append(Step("limit", numbers=(max(int(length), 0), max(int(offset), 0))))

    def run(self, arg=None, **kwargs):
        source = None
        if self.reader == "PythonReader":
            source = python_reader(arg)
        function = self._function(arg, source)
        return session.current.run(function, kwargs)

    def register(self, arg=None, **kwargs):
        source = None
        if self.reader == "PythonReader" and kwargs.get("cron") is not None:
            source = python_reader(arg)
        return session.current.register(self._function(arg, source), kwargs)

    def _function(self, argument, source):
        return Function(self.reader, argument, self.description, list(self.steps), source)

    def _append(self, step):
        self.steps.append(step)
        return self

    def _callback_step(self, kind, name, args):
        if len(args) != 1:
            raise GearsError("wrong number of args to %s function" % kind)
        if not isinstance(args[0], types.FunctionType):
            raise GearsError("%s argument must be a function" % kind)
        return self._append(Step(kind, args, name=name, argument=str(args[0])))

    def _group_step(self, kind, said, args):
        if len(args) != 2:
            raise GearsError("wrong number of args to %s function" % said)
        for role, callback in zip(("extractor", "reducer"), args):
            if not isinstance(callback, types.FunctionType):
                raise GearsError("%s %s argument must be a function" % (said, role))
        return self._append(Step(kind, args, name="RedisGearsPy_PyCallbackReducer", argument=str(args[1])))

    def _count(self):
        return self._append(Step("count"))

    def _to_text(self):
        return self._append(Step("totext", name="RedisGearsPy_PyCallbackMapper", argument="<class 'str'>"))


def python_reader(function):
    if function is None:
        raise GearsError("python reader function is not given")
    if not isinstance(function, types.FunctionType):
        raise GearsError("pyreader argument must be a function")
    return function


class GearsBuilder:
    """The builder of scripts: the native steps, and those composed of them."""

    def __init__(self, reader="KeysReader", defaultArg="*", desc=None):
        self.realReader = reader
        self.defaultArg = defaultArg
        self.gearsCtx = PyFlatExecution(reader, desc)

    def map(self, *args):
        self.gearsCtx.map(*args)
        return self

    def filter(self, *args):
        self.gearsCtx.filter(*args)
        return self

    def flatmap(self, *args):
        self.gearsCtx.flatmap(*args)
        return self

    def foreach(self, *args):
        self.gearsCtx.foreach(*args)
        return self

    def accumulate(self, *args):
        self.gearsCtx.accumulate(*args)
        return self

    def groupby(self, *args):
        self.gearsCtx.groupby(*args)
        return self

    def localgroupby(self, *args):
        self.gearsCtx.localgroupby(*args)
        return self

    def batchgroupby(self, *args):
        self.gearsCtx.batchgroupby(*args)
        return self

    def repartition(self, *args):
        self.gearsCtx.repartition(*args)
        return self

    def collect(self, *args):
        self.gearsCtx.collect(*args)
        return self

    def limit(self, *args):
        self.gearsCtx.limit(*args)
        return self

    # A falsy accumulator counts as none: it is replaced by a fresh copy of the zero.

    def aggregate(self, zero, seqOp, combOp):
        self.gearsCtx.accumulate(lambda a, r: seqOp(a if a else copy.deepcopy(zero), r))
        self.gearsCtx.collect()
        self.gearsCtx.accumulate(lambda a, r: combOp(a if a else copy.deepcopy(zero), r))
        return self

    def aggregateby(self, extractor, zero, seqOp, combOp):
        self.gearsCtx.localgroupby(extractor, lambda k, a, r: seqOp(k, a if a else copy.deepcopy(zero), r))
        self.gearsCtx.groupby(
            lambda r: r["key"], lambda k, a, r: combOp(k, a if a else copy.deepcopy(zero), r["value"])
        )
        return self

    def __localAggregateby__(self, extractor, zero, aggregator):
        self.gearsCtx.localgroupby(extractor, lambda k, a, r: aggregator(k, a if a else copy.deepcopy(zero), r))
        return self

    def count(self):
        self.gearsCtx._count()
        return self

    def countby(self, extractor=lambda x: x):
        self.gearsCtx.localgroupby(extractor, count_one)
        self.gearsCtx.groupby(lambda r: r["key"], lambda k, a, r: r["value"] + (a or 0))
        return self

    def sort(self, reverse=True):
        self.aggregate([], lambda a, r: a + [r], lambda a, r: a + r)
        # flatmap turns lists round, so the default gives ascending records.
        return self.map(lambda r: sorted(r, reverse=reverse)).flatmap(lambda r: r)

    def distinct(self):
        return self.aggregate(set(), lambda a, r: a | {r}, lambda a, r: a | r).flatmap(lambda x: list(x))

    def avg(self, extractor=lambda x: float(x)):
        # `map` wants a real function; float itself, and any other callable, are given one.
        self.map(extractor if isinstance(extractor, types.FunctionType) else lambda x: extractor(x))
        self.aggregate((0, 0), lambda a, r: (a[0] + r, a[1] + 1), lambda a, r: (a[0] + r[0], a[1] + r[1]))
        return self.map(lambda x: x[0] / x[1])

    def run(self, arg=None, convertToStr=True, collect=True, **kwargs):
        self._close(convertToStr, collect)
        arg = arg if arg else self.defaultArg
        context = self.gearsCtx
        generator = kwargs.get("patternGenerator") if self.realReader == "KeysOnlyReader" else None
        if generator is None:
            return context.run(arg, **kwargs)
        # Its pattern is known only when it runs: then the keys are read through execute().
        reader = PyFlatExecution("PythonReader", context.description)
        reader.steps = list(context.steps)
        count, exact = kwargs.get("count", 1000), kwargs.get("noScan", False)
        return reader.run(api.createKeysOnlyReader(arg, count, exact, generator))

    def register(self, prefix="*", convertToStr=True, collect=True, **kwargs):
        self._close(convertToStr, collect)
        if "regex" in kwargs:
            api.log("register(): the argument `regex` is deprecated, use `prefix`", "warning")
            prefix = kwargs.pop("regex")
        if kwargs.get("cron") is not None and prefix == "*":
            # It will be run, and what a run reads is said to the builder as well.
            prefix = self.defaultArg
        return self.gearsCtx.register(prefix, **kwargs)

    def _close(self, convert, collect):
        if convert:
            self.gearsCtx._to_text()
        if collect:
            self.gearsCtx.collect()
