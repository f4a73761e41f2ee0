import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isLater, TimestampSource } from '../../../src/wireguard/tai64n.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('TAI64N', () => {
  it('gives the label of a known time', () => {
    // 2000-01-01T00:00:00.250Z: 946,684,800 s = 0x386d4380, plus 10.
    assert.equal(hex(new TimestampSource(() => 946_684_800_250).next()), '40000000386d438a0ee6b280');
  });

  it('rises while the clock stands still or is set back', () => {
    let wallMs = 1_000_000;
    const source = new TimestampSource(() => wallMs);
    const labels = [source.next(), source.next()];
    wallMs -= 500_000;
    labels.push(source.next());
    wallMs += 600_000;
    labels.push(source.next());
    for (const [index, label] of labels.entries()) {
      const before = labels[index - 1];
      if (before !== undefined) assert.ok(isLater(label, before), `label ${index}`);
    }
  });

  it('goes on from where another source has been, and says where it is itself', () => {
    const before = new TimestampSource(() => 1_000_000);
    const labels = [before.next(), before.next()];
    // The second label is a nanosecond later: rounded up.
    assert.equal(before.lastUs, 1_000_000_001);
    const back = new TimestampSource(() => 400_000, before.lastUs);
    for (const label of labels) assert.ok(isLater(back.next(), label));
    assert.equal(
      hex(new TimestampSource(() => 2_000_000, 5).next()),
      hex(new TimestampSource(() => 2_000_000).next()),
    );
  });

  it('is later only when it is greater', () => {
    const label = new TimestampSource(() => 5).next();
    assert.equal(isLater(label, label), false);
    assert.equal(isLater(label, new Uint8Array(12)), true);
    assert.equal(isLater(new Uint8Array(12), label), false);
  });
});
