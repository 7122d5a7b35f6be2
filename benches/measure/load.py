"""Load on a port of the loopback address: wrk for HTTP/1.1, h2load for HTTP/2 and for a fixed rate.

A run counts only if every answer was a 200 and the bytes are those of as many whole answers.
"""

import json
import re
import subprocess
from pathlib import Path

from .client import get
from .processes import Failed
from .upstream import TOKEN

SCRIPT = Path(__file__).with_name("wrk.lua")
BODY = lambda size: b'{"search":"' + b"g" * (size - 13) + b'"}'


def run(arguments, seconds):
    """Standard output of a program that ends by itself; it is given twice its time."""
    arguments = [str(argument) for argument in arguments]
    try:
        done = subprocess.run(arguments, capture_output=True, text=True, timeout=2 * seconds + 30)
    except subprocess.TimeoutExpired as late:
        raise Failed(f"{arguments[0]} did not end: {late}") from late
    if done.returncode != 0:
        raise Failed(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def whole_answer(port, path, size, post=0, authority=None):
    """The bytes of an answer on the wire, head and body; it is checked on the way."""
    headers = {"Authorization": f"Bearer {TOKEN}"} if authority else {}
    answer = get(port, path, headers, BODY(post) if post else None, authority)
    answer.expect(size, f"a check of {path}")
    return len(answer.head) + len(answer.body)


def wrk(port, path, size, connections, seconds, cores, post=0, authority=None):
    """Sends as fast as answers come. Directly to the upstream where its `authority` is given."""
    expected = whole_answer(port, path, size, post, authority)
    url = f"{'https' if authority else 'http'}://127.0.0.1:{port}{path}"
    threads = min(cores, connections)
    options = ["-t", threads, "-c", connections, "-d", f"{seconds}s", "--timeout", "20s", "-s", SCRIPT]
    output = run(["wrk", *options, url, "--", TOKEN if authority else "-", post], seconds)
    measured = json.loads(output.rpartition("\nmeasured ")[2])
    requests, received = measured["requests"], measured["bytes"]
    whole = requests * expected <= received <= (requests + connections) * expected
    if measured["errors"] or measured["refused"] or not requests or not whole:
        raise Failed(f"wrk at {path}: {measured}, an answer has {expected} bytes")
    measured["rps"] = requests / measured["duration_us"] * 1e6
    return measured


def h2load(port, path, size, connections, streams, requests, cores, seconds, http1=False):
    """Sends so many requests, over HTTP/2 by prior knowledge or over HTTP/1.1."""
    options = ["-t", min(cores, connections), "-c", connections, "-m", streams, "-n", requests]
    options += ["--h1"] if http1 else ["-p", "h2c"]
    output = run(["h2load", *options, f"http://127.0.0.1:{port}{path}"], seconds)
    return told_by_h2load(output, requests, size)


def told_by_h2load(output, requests, size):
    """What it says, if all of them were answered as they should be."""
    read = lambda pattern: re.search(pattern, output).group(1)
    try:
        succeeded = int(read(r"(\d+) succeeded"))
        fine = int(read(r"status codes: (\d+) 2xx"))
        data = int(read(r"\((\d+)\) data"))
        rps = float(read(r"([\d.]+) req/s"))
    except AttributeError as missing:
        raise Failed(f"h2load said something else:\n{output}") from missing
    if not succeeded == fine == requests or data != requests * size:
        raise Failed(f"h2load: {requests} requests of {size} bytes were asked for:\n{output}")
    return {"requests": requests, "rps": rps}


def at_rate(port, path, size, connections, rate, seconds, directory, authority=None):
    """HTTP/1.1 requests at a fixed rate over all connections: latencies in microseconds, sorted.

    h2load counts from the moment that a request is sent, not from the one at which it was due.
    """
    log = directory / "rate.log"
    log.unlink(missing_ok=True)
    requests = rate * seconds
    options = ["--h1", "-t", 1, "-c", connections, "-n", requests, "--rps", rate / connections, "--log-file", log]
    options += ["-H", f"Authorization: Bearer {TOKEN}"] if authority else []
    output = run(["h2load", *options, f"{'https' if authority else 'http'}://127.0.0.1:{port}{path}"], seconds)
    told_by_h2load(output, requests, size)
    lines = [line.split("\t") for line in log.read_text().splitlines()]
    if len(lines) != requests or any(status != "200" for _, status, _ in lines):
        raise Failed(f"h2load logged {len(lines)} answers of {requests}, or others than 200")
    return sorted(int(latency) for _, _, latency in lines)
