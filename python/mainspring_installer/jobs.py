"""One job for an interpreter: says what is installed for it, installs packages, hands them out or takes them in."""

import importlib.util
import os
import sys
import zipfile
import zlib

from . import installations, report


def main(given, job, base, *arguments):
    report.die_with_parent()
    home = os.path.join(base, "%d.%d" % sys.version_info[:2])
    if job == "survey":
        survey(home)
        return
    # Only here: a survey is what a server does first, and shall not wait for what it does not need.
    from . import install, pip_runs, transfer

    try:
        if job == "export":
            path, requirement = arguments
            done = transfer.hand_out(given, path, requirement)
        elif job == "import":
            done = transfer.take_in(given, home)
        else:
            wheels, *requirements = arguments
            done = install.install(home, wheels, requirements, forced=job == "reinstall", patient=job != "try")
    except pip_runs.Missing as missing:
        report.say("error", str(missing))
        done = False
    except (OSError, zipfile.BadZipFile, zlib.error) as error:
        # A full disk, or a wheel that is none.
        report.say("error", "%s: %s" % (type(error).__name__, error))
        done = False
    sys.exit(0 if done else 1)


def survey(home):
    report.say("python", "%d.%d" % sys.version_info[:2])
    if importlib.util.find_spec("cloudpickle") is not None:
        report.say("has", "cloudpickle")
    for installation in installations.known(home):
        installations.tell(installation)
