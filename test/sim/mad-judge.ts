/** What must hold at every moment of a history in which one router lies; see mad-histories.ts. Throws what does not. */
import assert from 'node:assert/strict';
import type { Ip } from '../../src/net/ip.js';
import { formatMac } from '../../src/net/mac.js';
import type { DirectoryChange } from '../../src/tables/directory.js';
import { RouteKind } from '../../src/tables/forwarding/route.js';
import type { MobilityConfig, NodeRecord, VnetId } from '../../src/tables/model.js';
import type { SimSite } from '../support/sim-lan-site.js';
import { BLUE } from '../support/sim-lan-world.js';
import type { Subject } from './mad-lies.js';
import { inWords } from './mad-watch.js';
import { MAD, type MadWorld } from './mad-world.js';

/** A mad router's (`limits.nodesPerRouter`, see mad-histories) and all others'. */
const MOST_RECORDS = 200 + 100;
/** Of one name, at one router. */
const MOST_TIMERS = 600;
const MOST_MOVES = 1_000;

/** Where something is that nobody has moved for a while. */
interface Resting {
  readonly at: SimSite;
  /** By router and address: elsewhere by a lie that is believed for a moment. */
  readonly diverted: Set<string>;
  readonly everDiverted: Set<string>;
}

export interface JudgeOptions {
  /** Between two places, or so short a time at the new one that the old one may be about to agree to a claim. */
  readonly isOnItsWay: (subject: Subject) => boolean;
  readonly verify: MobilityConfig['verify'];
  /** For how long a lie may be believed where it may be. */
  readonly diversionMs: number;
  /** Once at each router, as long as the node rests. */
  readonly onlyOnce: boolean;
}

export class MadJudge {
  readonly #all: MadWorld;
  readonly #options: JudgeOptions;
  readonly #resting = new Map<Subject, Resting>();
  readonly #stolen = new Set<Subject>();
  readonly #byAddress = new Map<string, Subject>();
  diversions = 0;

  constructor(all: MadWorld, subjects: readonly Subject[], options: JudgeOptions) {
    this.#all = all;
    this.#options = options;
    for (const subject of subjects) for (const { key } of subject.ips) this.#byAddress.set(key, subject);
    for (const site of all.honest) site.watch = (at, change) => this.#changed(at, change);
  }

  isResting(subject: Subject): boolean {
    return this.#resting.has(subject);
  }

  /** All honest routers have it where it is. From now on they keep it there, or fail. */
  rest(subject: Subject, at: SimSite): void {
    if (this.#options.verify === 'off' && !this.isProtected(subject)) return;
    this.#stolen.delete(subject);
    this.#resting.set(subject, { at, diverted: new Set(), everDiverted: new Set() });
  }

  /**
   * Was it believed to be at the mad router when it was on its way, and answered nowhere? `strict` promises that for a node
   * "while it answers at home" only (trust.md). The mad router then has it, as far as anybody can tell, until it is taken
   * out: whoever claims it asks the mad one.
   */
  isStolen(subject: Subject): boolean {
    return this.#stolen.has(subject);
  }

  /** It moves, or speaks elsewhere. */
  disturb(subject: Subject): void {
    this.#resting.delete(subject);
  }

  disturbAll(): void {
    this.#resting.clear();
  }

  /** Its network does not allow the mad router to have its nodes. */
  isProtected({ ips }: Subject): boolean {
    const [site] = this.#all.honest;
    return ips.every((ip) => site?.gndt.mayClaim(BLUE, ip, MAD) === false);
  }

  agrees(subject: Subject, at: SimSite): boolean {
    return this.#all.honest.every((site) =>
      subject.ips.every((ip) => isTrue(site.directory.get(BLUE, ip), subject, at)),
    );
  }

  /** Forwarding leads to where what rests is, and nothing has grown. */
  check(): void {
    for (const [subject, { at, diverted }] of this.#resting) {
      for (const site of this.#all.honest) {
        for (const ip of subject.ips) {
          if (!diverted.has(`${site.id} ${ip.key}`)) this.checkRoute(site, subject, ip, at);
        }
      }
    }
    this.#checkBounds();
    assert.deepEqual(this.#all.unreadable(), [], 'something was said that cannot be read');
  }

  checkRoute(site: SimSite, subject: Subject, ip: Subject['ips'][number], at: SimSite): void {
    const route = site.table.matched(BLUE, ip)?.route;
    const what = `${site.id} for ${subject.name} (${ip.key}), which is at ${at.id}`;
    if (at !== site) {
      assert.equal(route?.kind, RouteKind.peer, what);
      assert.equal(this.#all.world.sites[route?.peer ?? -1]?.id, at.id, what);
    } else if (!site.options.addresses.some((own) => own.equals(ip))) {
      if (route?.kind === RouteKind.client) return;
      assert.equal(route?.kind, RouteKind.host, what);
      assert.equal(route?.mac, subject.mac, what);
    }
  }

  /** No table has anything of the mad router's, when it is no member any more. */
  checkNothingIsLeft(): void {
    for (const { id, directory } of this.#all.honest) {
      const left = directory.of(MAD).filter(({ state }) => state === 'here');
      assert.deepEqual(left, [], `${id} still has nodes at ${MAD}, which is no member any more`);
    }
  }

  /** All tables have everything that there is where it is, and nothing besides, but for the mad one's network. */
  checkAll(where: readonly (readonly [Subject, SimSite])[], when: string): void {
    for (const { id, mobility } of this.#all.honest) {
      const { length } = mobility.moves();
      assert(length <= MOST_MOVES, `${id} remembers ${length} moves`);
    }
    const wrong: string[] = [];
    const known = new Set(where.flatMap(([{ ips }]) => ips.map(({ key }) => key)));
    for (const { id, directory } of this.#all.honest) {
      for (const record of directory.all()) {
        const isOthers = known.has(record.ip.key) && record.vnet === BLUE;
        if (record.state === 'here' && !isOthers && record.router !== MAD)
          wrong.push(`${id} has ${record.ip.key}, which nobody has, at ${record.router}`);
      }
    }
    for (const [subject, at] of where) {
      for (const ip of subject.ips) {
        const records = this.#all.honest.map(({ directory }) => directory.get(BLUE, ip));
        const isRight = records.every((record) => isTrue(record, subject, at));
        const isOne = new Set(records.map((record) => record?.seq)).size === 1;
        const seqs = records.map((record) => record?.seq).join(' ');
        const what = `${subject.name} (${ip.key}) is at ${at.id}: ${this.#all.places(ip)}, numbers ${seqs}`;
        if (!isRight || !isOne) wrong.push(what);
      }
    }
    assert.deepEqual(wrong, [], `${when}: ${wrong[0]}`);
    for (const [subject, at] of where) {
      for (const ip of subject.ips)
        for (const site of this.#all.honest) this.checkRoute(site, subject, ip, at);
    }
  }

  /** What is made right again in the same turn harms nobody. */
  #changed(site: SimSite, { after: { vnet, ip } }: DirectoryChange): void {
    const subject = this.#byAddress.get(ip.key);
    const resting = subject && this.#resting.get(subject);
    const isRight = subject && resting && isTrue(site.directory.get(vnet, ip), subject, resting.at);
    if (isRight === true && resting?.diverted.size === 0) return;
    this.#all.world.clock.after('judge', 0, () => this.#look(site, vnet, ip));
  }

  #look(site: SimSite, vnet: VnetId, ip: Ip): void {
    const record = site.directory.get(vnet, ip);
    const taken = this.#byAddress.get(ip.key);
    if (taken !== undefined && record?.router === MAD && this.#options.isOnItsWay(taken))
      this.#stolen.add(taken);
    const isMads = record?.router === MAD && !site.gndt.mayClaim(vnet, ip, MAD);
    assert(!isMads, `${site.id} has ${ip.key} at ${MAD}, which may not have it`);
    const subject = this.#byAddress.get(ip.key);
    const resting = subject && this.#resting.get(subject);
    if (subject === undefined || resting === undefined || vnet !== BLUE) return;
    const key = `${site.id} ${ip.key}`;
    if (isTrue(record, subject, resting.at)) resting.diverted.delete(key);
    else if (!resting.diverted.has(key)) this.#divert(site, ip, subject, resting);
  }

  /** A lie is believed. May it be? */
  #divert(site: SimSite, ip: Ip, subject: Subject, resting: Resting): void {
    const { clock } = this.#all.world;
    const { verify, diversionMs, onlyOnce } = this.#options;
    const key = `${site.id} ${ip.key}`;
    const seen = (): NodeRecord | undefined => site.directory.get(BLUE, ip);
    const what = `${subject.name} (${formatMac(subject.mac)}) rests at ${resting.at.id}; ${site.id} has ${ip.key} at ${inWords(seen())}`;
    assert(verify === 'optimistic' && !this.isProtected(subject), what);
    assert(seen()?.router !== resting.at.id || seen()?.frozen !== true, what);
    assert(!onlyOnce || !resting.everDiverted.has(key), `again: ${what}`);
    this.diversions++;
    resting.diverted.add(key);
    resting.everDiverted.add(key);
    clock.after('judge', diversionMs, () => {
      if (this.#resting.get(subject) !== resting || !resting.diverted.has(key)) return;
      assert(isTrue(seen(), subject, resting.at), `${what}; ${diversionMs} ms later at ${inWords(seen())}`);
    });
  }

  #checkBounds(): void {
    for (const { id, directory, hwdt, timers } of this.#all.honest) {
      assert(directory.size <= MOST_RECORDS, `${id} has ${directory.size} records`);
      assert(hwdt.size <= MOST_RECORDS, `${id} has ${hwdt.size} bindings`);
      for (const [name, waiting] of timers) {
        assert(waiting <= MOST_TIMERS, `${id} has ${waiting} timers "${name}"`);
      }
    }
  }
}

function isTrue(record: NodeRecord | undefined, { mac }: Subject, at: SimSite): boolean {
  return record?.router === at.id && record.state === 'here' && record.frozen !== true && record.mac === mac;
}
