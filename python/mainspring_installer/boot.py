# Run by the stub that `python -c` is given, with `given`, the file in memory that is its standard input, and `sources`, the
# package's modules, which led that file; what else the job was given follows them. Nothing is read from the disk.
import linecache
import sys


class Sources:
    package = "mainspring_installer"

    def find_spec(self, name, path=None, target=None):
        package, _, module = name.partition(".")
        if package != self.package or module and module not in sources:
            return None
        return type(sys.__spec__)(name, self, origin="<%s/%s.py>" % (package, module or "__init__"), is_package=not module)

    def create_module(self, spec):
        return None

    def exec_module(self, module):
        name = module.__spec__.name.partition(".")[2]
        if name:
            exec(compile(sources[name], module.__spec__.origin, "exec"), module.__dict__)


sys.meta_path.insert(0, Sources())
linecache.cache.clear()

from mainspring_installer import jobs  # noqa: E402

jobs.main(given, *sys.argv[1:])  # noqa: F821
