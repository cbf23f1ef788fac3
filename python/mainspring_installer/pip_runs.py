"""pip, loaded at most once and forked for each run."""

import os
import sys

from .report import die_with_parent

# A second attempt, and what a silent index may take each time: a script waits for it.
RETRIES = "1"
TIMEOUT_S = "8"

pip_main = None


class Missing(Exception):
    def __init__(self):
        text = "pip is missing: install it for %s, for example with `%s -m ensurepip`"
        super().__init__(text % (sys.executable, sys.executable))


def load():
    global pip_main
    if pip_main is not None:
        return
    os.environ.update(PIP_DISABLE_PIP_VERSION_CHECK="1", PIP_NO_INPUT="1", PIP_NO_COLOR="1", PIP_PROGRESS_BAR="off")
    os.environ.update(PIP_ROOT_USER_ACTION="ignore", PIP_USER="0", PIP_REQUIRE_VIRTUALENV="0")
    try:
        from pip._internal.cli.main import main
    except ImportError:
        raise Missing from None
    for name in ("commands.install", "commands.wheel", "resolution.resolvelib.resolver"):
        try:
            __import__("pip._internal." + name)
        except ImportError:
            pass
    pip_main = main


def patience(patient):
    """Options for a run that may ask the index. The administrator's own settings in the environment come first."""
    if not patient:
        return ["--retries", "0", "--timeout", "5"]
    options = []
    if "PIP_RETRIES" not in os.environ:
        options += ["--retries", RETRIES]
    if not {"PIP_TIMEOUT", "PIP_DEFAULT_TIMEOUT"} & os.environ.keys():
        options += ["--timeout", TIMEOUT_S]
    return options


def run(arguments, line_said=lambda line: None):
    """In a process of its own; gives its exit status and what it said last."""
    load()
    readable, writable = os.pipe()
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            die_with_parent()
            null = os.open(os.devnull, os.O_RDONLY)
            os.dup2(null, 0)
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
