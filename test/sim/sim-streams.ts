/**
 * TCP connections of the simulated network, message by message: reliable and in order, as late as the weather makes a
 * datagram; to an address where nobody listens, a refusal. Each end has a number of its own.
 */
import type { Clock } from '../../src/net/clock.js';
import type { DatagramAddress } from '../../src/tunnel/ports.js';

/** Who owns an end: a router, which is told what becomes of it. */
export interface StreamOwner {
  readonly address: DatagramAddress;
  streamChanged(event: 'connected' | 'accepted' | 'closed', far: DatagramAddress, reason: string): void;
  receive(datagram: { from: DatagramAddress; to: DatagramAddress; bytes: Uint8Array }): void;
}

interface End {
  readonly stream: number;
  readonly owner: StreamOwner;
  /** Its far end's address, with its own number. */
  readonly far: DatagramAddress;
  other: End | undefined;
  /** When what was sent last arrives: nothing overtakes. */
  lastMs: number;
}

export class SimStreams {
  readonly #clock: Clock;
  readonly #delayMs: () => number;
  readonly #ends = new Map<number, End>();
  #next = 1;

  /** @param delayMs from one end to the other, one way */
  constructor(clock: Clock, delayMs: () => number) {
    this.#clock = clock;
    this.#delayMs = delayMs;
  }

  /** Ends that are there. */
  get size(): number {
    return this.#ends.size;
  }

  /** @param listener who listens at that address now, if anyone does */
  connect(owner: StreamOwner, to: DatagramAddress, listener: () => StreamOwner | undefined): number {
    const near = this.#add(owner, to);
    this.#clock.after('syn', this.#delayMs(), () => {
      const accepting = listener();
      if (accepting !== undefined && this.#ends.has(near.stream)) {
        const far = this.#add(accepting, { address: owner.address.address, port: 40_000 + near.stream });
        far.other = near;
        near.other = far;
        accepting.streamChanged('accepted', far.far, '');
      }
      this.#clock.after('syn-ack', this.#delayMs(), () => {
        if (near.other !== undefined) owner.streamChanged('connected', near.far, '');
        else this.#end(near, 'ECONNREFUSED');
      });
    });
    return near.stream;
  }

  send(stream: number, bytes: Uint8Array): boolean {
    const end = this.#ends.get(stream);
    const other = end?.other;
    if (end === undefined || other === undefined) return false;
    const copy = bytes.slice();
    this.#later(end, () => {
      if (this.#ends.has(other.stream)) other.owner.receive({ from: other.far, to: end.far, bytes: copy });
    });
    return true;
  }

  /** By its owner, who hears no more of it. */
  close(stream: number): void {
    const end = this.#ends.get(stream);
    if (end === undefined) return;
    this.#ends.delete(stream);
    const { other } = end;
    if (other !== undefined) this.#later(end, () => this.#end(other, 'ended'));
  }

  /** All connections break, as when a firewall between them forgets. */
  reset(): void {
    for (const end of [...this.#ends.values()]) this.#end(end, 'ECONNRESET');
  }

  #add(owner: StreamOwner, to: DatagramAddress): End {
    const stream = this.#next++;
    const end = { stream, owner, far: { ...to, stream }, other: undefined, lastMs: 0 };
    this.#ends.set(stream, end);
    return end;
  }

  #later(end: End, action: () => void): void {
    const nowMs = this.#clock.nowMs();
    end.lastMs = Math.max(end.lastMs, nowMs + this.#delayMs());
    this.#clock.after('stream', end.lastMs - nowMs, action);
  }

  #end(end: End, reason: string): void {
    if (this.#ends.delete(end.stream)) end.owner.streamChanged('closed', end.far, reason);
  }
}
