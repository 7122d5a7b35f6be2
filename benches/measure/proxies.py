"""How a proxy is started, and ours. Its peers are in `peers` and `envoy`.

Each has as many threads as there are cores, keeps its connections to the upstream, verifies its certificate, puts the
same token on each request and writes no access log.
"""

import time

from .client import first_answer
from .processes import free_port


class Proxy:
    """A proxy that runs: plain HTTP/1.1 at `port`, and HTTP/2 by prior knowledge at `port_http2`."""

    def __init__(self, kind, process, port, port_http2, took):
        self.name, self.process = kind.name, process
        self.port, self.port_http2 = port, port_http2
        # From its start to the first answer that came through it, seconds.
        self.took = took

    @property
    def pid(self):
        return self.process.pid


class Kind:
    """How a proxy is started."""

    name: str
    http2_upstream = True
    valgrind = True

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        """Its arguments and environment; it writes its files into `directory`."""
        raise NotImplementedError

    def start(self, processes, directory, upstream, cores, http2=False, wrapper=None, settings=None):
        """Starts it, and returns when it has proxied a request.

        With `http2` the upstream is spoken to in HTTP/2. A `wrapper` is what stands in front of the command, and what
        runs before that; then there is one process.
        """
        directory = directory / f"{self.name}-{len(list(directory.iterdir()))}"
        directory.mkdir()
        port = free_port()
        port_http2 = self.port_http2(port)
        arguments, env = self.command(directory, upstream, port, port_http2, cores, http2, bool(wrapper))
        before, prepare = wrapper or ([], None)
        begin = time.monotonic()
        process = processes.start([*before, *arguments], directory / "log", {**env, **(settings or {})}, prepare)
        first_answer(port, "/200", process, within=60 if wrapper else 20)
        return Proxy(self, process, port, port_http2, time.monotonic() - begin)

    def port_http2(self, _port):
        return free_port()


class Ours(Kind):
    """A build of this proxy, with its defaults, but for the access log."""

    def __init__(self, name, program):
        self.name, self.program = name, program

    def port_http2(self, port):
        return port

    def command(self, directory, upstream, port, port_http2, cores, http2, single):
        key = directory / "api_key"
        key.write_text("a-key-of-the-benchmark\n")
        return [self.program, "run"], {
            "LIQUID_ENVIRONMENT": "staging",
            "LIQUID_API_KEY_FILE": str(key),
            "LIQUID_UPSTREAM__BASE_URL": f"https://127.0.0.1:{upstream.http2 if http2 else upstream.http1}",
            "LIQUID_UPSTREAM__CA_FILE": str(upstream.certificates.authority),
            "LIQUID_LISTEN__ADDRESS": f"127.0.0.1:{port}",
            "LIQUID_ADMIN__ADDRESS": "127.0.0.1:0",
            "LIQUID_LOG__ACCESS": "off",
        }
