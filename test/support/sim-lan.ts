/** A simulated switched LAN: frames are real bytes; the switch learns MACs, floods what it does not know. */

import type { Clock } from '../../src/net/clock.js';
import { isGroupMac, type Mac, readMac } from '../../src/net/mac.js';

export interface LanPort {
  readonly name: string;
  frame(bytes: Uint8Array): void;
}

export class SimLan {
  readonly name: string;
  readonly #clock: Clock;
  readonly #latencyMs: number;
  readonly #ports = new Set<LanPort>();
  readonly #macs = new Map<Mac, LanPort>();
  /** Called with every frame that is put on the LAN. */
  tap: ((from: LanPort, bytes: Uint8Array) => void) | undefined;

  constructor(name: string, clock: Clock, latencyMs = 0.05) {
    this.name = name;
    this.#clock = clock;
    this.#latencyMs = latencyMs;
  }

  attach(port: LanPort): void {
    this.#ports.add(port);
  }

  /** Link down: the switch forgets what it learned on the port. Frames on their way to it are lost. */
  detach(port: LanPort): void {
    this.#ports.delete(port);
    for (const [mac, known] of this.#macs) if (known === port) this.#macs.delete(mac);
  }

  has(port: LanPort): boolean {
    return this.#ports.has(port);
  }

  send(from: LanPort, bytes: Uint8Array): void {
    if (!this.#ports.has(from)) return;
    this.tap?.(from, bytes);
    this.#macs.set(readMac(bytes, 6), from);
    const destination = readMac(bytes, 0);
    const only = isGroupMac(destination) ? undefined : this.#macs.get(destination);
    const targets = only === undefined ? [...this.#ports] : [only];
    for (const port of targets) {
      if (port === from) continue;
      this.#clock.after('lan', this.#latencyMs, () => {
        if (this.#ports.has(port)) port.frame(bytes);
      });
    }
  }
}
