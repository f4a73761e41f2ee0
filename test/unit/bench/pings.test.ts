/** Round trips from what ping writes. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePings, roundTrips } from '../../../bench/lib/pings.js';

const OUTPUT = `PING 10.2.0.2 (10.2.0.2) 56(84) bytes of data.
[1795856751.874398] 64 bytes from 10.2.0.2: icmp_seq=1 ttl=62 time=0.123 ms
[1795856751.879400] 64 bytes from 10.2.0.2: icmp_seq=1 ttl=62 time=5.12 ms (DUP!)
[1795856752.000000] 64 bytes from 10.2.0.2: icmp_seq=2 ttl=62 time=113 ms
[1795856753.000000] From 10.1.0.1 icmp_seq=3 Destination Host Unreachable
[1795856754.500000] 64 bytes from 10.2.0.2: icmp_seq=4 ttl=62 time=1.50 ms
64 bytes from 10.2.0.2: icmp_seq=5 ttl=62 time=1.50 ms

--- 10.2.0.2 ping statistics ---
5 packets transmitted, 3 received, +1 duplicates, 40% packet loss, time 12ms
rtt min/avg/max/mdev = 0.123/38.207/113.000/52.893 ms
`;

test('answers with their times, no second ones, nothing else', () => {
  const pings = parsePings(OUTPUT);
  assert.deepEqual(
    pings.map(({ ms }) => ms),
    [0.123, 113, 1.5],
  );
  assert.deepEqual(pings[2], { sentMs: 1795856754498.5, answeredMs: 1795856754500, ms: 1.5 });
  assert.deepEqual(parsePings(''), []);
});

test('mean, median, 99th percentile and longest', () => {
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  assert.deepEqual(roundTrips(hundred), { meanMs: 50.5, p50Ms: 50, p99Ms: 99, maxMs: 100 });
  assert.deepEqual(roundTrips([3, 1, 2]), { meanMs: 2, p50Ms: 2, p99Ms: 3, maxMs: 3 });
});

test('none is no number, not zero', () => {
  for (const value of Object.values(roundTrips([]))) assert.ok(Number.isNaN(value));
});
