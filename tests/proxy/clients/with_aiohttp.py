"""Python's aiohttp. The one argument is the proxy's URL."""

import asyncio
import sys

import aiohttp

URL = sys.argv[1]
SIZES = [0, 1, 1021, 16_385, 70_001]
LONG = 3_000_017


def pattern(length, begin=0):
    return bytes((begin + at) % 251 for at in range(length))


async def pieces():
    for begin in range(0, LONG, 10_007):
        yield pattern(min(10_007, LONG - begin), begin)


def done(step):
    print(step, flush=True)


async def main():
    timeout = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=timeout) as session:
        for size in SIZES:
            async with session.get(f"{URL}/bytes/{size}") as answer:
                assert (answer.status, await answer.read()) == (200, pattern(size)), size
        done("get")

        for size in SIZES:
            async with session.post(f"{URL}/count", data=pattern(size)) as answer:
                assert (answer.status, await answer.text()) == (200, str(size))
        done("post")

        async with session.post(f"{URL}/count", data=pieces(), expect100=True) as answer:
            assert (answer.status, await answer.text()) == (200, str(LONG))
        done("up")

        at = 0
        async with session.get(f"{URL}/stream/{LONG}") as answer:
            async for piece in answer.content.iter_any():
                assert piece == pattern(len(piece), at), at
                at += len(piece)
        assert at == LONG
        done("down")

        while True:
            async with session.get(f"{URL}/patience/aiohttp") as answer:
                if answer.status == 429:
                    await asyncio.sleep(int(answer.headers["retry-after"]))
                    continue
                assert (answer.status, await answer.text()) == (200, "patient")
                break
        done("retry")


asyncio.run(main())
