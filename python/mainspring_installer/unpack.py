"""Makes of wheels what sessions import from."""

import os
import stat
import zipfile

from . import pip_runs
from .installations import wheels_of
from .report import complain


def unpack(partial):
    """A wheel is an archive of what belongs into the directory, but for what its `.data` holds: where that goes pip knows."""
    wheels = [os.path.join(partial, "wheels", wheel) for wheel in wheels_of(partial)]
    target = os.path.join(partial, "site")
    os.makedirs(target)
    if all(is_plain(wheel) for wheel in wheels):
        for wheel in wheels:
            extract(wheel, target)
        return True
    return let_pip_unpack(wheels, target)


def let_pip_unpack(wheels, target):
    """It looks, too, whether they are made for this interpreter."""
    arguments = ["install", "--no-index", "--no-deps", "--no-compile", "--no-warn-script-location"]
    status, said = pip_runs.run(arguments + ["--target", target, "--"] + wheels)
    if status != 0:
        complain(said)
    return status == 0


def is_plain(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return all(is_plain_entry(entry) for entry in archive.infolist())


def is_plain_entry(entry):
    top, *below = entry.filename.rstrip("/").split("/")
    is_inside = top not in ("", ".", "..") and not {"", ".", ".."} & set(below) and "\\" not in entry.filename
    return is_inside and not top.endswith(".data") and not stat.S_ISLNK(entry.external_attr >> 16)


def extract(wheel, target):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(target)
        for entry in archive.infolist():
            mode = entry.external_attr >> 16
            if stat.S_ISREG(mode) and mode & 0o111:
                path = os.path.join(target, entry.filename)
                os.chmod(path, os.stat(path).st_mode | (mode & 0o111))
