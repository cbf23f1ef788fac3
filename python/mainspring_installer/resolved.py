"""Which wheels met which requirements: kept beside the administrator's wheels, so that pip looks for them once, whichever
server asks. Everything that decides is in the name under which an answer is kept: when wheels come or go, it is another."""

import contextlib
import hashlib
import json
import os
import shutil
import sys
import sysconfig

ANSWERS_MAX = 1000


class Memory:
    def __init__(self, wheels, links, requirements, constraints):
        self.directory = os.path.join(wheels, ".resolved") if wheels else None
        self.links = links
        # What stands somewhere else may change there without a trace here.
        if any(sign in requirement for requirement in requirements for sign in "/@") or os.environ.get("PIP_CONSTRAINT"):
            self.directory = None
        if self.directory:
            decides = [sys.version, sysconfig.get_platform(), requirements, constraints, [wheels_with_sizes(link) for link in links]]
            decides += sorted(pair for pair in os.environ.items() if pair[0].startswith("PIP_"))
            self.path = os.path.join(self.directory, hashlib.sha256(json.dumps(decides).encode()).hexdigest())

    def recall(self, into):
        """Copies the wheels; false when there is no answer yet."""
        if not self.directory:
            return False
        try:
            with open(self.path, encoding="utf-8") as answer:
                names = json.load(answer)
            sources = [self.find(name) for name in names]
            os.makedirs(into, exist_ok=True)
            for source in sources:
                shutil.copyfile(source, os.path.join(into, os.path.basename(source)))
            return bool(names)
        except (OSError, ValueError, TypeError, LookupError):
            shutil.rmtree(into, ignore_errors=True)
            return False

    def keep(self, names):
        """If it can: the directory may belong to somebody else."""
        if not self.directory:
            return
        with contextlib.suppress(OSError, LookupError):
            for name in names:
                self.find(name)
            os.makedirs(self.directory, exist_ok=True)
            if len(os.listdir(self.directory)) >= ANSWERS_MAX:
                return
            partial = "%s.%d" % (self.path, os.getpid())
            with open(partial, "w", encoding="utf-8") as into:
                json.dump(names, into)
            os.rename(partial, self.path)

    def find(self, name):
        if name != os.path.basename(name) or not name.endswith(".whl"):
            raise LookupError(name)
        for link in self.links:
            path = os.path.join(link, name)
            if os.path.isfile(path):
                return path
        raise LookupError(name)


def wheels_with_sizes(directory):
    with os.scandir(directory) as entries:
        return sorted((entry.name, entry.stat().st_size) for entry in entries if not entry.name.startswith("."))
