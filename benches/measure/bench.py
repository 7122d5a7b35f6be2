"""What every part of a run needs: the upstream, the proxies, and the end of all of them."""

import sys
from pathlib import Path

from .certificates import Certificates
from .processes import Processes
from .upstream import Upstream


class Bench:
    """An upstream that runs, and the kinds of proxies to put in front of it."""

    def __init__(self, processes, directory, kinds, cores):
        self.processes, self.directory, self.kinds, self.cores = processes, Path(directory), kinds, cores
        self.upstream = Upstream(processes, self.directory, Certificates(self.directory), cores)
        self.places = self.directory / "proxies"
        self.places.mkdir()

    def start(self, kind, **options):
        """A proxy of this kind, which has answered once."""
        return kind.start(self.processes, self.places, self.upstream, options.pop("cores", self.cores), **options)

    def say(self, line):
        print(line, file=sys.stderr, flush=True)
