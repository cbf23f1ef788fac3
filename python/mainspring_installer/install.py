"""Installs what scripts require: collects the wheels, from what is here if that is enough, else from the index."""

import os
import re

from . import installations, pip_runs, resolved, unpack
from .installations import wheels_of
from .report import complain, logger, say

# redgrease uses what redis-py dropped in 5.
REDGREASE_CONSTRAINT = "redis<5"
# What pip says when it could not talk to the index, and what when it gives up.
NETWORK_SIGNS = ("Retrying", "onnection", "imed out", "imeout", "HTTP error 5")
LAST_RETRY = "Retry(total=0"
NO_INDEX = (
    "no package index answered, and the wheels that are here do not do: give the server wheels (--requirements-wheels), "
    "or import the requirement from another server (RG.PYIMPORTREQ)"
)


def install(home, wheels, requirements, forced, patient):
    say("log", "installing %s" % " ".join(requirements))
    if wheels and not os.path.isdir(wheels):
        say("log", "%s, where wheels should be, is no directory" % wheels)
        wheels = ""
    with installations.unfinished(home) as partial:
        if not collect(home, partial, wheels, requirements, forced, patient):
            return False
        if not unpack.unpack(partial):
            return False
        installations.publish(home, partial, requirements)
        return True


def collect(home, partial, wheels, requirements, forced, patient):
    known = installations.known(home)
    links = [os.path.join(path, "wheels") for path in reversed(known)] + ([wheels] if wheels else [])
    into = os.path.join(partial, "wheels")
    held = must_hold(known, requirements)
    # What is there keeps its version where that is possible: scripts of other sessions count on it.
    keep = [] if forced else kept(known, requirements)
    choices = [held + keep, held] if keep else [held]
    arguments = ["wheel", "--prefer-binary", "--wheel-dir", into]
    for link in links:
        arguments += ["--find-links", link]

    if links and not forced:
        for lines in choices:
            memory = resolved.Memory(wheels, links, requirements, lines)
            if memory.recall(into):
                return True
            status, _ = pip_runs.run(arguments + ["--no-index"] + constraints(partial, lines) + ["--"] + requirements)
            if status == 0:
                memory.keep(wheels_of(partial))
                return True
    for lines in choices if patient else choices[-1:]:
        options = constraints(partial, lines) + pip_runs.patience(patient)
        status, said = pip_runs.run(arguments + options + ["--"] + requirements, logger())
        if status == 0:
            return True
        if any(LAST_RETRY in line for line in said):
            break
    complain(said)
    if any(sign in line for line in said for sign in NETWORK_SIGNS):
        say("error", NO_INDEX)
    return False


def constraints(partial, lines):
    """The options that hold pip to these, and to what the administrator's own constraints say."""
    path = os.path.join(partial, "constraints")
    with open(path, "w", encoding="utf-8") as into:
        into.writelines(line + "\n" for line in lines)
    files = [path] + os.environ.get("PIP_CONSTRAINT", "").split()
    return [option for file in files for option in ("--constraint", file)]


def must_hold(known, requirements):
    names = {normal(requirement) for requirement in requirements}
    names.update(normal(wheel.partition("-")[0]) for installation in known for wheel in wheels_of(installation))
    return [REDGREASE_CONSTRAINT] if "redgrease" in names else []


def kept(known, requirements):
    """The versions that sessions import now, but of what is asked for."""
    versions = {}
    for installation in known:
        for wheel in wheels_of(installation):
            name, version = wheel.split("-")[:2]
            versions[normal(name)] = version
    for requirement in requirements:
        versions.pop(normal(requirement), None)
    return ["%s==%s" % pair for pair in sorted(versions.items())]


def normal(requirement):
    name = re.match(r"[A-Za-z0-9._-]*", requirement).group()
    return re.sub(r"[-_.]+", "-", name).lower()
