"""Programs that are started, what the kernel says of them, and their end, whatever happens.

Everything is ended by its process id: at the end of the `with` block, on Ctrl-C, on SIGTERM, and by the kernel when
this process is killed.
"""

import ctypes
import os
import resource
import signal
import socket
import subprocess
import time
from pathlib import Path

PR_SET_PDEATHSIG = 1
LIBC = ctypes.CDLL(None, use_errno=True)


class Failed(Exception):
    """The run cannot go on, or would measure something else than it says."""


def prepare():
    """Takes all the open files that the system gives, and makes a signal an exception, so that `finally` runs."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))

    def leave(number, _frame):
        raise SystemExit(128 + number)

    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, leave)


def free_port():
    """A port of the loopback address that nobody has at this moment."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


class Processes:
    """All programs of a run."""

    def __init__(self):
        self.running = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.running[:]):
            self.end(process)

    def start(self, arguments, log, env=None, prepare=None):
        """Starts a program in a session of its own: Ctrl-C reaches it by way of this process alone.

        `prepare` runs in the new process before the program does.
        """

        def before():
            LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
            if prepare:
                prepare()

        with open(log, "ab") as output:
            process = subprocess.Popen(
                [str(argument) for argument in arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={"PATH": os.environ["PATH"], **(env or {})},
                start_new_session=True,
                preexec_fn=before,
            )
        process.log = Path(log)
        self.running.append(process)
        return process

    def end(self, process, within=10):
        """Ends it and what it has started, and waits for that. Its exit status."""
        pids = family(process.pid)
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(within)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self.running.remove(process)
        for pid in pids[1:]:
            if Path(f"/proc/{pid}").exists() and parent(pid) != os.getpid():
                stop(pid)
        return process.returncode


def stop(pid):
    """Ends a process whose parent is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def parent(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    return int(stat.rpartition(")")[2].split()[1])


def family(pid):
    """A process and all below it."""
    pids = [pid]
    for member in pids:
        try:
            for task in os.listdir(f"/proc/{member}/task"):
                pids += map(int, Path(f"/proc/{member}/task/{task}/children").read_text().split())
        except OSError:
            continue
    return pids


def cpu_ns(pid):
    """CPU time of all its threads and of its children's, nanoseconds."""
    total = 0
    for member in family(pid):
        for task in os.listdir(f"/proc/{member}/task"):
            try:
                total += int(Path(f"/proc/{member}/task/{task}/schedstat").read_text().split()[0])
            except FileNotFoundError:
                continue  # The thread has just ended.
    return total


def memory(pid):
    """RSS and PSS of it and its children, bytes.

    PSS counts a page that several share once. Only root may see it of a process that hides its memory: elsewhere it
    is None.
    """
    rss = pss = 0
    for member in family(pid):
        try:
            fields = dict(line.split(":", 1) for line in Path(f"/proc/{member}/smaps_rollup").read_text().splitlines()[1:])
            rss += int(fields["Rss"].split()[0]) * 1024
            pss = None if pss is None else pss + int(fields["Pss"].split()[0]) * 1024
        except PermissionError:
            status = Path(f"/proc/{member}/status").read_text()
            rss += int(status.split("VmRSS:")[1].split()[0]) * 1024
            pss = None
    return {"rss": rss, "pss": pss}


def eventually(what, attempt, process=None, within=20, pause=0.01):
    """The first outcome of `attempt` that is not None."""
    end = time.monotonic() + within
    while True:
        outcome = attempt()
        if outcome is not None:
            return outcome
        if process is not None and process.poll() is not None:
            raise Failed(f"{what}: it ended with {process.returncode}:\n{process.log.read_text(errors='replace')[-2000:]}")
        if time.monotonic() > end:
            log = process.log.read_text(errors="replace")[-2000:] if process else ""
            raise Failed(f"{what}: not within {within} s\n{log}")
        time.sleep(pause)
