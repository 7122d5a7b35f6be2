// Node's own `fetch`. The one argument is the proxy's URL.

import assert from 'node:assert/strict';

const url = process.argv[2];
const SIZES = [0, 1, 1021, 16_385, 70_001];
const LONG = 3_000_017;

const bytes = (length, from = 0) => Uint8Array.from({ length }, (_, at) => (from + at) % 251);
const same = (given, expected) => assert.ok(Buffer.from(given).equals(Buffer.from(expected)), 'other bytes');
const done = (step) => console.log(step);

for (const size of SIZES) {
  const answer = await fetch(`${url}/bytes/${size}`);
  assert.equal(answer.status, 200);
  same(await answer.arrayBuffer(), bytes(size));
}
done('get');

for (const size of SIZES) {
  const answer = await fetch(`${url}/count`, { method: 'POST', body: bytes(size) });
  assert.equal(await answer.text(), String(size));
}
done('post');

async function* pieces() {
  for (let from = 0; from < LONG; from += 10_007) yield bytes(Math.min(10_007, LONG - from), from);
}
const up = await fetch(`${url}/count`, { method: 'POST', body: ReadableStream.from?.(pieces()) ?? pieces(), duplex: 'half' });
assert.equal(await up.text(), String(LONG));
done('up');

let at = 0;
for await (const piece of (await fetch(`${url}/stream/${LONG}`)).body) {
  same(piece, bytes(piece.length, at));
  at += piece.length;
}
assert.equal(at, LONG);
done('down');

for (;;) {
  const answer = await fetch(`${url}/patience/node`);
  const text = await answer.text();
  if (answer.status === 429) {
    await new Promise((resolve) => setTimeout(resolve, 1000 * Number(answer.headers.get('retry-after')) + 20));
    continue;
  }
  assert.deepEqual([answer.status, text], [200, 'patient']);
  break;
}
done('retry');
