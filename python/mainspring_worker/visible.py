"""What callbacks can see of a record, judged by their code: the server reads and sends no more than that.

A database would call it a pushed-down projection. The judgement errs to one side only: whatever it does not understand
counts as seen.
"""

import dis

# Readers that give records of named fields.
READERS = ("KeysReader", "StreamReader")

# The positions of the record in a step's callbacks, and whether the record itself goes on to the next step.
STEPS = {
    "filter": ((0,), True),
    "foreach": ((0,), True),
    "map": ((0,), False),
    "flatmap": ((0,), False),
    "accumulate": ((1,), False),
    "groupby": ((0, 2), False),
    "localgroupby": ((0, 2), False),
    "count": ((), False),
    "limit": ((), True),
    "collect": ((), True),
    "repartition": ((), True),
}

# Who can name these can see every variable.
REVEALING = frozenset(("locals", "vars", "dir", "eval", "exec", "breakpoint", "_getframe", "currentframe", "f_locals"))

LOADS = frozenset(("LOAD_FAST", "LOAD_FAST_BORROW", "LOAD_FAST_CHECK"))


class Everything(Exception):
    """The whole record is seen."""


def fields(reader, steps):
    """The fields that can be seen: a dict of names; behind each, the names that can be seen of its value, or None for all of
    it. None: the whole record."""
    if reader not in READERS:
        return None
    seen = {}
    try:
        for step in steps:
            if step.kind not in STEPS:
                return None
            positions, goes_on = STEPS[step.kind]
            for callback, position in zip(step.callbacks, positions):
                look(callback, position, seen)
            if not goes_on:
                return {name: inner and sorted(inner) for name, inner in seen.items()}
    except Everything:
        pass
    # Records come out at the end.
    return None


def look(callback, position, seen):
    """Adds what one callback sees of its argument at a position."""
    code = callback.__code__
    if position >= code.co_argcount or not REVEALING.isdisjoint(code.co_names):
        raise Everything
    name = code.co_varnames[position]
    if name in code.co_cellvars:
        raise Everything
    instructions = list(dis.get_instructions(code))
    for at, instruction in enumerate(instructions):
        if not mentions(instruction, name):
            continue
        field = subscript(instructions, at + 1)
        if field is None or instruction.opname not in LOADS:
            raise Everything
        inner = subscript(instructions, at + 3)
        if inner is None or seen.get(field, ()) is None:
            seen[field] = None
        else:
            seen.setdefault(field, set()).add(inner)


def mentions(instruction, name):
    """Whether it has to do with a local variable. Some have to do with two."""
    if "FAST" not in instruction.opname and instruction.opcode not in dis.haslocal:
        return False
    value = instruction.argval
    return value == name or (isinstance(value, tuple) and name in value)


def subscript(instructions, at):
    """The text in `…['text']`, if the next instructions are that: an instruction that loads is always followed by the next."""
    if at + 1 >= len(instructions):
        return None
    constant, operation = instructions[at], instructions[at + 1]
    subscripts = operation.opname == "BINARY_SUBSCR" or (operation.opname == "BINARY_OP" and operation.argrepr == "[]")
    if constant.opname != "LOAD_CONST" or type(constant.argval) is not str or not subscripts:
        return None
    return constant.argval
