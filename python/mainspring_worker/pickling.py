"""Functions as bytes, so that a session survives its process.

All functions of a session share one globals dict. It is not pickled: what a function needs of it is, and is put back
into the globals of the session that loads. cloudpickle does the work where the interpreter has it; otherwise a small
pickler of our own, which knows functions and modules but no classes that a script defined.
"""

import io
import marshal
import pickle
import sys
import types
from functools import lru_cache

from . import builder, session
from .errors import GearsError, error_text
from .steps import Step

# Stands for the globals of the session in a pickle. Not empty: cloudpickle would fill it.
GLOBALS = {"__name__": "not_main"}


def dump_function(function, on_registered):
    steps = [
        (step.kind, [dumps_callback(callback) for callback in step.callbacks], list(step.numbers), step.name, step.argument)
        for step in function.steps
    ]
    hook = None if on_registered is None else dumps_callback(on_registered)
    source = None if function.source is None else dumps_callback(function.source)
    return marshal.dumps((function.reader, function.description, steps, hook, source), 2)


def load_function(data):
    """The function and the onRegistered callback."""
    reader, description, described, hook, source = marshal.loads(data)
    steps = [
        Step(kind, tuple([loads(callback) for callback in callbacks]), tuple(numbers), name, argument)
        for kind, callbacks, numbers, name, argument in described
    ]
    source = None if source is None else loads(source)
    function = builder.Function(reader, None, description, steps, source)
    return function, None if hook is None else loads(hook)


def dumps_callback(callback):
    try:
        return dumps(callback)
    except Exception as error:
        raise GearsError(
            "Error occured when serialized a python callback, callback=%s error=%s" % (callback.__name__, error_text(error))
        ) from None


def dumps(value):
    into = io.BytesIO()
    pickler()(into).dump(value)
    return into.getvalue()


def loads(data):
    return FunctionUnpickler(io.BytesIO(data)).load()


class FunctionUnpickler(pickle.Unpickler):
    def persistent_load(self, mark):
        if mark != "globals":
            raise pickle.UnpicklingError("unknown mark %r" % (mark,))
        return session.current.globals


@lru_cache(maxsize=None)
def pickler():
    """Chosen when it is first needed: only then is it known which packages the session has."""
    try:
        import cloudpickle
    except ImportError:
        return FunctionPickler

    class CloudPickler(cloudpickle.CloudPickler):
        def __init__(self, into):
            super().__init__(into, protocol=4)
            # Where a function's globals are the session's, their mark is pickled; their used part follows as state.
            self.globals_ref[id(session.current.globals)] = GLOBALS

        def persistent_id(self, value):
            return "globals" if value is GLOBALS else None

    return CloudPickler


class FunctionPickler(pickle.Pickler):
    def __init__(self, into):
        super().__init__(into, protocol=4)

    def persistent_id(self, value):
        return "globals" if value is GLOBALS else None

    def reducer_override(self, value):
        if isinstance(value, types.FunctionType):
            return NotImplemented if importable(value) else reduce_function(value)
        if isinstance(value, types.ModuleType):
            return import_module, (value.__name__,)
        if isinstance(value, type) and not importable(value):
            raise pickle.PicklingError(
                "class %s is defined by the script: install cloudpickle to have it pickled" % value.__qualname__
            )
        return NotImplemented


def importable(value):
    """Whether the name of a function or class leads back to it."""
    found = sys.modules.get(value.__module__)
    for name in value.__qualname__.split("."):
        found = getattr(found, name, None)
    return found is value


def import_module(name):
    __import__(name)
    return sys.modules[name]


def reduce_function(function):
    own = function.__globals__ is session.current.globals
    state = {
        # Only the session's own globals travel; a module's are there when it is imported.
        "globals": used_globals(function) if own else {},
        "cells": [contents(cell) for cell in function.__closure__ or ()],
        "defaults": function.__defaults__,
        "kwdefaults": function.__kwdefaults__,
        "dict": function.__dict__,
    }
    where = GLOBALS if own else function.__globals__["__name__"]
    head = (marshal.dumps(function.__code__), where, function.__name__, function.__qualname__, function.__module__)
    # The state comes after the function itself is known to the pickle: so it may refer to itself.
    return new_function, head, state, None, None, set_function


def new_function(code, where, name, qualname, module):
    code = marshal.loads(code)
    names = where if isinstance(where, dict) else import_module(where).__dict__
    cells = tuple([types.CellType() for _ in code.co_freevars])
    function = types.FunctionType(code, names, name, None, cells)
    function.__qualname__ = qualname
    function.__module__ = module
    return function


def set_function(function, state):
    function.__globals__.update(state["globals"])
    for cell, content in zip(function.__closure__ or (), state["cells"]):
        if content:
            cell.cell_contents = content[0]
    function.__defaults__ = state["defaults"]
    function.__kwdefaults__ = state["kwdefaults"]
    function.__dict__.update(state["dict"])


def contents(cell):
    try:
        return (cell.cell_contents,)
    except ValueError:
        return ()


def used_globals(function):
    names = set()
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        names.update(code.co_names)
        codes += [constant for constant in code.co_consts if isinstance(constant, types.CodeType)]
    return {name: function.__globals__[name] for name in names if name in function.__globals__}
