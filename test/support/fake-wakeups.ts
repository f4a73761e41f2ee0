/** Wake-ups of the fake addon: whoever watches one is called in a later turn of the event loop, once for all wakes before. */
import type { WakeupWatch } from '../../src/dataplane/engine.js';

interface Wakeup {
  readonly listeners: Set<() => void>;
  isPending: boolean;
}

export class FakeWakeups {
  readonly #newFd: () => number;
  readonly #open = new Map<number, Wakeup>();

  constructor(newFd: () => number) {
    this.#newFd = newFd;
  }

  create(): number {
    const fd = this.#newFd();
    this.#open.set(fd, { listeners: new Set(), isPending: false });
    return fd;
  }

  close(fd: number): void {
    this.#open.delete(fd);
  }

  wake(fd: number): void {
    const wakeup = this.#find(fd);
    if (wakeup.isPending) return;
    wakeup.isPending = true;
    if (wakeup.listeners.size > 0) later(wakeup);
  }

  watch(fd: number, onWoken: () => void): WakeupWatch {
    if (typeof onWoken !== 'function') throw new TypeError('onWoken must be a function');
    const wakeup = this.#find(fd);
    const listener = (): void => onWoken();
    wakeup.listeners.add(listener);
    if (wakeup.isPending) later(wakeup);
    return { close: () => void wakeup.listeners.delete(listener) };
  }

  #find(fd: number): Wakeup {
    const wakeup = this.#open.get(fd);
    if (wakeup === undefined) throw Object.assign(new Error(`no wake-up: ${fd} (EBADF)`), { code: 'EBADF' });
    return wakeup;
  }
}

function later(wakeup: Wakeup): void {
  setImmediate(() => {
    if (wakeup.listeners.size === 0) return;
    wakeup.isPending = false;
    for (const listener of [...wakeup.listeners]) listener();
  });
}
