/**
 * What this router does on its LANs (`LanRole`), in shared memory: one word a LAN, which the engine reads too for the MAC that
 * frames leave from (`EngineOptions.lanRoles`). One writer, the control thread.
 */
import type { LanRole } from '../tables/lan.js';
import { Subscribers } from '../tables/subscribers.js';

const ACTIVE = 0;
const STANDBY = 2;
const WORD: Readonly<Record<LanRole, number>> = { active: ACTIVE, draining: 1, standby: STANDBY };

export class LanRoles {
  readonly memory: SharedArrayBuffer;
  readonly #words: Int32Array;
  readonly #subscribers = new Subscribers<[]>();

  private constructor(memory: SharedArrayBuffer) {
    this.memory = memory;
    this.#words = new Int32Array(memory);
  }

  /** The router is active on each. */
  static create(lans: number): LanRoles {
    return new LanRoles(new SharedArrayBuffer(lans * Int32Array.BYTES_PER_ELEMENT));
  }

  static attach(memory: SharedArrayBuffer): LanRoles {
    return new LanRoles(memory);
  }

  set(lan: number, role: LanRole): void {
    this.#words[lan] = WORD[role];
    this.#subscribers.notify();
  }

  /** Calls `listener` after each `set`. */
  subscribe(listener: () => void): () => void {
    return this.#subscribers.subscribe(listener);
  }

  /** It answers there. @param port a LAN's index, or a TUN port's, where it always does */
  isActive(port: number): boolean {
    return (this.#words[port] ?? ACTIVE) === ACTIVE;
  }

  /** It forwards nothing there. @param port as of `isActive` */
  standsBy(port: number): boolean {
    return this.#words[port] === STANDBY;
  }
}
