"""Which functions can suspend a record, judged by their code: only those need suspendable executions."""

import inspect
import types
from functools import partial

from . import session
from .futures import PyFuture, createFuture, gearsFuture, runCoroutine

ASYNC_FLAGS = inspect.CO_COROUTINE | inspect.CO_ITERABLE_COROUTINE
# How far calls are followed: fewer steps through modules than through the script, and only so many objects in all.
DEPTH_MAX = 8
MODULE_DEPTH = 3
LOOKED_AT_MAX = 5000


def may_suspend(callbacks):
    """Whether a callback can give a coroutine or a future, as far as its code and what it names can tell. Looking at every
    result instead would cost each record of each function more than most callbacks do."""
    seen = set()
    try:
        return any(reaches(callback, seen, 0) for callback in callbacks)
    except Exception:
        # Some object does not like to be looked at. The careful way is right for every function.
        return True


def reaches(value, seen, depth, names=()):
    if id(value) in seen or depth > DEPTH_MAX or len(seen) > LOOKED_AT_MAX:
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
    if function.__globals__ is not session.current.globals:
        depth += MODULE_DEPTH
    named = [function.__globals__[name] for name in names if name in function.__globals__]
    for cell in function.__closure__ or ():
        try:
            named.append(cell.cell_contents)
        except ValueError:
            pass
    return any(reaches(value, seen, depth + 1, names) for value in named)


SUSPENDING = (gearsFuture, createFuture, runCoroutine)
