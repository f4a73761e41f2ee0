/** The control API's JSON, as the server sends it and vinectl reads it. Units are in the names; times are ISO 8601. */

import type { MembershipView } from './membership-view.js';
import type { NameView } from './name-view.js';
import type { NetworkView, PublishRequest, PublishView } from './network-view.js';
import type { RoleView, SiteRoleView } from './role-view.js';
import type { TrafficRequest, TrafficView } from './traffic-view.js';

export interface FlowMemoryView {
  readonly entries: number;
  readonly hits: number;
  readonly misses: number;
  /** Of the misses: an entry was there, of a decision that the tables have changed since. */
  readonly stale: number;
  /** Entries that had to make room for others. */
  readonly replaced: number;
}

export interface StatusView {
  readonly id: string;
  readonly version: string;
  readonly startedAt: string;
  readonly uptimeSeconds: number;
  readonly ready: boolean;
  readonly workers: readonly {
    readonly name: string;
    readonly state: 'running' | 'stopped';
    readonly packets: number;
    /** What it has had of a processor in the last seconds: 0 … 1. */
    readonly load: number;
    /** Its flow memory: entries in use; packets forwarded by it, and those that entered JavaScript. */
    readonly flows: FlowMemoryView;
  }[];
  readonly listen: readonly string[];
  readonly lans: readonly {
    readonly interface: string;
    readonly vnet: string;
    readonly mac: string;
    readonly mtuBytes: number;
    readonly offload: 'vnet-header' | 'none';
    /** Addresses that the router itself answers for, and the MACs that it serves the LAN with; only where it has any. */
    readonly gateway?: readonly string[];
    readonly servingMacs?: readonly string[];
    /** False: the site's other router answers and forwards there. Only where there are such addresses or MACs. */
    readonly active?: boolean;
  }[];
  /** How sessions' datagrams are sealed and carried. */
  readonly tunnel: {
    /** What gndt.json says; each peer has the one that its session uses. */
    readonly cipher: string;
    /** The code that seals ChaCha20-Poly1305: OpenSSL's raw primitives, or its EVP interface where those are not found. */
    readonly sealing: 'primitives' | 'evp';
    /** What one thread seals and opens, measured at the start; 0: the cipher does not work here. */
    readonly chachaGbps: number;
    readonly aesGbps: number;
    /** AES-256-GCM is clearly faster here: `auto` uses it with peers that say the same. */
    readonly fastAes: boolean;
    /** UDP_SEGMENT and UDP_GRO: whether many datagrams leave, and come, in one system call. */
    readonly segmentation: boolean;
    readonly coalescing: boolean;
  };
  readonly peersUp: number;
  readonly peersTotal: number;
  readonly nodesHere: number;
  readonly nodesVisiting: number;
  readonly nodesDeparted: number;
  /** Nodes of this router that are wanted and do not answer, address by address. */
  readonly nodesMissing: number;
  /** Null: this router's site has no other one. */
  readonly role: SiteRoleView | null;
  /** `version` of the description that it runs with; null: it has none, since it is not signed. */
  readonly descriptionVersion: number | null;
  /** What an operator should know or do, one sentence each. */
  readonly warnings: readonly string[];
}

export interface PeerView {
  readonly id: string;
  /** The site of gndt.json's `sites` that it stands in; null: it is a site by itself. */
  readonly site: string | null;
  /** It answers and forwards for its site. Only of two routers can one be the other. */
  readonly active: boolean;
  readonly state: 'up' | 'connecting' | 'down' | 'refused';
  /** Why it is not up; empty when it is. */
  readonly reason: string;
  /** `relay`: by way of the router `relay`. */
  readonly transport: 'udp' | 'tcp' | 'relay' | 'none';
  /** Null also for a relayed peer. */
  readonly endpoint: string | null;
  readonly relay: string | null;
  /** Of the session; null without one. And why it is that one. */
  readonly cipher: string | null;
  readonly cipherReason: string;
  /** The host names among its endpoints in gndt.json. */
  readonly names: readonly NameView[];
  /** The one that the endpoint in use was found by; null: by none (an address in the file, a roaming peer). */
  readonly nameInUse: string | null;
  readonly lastHandshakeAt: string | null;
  readonly rttMs: number | null;
  /** Share of the last hundred Pings that were not answered, 0 … 100. */
  readonly lossPercent: number | null;
  /** The largest IP packet that the path between the routers is known to carry. */
  readonly pathMtuBytes: number | null;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly version: string | null;
  readonly innerMtuBytes: number;
  /** Where it is, as it says itself: two routers that are as far apart as their round trip takes. Null: it has not said. */
  readonly coordinate: CoordinateView | null;
  /** By how much its clock is ahead of this router's, to half a round trip. */
  readonly clockOffsetMs: number | null;
  /** Has it read the same gndt.json? Null before its first greeting. */
  readonly sameGndt: boolean | null;
  /** Messages of it, or parts of them, that were refused since this router started. */
  readonly refusals: number;
  /** It goes on sending what is refused: its share of this router's attention has shrunk until it stops. */
  readonly misbehaving: boolean;
}

/** A network coordinate of Vivaldi's (SIGCOMM 2004). */
export interface CoordinateView {
  /** Milliseconds each, three. */
  readonly point: readonly number[];
  /** The way to the core, which all paths have in common. */
  readonly heightMs: number;
  /** How wrong it believes to be: 0 … 1, a share of a round trip. */
  readonly error: number;
}

/** An ordinary WireGuard client that connects to this router. */
export interface ClientView {
  readonly vnet: string;
  readonly ip: string;
  readonly publicKey: string;
  /** `connected`: there is a session; `away`: there is none, because it has been silent or has never called. */
  readonly state: 'connected' | 'away';
  /** Where it was heard last, perhaps before this router started. */
  readonly endpoint: string | null;
  readonly lastHandshakeAt: string | null;
  readonly bytesSent: number;
  readonly bytesReceived: number;
  /** It is being called, and has not answered so many times; 0 when it is not called. */
  readonly calls: number;
}

export interface GndtView {
  readonly vnet: string;
  readonly prefix: string;
  readonly router: string;
  readonly kind: 'network' | 'host';
  /** For a network: its gateway to the outside. */
  readonly gateway: string | null;
  /** For a host route: the home VR and the sequence number of its last move. */
  readonly home: string | null;
  readonly seq: number | null;
}

export interface LndtView {
  readonly vnet: string;
  /** Address or prefix. */
  readonly node: string;
  readonly mac: string | null;
  readonly state: 'static' | 'visiting' | 'departed' | 'client' | 'unauthorised';
  /** Where a departed node is; where a visiting node is at home. */
  readonly router: string | null;
  /** A visiting or departed node that stays where it is for now: announcements elsewhere are not believed. */
  readonly frozen: boolean;
  /** A node of this router, listed by its address or visiting, that is wanted and does not answer. */
  readonly missing: boolean;
}

export interface HwdtView {
  readonly vnet: string;
  readonly lan: string;
  readonly mac: string;
  readonly ip: string;
  readonly source: string;
  readonly firstSeenAt: string;
  readonly lastSeenAt: string;
  readonly silent: boolean;
  readonly authorised: boolean;
}

export interface DirectoryView {
  readonly vnet: string;
  readonly ip: string;
  readonly mac: string;
  readonly router: string;
  readonly seq: number;
  readonly state: 'here' | 'withdrawn';
  /** It stays where it is for now: announcements elsewhere are not believed. */
  readonly frozen: boolean;
  /** A node of this router that is wanted and does not answer. */
  readonly missing: boolean;
  readonly stampedAt: string;
}

/** A machine of this router that is wanted and does not answer: it is searched for at the others. */
export interface MissingView {
  readonly vnet: string;
  /** Those that it was asked for by. */
  readonly ips: readonly string[];
  readonly mac: string;
  /** The home VR of its network; null when there is none. */
  readonly home: string | null;
  readonly missingSince: string;
  /** How many were made so far. */
  readonly searches: number;
  /** The earliest time at which another one is made if somebody wants the node then; null: it may be made now. */
  readonly nextSearchAt: string | null;
  /** How many routers the last search asks: those that are up and that `mobility.allow` admits. */
  readonly askedRouters: number;
  /** What raised the doubt, for people. */
  readonly why: string;
}

export interface RouteView {
  readonly vnet: string;
  readonly ip: string;
  readonly from: string | null;
  /** One word for programs. */
  readonly action: 'peer' | 'local' | 'client' | 'own' | 'gateway' | 'drop';
  /** Peer's id, or LAN interface. */
  readonly to: string | null;
  readonly mac: string | null;
  /** The prefix that matched; null when none did. */
  readonly matched: string | null;
  /** One sentence for people. */
  readonly why: string;
}

export interface MigrationView {
  readonly vnet: string;
  readonly ips: readonly string[];
  readonly mac: string;
  readonly from: string | null;
  readonly to: string;
  readonly role: 'destination' | 'source' | 'observer';
  readonly trigger: string;
  readonly seq: number;
  readonly verdict: 'claiming' | 'accepted' | 'refused' | 'undone';
  readonly reason: string;
  /**
   * For how long after its first announcement here packets from its old LAN did not reach it, as far as the routers
   * can tell (the hypervisor's own pause is not in it); null until the VR that had it has answered, and elsewhere.
   */
  readonly blackoutUs: number | null;
  readonly startedAt: string;
  /** The same as Unix time in milliseconds, to the microsecond. */
  readonly startedUnixMs: number;
  readonly steps: readonly { readonly step: string; readonly atUs: number }[];
}

export interface EventView {
  readonly at: string;
  readonly event: string;
  readonly [field: string]: string | number | boolean | null | readonly string[];
}

/** Names are stable: `vine` words with underscores; see `vinectl counters`. */
export type CountersView = Readonly<Record<string, number>>;

/** What every error answer carries, with an HTTP status of 4xx or 5xx. */
export interface ErrorView {
  readonly error: string;
}

/** Longer than anybody waits for an operator. */
export const MAX_CONFIRM_SECONDS = 86_400;

export interface ReloadRequest {
  /** Only say what would change. */
  readonly dryRun: boolean;
  /** Go back to the configuration of before unless `confirm` follows within this time. */
  readonly confirmSeconds: number | undefined;
}

/** One thing that a reload changes. */
export interface ChangeView {
  readonly file: string;
  readonly thing: 'setting' | 'vnet' | 'router' | 'site' | 'network' | 'node';
  readonly name: string;
  readonly change: 'added' | 'removed' | 'changed';
  /** What it is, or `field: before → after` for each field that differs. */
  readonly detail: string;
}

export interface ReloadView {
  /** False: it was a dry run, or there was nothing to change. */
  readonly applied: boolean;
  readonly changes: readonly ChangeView[];
  /** About the configuration that was read, one sentence each. */
  readonly warnings: readonly string[];
  /** Until when `confirm` has to follow; null when it need not. */
  readonly confirmBefore: string | null;
}

/** A reload that was refused: nothing has changed. */
export interface ReloadErrorView extends ErrorView {
  /** Every mistake; `file` and `path` are empty for one that is in no file. */
  readonly errors: readonly { readonly file: string; readonly path: string; readonly message: string }[];
}

export interface ConfirmView {
  readonly confirmed: true;
}

/** The round trip of one ping through the tunnel. */
export interface PingView {
  readonly router: string;
  readonly endpoint: string | null;
  readonly rttMs: number;
}

/** What `vinectl doctor` has looked at, and what it found. */
export interface FindingView {
  readonly check: string;
  readonly level: 'ok' | 'warning' | 'error';
  /** Which interface, peer or file. */
  readonly subject: string;
  readonly message: string;
  /** What to do; empty when there is nothing to do. */
  readonly remedy: string;
}

/**
 * What the server asks the router for. Every call answers at once from memory. The rows of a table are made while they are
 * taken, which may be in many turns: what changes meanwhile is shown as it was before or as it is after.
 */
export interface RouterView {
  status(): StatusView;
  peers(): readonly PeerView[];
  clients(): readonly ClientView[];
  gndt(): Iterable<GndtView>;
  lndt(): Iterable<LndtView>;
  hwdt(): Iterable<HwdtView>;
  directory(): Iterable<DirectoryView>;
  missing(): Iterable<MissingView>;
  /** A string is the reason why the question makes no sense (unknown vnet, bad address). */
  route(query: { vnet: string | undefined; ip: string; from: string | undefined }): RouteView | string;
  migrations(): readonly MigrationView[];
  counters(): CountersView;
  role(): RoleView;
}

/** What an operator may have it do. */
export interface RouterActions {
  /** Announces a node's move to this router by hand. A string is the reason why not. */
  move(request: { vnet: string | undefined; ip: string }): MigrationView | string;
  /** Ends the freeze of a node that is here. A string is the reason why not. */
  unfreeze(request: { vnet: string | undefined; ip: string }): DirectoryView | string;
  setLogLevel(level: string): string | undefined;
  /** Pings another router through the tunnel. A string is the reason why there is no answer. */
  ping(router: string): Promise<PingView | string>;
  /** Looks at the machine, the files and the peers; takes seconds. */
  doctor(): Promise<readonly FindingView[]>;
  /** Reads the files again and applies what differs, all of it or nothing. */
  reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView>;
  /** Keeps what a reload with `confirmSeconds` has applied. A string is the reason why there is nothing to keep. */
  confirm(): ConfirmView | string;
  /** Routers that have joined with a token. */
  memberships(): readonly MembershipView[];
  /** The description, as this router and the others see it. */
  network(): NetworkView;
  /** Takes a signed description, or a change of the network's key, and passes it on. A string is the reason why not. */
  publish(request: PublishRequest): Promise<PublishView | string>;
  /** The description that runs here, its signature before it; undefined: it is not signed. */
  signedDescription(): Uint8Array | undefined;
  /** Asks all routers who has talked to whom. A string is the reason why it cannot be answered, and what could. */
  traffic(request: TrafficRequest): Promise<TrafficView | string>;
  /** Makes this router active, or has the other one take over; settles when it is done. A string is the reason why not. */
  takeRole(role: 'active' | 'standby'): Promise<RoleView | string>;
}

/** Where events come from. */
export interface EventSource {
  /** Calls `listener` for every event until the returned function is called. */
  subscribe(listener: (event: EventView) => void): () => void;
}
