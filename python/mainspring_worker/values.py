"""Values that cross the process border: what marshal can say goes as it is, the rest as a pickle."""

import marshal
import pickle

SIMPLE = frozenset((str, int, float, bytes, bool, type(None)))

# What the server accepts, with a margin.
DEPTH_MAX = 100
INT_BITS_MAX = 250000


def revive(value):
    """Turns what the server had to mark back into Python objects: (..., raw) was binary data of the keyspace,
    (..., pickle, None) an object of a worker. An ellipsis of a user travels as a pickle, so there is no other."""
    kind = type(value)
    if kind in SIMPLE:
        return value
    if kind is list:
        return [revive(item) for item in value]
    if kind is dict:
        return {revive_key(key): revive(item) for key, item in value.items()}
    if kind is tuple:
        if value and value[0] is Ellipsis:
            return bytearray(value[1]) if len(value) == 2 else pickle.loads(value[1])
        return tuple([revive(item) for item in value])
    if kind is set:
        return {revive_key(item) for item in value}
    return value


def revive_key(key):
    revived = revive(key)
    return bytes(revived) if type(revived) is bytearray else revived


def portable(records, dumps=None):
    """The records as they can be sent, and the positions of those that are pickles now."""
    if SIMPLE.issuperset(map(type, records)) and not any(map(too_wide, filter(is_int, records))):
        return records, []
    records = list(records)
    pickled = []
    for at, record in enumerate(records):
        if not is_plain(record):
            records[at] = opaque(record, dumps or pickle.dumps)
            pickled.append(at)
    return records, pickled


def is_plain(value, depth=0):
    """Whether marshal carries the value, and nothing of it is lost on the way (it would turn a bytearray into bytes)."""
    kind = type(value)
    if kind in SIMPLE:
        return kind is not int or not too_wide(value)
    if depth > DEPTH_MAX:
        return False
    if kind is dict:
        return all([is_plain(key, depth + 1) and is_plain(item, depth + 1) for key, item in value.items()])
    if kind is list or kind is tuple or kind is set:
        return all([is_plain(item, depth + 1) for item in value])
    return False


def record(value):
    """One record for a reply: what marshal does not carry is shown by a fixed text, and so is None."""
    if type(value) is list:
        return [record(item) for item in value]
    return value if is_plain(value) else None


def opaque(value, dumps):
    try:
        return dumps(value)
    except Exception:
        # The server shows any such record by a fixed text; another worker could not have it anyway.
        return pickle.dumps(repr(value), 4)


def argument(value):
    """An argument of run() or register(), as plain as the server needs it to judge it."""
    if is_plain(value):
        return value
    if isinstance(value, str):
        return str(value)
    try:
        items = [argument(item) for item in value]
    except Exception:
        return Ellipsis
    return items


def is_int(value):
    return type(value) is int


def too_wide(value):
    return value.bit_length() > INT_BITS_MAX


def wire_arguments(args):
    """The arguments of a command as bytes."""
    return [
        arg.encode() if type(arg) is str else bytes(arg) if isinstance(arg, (bytes, bytearray)) else str(arg).encode()
        for arg in args
    ]
