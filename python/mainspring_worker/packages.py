"""The packages that the server installed: sessions import them rather than the interpreter's own."""

import importlib
import os
import site
import sys


# Packages that the zygote imports where the interpreter has them.
ZYGOTES = ("cloudpickle",)


def use(sites):
    """Puts these directories before the interpreter's packages and after its library, in this order. Gives what they have
    of those that were imported before."""
    library = list(sys.path)
    for path in sites:
        # Not merely appended: packages may bring .pth files.
        site.addsitedir(path)
    added = [path for path in sys.path if path not in library]
    at = next((at for at, path in enumerate(library) if is_packages(path)), len(library))
    sys.path[:] = library[:at] + added + library[at:]
    importlib.invalidate_caches()
    # The zygote may have imported the interpreter's own; scripts shall have the one that was installed with theirs.
    found = {name for path in sites for name in ZYGOTES if os.path.exists(os.path.join(path, name))}
    for name in [name for name in sys.modules if name.partition(".")[0] in found]:
        del sys.modules[name]
    return found


def is_packages(path):
    return os.path.basename(path) in ("site-packages", "dist-packages")
