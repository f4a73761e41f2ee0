/** One day of a world under a policy. */
import { migrationCost } from '../../src/traffic/advice/migration.js';
import { Federation } from './federation.js';
import { LINK, type Order, POLICIES, type Policy } from './policies.js';
import { World, type WorldSize } from './world.js';

/** A period of the routers. */
const TICK_S = 30;
const DECISION_S = 1_800;
/** Decisions are by the mean of so many half hours. */
const WINDOWS = 4;

export interface Day {
  readonly policy: string;
  /** Between sites: of nodes, and of migrations. */
  readonly trafficBytes: number;
  readonly migrationBytes: number;
  readonly moves: number;
  /** Moves to a site that the node had left on the same day. */
  readonly flaps: number;
  /** Migrations that were given up because the site had no room when it was their turn. */
  readonly noRoom: number;
  readonly migratingSeconds: number;
  readonly downtimeSeconds: number;
  /** Of all processor time that nodes asked for, the share that their host did not have. */
  readonly overloadShare: number;
  /** Between sites, traffic and migrations, by hour. */
  readonly hourBytes: readonly number[];
}

export function runDay(policy: string, size: WorldSize, hours: number): Day {
  const make = POLICIES[policy];
  if (make === undefined) throw new Error(`no policy "${policy}"`);
  return new DayRun(policy, make(), size).run(hours * 3600);
}

interface UnderWay {
  readonly node: number;
  readonly host: number;
  readonly endsS: number;
}

class DayRun {
  readonly #name: string;
  readonly #policy: Policy;
  readonly #world: World;
  readonly #federation: Federation;
  readonly #visited = new Map<number, Set<number>>();
  #queue: Order[] = [];
  #underWay: UnderWay | undefined;
  readonly #sums = {
    traffic: 0,
    migration: 0,
    moves: 0,
    flaps: 0,
    noRoom: 0,
    seconds: 0,
    down: 0,
    over: 0,
    cpu: 0,
  };
  readonly #hours: number[] = [];

  constructor(name: string, policy: Policy, size: WorldSize) {
    this.#name = name;
    this.#policy = policy;
    this.#world = new World(size);
    this.#federation = new Federation(this.#world);
  }

  run(seconds: number): Day {
    for (let nowS = 0; nowS < seconds; nowS += TICK_S) {
      // What was not begun when the next decision comes is decided over again.
      if (nowS > 0 && nowS % DECISION_S === 0) this.#queue = this.#policy(this.#federation, nowS * 1000);
      this.#migrate(nowS);
      this.#tick(nowS);
    }
    const { traffic, migration, moves, flaps, noRoom, seconds: migrating, down, over, cpu } = this.#sums;
    return {
      policy: this.#name,
      trafficBytes: traffic,
      migrationBytes: migration,
      moves,
      flaps,
      noRoom,
      migratingSeconds: migrating,
      downtimeSeconds: down,
      overloadShare: over / cpu,
      hourBytes: this.#hours,
    };
  }

  #tick(nowS: number): void {
    const [world, federation] = [this.#world, this.#federation];
    world.advance(TICK_S);
    let between = 0;
    for (const flow of world.flows) {
      const bytes = world.sent(flow, nowS, TICK_S);
      federation.observe(flow.from, flow.to, bytes);
      if (federation.siteOf(flow.from) !== federation.siteOf(flow.to)) between += bytes;
    }
    for (const [node, bytesPerSecond] of world.outside.entries()) {
      if (bytesPerSecond === 0) continue;
      federation.observe(node, undefined, bytesPerSecond * TICK_S);
      if (federation.siteOf(node) !== world.homes[node]) between += bytesPerSecond * TICK_S;
    }
    federation.endTick(TICK_S, DECISION_S, WINDOWS);
    this.#sums.traffic += between;
    this.#addToHour(nowS, between);
    this.#sums.over += federation.overload();
    this.#sums.cpu += world.cpu.reduce((sum, cpu) => sum + cpu, 0);
  }

  #addToHour(nowS: number, bytes: number): void {
    const hour = Math.floor(nowS / 3600);
    this.#hours[hour] = (this.#hours[hour] ?? 0) + bytes;
  }

  /** One at a time, as `--execute-with` does. */
  #migrate(nowS: number): void {
    const underWay = this.#underWay;
    if (underWay !== undefined && underWay.endsS > nowS) return;
    if (underWay !== undefined) this.#arrive(underWay, nowS);
    this.#underWay = undefined;
    for (let order = this.#queue.shift(); order !== undefined; order = this.#queue.shift())
      if (this.#begin(order, nowS)) return;
  }

  #begin(order: Order, nowS: number): boolean {
    const federation = this.#federation;
    const { node } = order;
    const host = 'host' in order ? order.host : federation.roomiest(order.site, node);
    if ('site' in order && federation.siteOf(node) === order.site) return false;
    if (host < 0 || !federation.fits(node, host)) {
      this.#sums.noRoom++;
      return false;
    }
    if (federation.siteOfHost(host) === federation.siteOf(node)) {
      // Within a site nothing crosses the WAN.
      federation.settle(node, host);
      return false;
    }
    const cost = migrationCost(
      this.#world.loads[node] ?? { memoryBytes: 0, dirtyBytesPerSecond: 0, diskBytes: 0 },
      LINK.bytesPerSecond,
    );
    this.#sums.migration += cost.bytes;
    this.#sums.seconds += cost.seconds;
    this.#sums.down += cost.downtimeSeconds;
    this.#addToHour(nowS, cost.bytes);
    this.#underWay = { node, host, endsS: nowS + cost.seconds };
    return true;
  }

  #arrive({ node, host }: UnderWay, nowS: number): void {
    const federation = this.#federation;
    const [from, to] = [federation.siteOf(node), federation.siteOfHost(host)];
    if (!federation.fits(node, host)) {
      this.#sums.noRoom++;
      return;
    }
    federation.settle(node, host);
    federation.moves.set(node, [...(federation.moves.get(node) ?? []), { atMs: nowS * 1000, from }]);
    this.#sums.moves++;
    const left = this.#visited.get(node) ?? new Set<number>();
    if (left.has(to)) this.#sums.flaps++;
    this.#visited.set(node, left.add(from));
  }
}
