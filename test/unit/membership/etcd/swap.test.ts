/** An older version never replaces a newer one, whoever writes meanwhile. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { joinDocument } from '../../../../src/membership/document.js';
import { failure } from '../../../../src/membership/etcd/messages.js';
import { type SwapPort, swapIn } from '../../../../src/membership/etcd/swap.js';
import { publicKeyOf, sign } from '../../../../src/membership/signature.js';

const SEED = new Uint8Array(32).fill(1);
const STRANGER = new Uint8Array(32).fill(2);
const KEYS = [publicKeyOf(SEED)];

function version(number: number, seed = SEED, more = ''): Uint8Array {
  const content = Buffer.from(JSON.stringify({ version: number, more }));
  return joinDocument({ signature: sign('description', content, seed), content });
}

class Store implements SwapPort {
  revision = 1n;
  value: Uint8Array | undefined;
  modRevision = 0n;
  /** Somebody writes just before each of our writes. */
  meanwhile: (() => void) | undefined;

  constructor(value?: Uint8Array) {
    if (value !== undefined) this.put(value);
  }

  put(value: Uint8Array): void {
    this.value = value;
    this.modRevision = ++this.revision;
  }

  async range() {
    const { revision, modRevision, value } = this;
    return { revision, stored: value && { modRevision, value } };
  }

  async swap(modRevision: bigint, document: Uint8Array) {
    this.meanwhile?.();
    if (modRevision !== this.modRevision) return false;
    this.put(document);
    return true;
  }
}

test('into an empty key, and over an older version', async () => {
  const store = new Store();
  assert.deepEqual(await swapIn(store, version(1), KEYS), { is: 'written', version: 1, before: undefined });
  assert.deepEqual(await swapIn(store, version(3), KEYS), { is: 'written', version: 3, before: 1 });
  assert.deepEqual(await swapIn(store, version(3), KEYS), { is: 'there-already', version: 3, before: 3 });
  assert.deepEqual(store.value, version(3));
});

test('not over a newer one, another of the same version, or a newer one that somebody else has signed', async () => {
  for (const there of [version(5), version(4, SEED, 'other'), version(5, STRANGER)]) {
    const store = new Store(there);
    const outcome = await swapIn(store, version(4), KEYS);
    assert.equal(outcome.is, 'refused');
    assert.deepEqual(store.value, there);
  }
});

test('over what is no description at all', async () => {
  const store = new Store(Buffer.from('hello'));
  assert.deepEqual(await swapIn(store, version(1), KEYS), { is: 'written', version: 1, before: undefined });
});

test('not what no key of the network has signed', async () => {
  const store = new Store();
  assert.equal((await swapIn(store, version(1, STRANGER), KEYS)).is, 'refused');
  assert.equal(store.value, undefined);
});

test('a newer one that comes between is seen, an older one is replaced, and a racer without end is given up', async () => {
  const newer = new Store(version(1));
  newer.meanwhile = () => {
    newer.meanwhile = undefined;
    newer.put(version(9));
  };
  assert.equal((await swapIn(newer, version(4), KEYS)).is, 'refused');
  assert.deepEqual(newer.value, version(9));
  const older = new Store(version(1));
  older.meanwhile = () => {
    older.meanwhile = undefined;
    older.put(version(2));
  };
  assert.deepEqual(await swapIn(older, version(4), KEYS), { is: 'written', version: 4, before: 2 });
  const busy = new Store(version(1));
  busy.meanwhile = () => busy.put(version(2));
  const outcome = await swapIn(busy, version(4), KEYS);
  assert.ok(outcome.is === 'refused' && outcome.reason.includes('all the time'));
});

test('an etcd that fails, before and in the middle', async () => {
  const silent = failure('silent', 'it says nothing');
  const store = new Store();
  assert.deepEqual(await swapIn({ range: async () => silent, swap: store.swap }, version(1), KEYS), {
    is: 'failed',
    failure: silent,
  });
  const port: SwapPort = { range: () => store.range(), swap: async () => silent };
  assert.deepEqual(await swapIn(port, version(1), KEYS), { is: 'failed', failure: silent });
});
