"""Python's httpx, in the version of HTTP that the first argument names. The second is the proxy's URL."""

import sys
import time

import httpx

VERSION, URL = sys.argv[1:]
SIZES = [0, 1, 1021, 16_385, 70_001]
LONG = 3_000_017


def pattern(length, begin=0):
    return bytes((begin + at) % 251 for at in range(length))


def pieces():
    for begin in range(0, LONG, 10_007):
        yield pattern(min(10_007, LONG - begin), begin)


def done(step):
    print(step, flush=True)


# Without HTTP/1.1, HTTP/2 is spoken from the first byte on.
http2 = VERSION == "2"
with httpx.Client(http1=not http2, http2=http2, trust_env=False, timeout=20) as client:
    for size in SIZES:
        answer = client.get(f"{URL}/bytes/{size}")
        assert (answer.status_code, answer.content) == (200, pattern(size)), size
        assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    done("get")

    for size in SIZES:
        answer = client.post(f"{URL}/count", content=pattern(size))
        assert (answer.status_code, answer.text) == (200, str(size)), answer.text
    done("post")

    answer = client.post(f"{URL}/count", content=pieces())
    assert (answer.status_code, answer.text) == (200, str(LONG)), answer.text
    done("up")

    at = 0
    with client.stream("GET", f"{URL}/stream/{LONG}") as answer:
        for piece in answer.iter_bytes():
            assert piece == pattern(len(piece), at), at
            at += len(piece)
    assert at == LONG
    done("down")

    while (answer := client.get(f"{URL}/patience/httpx")).status_code == 429:
        time.sleep(int(answer.headers["retry-after"]))
    assert (answer.status_code, answer.text) == (200, "patient"), answer.text
    done("retry")
