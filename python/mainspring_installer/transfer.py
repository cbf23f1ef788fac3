"""A requirement as one string of bytes: how it goes from one server to another, which may have no network.

    mainspring-requirement 1 3.11
    {"requirement": "numpy", "wheels": [["numpy-2.3-….whl", 16384, "<SHA-256>"]]}
    the wheels' bytes, one after the other

What comes in is anybody's: every length, name and sum is checked, and pip unpacks the wheels, which keeps their files inside.
"""

import hashlib
import json
import os
import re
import shutil
import sys
import zipfile

from . import installations, unpack
from .report import say

MARK = "mainspring-requirement 1 %d.%d\n" % sys.version_info[:2]
HEADER_BYTES_MAX = 1 << 20
WHEELS_MAX = 1000
BYTES_MAX = 512 << 20
# All that the wheels unpack to: one byte of an archive can become a thousand.
UNPACKED_BYTES_MAX = 8 << 30
WHEEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+!-]{0,250}\.whl")
REQUIREMENT_LENGTH_MAX = 4096
BLOCK = 1 << 20


class Malformed(Exception):
    pass


def hand_out(given, installation, requirement):
    """Takes the place of what was given."""
    paths = [os.path.join(installation, "wheels", wheel) for wheel in installations.wheels_of(installation)]
    wheels = [[os.path.basename(path), os.path.getsize(path), sum_of(path)] for path in paths]
    if not wheels:
        say("error", "its wheels are not there any more")
        return False
    if sum(size for _, size, _ in wheels) > BYTES_MAX:
        say("error", "the requirement is larger than %d MB" % (BYTES_MAX >> 20))
        return False
    os.ftruncate(given.fileno(), 0)
    with open(given.fileno(), "r+b", closefd=False) as into:
        into.seek(0)
        into.write(MARK.encode())
        into.write(json.dumps({"requirement": requirement, "wheels": wheels}).encode() + b"\n")
        for path in paths:
            with open(path, "rb") as wheel:
                shutil.copyfileobj(wheel, into, BLOCK)
    return True


def sum_of(path):
    total = hashlib.sha256()
    with open(path, "rb") as file:
        for block in iter(lambda: file.read(BLOCK), b""):
            total.update(block)
    return total.hexdigest()


def take_in(given, home):
    try:
        requirement, wheels = header(given)
        there = already_there(home, requirement, wheels)
        if there:
            installations.tell(there)
            return True
        with installations.unfinished(home) as partial:
            directory = os.path.join(partial, "wheels")
            os.mkdir(directory)
            paths = [copy(given, os.path.join(directory, name), size, total) for name, size, total in wheels]
            if given.read(1):
                raise Malformed("something follows its end")
            check_archives(paths)
            target = os.path.join(partial, "site")
            os.mkdir(target)
            if not unpack.let_pip_unpack(paths, target):
                return False
            installations.publish(home, partial, [requirement])
            return True
    except Malformed as malformed:
        say("error", "this is no requirement that was exported here: %s" % malformed)
    return False


def header(given):
    if given.readline(len(MARK)) != MARK.encode():
        raise Malformed("it does not begin as one for Python %d.%d does" % sys.version_info[:2])
    line = given.readline(HEADER_BYTES_MAX)
    if not line.endswith(b"\n"):
        raise Malformed("its header has no end")
    try:
        described = json.loads(line)
        requirement = described["requirement"]
        wheels = [(name, size, total) for name, size, total in described["wheels"]]
    except (ValueError, TypeError, LookupError, RecursionError):
        raise Malformed("its header cannot be read") from None
    if not is_requirement(requirement):
        raise Malformed("its name is none")
    if not 0 < len(wheels) <= WHEELS_MAX or len({name for name, _, _ in wheels if isinstance(name, str)}) != len(wheels):
        raise Malformed("its list of wheels cannot be")
    for name, size, total in wheels:
        if not WHEEL_NAME.fullmatch(name) or name.count("-") not in (4, 5):
            raise Malformed("%r is no wheel's name" % name[:100])
        if not isinstance(size, int) or not 0 < size <= BYTES_MAX or not isinstance(total, str):
            raise Malformed("%s has no size" % name)
    return requirement, wheels


def is_requirement(text):
    if not isinstance(text, str) or not 0 < len(text.strip()) <= len(text) <= REQUIREMENT_LENGTH_MAX:
        return False
    return text.isprintable() and not text.lstrip().startswith("-")


def already_there(home, requirement, wheels):
    having = [path for path in installations.known(home) if requirement in installations.requirements_of(path)]
    if not having or installations.wheels_of(having[-1]) != sorted(name for name, _, _ in wheels):
        return None
    same = all(sum_of(os.path.join(having[-1], "wheels", name)) == total for name, _, total in wheels)
    return having[-1] if same else None


def copy(given, path, size, total):
    found = hashlib.sha256()
    with open(path, "wb") as into:
        while size > 0:
            block = given.read(min(size, BLOCK))
            if not block:
                raise Malformed("it is truncated")
            found.update(block)
            into.write(block)
            size -= len(block)
    if found.hexdigest() != total:
        raise Malformed("%s was changed on its way" % os.path.basename(path))
    return path


def check_archives(paths):
    unpacked = 0
    for path in paths:
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked += sum(entry.file_size for entry in archive.infolist())
        except (zipfile.BadZipFile, ValueError, NotImplementedError):
            raise Malformed("%s is no archive" % os.path.basename(path)) from None
    if unpacked > UNPACKED_BYTES_MAX:
        raise Malformed("its wheels hold more than %d GB" % (UNPACKED_BYTES_MAX >> 30))
