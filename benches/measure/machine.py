"""Where a run was made, and with what."""

import os
import platform
import re
import subprocess
import time
from pathlib import Path


def cores():
    """As many as this process may use."""
    return len(os.sched_getaffinity(0))


def first(pattern, command):
    """The first match in what a program says of its version; None where there is no such program."""
    try:
        said = subprocess.run(command, capture_output=True, text=True, timeout=20)
    except OSError:
        return None
    found = re.search(pattern, said.stdout + said.stderr)
    return found and found.group(1)


def model():
    names = re.findall(r"model name\s*: (.*)", Path("/proc/cpuinfo").read_text())
    return names[0] if names else platform.machine()


def versions():
    """Of everything that takes part; None for what is not there."""
    return {
        "nginx": first(r"nginx/(\S+)", ["nginx", "-v"]),
        "HAProxy": first(r"version (\S+)", ["haproxy", "-v"]),
        "wrk": first(r"wrk (\S+)", ["wrk", "-v"]),
        "h2load": first(r"nghttp2/(\S+)", ["h2load", "--version"]),
        "OpenSSL": first(r"OpenSSL (\S+)", ["openssl", "version"]),
        "valgrind": first(r"valgrind-(\S+)", ["valgrind", "--version"]),
        "rustc": first(r"rustc (\S+)", ["rustc", "--version"]),
    }


def busy(seconds=1.0):
    """The share of the processors' time that goes elsewhere: a machine that is busy measures itself."""
    def ticks():
        fields = [int(field) for field in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
        return sum(fields), fields[3] + fields[4]

    before = ticks()
    time.sleep(seconds)
    total, idle = (now - then for now, then in zip(ticks(), before))
    return 1 - idle / max(1, total)


def describe(builds, commit):
    """Machine, kernel and versions; the `commit` of the builds, if it is the one that is checked out."""
    memory = int(re.search(r"MemTotal:\s+(\d+)", Path("/proc/meminfo").read_text()).group(1)) / (1 << 20)
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "cpu": model(),
        "cores": cores(),
        "memory_gib": round(memory, 1),
        "kernel": f"{platform.system()} {platform.release()}",
        "busy_before": busy(),
        "versions": versions(),
        "builds": {kind.name: os.path.getsize(kind.program) for kind in builds},
        "commit": first(r"(\S+)", ["git", "describe", "--always", "--dirty"]) if commit else None,
    }
