/** Many routers' memberships on a simulated clock: each pair has a link with a delay, and can be cut. */

import type { VineConfig } from '../../src/config/load.js';
import { configWithMembers } from '../../src/config/with-members.js';
import type { HeldMembership } from '../../src/membership/membership-set.js';
import type { Clock } from '../../src/net/clock.js';
import { Conduct } from '../../src/protocol/conduct.js';
import type { MembershipMessage } from '../../src/protocol/membership-message.js';
import { Memberships } from '../../src/router/network/memberships.js';
import { parseFiles } from '../../src/tables/files/parse.js';
import { encodeKey } from '../../src/tables/files/read.js';
import type { RouterId } from '../../src/tables/model.js';
import { SimClock } from './sim-clock.js';
import { NETWORK_KEY, routerKey, secret } from './tokens.js';

export interface ToldEvent {
  readonly event: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

export class SimRouter {
  readonly events: ToldEvent[] = [];
  readonly conduct: Conduct;
  readonly memberships: Memberships;
  /** What is on disk. */
  disk: readonly HeldMembership[] = [];
  config: VineConfig;
  /** Why it applies nothing now. */
  hindrance: string | undefined;

  constructor(
    readonly id: RouterId,
    readonly world: SimNetwork,
    number: number,
  ) {
    this.config = configOf(id, world.size, number);
    this.conduct = new Conduct(world.clock);
    this.memberships = new Memberships({
      clock: world.clock as Clock,
      hub: { emit: (_level, event, _message, fields) => this.events.push({ event, fields: plain(fields) }) },
      held: [],
      conduct: this.conduct,
      messenger: {
        send: (to, message) => world.send(id, to, message),
        upPeers: () => world.upPeers(id),
      },
      reloader: {
        get config() {
          return self.config;
        },
        setMembers: async (members, keep) => {
          if (this.hindrance !== undefined) return this.hindrance;
          const config = configWithMembers(this.config, members);
          if (typeof config === 'string') return config;
          keep();
          this.config = config;
          return undefined;
        },
      },
      write: (_stateDir, held) => {
        this.disk = held;
      },
    });
    const self = this;
  }

  knows(router: RouterId): boolean {
    return this.config.gndt.routers.some(({ id }) => id === router);
  }

  countOf(event: string): number {
    return this.events.filter((one) => one.event === event).length;
  }
}

function plain(fields: unknown): Readonly<Record<string, unknown>> {
  return (typeof fields === 'function' ? fields() : (fields ?? {})) as Readonly<Record<string, unknown>>;
}

export class SimNetwork {
  readonly clock = new SimClock();
  readonly routers: readonly SimRouter[];
  readonly #cut = new Set<string>();

  constructor(
    readonly size: number,
    readonly delayMs: (a: number, b: number) => number,
  ) {
    this.routers = Array.from({ length: size }, (_, i) => new SimRouter(`r-${i}`, this, i));
  }

  at(number: number): SimRouter {
    const router = this.routers[number];
    if (router === undefined) throw new RangeError(`router ${number}`);
    return router;
  }

  upPeers(of: RouterId): RouterId[] {
    return this.routers.map(({ id }) => id).filter((id) => id !== of && !this.#cut.has(pairOf(of, id)));
  }

  send(from: RouterId, to: RouterId, message: MembershipMessage): void {
    if (this.#cut.has(pairOf(from, to))) return;
    const [a, b] = [numberOf(from), numberOf(to)];
    const receiver = this.routers[b];
    this.clock.after('message', this.delayMs(a, b), () => receiver?.memberships.received(from, message));
  }

  cut(isCut: (a: number, b: number) => boolean): void {
    for (let a = 0; a < this.size; a++)
      for (let b = a + 1; b < this.size; b++) if (isCut(a, b)) this.#cut.add(pairOf(`r-${a}`, `r-${b}`));
  }

  heal(): void {
    const cut = [...this.#cut];
    this.#cut.clear();
    for (const pair of cut) {
      const [a = '', b = ''] = pair.split(' ');
      this.at(numberOf(a)).memberships.peerUp(b);
      this.at(numberOf(b)).memberships.peerUp(a);
    }
  }

  /** Lets that much time pass, also where somebody waits before it works in what it has heard. */
  async passUnheard(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5) {
      this.clock.advance(5);
      await turn();
    }
  }

  /** Lets that much time pass; what each has heard is worked in as it comes. */
  async pass(ms: number): Promise<void> {
    for (let passed = 0; passed < ms; passed += 5) {
      this.clock.advance(5);
      for (const router of this.routers) await router.memberships.idle();
    }
  }
}

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

function pairOf(a: RouterId, b: RouterId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}

function numberOf(id: RouterId): number {
  return Number(id.slice('r-'.length));
}

/** Router keys of the network: `routerKey(100 + n)`. */
function configOf(id: RouterId, size: number, number: number): VineConfig {
  const numbers = Array.from({ length: size }, (_, i) => i);
  const gndt = {
    vnets: [{ name: 'blue', id: 7 }],
    routers: numbers.map((i) => ({ id: `r-${i}`, publicKey: encodeKey(routerKey(100 + i)) })),
    networks: numbers.map((i) => ({ vnet: 'blue', prefix: `10.${100 + i}.0.0/24`, router: `r-${i}` })),
  };
  const router = {
    id,
    privateKeyFile: 'router.key',
    listen: ['udp://0.0.0.0:7700'],
    lans: [{ interface: 'lan0', vnet: 'blue' }],
    network: { publicKey: encodeKey(NETWORK_KEY) },
  };
  const read = parseFiles(
    {
      router: { value: JSON.stringify(router) },
      gndt: { value: JSON.stringify(gndt) },
      lndt: { value: JSON.stringify({ nodes: [] }) },
    },
    '/etc/vine',
  );
  if ('errors' in read) throw new Error(JSON.stringify(read.errors));
  return { ...read.value, privateKey: secret(100 + number), presharedKeys: new Map() };
}
