"""Each installation is a directory of its own under <base>/<minor>: `requirements`, one a line; `wheels`, from which it can
be made again without a network; `site`, which sessions import from. It becomes visible by a rename, whole or not at all."""

import contextlib
import glob
import os
import shutil

from .report import say


def known(home):
    """Oldest first."""
    numbered = glob.glob(os.path.join(glob.escape(home), "[0-9]*"))
    return sorted(path for path in numbered if os.path.isfile(os.path.join(path, "requirements")))


def wheels_of(installation):
    return wheels_in(os.path.join(installation, "wheels"))


def wheels_in(directory):
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(glob.escape(directory), "*.whl")))


def requirements_of(installation):
    with open(os.path.join(installation, "requirements"), encoding="utf-8") as lines:
        return lines.read().splitlines()


def tell(installation):
    say("installation", installation)
    for requirement in requirements_of(installation):
        say("requirement", requirement)
    for wheel in wheels_of(installation):
        say("wheel", wheel)


@contextlib.contextmanager
def unfinished(home):
    """A directory in which an installation is made; gone afterwards, unless it was published."""
    os.makedirs(home, exist_ok=True)
    sweep(home)
    partial = os.path.join(home, ".partial-%d" % os.getpid())
    os.mkdir(partial)
    try:
        yield partial
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sweep(home):
    """Removes what installers that were ended have left."""
    for path in glob.glob(os.path.join(glob.escape(home), ".partial-*")):
        if not os.path.exists("/proc/" + path.rpartition("-")[2]):
            shutil.rmtree(path, ignore_errors=True)


def publish(home, partial, requirements):
    with open(os.path.join(partial, "requirements"), "w", encoding="utf-8") as into:
        into.writelines(requirement + "\n" for requirement in requirements)
    path = take_number(home, partial)
    say("log", "installed in %s: %s" % (path, " ".join(wheels_of(path))))
    tell(path)


def take_number(home, partial):
    number = 1 + max([int(os.path.basename(path)) for path in known(home)], default=0)
    while True:
        path = os.path.join(home, "%06d" % number)
        try:
            os.rename(partial, path)
            return path
        except OSError:
            if not os.path.exists(path):
                raise
            number += 1
