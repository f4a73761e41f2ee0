/**
 * Routers that have joined with a token: taken from them here or heard from the others, kept on disk, applied, and told to all.
 * What is on disk is never behind what was said: an admitted machine stays admitted over a crash.
 */

import type { VineConfig } from '../../config/load.js';
import { writeMemberships } from '../../config/membership-file.js';
import type { MembershipView } from '../../control/membership-view.js';
import { admit } from '../../membership/admission.js';
import { type Membership, memberOf } from '../../membership/membership.js';
import {
  type Hearing,
  type HeldMembership,
  MembershipSet,
  MOST_MEMBERSHIPS,
  type SetRefusal,
  type SetVerdict,
} from '../../membership/membership-set.js';
import { knownKeys } from '../../membership/succession.js';
import { BoundedMap } from '../../net/bounded-map.js';
import type { Clock } from '../../net/clock.js';
import { type CounterTable, DeclaredCounters } from '../../net/counters.js';
import { KeyedRateLimit, type Rate } from '../../net/rate-limit.js';
import { messageOf } from '../../net/system-error.js';
import type { Conduct } from '../../protocol/conduct.js';
import type { MembershipMessage, OneMembershipMessage } from '../../protocol/membership-message.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import type { GndtFile } from '../../tables/files/gndt-file.js';
import { type Member, type RefusedMember, withMembers } from '../../tables/files/members.js';
import { encodeKey } from '../../tables/files/read.js';
import { MAX_PEERS } from '../../tables/gndt.js';
import type { RouterId } from '../../tables/model.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import { BUSY, NOT_READY } from '../reload/reloader.js';
import type { EventHub } from '../view/event-hub.js';

export const MEMBERSHIP_COUNTERS = {
  memberships_heard: 'event',
  memberships_refused: 'drop',
  memberships_too_soon: 'drop',
  joins_admitted: 'event',
  joins_refused: 'drop',
  /** Of each second machine once. */
  tokens_used_twice: 'event',
  join_dropped_malformed: 'drop',
  join_dropped_no_network_key: 'drop',
  join_dropped_queue_full: 'drop',
} as const satisfies CounterTable;

/** Of each peer: all that a network may have at once, and what a busy hour of joining brings. */
const HEARD: Rate = { perSecond: 10, burst: 2 * MOST_MEMBERSHIPS };
/** How long a reload that is under way is waited for, and how often it is looked at. */
const PATIENCE_MS = 5_000;
/** What is heard while the router starts is told once. */
const START_PATIENCE_MS = 30_000;
const LOOK_AGAIN_MS = 50;
/** What could not be applied is asked for again. */
const ASK_AGAIN_MS = 60_000;
/** All that a router has is told to a peer at most so often. */
const WHOLE_EVERY_MS = 10_000;

/** What this router says to the others, until acknowledged. */
export interface MembershipMessenger {
  send(to: RouterId, message: MembershipMessage): void;
  upPeers(): readonly RouterId[];
}

export function membershipMessenger(tunnel: Tunnel): MembershipMessenger {
  return {
    send: (to, message) => tunnel.send(to, message),
    upPeers: () => tunnel.upPeers(),
  };
}

export interface MembershipsOptions {
  readonly clock: Clock;
  readonly hub: Pick<EventHub, 'emit'>;
  readonly held: readonly HeldMembership[];
  readonly messenger: MembershipMessenger;
  readonly conduct: Conduct;
  readonly reloader: {
    readonly config: VineConfig;
    setMembers(members: readonly Member[], keep: () => void): Promise<string | undefined>;
  };
  /** Blocks until they are on disk. */
  readonly write?: (stateDir: string, held: readonly HeldMembership[]) => void;
}

/** No honest router would have taken it. */
const FORGERIES: ReadonlySet<SetRefusal> = new Set(['malformed', 'not-bound']);

export interface JoinVerdict {
  readonly isAdmitted: boolean;
  readonly reason: string;
}

export class Memberships {
  readonly #options: MembershipsOptions;
  readonly #counts = new DeclaredCounters(MEMBERSHIP_COUNTERS);
  readonly #wholeToldMs = new BoundedMap<RouterId, number>(MAX_PEERS);
  readonly #budget: KeyedRateLimit<RouterId>;
  #set: MembershipSet;
  #viewed:
    | { readonly file: GndtFile; readonly digest: Uint8Array; readonly views: readonly MembershipView[] }
    | undefined;
  #asking = false;
  /** One at a time. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: MembershipsOptions) {
    this.#options = options;
    this.#budget = new KeyedRateLimit(options.clock, HEARD, MAX_PEERS);
    this.#set = new MembershipSet(options.held);
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counts.counters();
  }

  count(name: keyof typeof MEMBERSHIP_COUNTERS): void {
    this.#counts.count(name);
  }

  all(): HeldMembership[] {
    return this.#set.all();
  }

  /** Made anew when the description or the set is another one: every scrape asks for it. */
  view(): readonly MembershipView[] {
    const { file } = this.#options.reloader.config;
    const { digest } = this.#set;
    if (this.#viewed?.file !== file || this.#viewed.digest !== digest)
      this.#viewed = { file, digest, views: this.#makeView(file) };
    return this.#viewed.views;
  }

  #makeView(file: GndtFile): MembershipView[] {
    const held = this.#set.all().map(({ membership }) => memberOf(membership));
    const { refused } = withMembers(file, held);
    const problems = new Map(refused.map(({ member, ...problem }) => [member.grant, problem]));
    return held.map((member) => memberView(member, problems.get(member.grant)));
  }

  get isOn(): boolean {
    return this.#options.reloader.config.router.network !== undefined;
  }

  /** A machine hands its membership in. @param from X25519 key that it has proven to hold */
  handedIn(bytes: Uint8Array, from: Uint8Array): Promise<JoinVerdict> {
    return this.#inTurn(() => this.#admit(bytes, from));
  }

  /**
   * Another router says who belongs. The gate: unasked; each costs two signatures' verification unless it is known, so of
   * each peer so many; what is no membership of this network is a fault.
   */
  received(from: RouterId, message: MembershipMessage): void {
    const { conduct } = this.#options;
    if (!this.isOn) return;
    if (!this.#budget.allow(from, conduct.price(from))) {
      this.#counts.count('memberships_too_soon');
      conduct.refused(from, message.type, 'too-soon');
      return;
    }
    if (message.type === 'membershipDigest') {
      this.#digestHeard(from, message.digest);
      return;
    }
    this.#counts.count('memberships_heard');
    void this.#inTurn(() => this.#hear(from, message));
  }

  /** A link with another router is there. */
  peerUp(router: RouterId): void {
    if (!this.isOn) return;
    this.#prune();
    this.#options.messenger.send(router, { type: 'membershipDigest', digest: this.#set.digest });
  }

  /** What another router has is of this digest: unless it is the same here, it is told all. */
  #digestHeard(from: RouterId, digest: Uint8Array): void {
    if (Buffer.compare(digest, this.#set.digest) === 0) return;
    const { clock, messenger } = this.#options;
    const nowMs = clock.nowMs();
    if (nowMs - (this.#wholeToldMs.get(from) ?? Number.NEGATIVE_INFINITY) < WHOLE_EVERY_MS) return;
    this.#wholeToldMs.set(from, nowMs);
    for (const { membership } of this.#set.all()) messenger.send(from, this.#messageOf(membership));
  }

  /** Another description counts: it may have revoked some. */
  reconfigured(): void {
    const before = this.#set.size;
    this.#prune();
    if (this.#set.size === before) return;
    const { reloader, hub, write = writeMemberships } = this.#options;
    try {
      write(reloader.config.router.stateDir, this.#set.all());
    } catch (error) {
      // They are left out of what counts all the same.
      hub.emit('error', 'state_write_failed', 'the state could not be written', { reason: messageOf(error) });
    }
  }

  /** Settles when what has come is worked in. */
  async idle(): Promise<void> {
    await this.#turn;
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => undefined);
    return done;
  }

  async #admit(bytes: Uint8Array, from: Uint8Array): Promise<JoinVerdict> {
    const { file } = this.#options.reloader.config;
    const verdict = admit(bytes, from, { set: this.#set, file, hearing: this.#hearing(this.#ownKey()) });
    if (verdict.is === 'refused') {
      this.#counts.count('joins_refused');
      if (verdict.second !== undefined) this.#alarm(verdict.second);
      return this.#refused(from, verdict.why, verdict.reason);
    }
    const { membership, set, isKnown } = verdict;
    const problem = isKnown ? undefined : await this.#adopt(set);
    if (problem !== undefined) {
      this.#counts.count('joins_refused');
      return this.#refused(from, 'not-applied', `it cannot be taken in now: ${problem}`);
    }
    this.#counts.count('joins_admitted');
    if (!isKnown) this.#tell(membership, 'handed in here');
    return { isAdmitted: true, reason: '' };
  }

  #refused(from: Uint8Array, why: string, reason: string): JoinVerdict {
    this.#options.hub.emit('warn', 'join_refused', 'a machine with a token was refused', {
      key: encodeKey(from),
      why,
      reason,
    });
    return { isAdmitted: false, reason };
  }

  async #hear(from: RouterId, { membership: bytes, admitted }: OneMembershipMessage): Promise<void> {
    const speaker = this.#options.reloader.config.gndt.routers.find(({ id }) => id === from)?.publicKey;
    if (speaker === undefined || !this.isOn) return;
    const set = this.#set.copy();
    const hearing = { ...this.#hearing(speaker), isAdmission: admitted };
    const verdict = set.take(bytes, hearing);
    if (verdict.is === 'refused') {
      this.#counts.count('memberships_refused');
      // Who has heard of another binding, or whose clock or description is another one, means no harm.
      if (FORGERIES.has(verdict.why)) this.#options.conduct.refused(from, 'membership', verdict.why);
      // Asked of the set itself, which remembers of which second bindings it has warned.
      const again = verdict.second === undefined ? undefined : this.#set.take(bytes, hearing);
      if (again?.is === 'refused' && again.second !== undefined) this.#alarm(again.second, from);
      return;
    }
    await this.#take(set, verdict, from);
  }

  async #take(
    set: MembershipSet,
    verdict: Exclude<SetVerdict, { is: 'refused' }>,
    from: RouterId,
  ): Promise<void> {
    if (verdict.is === 'known') {
      await this.#known(set, verdict.membership.grant.id);
      return;
    }
    const problem = await this.#adopt(set);
    if (problem !== undefined) {
      this.#options.hub.emit('error', 'membership_not_applied', 'a membership could not be applied', {
        member: verdict.membership.binding.router,
        from,
        reason: problem,
      });
      this.#askAgain();
      return;
    }
    if (verdict.is === 'replaced') this.#alarm(verdict.before, from);
    this.#tell(verdict.membership, from);
  }

  /** Whoever has another set tells all that it has. */
  #askAgain(): void {
    if (this.#asking) return;
    this.#asking = true;
    const { clock, messenger } = this.#options;
    clock.after('memberships again', ASK_AGAIN_MS, () => {
      this.#asking = false;
      for (const peer of messenger.upPeers())
        messenger.send(peer, { type: 'membershipDigest', digest: this.#set.digest });
    });
  }

  /** Perhaps from one who knows it better: that must not be forgotten either. */
  async #known(set: MembershipSet, grant: string): Promise<void> {
    if (set.get(grant)?.rank === this.#set.get(grant)?.rank) return;
    const problem = await this.#adopt(set);
    if (problem !== undefined) this.#counts.count('memberships_refused');
  }

  /** Lets go of those that the description has revoked since. */
  #prune(): void {
    const revoked = new Set(this.#options.reloader.config.file.revoked);
    if (revoked.size > 0) this.#set.drop(({ grant }) => revoked.has(grant.id));
  }

  /** On disk, then in force, then the present set. */
  async #adopt(set: MembershipSet): Promise<string | undefined> {
    const { reloader, clock, write = writeMemberships } = this.#options;
    const begunMs = clock.nowMs();
    const members = set.all().map(({ membership }) => memberOf(membership));
    const keep = (): void => write(reloader.config.router.stateDir, set.all());
    for (;;) {
      const problem = await reloader.setMembers(members, keep);
      if (problem === undefined) {
        this.#set = set;
        return undefined;
      }
      const patienceMs = problem === BUSY ? PATIENCE_MS : problem === NOT_READY ? START_PATIENCE_MS : 0;
      if (clock.nowMs() - begunMs >= patienceMs) return problem;
      await new Promise<void>((resolve) => clock.after('memberships', LOOK_AGAIN_MS, resolve));
    }
  }

  #tell(membership: Membership, from: string): void {
    const { hub, messenger } = this.#options;
    const { grant, binding } = membership;
    hub.emit('info', 'router_joined', 'a router has joined with a token', {
      member: binding.router,
      site: grant.site,
      networks: grant.networks.map(({ vnet, prefix }) => `${grant.vnets[vnet]?.name}=${prefix}`),
      token: grant.id,
      from,
    });
    for (const peer of messenger.upPeers())
      if (peer !== from && peer !== binding.router) messenger.send(peer, this.#messageOf(membership));
  }

  #alarm(second: Membership, from = ''): void {
    this.#counts.count('tokens_used_twice');
    this.#options.hub.emit('error', 'token_used_twice', 'one token was used by two machines', {
      token: second.grant.id,
      site: second.grant.site,
      refused: second.binding.router,
      key: encodeKey(second.binding.publicKey),
      from,
    });
  }

  #messageOf(membership: Membership): OneMembershipMessage {
    const own = this.#ownKey();
    const position = membership.grant.bootstraps.findIndex((key) => Buffer.compare(key, own) === 0);
    const rank = this.#set.get(membership.grant.id)?.rank;
    return { type: 'membership', membership: membership.bytes, admitted: position >= 0 && rank === position };
  }

  #ownKey(): Uint8Array {
    const { gndt, router } = this.#options.reloader.config;
    return gndt.routers.find(({ id }) => id === router.id)?.publicKey ?? new Uint8Array(0);
  }

  #hearing(speaker: Uint8Array): Hearing {
    const { reloader, clock } = this.#options;
    const { router, successions = [], file } = reloader.config;
    return {
      nowS: Math.floor(clock.wallMs() / 1000),
      networkKeys: router.network === undefined ? [] : knownKeys(router.network.publicKey, successions),
      revoked: new Set(file.revoked),
      speaker,
    };
  }
}

function memberView(member: Member, problem: Omit<RefusedMember, 'member'> | undefined): MembershipView {
  const isAbsorbed = problem?.why === 'absorbed';
  return {
    token: member.grant,
    router: member.router,
    site: member.site,
    publicKey: encodeKey(member.publicKey),
    endpoints: member.endpoints.map(formatEndpoint),
    networks: member.networks.map(({ vnet, prefix }) => ({ vnet: vnet.name, prefix: prefix.key })),
    state: problem === undefined ? 'counts' : isAbsorbed ? 'absorbed' : 'left-out',
    reason: problem === undefined || isAbsorbed ? '' : problem.reason,
  };
}
