"""What scripts call: the names of their globals, of `redisgears` and of `__main__`."""

import asyncio
import copy
import cProfile
import io
import pstats
import importlib.util
import sys
import types
from threading import Lock, Thread

from . import builder, futures, session, values
from .errors import GearsError, GearsFlatError, GearsForceStopped
from .protocol import (
    ATOMIC_BEGIN,
    ATOMIC_END,
    CALL_NEXT,
    CONFIG_GET,
    GET_COMMAND,
    LOG,
    OVERRIDE_REPLY,
)

LEVELS = ("debug", "verbose", "notice", "warning")


def execute(*args):
    """Runs one command on the server; the reply as Python values. An error reply raises GearsError."""
    if not args:
        return []
    if not isinstance(args[0], str):
        raise GearsError("the given command must be a string")
    return session.current.desk.execute(args)


class PyAtomic:
    """`with atomic():` nothing else runs on the server until the block is left."""

    def __enter__(self):
        desk = session.current.desk
        seat = desk.seat()
        if seat.atomic is not None:
            raise GearsError("Already inside an atomic block")
        desk.undisturbed(self.begin, desk, seat)
        return self

    def begin(self, desk, seat):
        execution = seat.execution
        desk.ask(ATOMIC_BEGIN, None if execution is None else execution.number)
        # From here on the desk ends the block when the execution is left, should nobody else.
        seat.atomic = self

    # gearsclient leaves the block without arguments.
    def __exit__(self, kind=None, error=None, trace=None):
        desk = session.current.desk
        seat = desk.seat()
        if seat.atomic is not self:
            raise GearsError("Not inside an atomic block")
        desk.undisturbed(self.end, desk, seat)
        return False

    def end(self, desk, seat):
        # Told once: a second time might end the block of a neighbour.
        seat.atomic = None
        desk.ask(ATOMIC_END)


def atomic():
    return PyAtomic()


def isInAtomicBlock():
    return session.current.desk.seat().atomic is not None


def log(*args, **kwargs):
    if len(args) == 2 and "level" not in kwargs and args[1] not in LEVELS:
        # log(level, message): the old order.
        args = args[::-1]
    message = kwargs.get("message", args[0] if args else None)
    if not args and "message" not in kwargs:
        raise GearsError("log function must get a log message as input")
    level = kwargs.get("level", args[1] if len(args) > 1 else "notice")
    if not isinstance(message, str):
        raise GearsError("Log message must be a string")
    if not isinstance(level, str):
        raise GearsError("Log level must be a sting (debug/verbose/notice/warning)")
    if level not in LEVELS:
        raise GearsError("Log level should be one of the following : debug,verbose,notice,warning")
    session.current.desk.say((LOG, level, message))


def hashtag():
    """The shortest text whose slot is the first of this shard; without a cluster that of slot 0."""
    return "06S"


def configGet(*args):
    if len(args) != 1:
        raise GearsError("get_config function must get a single key input")
    if not isinstance(args[0], str):
        raise GearsError("get_config key must be a string")
    return session.current.desk.ask(CONFIG_GET, args[0])


def gearsConfigGet(key, default=None):
    value = configGet(key)
    return default if value is None else value


def gearsCtx(reader="KeysReader", desc=None):
    return builder.PyFlatExecution(reader, desc)


def flat_error(message):
    raise GearsFlatError(message)


class GearsSession:
    """What getGearsSession() gives and setGearsSession() takes. A process has one session, so it carries nothing."""


_session = GearsSession()


def getGearsSession():
    return _session


def setGearsSession(*args):
    if len(args) != 1:
        raise GearsError("Wrong number of args given to setGearsSession")
    if args[0] is not None and not isinstance(args[0], GearsSession):
        raise GearsError("Given object is not of type GearsSession")


def registerGearsThread():
    """Any thread of this process may call into the server: there is nothing to prepare."""


def isAsyncAllow():
    step = session.current.desk.seat().step
    return step is not None and step is not futures.REFUSES and step.execution.may_suspend


def call_next(*args):
    """In a command hook: runs the next older hook, or the command itself, with these arguments."""
    desk = session.current.desk
    number = desk.execution_number()
    wire = values.wire_arguments(args)
    return desk.ask(CALL_NEXT, number, wire)


def get_command():
    """The command that triggered this function of `register(commands=...)`, as a list."""
    desk = session.current.desk
    number = desk.execution_number()
    return desk.ask(GET_COMMAND, number)


def override_reply(*args):
    """Answers the client of the command that triggered this function, in the command's place."""
    if len(args) != 1:
        raise GearsError("Override reply must get a single argument")
    desk = session.current.desk
    number = desk.execution_number()
    value = values.record(args[0])
    desk.ask(OVERRIDE_REPLY, number, value)


def registerTE(*args):
    """Calls a function every so many seconds, for as long as the session has its process and the key, if one is given,
    is there. False if the key is there already."""
    if len(args) < 2:
        raise GearsError("not enough arguments for time event")
    period_s, callback = args[:2]
    key = args[2] if len(args) > 2 else None
    if not is_function(callback):
        raise GearsError("callback must be a function")
    if type(period_s) is not int:
        raise GearsError("time argument must be a long")
    if key is not None and not isinstance(key, str):
        raise GearsError("key argument must be a string")
    return session.current.add_time_event(max(period_s, 0), callback, key)


class RunFuture:
    """What run() returns: coroutines await its results and errors."""

    def __init__(self, execution, is_in_script):
        self.execution = execution
        self.is_in_script = is_in_script
        self.lock = Lock()
        self.outcome = None
        self.waiting = []

    def settle(self, outcome):
        with self.lock:
            self.outcome = outcome
            waiting, self.waiting = self.waiting, []
        for future in waiting:
            future.get_loop().call_soon_threadsafe(settle, future, outcome)

    def __await__(self):
        if self.is_in_script:
            raise GearsError("run() of a script body can not be awaited: its results are the script's reply")
        with self.lock:
            if self.outcome is not None:
                return self.outcome
            future = asyncio.get_running_loop().create_future()
            self.waiting.append(future)
        return (yield from future.__await__())


def settle(future, outcome):
    if not future.done():
        future.set_result(outcome)


def createKeysOnlyReader(pattern="*", count=1000, noScan=False, patternGenerator=None):
    """A reader callback that gives the names of keys."""

    def keysOnlyReader():
        match, exact = (pattern, noScan) if patternGenerator is None else patternGenerator()
        if exact:
            if execute("EXISTS", match) == 1:
                yield match
            return
        cursor = "0"
        while True:
            cursor, keys = execute("SCAN", cursor, "MATCH", match, "COUNT", count)
            yield from keys
            if cursor == "0":
                return

    return keysOnlyReader


def shardReaderCallback():
    reply = execute("RG.INFOCLUSTER")
    yield "1" if reply == "no cluster mode" else reply[1]


def is_function(value):
    return isinstance(value, types.FunctionType)


def is_coroutine(value):
    return asyncio.iscoroutine(value)


# Namespaces


def install():
    """Makes the names importable, before any script runs: `redisgears`, `redisAI`, and those `__main__` must have."""
    gears = types.ModuleType("redisgears")
    gears.__dict__.update(
        gearsCtx=gearsCtx,
        registerGearsThread=registerGearsThread,
        getGearsSession=getGearsSession,
        setGearsSession=setGearsSession,
        isInAtomicBlock=isInAtomicBlock,
        gearsFutureCtx=futures.gearsFuture,
        PyFuture=futures.PyFuture,
        atomicCtx=atomic,
        executeCommand=execute,
        log=log,
        config_get=configGet,
        getMyHashTag=hashtag,
        registerTimeEvent=registerTE,
        callNext=call_next,
        getCommand=get_command,
        overrideReply=override_reply,
        isAsyncAllow=isAsyncAllow,
        flatError=flat_error,
        PyFlatExecution=builder.PyFlatExecution,
        PyAtomic=PyAtomic,
        PyExecutionSession=GearsSession,
        GearsError=GearsError,
        GearsForceStopped=GearsForceStopped,
        GearsFlatError=GearsFlatError,
    )
    ai = types.ModuleType("redisAI")

    def missing(name):
        if name.startswith("__"):
            raise AttributeError(name)

        def refuse(*args, **kwargs):
            raise GearsError("RedisAI is not loaded, it is not possible to use AI interface.")

        return refuse

    ai.__getattr__ = missing
    sys.modules["redisgears"] = sys.modules["rg"] = gears
    sys.modules["redisAI"] = ai
    main = sys.modules["__main__"].__dict__
    for name in [name for name in main if not name.startswith("__")]:
        del main[name]
    main.update(
        GearsBuilder=builder.GearsBuilder,
        GB=builder.GearsBuilder,
        execute=execute,
        call_next=call_next,
        get_command=get_command,
        override_reply=override_reply,
        atomic=atomic,
        hashtag=hashtag,
        registerTE=registerTE,
        gearsCtx=gearsCtx,
        gearsFuture=futures.gearsFuture,
        runCoroutine=futures.runCoroutine,
        createFuture=futures.createFuture,
        setFutureResults=futures.setFutureResults,
        setFutureException=futures.setFutureException,
        log=log,
        Log=log,
        setGearsSession=setGearsSession,
        getGearsSession=getGearsSession,
        registerGearsThread=registerGearsThread,
        isInAtomicBlock=isInAtomicBlock,
        configGet=configGet,
        ConfigGet=configGet,
        gearsConfigGet=gearsConfigGet,
        GearsConfigGet=gearsConfigGet,
        PyFlatExecution=builder.PyFlatExecution,
        isAsyncAllow=isAsyncAllow,
        flat_error=flat_error,
        GearsSession=GearsSession,
        createKeysOnlyReader=createKeysOnlyReader,
        shardReaderCallback=shardReaderCallback,
        redisgears=gears,
        rg=gears,
        redisAI=ai,
        copy=copy,
        asyncio=asyncio,
        cProfile=cProfile,
        pstats=pstats,
        io=io,
        Future=asyncio.Future,
        Thread=Thread,
        str=str,
    )
    offer_cloudpickle(main)


def offer_cloudpickle(*namespaces):
    """Under its name in each, where there is one. It is loaded at its first use: that takes longer than most scripts."""
    module = sys.modules.get("cloudpickle")
    if module is None:
        spec = importlib.util.find_spec("cloudpickle")
        if spec is None:
            return
        spec.loader = importlib.util.LazyLoader(spec.loader)
        module = sys.modules["cloudpickle"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
    for names in namespaces:
        names["cloudpickle"] = module


def script_globals():
    names = dict(sys.modules["__main__"].__dict__)
    names["__name__"] = "not_main"
    for name in ("__spec__", "__loader__", "__package__"):
        names.pop(name, None)
    return names
