/**
 * Well-formed lies of every kind, made at random: half-true ones (the right MAC at the wrong place, the right place with
 * an old number), numbers at the ends of their ranges, addresses of everybody, and of nobody.
 */
import { Ip } from '../../src/net/ip.js';
import { BROADCAST_MAC, formatMac, type Mac, ZERO_MAC } from '../../src/net/mac.js';
import { Prefix } from '../../src/net/prefix.js';
import type {
  ClaimResultMessage,
  DhcpCarriedMessage,
  MoveClaim,
  PartnerMessage,
  TableMessage,
} from '../../src/protocol/table-message.js';
import { clientMac } from '../../src/tables/clients.js';
import type { NodeRecord, RouterId } from '../../src/tables/model.js';
import { dhcp4, dhcp6, TYPE, TYPE_6 } from '../support/dhcp-messages.js';
import { BLUE } from '../support/sim-lan-world.js';
import { CLIENT, HONEST, MAD, type MadWorld } from './mad-world.js';

/** Somebody about whom lies are told: a machine with its addresses, or addresses that no machine has. */
export interface Subject {
  readonly name: string;
  readonly ips: readonly Ip[];
  readonly mac: Mac;
}

type Kind = Exclude<TableMessage['type'], PartnerMessage['type']>;
type Maker<Type extends Kind> = (
  to: RouterId,
  about: Subject,
) => Extract<TableMessage, { readonly type: Type }>;

/** Above the number that is known, and absolute ones. */
const STEPS = [1, 1, 1, 1, 0, -1, 2, 100, 2 ** 20, 2 ** 20 + 1, 2 ** 32];
const BOUNDARIES = [0, 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 52 - 1, 2 ** 52, Number.MAX_SAFE_INTEGER];
const NOBODYS = [
  ['10.99.0.1', 'fd00:99::1'],
  ['10.4.0.66', 'fd00:4::66'],
  ['10.1.0.66', 'fd00:1::66'],
  ['10.2.0.66', 'fd00:2::66'],
  ['169.254.1.1', 'fe80::1'],
  ['224.0.0.1', 'ff02::1'],
  ['127.0.0.1', '::1'],
  ['0.0.0.0', '::'],
  ['255.255.255.255'],
].map((ips) => ips.map((ip) => Ip.of(ip)));
const PREFIXES = ['0.0.0.0/0', '::/0', '10.1.0.0/24', '10.2.0.0/24', 'fd00:2::/64', '10.99.0.0/16'].map(
  (prefix) => Prefix.of(prefix),
);

export class Liar {
  readonly #all: MadWorld;
  readonly #random: () => number;
  /** Machines of honest sites, then what else there is. */
  readonly machines: readonly Subject[];
  readonly others: readonly Subject[];
  /** A maker for every kind, and how often it is chosen. */
  readonly #makers: { readonly [Type in Kind]: readonly [weight: number, Maker<Type>] } = {
    records: [6, (to, about) => ({ type: 'records', records: this.#records(to, about) })],
    digest: [1, () => this.#digest()],
    stale: [3, (_, about) => this.stale(about)],
    recall: [1, () => ({ type: 'recall' })],
    returned: [4, (to, about) => this.returned(to, about)],
    whoHas: [1, (_, about) => this.#whoHas(about)],
    has: [3, (to, about) => this.has(this.#id(), to, about)],
    claim: [8, (to, about) => this.#claim(to, about)],
    claimResult: [4, (_, about) => this.claimResult(this.#id(), about)],
    nodesOf: [
      1,
      () => ({ type: 'nodesOf', queryId: this.#id(), vnet: this.#vnet(), prefix: this.#pick(PREFIXES) }),
    ],
    nodes: [1, () => this.nodes(this.#id())],
    redirect: [2, (to, about) => this.#redirect(to, about)],
    search: [3, (_, about) => this.search(about)],
    dhcp: [1, (_, about) => this.dhcp(about)],
  };
  readonly #kinds: readonly Kind[];

  constructor(all: MadWorld, random: () => number) {
    this.#all = all;
    this.#random = random;
    const { hosts } = all.world;
    this.machines = hosts.filter(({ name }) => !name.endsWith('4') && !name.startsWith('h4'));
    this.others = [
      ...all.honest.map(({ id, options }) => ({ name: id, ips: options.addresses, mac: options.mac })),
      { name: 'client', ips: [CLIENT.ip], mac: clientMac(CLIENT.publicKey) },
      all.world.host('h4-1'),
      ...NOBODYS.map((ips, i) => ({ name: 'nobody', ips, mac: (0x525400cc0000 + i) as Mac })),
    ];
    this.#kinds = (Object.keys(this.#makers) as Kind[]).flatMap((kind) =>
      Array.from({ length: this.#makers[kind][0] }, () => kind),
    );
  }

  message(to: RouterId, about: Subject, kind = this.#pick(this.#kinds)): TableMessage {
    return this.#makers[kind][1](to, about);
  }

  subject(): Subject {
    return this.#pick(this.#random() < 0.8 ? this.machines : this.others);
  }

  /** As if it had just come to the mad router: what a thief would say. */
  theft({ ips, mac }: Subject, change: Partial<NodeRecord> = {}): NodeRecord[] {
    const stamp = this.#now();
    return ips.map((ip) => {
      const seq = (this.#known(ip)?.seq ?? 0) + 1;
      return { vnet: BLUE, ip, mac, router: MAD, seq, state: 'here', stamp, ...change };
    });
  }

  /** As if it had been taken from the mad router by the one that has it. */
  objection({ ips }: Subject): Pick<MoveClaim, 'objection' | 'against'> {
    const [ip] = ips;
    const against = ip && this.#known(ip)?.router;
    return { objection: true, ...(against !== undefined && { against }) };
  }

  returned(to: RouterId, about: Subject): Extract<TableMessage, { type: 'returned' }> {
    const records = this.#records(to, about);
    const own = this.#chance(0.8) ? records.map((record) => ({ ...record, router: to })) : records;
    return { type: 'returned', records: own };
  }

  stale({ ips }: Subject): Extract<TableMessage, { type: 'stale' }> {
    const records = ips.map((ip) => ({
      vnet: this.#vnet(),
      ip,
      seq: this.#seq(ip),
      router: this.#pick([...HONEST, MAD, 'vr-x']),
    }));
    return { type: 'stale', records };
  }

  search({ ips, mac }: Subject): Extract<TableMessage, { type: 'search' }> {
    const listenSeconds = this.#pick([0, 1, 60]);
    return { type: 'search', vnet: this.#vnet(), mac: this.#mac(mac), ips: ips.slice(0, 8), listenSeconds };
  }

  has(queryId: number, to: RouterId, about: Subject): Extract<TableMessage, { type: 'has' }> {
    return {
      type: 'has',
      queryId,
      records: this.#chance(0.5) ? this.theft(about) : this.#records(to, about),
    };
  }

  nodes(queryId: number): Extract<TableMessage, { type: 'nodes' }> {
    const count = this.#pick([0, 1, 5, 40]);
    const nodes = Array.from({ length: count }, () => {
      const { ips, mac } = this.subject();
      return { ip: this.#pick(ips), mac: this.#mac(mac) };
    });
    return { type: 'nodes', queryId, nodes };
  }

  claimResult(claimId: number, { ips }: Subject): ClaimResultMessage {
    const [verdict, reason] = this.#pick([
      ['accepted', ''],
      ['refused', 'stale'],
      ['refused', 'stale'],
      ['refused', 'frozen'],
      ['refused', 'node-answers-here'],
      ['refused', 'not-allowed'],
      ['objection', 'node-answers-here'],
      ['objection', 'node-answers-here'],
    ] as const);
    const vnet = this.#vnet();
    const results = ips.map((ip) => ({ vnet, ip, verdict, reason, seq: this.#seq(ip) }));
    return { type: 'claimResult', claimId, results };
  }

  /** A client's or a server's message, mostly of the node that it says. */
  dhcp({ ips, mac }: Subject): DhcpCarriedMessage {
    const family = this.#pick([4, 4, 6] as const);
    const text = formatMac(this.#mac(mac));
    const ip = ips.find((own) => own.family === family)?.key;
    const type = this.#pick(Object.values(family === 4 ? TYPE : TYPE_6));
    const fields4 = ip === undefined ? {} : this.#pick([{ ciaddr: ip }, { requested: ip }, { yiaddr: ip }]);
    const bytes =
      family === 4
        ? dhcp4({ type, mac: text, server: '10.1.0.12', leaseSeconds: 3_600, ...fields4 })
        : dhcp6({ type, mac: text, serverDuid: '000300010000' });
    const cut = this.#chance(0.1) ? bytes.subarray(0, 1 + Math.floor(this.#random() * bytes.length)) : bytes;
    const routed = this.#chance(0.1) ? ({ routed: true } as const) : {};
    return { type: 'dhcp', vnet: this.#vnet(), mac: this.#mac(mac), family, bytes: cut, ...routed };
  }

  #claim(to: RouterId, about: Subject): Extract<TableMessage, { type: 'claim' }> {
    const subjects = this.#chance(0.85) ? [about] : [about, this.subject(), this.subject()];
    const move = (subject: Subject): MoveClaim => {
      const records = this.#chance(0.6) ? this.theft(subject) : this.#records(to, subject);
      const mixed = this.#chance(0.1) ? [...records, ...this.theft(this.subject())] : records;
      const vnet = this.#chance(0.95) ? BLUE : this.#pick([2, 65_535]);
      return {
        vnet,
        mac: this.#mac(subject.mac),
        records: mixed,
        trigger: this.#pick(['rarp', 'gratuitous-arp', 'operator']),
        sinceDetectionUs: this.#pick([0, 100, 2 ** 40]),
        ...(this.#chance(0.3) && this.objection(subject)),
      };
    };
    return { type: 'claim', claimId: this.#id(), moves: subjects.map(move) };
  }

  #records(to: RouterId, { ips, mac }: Subject): NodeRecord[] {
    const router = this.#chance(0.75) ? MAD : this.#pick([to, ...HONEST, 'vr-x']);
    const state = this.#chance(0.75) ? 'here' : 'withdrawn';
    const frozen = this.#chance(0.2) ? ({ frozen: true } as const) : {};
    return ips.map((ip) => ({
      vnet: this.#vnet(),
      ip,
      mac: this.#mac(mac),
      router,
      seq: this.#seq(ip),
      state,
      stamp: this.#stamp(ip),
      ...frozen,
    }));
  }

  #digest(): Extract<TableMessage, { type: 'digest' }> {
    const hash = Math.floor(this.#random() * 2 ** 32);
    const count = this.#pick([0, 1, 5, 1_000, Number.MAX_SAFE_INTEGER]);
    return { type: 'digest', highestStamp: this.#pick([...BOUNDARIES, this.#now()]), count, hash };
  }

  #whoHas({ ips, mac }: Subject): Extract<TableMessage, { type: 'whoHas' }> {
    const what = this.#chance(0.5) ? { mac, ips: [] } : { mac: undefined, ips: [this.#pick(ips)] };
    const odd = this.#chance(0.1) ? { mac: undefined, ips: [] } : what;
    return { type: 'whoHas', queryId: this.#id(), vnet: this.#vnet(), ...odd };
  }

  #redirect(to: RouterId, { ips }: Subject): Extract<TableMessage, { type: 'redirect' }> {
    const ip = this.#pick(ips);
    const router = this.#pick([MAD, MAD, to, ...HONEST, 'vr-x']);
    return { type: 'redirect', vnet: this.#vnet(), ip, router, seq: this.#seq(ip) };
  }

  #known(ip: Ip): NodeRecord | undefined {
    return this.#all.madSite.directory.get(BLUE, ip);
  }

  #seq(ip: Ip): number {
    if (this.#chance(0.1)) return this.#pick(BOUNDARIES);
    return Math.max(0, (this.#known(ip)?.seq ?? 0) + this.#pick(STEPS));
  }

  #stamp(ip: Ip): number {
    if (this.#chance(0.15)) return this.#pick(BOUNDARIES);
    return this.#chance(0.2) ? (this.#known(ip)?.stamp ?? 0) + this.#pick([-1, 0, 1]) + 1 : this.#now();
  }

  #now(): number {
    return Math.floor(this.#all.world.clock.wallMs() * 1_000);
  }

  #mac(right: Mac): Mac {
    if (this.#chance(0.85)) return right;
    return this.#pick([this.subject().mac, ZERO_MAC, BROADCAST_MAC, this.#all.world.site(1).options.mac]);
  }

  #vnet(): number {
    return this.#chance(0.96) ? BLUE : this.#pick([2, 65_535]);
  }

  /** Of a question or claim: routers count the former from 1. */
  #id(): number {
    return this.#chance(0.8) ? 1 + Math.floor(this.#random() * 12) : this.#pick(BOUNDARIES);
  }

  #chance(share: number): boolean {
    return this.#random() < share;
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}
