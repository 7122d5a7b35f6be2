"""Python's requests, with urllib3's own waiting. The one argument is the proxy's URL."""

import sys

import requests
from requests.adapters import HTTPAdapter
from urllib3.util.retry import Retry

URL = sys.argv[1]
SIZES = [0, 1, 1021, 16_385, 70_001]
LONG = 3_000_017


def pattern(length, begin=0):
    return bytes((begin + at) % 251 for at in range(length))


def pieces():
    for begin in range(0, LONG, 10_007):
        yield pattern(min(10_007, LONG - begin), begin)


def done(step):
    print(step, flush=True)


session = requests.Session()
# What the machine says of proxies is not about this one.
session.trust_env = False
session.mount("http://", HTTPAdapter(max_retries=Retry(total=3, status_forcelist=[429], backoff_factor=0)))

for size in SIZES:
    answer = session.get(f"{URL}/bytes/{size}", timeout=20)
    assert (answer.status_code, answer.content) == (200, pattern(size)), size
done("get")

for size in SIZES:
    answer = session.post(f"{URL}/count", data=pattern(size), timeout=20)
    assert (answer.status_code, answer.text) == (200, str(size)), answer.text
done("post")

answer = session.post(f"{URL}/count", data=pieces(), timeout=20)
assert (answer.status_code, answer.text) == (200, str(LONG)), answer.text
done("up")

at = 0
with session.get(f"{URL}/stream/{LONG}", stream=True, timeout=20) as answer:
    for piece in answer.iter_content(chunk_size=None):
        assert piece == pattern(len(piece), at), at
        at += len(piece)
assert at == LONG
done("down")

answer = session.get(f"{URL}/patience/requests", timeout=20)
assert (answer.status_code, answer.text) == (200, "patient"), answer.text
done("retry")
