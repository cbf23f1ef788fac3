"""Standard output carries lines of a verb and a text; the server reads them."""

import ctypes
import os
import signal

LOG_LINES_MAX = 300


def say(verb, text):
    print(verb, " ".join(text.splitlines()), flush=True)


def complain(said):
    errors = [line for line in said if line.upper().startswith("ERROR") and line != "ERROR: Exception:"]
    for line in (errors or said)[-5:]:
        say("error", line)


def logger():
    left = [LOG_LINES_MAX]

    def log(line):
        if left[0] > 0:
            left[0] -= 1
            say("log", "pip: " + line)

    return log


def die_with_parent():
    parent = os.getppid()
    ctypes.CDLL(None).prctl(1, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:
        os._exit(0)
