# Run by the stub that `python -c` is given, with `control`, the packet socket that is its standard input: takes the
# runtime's sources from there and becomes the zygote.
import linecache
import marshal
import sys


class Sources:
    """Finds the package's modules among the sources that came over the socket: nothing is read from the disk."""

    package = "mainspring_worker"

    def __init__(self, sources):
        self.sources = sources

    def find_spec(self, name, path=None, target=None):
        package, _, module = name.partition(".")
        if package != self.package or (module or "__init__") not in self.sources:
            return None
        return type(sys.__spec__)(name, self, origin="<%s/%s.py>" % (package, module or "__init__"), is_package=not module)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        spec = module.__spec__
        source = self.sources[spec.name.partition(".")[2] or "__init__"]
        exec(compile(source, spec.origin, "exec"), module.__dict__)


sys.meta_path.insert(0, Sources(marshal.loads(control.recv(1 << 20))))
# Python 3.13 keeps this text as the source of "<string>", the name under which sessions compile their scripts.
linecache.cache.clear()

from mainspring_worker import zygote  # noqa: E402

zygote.serve(control)
