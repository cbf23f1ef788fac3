# Started with `python -c`, once a job: says what the interpreter has, or installs packages for it, beside it. Each
# installation is a directory of its own under <base>/<minor>: `requirements`, one a line; `wheels`, from which it can be
# made again without a network; `site`, which sessions import from. It becomes visible by a rename, whole or not at all.
# Standard output carries lines of a verb and a text; the server reads them.
import ctypes
import glob
import importlib.util
import os
import re
import shutil
import signal
import sys
import time

# redgrease uses what redis-py dropped in 5.
REDGREASE_CONSTRAINT = "redis<5"
TRIES = 3
# What pip says when it may go better the next time.
NETWORK_SIGNS = ("Retrying", "onnection", "imed out", "imeout", "HTTP error 5", "resolution")
LOG_LINES_MAX = 300


def main(job, base, *arguments):
    die_with_parent()
    home = os.path.join(base, "%d.%d" % sys.version_info[:2])
    if job == "survey":
        say("python", "%d.%d" % sys.version_info[:2])
        if importlib.util.find_spec("cloudpickle") is not None:
            say("has", "cloudpickle")
        for installation in installations(home):
            tell(installation)
    else:
        wheels, *requirements = arguments
        sys.exit(install(home, wheels, requirements, forced=job == "reinstall", patient=job != "try"))


def say(verb, text):
    print(verb, " ".join(text.splitlines()), flush=True)


def die_with_parent():
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)


def installations(home):
    """Oldest first."""
    return sorted(path for path in glob.glob(os.path.join(glob.escape(home), "[0-9]*")) if os.path.isfile(os.path.join(path, "requirements")))


def wheels_of(installation):
    return sorted(os.path.basename(path) for path in glob.glob(os.path.join(glob.escape(installation), "wheels", "*.whl")))


def tell(installation):
    say("installation", installation)
    with open(os.path.join(installation, "requirements"), encoding="utf-8") as lines:
        for line in lines:
            say("requirement", line)
    for wheel in wheels_of(installation):
        say("wheel", wheel)


def install(home, wheels, requirements, forced, patient):
    try:
        preload_pip()
    except ImportError:
        say("error", "pip is missing: install it for %s, for example with `%s -m ensurepip`" % (sys.executable, sys.executable))
        return 1
    os.makedirs(home, exist_ok=True)
    sweep(home)
    partial = os.path.join(home, ".partial-%d" % os.getpid())
    os.mkdir(partial)
    try:
        if not (download(home, partial, wheels, requirements, forced, patient) and unpack(partial)):
            return 1
        with open(os.path.join(partial, "requirements"), "w", encoding="utf-8") as into:
            into.writelines(requirement + "\n" for requirement in requirements)
        path = publish(home, partial)
        say("log", "installed in %s: %s" % (path, " ".join(wheels_of(path))))
        tell(path)
        return 0
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def sweep(home):
    """Removes what installers that were ended have left."""
    for path in glob.glob(os.path.join(glob.escape(home), ".partial-*")):
        if not os.path.exists("/proc/" + path.rpartition("-")[2]):
            shutil.rmtree(path, ignore_errors=True)


def publish(home, partial):
    number = 1 + max([int(os.path.basename(path)) for path in installations(home)], default=0)
    while True:
        path = os.path.join(home, "%06d" % number)
        try:
            os.rename(partial, path)
            return path
        except OSError:
            if not os.path.exists(path):
                raise
            number += 1


def download(home, partial, wheels, requirements, forced, patient):
    """Collects the wheels: from what is here if that is enough, else from the index."""
    say("log", "installing %s" % " ".join(requirements))
    known = installations(home)
    links = [os.path.join(path, "wheels") for path in reversed(known)] + ([wheels] if wheels else [])
    found = [option for link in links for option in ("--find-links", link)]
    arguments = ["wheel", "--prefer-binary", "--wheel-dir", os.path.join(partial, "wheels")]
    arguments += found
    free = constraints(os.path.join(partial, "constraints"), must_hold(known, requirements))
    # What is there keeps its version where that is possible: scripts of other sessions count on it.
    keeping = free
    if not forced:
        keep = kept(known, requirements)
        if keep:
            keeping = constraints(os.path.join(partial, "keeping"), must_hold(known, requirements) + keep)
        if links:
            for options in [keeping, free] if keep else [free]:
                status, _ = pip(arguments + ["--no-index"] + options + ["--"] + requirements, lambda line: None)
                if status == 0:
                    return True
    if not patient:
        arguments += ["--retries", "0", "--timeout", "5"]
    tries = [keeping] + [free] * (TRIES - 1) if patient else [free]
    for options in tries:
        status, said = pip(arguments + options + ["--"] + requirements, logger())
        if status == 0:
            return True
        if options is free and not any(sign in line for line in said for sign in NETWORK_SIGNS):
            break
        time.sleep(1)
    complain(said)
    return False


def unpack(partial):
    wheels = [os.path.join(partial, "wheels", wheel) for wheel in wheels_of(partial)]
    target = os.path.join(partial, "site")
    os.makedirs(target)
    if not wheels:
        return True
    arguments = ["install", "--no-index", "--no-deps", "--no-compile", "--no-warn-script-location"]
    status, said = pip(arguments + ["--target", target, "--"] + wheels, lambda line: None)
    if status != 0:
        complain(said)
    return status == 0


def constraints(path, lines):
    """The options that hold pip to these, and to what the administrator's own constraints say."""
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


def preload_pip():
    """Once here, so that the processes in which it runs start quickly."""
    global pip_main
    os.environ.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_NO_COLOR="1", PIP_PROGRESS_BAR="off")
    os.environ.update(PIP_ROOT_USER_ACTION="ignore", PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")
    from pip._internal.cli.main import main as pip_main

    for name in ("commands.install", "commands.wheel", "resolution.resolvelib.resolver"):
        try:
            __import__("pip._internal." + name)
        except ImportError:
            pass


def pip(arguments, line_said):
    """Runs pip in a process of its own; gives its exit status and what it said last."""
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            die_with_parent()
            os.dup2(writable, 1)
            os.dup2(writable, 2)
            os.closerange(3, 256)
            sys.argv = ["pip"] + arguments
            status = pip_main(arguments)
            sys.stdout.flush()
            sys.stderr.flush()
        except BaseException:
            import traceback

            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status or 0)
    os.close(writable)
    said = []
    with open(readable, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            line = line.strip()[:1000]
            if line:
                line_said(line)
                said = said[-50:] + [line]
    _, status = os.waitpid(pid, 0)
    return status, said


def logger():
    left = [LOG_LINES_MAX]

    def log(line):
        if left[0] > 0:
            left[0] -= 1
            say("log", "pip: " + line)

    return log


def complain(said):
    errors = [line for line in said if line.upper().startswith("ERROR") and line != "ERROR: Exception:"]
    for line in (errors or said)[-5:]:
        say("error", line)


if __name__ == "__main__":
    main(*sys.argv[1:])
