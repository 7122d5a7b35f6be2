"""Memory: idle, with clients that wait, with clients that do not, and while a gigabyte goes through."""

import threading
import time

from . import load, processes
from .client import Connection, request
from .processes import Failed
from .throughput import rotated
from .upstream import BODIES, GIGABYTE, LARGE, SINK

IDLE_CLIENTS = 2000
BUSY = 256
# What comes before this is not yet held against the rest: buffers grow to their size.
BEGIN = GIGABYTE // 8
CHUNK = bytes(1 << 20)


class Watch:
    """Looks at a process every few milliseconds; `peak` is the most that it saw, bytes."""

    def __init__(self, pid):
        self.pid, self.peak, self.over = pid, {"rss": 0, "pss": 0}, threading.Event()
        self.thread = threading.Thread(target=self.look)

    def look(self):
        while not self.over.wait(0.02):
            for kind, now in processes.memory(self.pid).items():
                self.peak[kind] = None if now is None else max(self.peak[kind] or 0, now)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()


def idle(bench, proxy, _seconds):
    time.sleep(1)
    return processes.memory(proxy.pid)


def idle_clients(bench, proxy, _seconds):
    """Each has had an answer and keeps its connection."""
    path, size = BODIES["200 B"]
    clients = []
    try:
        for _ in range(IDLE_CLIENTS):
            clients.append(Connection(proxy.port))
            clients[-1].ask(path).expect(size, "an idle client")
        time.sleep(1)
        found = processes.memory(proxy.pid)
        for client in (clients[0], clients[-1]):
            client.ask(path).expect(size, "a client that was idle")
        return found
    finally:
        for client in clients:
            client.socket.close()


def busy(bench, proxy, seconds):
    path, size = BODIES["8 KiB"]
    with Watch(proxy.pid) as watch:
        load.wrk(proxy.port, path, size, BUSY, max(seconds, 3), bench.cores)
    return watch.peak


def down(bench, proxy, _seconds):
    def pieces(connection):
        connection.socket.sendall(request(LARGE[0], connection.host))
        status, _, length, body = connection.head()
        if (status, length) != (200, GIGABYTE):
            raise Failed(f"a gigabyte down: status {status}, {length} bytes")
        arrived = len(body)
        while arrived < GIGABYTE:
            yield arrived
            arrived += len(connection.receive(1 << 20))

    return grown(proxy, pieces)


def up(bench, proxy, _seconds):
    def pieces(connection):
        head = request(SINK, connection.host, {"Content-Length": GIGABYTE, "Content-Type": "application/octet-stream"})
        connection.socket.sendall(head.replace(b"GET", b"POST", 1))
        for sent in range(0, GIGABYTE, len(CHUNK)):
            yield sent
            connection.socket.sendall(CHUNK)
        answer = connection.answer()
        if answer.body != str(GIGABYTE).encode():
            raise Failed(f"a gigabyte up: status {answer.status}, {answer.body[:200]!r} arrived")

    return grown(proxy, pieces)


def grown(proxy, pieces):
    """The most memory within the first eighth of a body, and within the whole."""
    with Connection(proxy.port, timeout=60) as connection, Watch(proxy.pid) as watch:
        first = None
        for done in pieces(connection):
            if first is None and done >= BEGIN:
                first = dict(watch.peak)
    return {**watch.peak, "first_rss": first["rss"]}


SITUATIONS = {
    "idle": idle,
    f"{IDLE_CLIENTS:,} idle clients": idle_clients,
    f"{BUSY} busy connections, 8 KiB": busy,
    "1 GiB down": down,
    "1 GiB up": up,
}
# Ours takes bodies of 64 MiB unless it is told otherwise.
SETTINGS = {"LIQUID_REQUESTS__MAX_BODY": "2GiB"}


def measure(bench, rounds, seconds):
    """RSS and PSS in bytes, each situation with a process of its own."""
    results = []
    for number in range(rounds):
        for name, look in SITUATIONS.items():
            for kind in rotated(bench.kinds, number):
                proxy = bench.start(kind, settings=SETTINGS)
                found = look(bench, proxy, seconds)
                bench.processes.end(proxy.process)
                results.append({"round": number, "cell": name, "proxy": kind.name, **found})
                bench.say(f"round {number + 1}/{rounds}  {name:28} {kind.name:20} " + told(found))
    return results


def told(found):
    return ", ".join(f"{kind} {size / (1 << 20):.1f} MiB" for kind, size in found.items() if size)
