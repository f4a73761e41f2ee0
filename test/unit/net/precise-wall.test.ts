import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PreciseWall } from '../../../src/net/precise-wall.js';

const UNIX_MS = 1_767_225_600_000;

/** Two clocks of one machine; each reading of the monotonic one takes some time. */
class Machine {
  monotonicMs = 5_000.2;
  setByMs = UNIX_MS + 0.4375;
  stepMs = 0.001;
  readings = 0;
  readonly wall = new PreciseWall(
    () => {
      this.readings++;
      this.monotonicMs += this.stepMs;
      return this.monotonicMs;
    },
    () => Math.floor(this.trueMs),
  );

  get trueMs(): number {
    return this.monotonicMs + this.setByMs;
  }

  /** How far from the truth what it says is. */
  errorMs(): number {
    const said = this.wall.nowMs();
    return Math.abs(said - this.trueMs);
  }
}

test('Unix time to some microseconds, from the first reading on', () => {
  const machine = new Machine();
  for (let n = 0; n < 100; n++) {
    assert(machine.errorMs() < 0.005, `reading ${n}`);
    machine.monotonicMs += 17.3;
  }
});

for (const byMs of [-3_600_000, -7, 0.9, 1.5, 86_400_000.25]) {
  test(`again when the clock has been set by ${byMs} ms`, () => {
    const machine = new Machine();
    machine.errorMs();
    machine.setByMs += byMs;
    machine.monotonicMs += 1;
    // Less than a millisecond shows when a millisecond ends between the old time and the new one.
    for (let n = 0; n < 50; n++) {
      machine.errorMs();
      machine.monotonicMs += 0.37;
    }
    for (let n = 0; n < 50; n++) {
      assert(machine.errorMs() < 0.005, `reading ${n}`);
      machine.monotonicMs += 0.37;
    }
  });
}

test('a thread that is stopped at every reading is right to half of what that takes, and does not wait for more', () => {
  const machine = new Machine();
  machine.stepMs = 40;
  assert(machine.errorMs() <= 21);
  assert(machine.readings < 10, `${machine.readings} readings`);
});
