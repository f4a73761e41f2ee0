/**
 * Routers that agree on a description, without tunnels: two reach each other while each one's description names the other
 * with its right key, and nothing parts them. Disks are what each router's ports keep.
 */
import assert from 'node:assert/strict';
import { Agreement } from '../../src/membership/agreement.js';
import type { ApplyOutcome, TrialRecord } from '../../src/membership/agreement-ports.js';
import { contentOf, type Description, readDescription } from '../../src/membership/description.js';
import { joinDocument } from '../../src/membership/document.js';
import { publicKeyOf, sign } from '../../src/membership/signature.js';
import { readSuccessions } from '../../src/membership/succession.js';
import { Conduct } from '../../src/protocol/conduct.js';
import { MAX_UNACKED_BYTES } from '../../src/protocol/constants.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { NetworkMessage } from '../../src/protocol/network-message.js';
import { SimClock } from '../support/sim-clock.js';

export const SEED = new Uint8Array(32).fill(1);
export const PINNED = publicKeyOf(SEED);

export interface Content {
  readonly version: number;
  /** Key by name: who has another than the router itself is not reached. */
  readonly routers: Readonly<Record<string, string>>;
  readonly removes?: readonly string[];
  readonly filler?: string;
  /** Routers where it cannot be applied. */
  readonly refusedBy?: readonly string[];
}

export function signed(content: Content, seed = SEED): Uint8Array {
  const bytes = Buffer.from(JSON.stringify(content));
  return joinDocument({ signature: sign('description', bytes, seed), content: bytes });
}

export function describe(document: Uint8Array, seed = SEED): Description {
  const description = readDescription(document, [publicKeyOf(seed)]);
  if (typeof description === 'string') assert.fail(description);
  return description;
}

export function named(names: readonly string[]): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, name]));
}

export function contentIn(description: Description): Content {
  return JSON.parse(Buffer.from(contentOf(description.document)).toString());
}

export interface ToldEvent {
  readonly event: string;
  readonly fields: Readonly<Record<string, string | number | readonly string[]>>;
}

export class SimMember {
  readonly name: string;
  readonly conduct: Conduct;
  readonly events: ToldEvent[] = [];
  readonly disk: {
    present: Description;
    previous: Description;
    record: TrialRecord;
    keys: Uint8Array | undefined;
  };
  running: Description;
  agreement: Agreement;
  /** As at a start, or with a reload that waits. */
  appliesLater = false;
  readonly #world: DescriptionWorld;

  constructor(world: DescriptionWorld, name: string, start: Description) {
    this.#world = world;
    this.name = name;
    this.conduct = new Conduct(world.clock);
    this.running = start;
    this.disk = { present: start, previous: start, record: { trial: null, undone: [] }, keys: undefined };
    this.agreement = this.#begin();
  }

  get version(): number {
    return this.running.version;
  }

  /** Ends and begins anew, with what is on its disk. */
  restart(): void {
    this.agreement.stop();
    this.#world.forgetLinks(this.name);
    this.running = this.disk.present;
    this.agreement = this.#begin();
    this.agreement.start();
  }

  count(event: string): number {
    return this.events.filter((one) => one.event === event).length;
  }

  #begin(): Agreement {
    const { clock } = this.#world;
    const keys = this.disk.keys === undefined ? [] : readSuccessions(this.disk.keys);
    assert.ok(typeof keys !== 'string');
    return new Agreement(
      {
        clock,
        conduct: this.conduct,
        say: (to, message) => this.#world.carry(this.name, to, message),
        upPeers: () => this.#world.peersOf(this.name),
        apply: (description, record) => this.#apply(description, record),
        goBack: async (record) => {
          this.disk.record = record;
          this.disk.present = this.disk.previous;
          this.running = this.disk.present;
          this.#world.relink();
          return this.running;
        },
        keepRecord: async (record) => {
          this.disk.record = record;
        },
        keepSuccession: async (document) => {
          this.disk.keys = document;
        },
        removesOf: (description) => contentIn(description).removes ?? [],
        event: (event, fields) => this.events.push({ event, fields }),
      },
      { pinned: PINNED, successions: keys, present: this.running, record: this.disk.record },
    );
  }

  async #apply(description: Description, record: TrialRecord): Promise<ApplyOutcome> {
    const { routers, refusedBy } = contentIn(description);
    if (this.appliesLater) return { outcome: 'later', reason: 'not ready yet' };
    if (!(this.name in routers)) return { outcome: 'refused', reason: `${this.name} is not in it` };
    if (refusedBy?.includes(this.name)) return { outcome: 'refused', reason: 'a mistake' };
    if (this.disk.record.trial === null) this.disk.previous = this.running;
    this.disk.record = record;
    this.disk.present = description;
    this.running = description;
    this.#world.relink();
    return { outcome: 'applied' };
  }
}

export interface WorldOptions {
  /** One way, milliseconds. */
  readonly delayMs?: number;
  /** 0 … 1, of what is sent once; the others are repeated until they arrive. */
  readonly loss?: number;
}

export class DescriptionWorld {
  readonly clock = new SimClock();
  readonly members = new Map<string, SimMember>();
  readonly #options: WorldOptions;
  readonly #codec = new ControlCodec();
  readonly #linked = new Set<string>();
  readonly #parted = new Set<string>();
  #random = 12_345;
  carried = 0;

  constructor(
    names: readonly string[],
    options: WorldOptions = {},
    start: Content = { version: 1, routers: named(names) },
  ) {
    this.#options = options;
    const description = describe(signed(start));
    for (const name of names) this.members.set(name, new SimMember(this, name, description));
    for (const member of this.members.values()) member.agreement.start();
    this.relink();
  }

  member(name: string): SimMember {
    const member = this.members.get(name);
    if (member === undefined) throw new RangeError(name);
    return member;
  }

  /** Lets time pass; what was promised meanwhile is kept. */
  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** The version of each, when all are the same; else undefined. */
  get agreed(): number | undefined {
    const versions = new Set([...this.members.values()].map(({ version }) => version));
    return versions.size === 1 ? [...versions][0] : undefined;
  }

  part(left: readonly string[], right: readonly string[]): void {
    for (const a of left) for (const b of right) this.#parted.add(pair(a, b));
    this.relink();
  }

  heal(): void {
    this.#parted.clear();
    this.relink();
  }

  peersOf(name: string): string[] {
    return [...this.members.keys()].filter((other) => other !== name && this.#linked.has(pair(name, other)));
  }

  forgetLinks(name: string): void {
    for (const other of this.peersOf(name)) {
      this.#linked.delete(pair(name, other));
      this.member(other).agreement.peerDown(name);
    }
    this.clock.after('relink', 500, () => this.relink());
  }

  relink(): void {
    const names = [...this.members.keys()];
    for (const [i, a] of names.entries())
      for (const b of names.slice(i + 1)) {
        const isUp = this.#knows(a, b) && this.#knows(b, a) && !this.#parted.has(pair(a, b));
        const wasUp = this.#linked.has(pair(a, b));
        if (isUp && !wasUp) this.#up(a, b);
        if (!isUp && wasUp) this.#down(a, b);
      }
  }

  carry(from: string, to: string, message: NetworkMessage): void {
    const payload = this.#codec.encode({ id: 1, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body: message });
    assert.ok(payload.length <= MAX_UNACKED_BYTES, `${message.type}: ${payload.length} bytes`);
    const { delayMs = 20, loss = 0 } = this.#options;
    this.#random = (this.#random * 1_103_515_245 + 12_345) % 2_147_483_648;
    if (message.type !== 'networkState' && this.#random / 2_147_483_648 < loss) return;
    this.clock.after('carried', delayMs, () => {
      if (!this.#linked.has(pair(from, to))) return;
      this.carried++;
      const decoded = this.#codec.decode(payload);
      assert.ok(typeof decoded !== 'string', String(decoded));
      assert.deepEqual(decoded.envelope.body, message);
      this.member(to).agreement.received(from, message);
    });
  }

  #knows(a: string, b: string): boolean {
    return contentIn(this.member(a).running).routers[b] === b;
  }

  #up(a: string, b: string): void {
    this.#linked.add(pair(a, b));
    this.member(a).agreement.peerUp(b);
    this.member(b).agreement.peerUp(a);
  }

  #down(a: string, b: string): void {
    this.#linked.delete(pair(a, b));
    this.member(a).agreement.peerDown(b);
    this.member(b).agreement.peerDown(a);
  }
}

function pair(a: string, b: string): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
