/** Wake-ups that an event loop waits for: `watchWakeup`. */
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pause, waitFor } from '../lab/wait.js';
import type { World } from './world.js';

/** Long enough for a call that should not come. */
const QUIET_MS = 20;

export function wakeupSuite(world: World): void {
  const { addon } = world;

  it('tells whoever watches once for all wakes before, and again for those after', async () => {
    const fd = addon.createWakeup();
    let calls = 0;
    const watch = addon.watchWakeup(fd, () => calls++);
    for (let i = 0; i < 100; i++) addon.wake(fd);
    assert.equal(calls, 0, 'not from within the call');
    await waitFor('a call', () => calls > 0);
    await pause(QUIET_MS);
    assert.equal(calls, 1);
    addon.wake(fd);
    await waitFor('a second one', () => calls === 2);
    watch.close();
    addon.closeSocket(fd);
  });

  it('a wake before it was watched is not lost', async () => {
    const fd = addon.createWakeup();
    addon.wake(fd);
    let calls = 0;
    const watch = addon.watchWakeup(fd, () => calls++);
    await waitFor('a call', () => calls === 1);
    watch.close();
    addon.closeSocket(fd);
  });

  it('closed it says no more, also by its own listener; closing twice is harmless', async () => {
    const fd = addon.createWakeup();
    let calls = 0;
    const watch = addon.watchWakeup(fd, () => {
      calls++;
      addon.wake(fd);
      watch.close();
    });
    addon.wake(fd);
    await waitFor('a call', () => calls > 0);
    await pause(QUIET_MS);
    watch.close();
    assert.equal(calls, 1);
    addon.closeSocket(fd);
  });

  it('the wake-up may be closed first, and its number be another’s', async () => {
    const fd = addon.createWakeup();
    let calls = 0;
    const watch = addon.watchWakeup(fd, () => calls++);
    addon.closeSocket(fd);
    const others = Array.from({ length: 3 }, () => addon.createWakeup());
    for (const other of others) addon.wake(other);
    await pause(QUIET_MS);
    assert.equal(calls, 0);
    watch.close();
    for (const other of others) addon.closeSocket(other);
  });

  it('what cannot be is refused by name', () => {
    for (const fd of [0, 1_000_000]) assert.throws(() => addon.watchWakeup(fd, () => {}), { code: 'EBADF' });
    const fd = addon.createWakeup();
    assert.throws(() => addon.watchWakeup(fd, undefined as never), TypeError);
    addon.closeSocket(fd);
    assert.throws(() => addon.watchWakeup(fd, () => {}), { code: 'EBADF' });
  });
}
