/** A router with fixed tables, for tests of the control API and of vinectl. */
import type {
  ClientView,
  ConfirmView,
  CountersView,
  DirectoryView,
  EventSource,
  EventView,
  FindingView,
  GndtView,
  HwdtView,
  LndtView,
  MigrationView,
  MissingView,
  PeerView,
  PingView,
  ReloadErrorView,
  ReloadRequest,
  ReloadView,
  RouterActions,
  RouterView,
  RouteView,
  StatusView,
} from '../../../src/control/api.js';
import type { MembershipView } from '../../../src/control/membership-view.js';
import type { NetworkView, PublishRequest, PublishView } from '../../../src/control/network-view.js';
import type { RoleView } from '../../../src/control/role-view.js';
import type { TrafficRequest, TrafficView } from '../../../src/control/traffic-view.js';

/** The time that the views are told at: everything in them is shortly before. */
export const NOW = '2026-03-01T12:00:00.000Z';

const FLOWS = { entries: 1_201, hits: 1_230_000, misses: 4_567, stale: 321, replaced: 12 };
const NO_FLOWS = { entries: 0, hits: 0, misses: 0, stale: 0, replaced: 0 };

const STATUS: StatusView = {
  id: 'vr-a',
  version: '0.1.0',
  startedAt: '2026-03-01T08:55:00.000Z',
  uptimeSeconds: 11_100,
  ready: true,
  workers: [
    { name: 'lan-to-tunnel', state: 'running', packets: 1_234_567, load: 0.123, flows: FLOWS },
    { name: 'tunnel-to-lan', state: 'stopped', packets: 0, load: 0, flows: NO_FLOWS },
  ],
  listen: ['udp://0.0.0.0:7700'],
  lans: [
    { interface: 'lan0', vnet: 'blue', mac: '02:00:00:00:00:0a', mtuBytes: 1500, offload: 'vnet-header' },
  ],
  tunnel: {
    cipher: 'chacha20-poly1305',
    sealing: 'primitives',
    chachaGbps: 12.4,
    aesGbps: 20.1,
    fastAes: true,
    segmentation: true,
    coalescing: true,
  },
  peersUp: 1,
  peersTotal: 2,
  nodesHere: 1200,
  nodesVisiting: 1,
  nodesDeparted: 2,
  nodesMissing: 3,
  role: null,
  descriptionVersion: null,
  warnings: ['group "vine" does not exist'],
};

export const NETWORK: NetworkView = {
  publicKey: 'AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=',
  newestKey: null,
  newestKeyUntil: null,
  successions: null,
  version: 5,
  digest: 'ab'.repeat(32),
  trial: null,
  etcd: {
    endpoints: ['https://192.0.2.9:2379', 'https://etcd-2.example.net:2379'],
    key: '/vine/description',
    endpoint: 'https://192.0.2.9:2379',
    reached: true,
    since: '2026-03-01T11:00:00.000Z',
    revision: '81',
    refusal: 'it is version 4, and this router has version 5',
    lastProblem: {
      at: '2026-03-01T10:59:58.000Z',
      endpoint: 'https://etcd-2.example.net:2379',
      problem: 'silent',
      reason: 'it says nothing',
    },
  },
  undone: [{ version: 4, reason: '3 of 8 peers were lost for 60 s: vr-x' }],
  routers: [
    { id: 'vr-a', site: null, reachable: true, version: 5, state: 'current', verdict: null },
    {
      id: 'vr-b',
      site: 'site-b',
      reachable: true,
      version: 3,
      state: 'older',
      verdict: { outcome: 'refused', version: 5, reason: 'router.json: id: is not in gndt.json' },
    },
    { id: 'vr-c', site: null, reachable: false, version: null, state: 'unknown', verdict: null },
  ],
  networks: [{ vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a' }],
};

const CLIENTS: readonly ClientView[] = [
  {
    vnet: 'blue',
    ip: '10.1.0.201',
    publicKey: 'AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=',
    state: 'connected',
    endpoint: 'udp://198.51.100.7:51820',
    lastHandshakeAt: '2026-03-01T11:59:48.000Z',
    bytesSent: 2_000_000,
    bytesReceived: 1_000,
    calls: 0,
  },
  {
    vnet: 'blue',
    ip: 'fd00:1::201',
    publicKey: 'BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=',
    state: 'away',
    endpoint: 'udp://[2001:db8::7]:51820',
    lastHandshakeAt: null,
    bytesSent: 0,
    bytesReceived: 0,
    calls: 3,
  },
];

const PEERS: readonly PeerView[] = [
  {
    id: 'vr-b',
    site: null,
    active: true,
    state: 'up',
    reason: '',
    transport: 'udp',
    endpoint: '192.0.2.2:7700',
    relay: null,
    cipher: 'chacha20-poly1305',
    cipherReason: 'gndt.json says so',
    names: [
      {
        name: 'vr-b.example.net',
        addresses: ['192.0.2.2', '2001:db8::2'],
        resolvedAt: '2026-03-01T11:59:30.000Z',
        kept: false,
        problem: '',
        failingSince: null,
        skipped: [],
      },
    ],
    nameInUse: 'vr-b.example.net',
    lastHandshakeAt: '2026-03-01T11:59:48.000Z',
    rttMs: 40.25,
    lossPercent: 0,
    pathMtuBytes: 1484,
    bytesSent: 1536,
    bytesReceived: 12_884_901_888,
    packetsSent: 3,
    packetsReceived: 9_000_000,
    version: '0.1.0',
    innerMtuBytes: 1420,
    coordinate: { point: [3, -4, 0], heightMs: 1.5, error: 0.1 },
    clockOffsetMs: -0.5,
    sameGndt: true,
    refusals: 0,
    misbehaving: false,
  },
  {
    id: 'vr-c',
    site: null,
    active: true,
    state: 'down',
    reason: 'no answer \x1b[2J',
    transport: 'none',
    endpoint: null,
    relay: null,
    cipher: null,
    cipherReason: 'no session',
    names: [
      {
        name: 'vr-c.example.net',
        addresses: [],
        resolvedAt: null,
        kept: false,
        problem: 'no name server answers',
        failingSince: '2026-03-01T11:58:00.000Z',
        skipped: ['127.0.1.1 is loopback'],
      },
    ],
    nameInUse: null,
    lastHandshakeAt: null,
    rttMs: null,
    lossPercent: null,
    pathMtuBytes: null,
    bytesSent: 0,
    bytesReceived: 0,
    packetsSent: 0,
    packetsReceived: 0,
    version: null,
    innerMtuBytes: 1280,
    coordinate: null,
    clockOffsetMs: null,
    sameGndt: null,
    refusals: 0,
    misbehaving: false,
  },
];

const GNDT: readonly GndtView[] = [
  {
    vnet: 'blue',
    prefix: '10.1.0.0/24',
    router: 'vr-a',
    kind: 'network',
    gateway: '10.1.0.254',
    home: null,
    seq: null,
  },
  {
    vnet: 'blue',
    prefix: '10.2.0.0/24',
    router: 'vr-b',
    kind: 'network',
    gateway: null,
    home: null,
    seq: null,
  },
  { vnet: 'blue', prefix: '10.1.0.9/32', router: 'vr-b', kind: 'host', gateway: null, home: 'vr-a', seq: 4 },
  {
    vnet: 'red',
    prefix: '10.1.0.0/16',
    router: 'vr-c',
    kind: 'network',
    gateway: null,
    home: null,
    seq: null,
  },
  {
    vnet: 'blue',
    prefix: 'fd00:2::/64',
    router: 'vr-b',
    kind: 'network',
    gateway: null,
    home: null,
    seq: null,
  },
];

const LNDT: readonly LndtView[] = [
  {
    vnet: 'blue',
    node: '10.1.0.0/24',
    mac: null,
    state: 'static',
    router: null,
    frozen: false,
    missing: false,
  },
  {
    vnet: 'blue',
    node: '10.2.0.7',
    mac: '52:54:00:00:00:17',
    state: 'visiting',
    router: 'vr-b',
    frozen: true,
    missing: true,
  },
  {
    vnet: 'blue',
    node: '10.1.0.9',
    mac: '52:54:00:00:00:09',
    state: 'departed',
    router: 'vr-b',
    frozen: false,
    missing: false,
  },
];

const HWDT: readonly HwdtView[] = [
  {
    vnet: 'blue',
    lan: 'lan0',
    mac: '52:54:00:00:00:17',
    ip: '10.2.0.7',
    source: 'rarp',
    firstSeenAt: '2026-03-01T11:00:00.000Z',
    lastSeenAt: '2026-03-01T11:59:59.000Z',
    silent: false,
    authorised: true,
  },
  {
    vnet: 'blue',
    lan: 'lan0',
    mac: '52:54:00:00:00:66',
    ip: 'fd00:2::66',
    source: 'ndp',
    firstSeenAt: '2026-02-01T11:00:00.000Z',
    lastSeenAt: '2026-03-01T11:30:00.000Z',
    silent: true,
    authorised: false,
  },
];

const DIRECTORY: readonly DirectoryView[] = [
  {
    vnet: 'blue',
    ip: '10.1.0.9',
    mac: '52:54:00:00:00:09',
    router: 'vr-b',
    seq: 4,
    state: 'here',
    frozen: true,
    missing: false,
    stampedAt: '2026-03-01T11:58:30.000Z',
  },
  {
    vnet: 'red',
    ip: '10.1.0.9',
    mac: '52:54:00:00:00:99',
    router: 'vr-c',
    seq: 1,
    state: 'withdrawn',
    frozen: false,
    missing: false,
    stampedAt: '2026-02-27T12:00:00.000Z',
  },
  {
    vnet: 'blue',
    ip: '10.2.0.7',
    mac: '52:54:00:00:00:17',
    router: 'vr-a',
    seq: 2,
    state: 'here',
    frozen: false,
    missing: true,
    stampedAt: '2026-03-01T11:00:00.000Z',
  },
];

const MISSING: readonly MissingView[] = [
  {
    vnet: 'blue',
    ips: ['10.2.0.7', 'fd00:2::7'],
    mac: '52:54:00:00:00:17',
    home: 'vr-b',
    missingSince: '2026-03-01T11:57:00.000Z',
    searches: 7,
    nextSearchAt: '2026-03-01T12:00:44.500Z',
    askedRouters: 1,
    why: 'packets went to it for 300 ms and none came from it',
  },
  {
    vnet: 'red',
    ips: ['10.1.0.44'],
    mac: '52:54:00:00:00:44',
    home: null,
    missingSince: '2026-03-01T11:59:30.000Z',
    searches: 1,
    nextSearchAt: null,
    askedRouters: 0,
    why: 'a packet for it waits for its MAC',
  },
];

const MIGRATIONS: readonly MigrationView[] = [
  {
    vnet: 'blue',
    ips: ['10.1.0.9', 'fd00:1::9'],
    mac: '52:54:00:00:00:09',
    from: 'vr-a',
    to: 'vr-b',
    role: 'source',
    trigger: 'rarp',
    seq: 4,
    verdict: 'accepted',
    reason: '',
    blackoutUs: 20_800,
    startedAt: '2026-03-01T11:58:30.000Z',
    startedUnixMs: 1_772_366_310_000.125,
    steps: [
      { step: 'claim received', atUs: 0 },
      { step: 'forwarding', atUs: 412 },
      { step: 'acknowledged', atUs: 20_731 },
    ],
  },
  {
    vnet: 'red',
    ips: ['10.9.0.1'],
    mac: '52:54:00:00:00:91',
    from: null,
    to: 'vr-c',
    role: 'observer',
    trigger: 'operator',
    seq: 1,
    verdict: 'refused',
    reason: 'not allowed',
    blackoutUs: null,
    startedAt: '2026-03-01T10:00:00.000Z',
    startedUnixMs: 1_772_359_200_000.125,
    steps: [],
  },
];

const COUNTERS: CountersView = { vine_drop_no_route: 12, vine_claims_sent: 3 };

const ROUTES: Readonly<Record<string, Partial<RouteView>>> = {
  '10.2.0.7': {
    action: 'local',
    to: 'lan0',
    mac: '52:54:00:00:00:17',
    matched: '10.2.0.7/32',
    why: 'It visits here.',
  },
  '10.2.0.8': { action: 'peer', to: 'vr-b', matched: '10.2.0.0/24', why: 'Its home is vr-b.' },
};

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];

export const FINDINGS: readonly FindingView[] = [
  { check: 'lan', level: 'ok', subject: 'lan0', message: 'up', remedy: '' },
  { check: 'clock', level: 'warning', subject: 'vr-b', message: 'it is off', remedy: 'set it' },
];

export const RELOAD: ReloadView = {
  applied: true,
  changes: [
    { file: 'router.json', thing: 'setting', name: 'log.level', change: 'changed', detail: 'info → debug' },
    {
      file: 'gndt.json',
      thing: 'router',
      name: 'vr-d',
      change: 'added',
      detail: 'endpoints: udp://192.0.2.4:7700',
    },
    {
      file: 'gndt.json',
      thing: 'network',
      name: 'blue 10.3.0.0/24',
      change: 'removed',
      detail: 'router: vr-c',
    },
  ],
  warnings: ['a warning'],
  confirmBefore: '2026-03-01T12:01:00.000Z',
};

export const RELOAD_ERROR: ReloadErrorView = {
  error: 'gndt.json: routers[1].id: wrong\nanother reload is under way',
  errors: [
    { file: 'gndt.json', path: 'routers[1].id', message: 'wrong' },
    { file: '', path: '', message: 'another reload is under way' },
  ],
};

export const ROLE: RoleView = {
  site: 'site-a',
  router: 'vr-a1',
  role: 'active',
  draining: false,
  term: 7,
  since: '2026-03-01T11:00:00.000Z',
  cause: 'silence',
  priority: 250,
  health: { soundLans: 1, lans: 1, peersUp: 2 },
  partner: {
    router: 'vr-a2',
    role: 'standby',
    term: 7,
    priority: 250,
    health: { soundLans: 1, lans: 1, peersUp: 2 },
    heardAgoMs: 12,
    advertisedAgoMs: null,
  },
  lans: [
    {
      interface: 'eth1',
      vrid: 17,
      advertising: 'up',
      carrier: true,
      heardHostAgoMs: 800,
      partnerAgoMs: null,
      strangers: [],
      otherGateways: [],
      virtualMacPasses: true,
    },
  ],
};

export const MEMBERSHIP: MembershipView = {
  token: '5e'.repeat(32),
  router: 'vr-c',
  site: 'site-c',
  publicKey: 'AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=',
  endpoints: ['udp://192.0.2.3:7700'],
  networks: [{ vnet: 'blue', prefix: '10.3.0.0/24' }],
  state: 'counts',
  reason: '',
};

export const TRAFFIC: TrafficView = {
  from: '2026-03-01T11:50:00.000Z',
  to: '2026-03-01T12:00:00.000Z',
  periods: 20,
  periodSeconds: 30,
  mode: 'ended',
  weight: 1,
  by: 'node',
  partial: true,
  missing: ['vr-c'],
  lacking: [{ router: 'vr-b', periods: 7 }],
  parts: [
    {
      startedAt: '2026-03-01T11:50:00.000Z',
      seconds: 600,
      packets: 1_300,
      bytes: 1_600_000,
      truncated: true,
      shareOfBytes: 0.9375,
      rows: [
        {
          vnet: 'blue',
          source: '10.1.0.9',
          destination: '10.2.0.7',
          sourceSite: 'vr-a',
          destinationSite: 'vr-b',
          packets: 1_000,
          bytes: 1_400_000,
          bytesPerSecond: 2_333.333,
        },
        {
          vnet: 'blue',
          source: 'fd00:1::9',
          destination: 'outside',
          sourceSite: 'vr-a',
          destinationSite: 'vr-a',
          packets: 100,
          bytes: 100_000,
          bytesPerSecond: 166.667,
        },
      ],
    },
  ],
};

export class FakeRouter implements RouterView, RouterActions, EventSource {
  readonly listeners = new Set<(event: EventView) => void>();
  readonly levels: string[] = [];
  /** Thrown by the table calls when set. */
  fault: Error | undefined;
  siteRole: StatusView['role'] = null;
  peerRows: readonly PeerView[] = PEERS;
  records: readonly DirectoryView[] = DIRECTORY;
  readonly reloads: ReloadRequest[] = [];
  findings: readonly FindingView[] = FINDINGS;
  reloadAnswer: ReloadView | ReloadErrorView = RELOAD;

  emit(event: EventView): void {
    for (const listener of this.listeners) listener(event);
  }

  status(): StatusView {
    return { ...STATUS, role: this.siteRole };
  }

  role(): RoleView {
    return ROLE;
  }

  published: PublishRequest | undefined;
  trial: NetworkView['trial'] = null;

  readonly trafficRequests: TrafficRequest[] = [];

  traffic(request: TrafficRequest): Promise<TrafficView | string> {
    this.trafficRequests.push(request);
    if (request.by === 'group') return Promise.resolve('the router makes no groups: ask by node or by site');
    const pairs = request.by === 'node' ? {} : { source: null, destination: null };
    const parts = TRAFFIC.parts.map((part) => ({
      ...part,
      rows: part.rows.map((row) => ({ ...row, ...pairs })),
    }));
    return Promise.resolve({ ...TRAFFIC, mode: request.mode, by: request.by, parts });
  }

  memberships(): readonly MembershipView[] {
    return [MEMBERSHIP];
  }

  network(): NetworkView {
    return { ...NETWORK, trial: this.trial };
  }

  async publish(request: PublishRequest): Promise<PublishView | string> {
    if (this.trial !== null) return 'version 5 is on trial here: it stands in 43 s if nothing changes';
    this.published = request;
    if (request.description?.length === 1) return 'it does not begin with a signature';
    return { version: request.description === undefined ? null : 5, warnings: [] };
  }

  signedDescription(): Uint8Array | undefined {
    return Buffer.from(`${'A'.repeat(86)}==\n{"version": 5}\n`);
  }

  async takeRole(role: 'active' | 'standby'): Promise<RoleView | string> {
    return role === ROLE.role ? ROLE : 'vr-a2 does not answer: nobody would serve the site';
  }

  peers(): readonly PeerView[] {
    if (this.fault !== undefined) throw this.fault;
    return this.peerRows;
  }

  clients(): readonly ClientView[] {
    return CLIENTS;
  }

  gndt(): readonly GndtView[] {
    return GNDT;
  }

  lndt(): readonly LndtView[] {
    return LNDT;
  }

  hwdt(): readonly HwdtView[] {
    return HWDT;
  }

  directory(): readonly DirectoryView[] {
    return this.records;
  }

  missing(): readonly MissingView[] {
    return MISSING;
  }

  route({
    vnet = 'blue',
    ip,
    from,
  }: {
    vnet: string | undefined;
    ip: string;
    from: string | undefined;
  }): RouteView | string {
    if (vnet !== 'blue') return `unknown vnet "${vnet}"`;
    const nowhere = {
      action: 'drop',
      to: null,
      mac: null,
      matched: null,
      why: 'No prefix holds it.',
    } as const;
    return { vnet, ip, from: from ?? null, ...nowhere, ...ROUTES[ip] };
  }

  migrations(): readonly MigrationView[] {
    return MIGRATIONS;
  }

  counters(): CountersView {
    return COUNTERS;
  }

  move({ vnet, ip }: { vnet: string | undefined; ip: string }): MigrationView | string {
    const move = MIGRATIONS.find(
      (known) => known.ips.includes(ip) && (vnet === undefined || known.vnet === vnet),
    );
    return move ?? `${ip} is in no network`;
  }

  unfreeze({ ip }: { vnet: string | undefined; ip: string }): DirectoryView | string {
    return this.records.find((record) => record.ip === ip && record.frozen) ?? `${ip} is not frozen`;
  }

  setLogLevel(level: string): string | undefined {
    if (!LEVELS.includes(level)) return `level "${level}" is not one of ${LEVELS.join(', ')}`;
    this.levels.push(level);
    return undefined;
  }

  reload(request: ReloadRequest): Promise<ReloadView | ReloadErrorView> {
    this.reloads.push(request);
    return Promise.resolve(this.reloadAnswer);
  }

  ping(router: string): Promise<PingView | string> {
    if (router !== 'vr-b') return Promise.resolve(`there is no router "${router}" in gndt.json`);
    return Promise.resolve({ router, endpoint: 'udp://192.0.2.2:7700', rttMs: 40.125 });
  }

  doctor(): Promise<readonly FindingView[]> {
    return Promise.resolve(this.findings);
  }

  confirm(): ConfirmView | string {
    return this.reloads.some(({ confirmSeconds }) => confirmSeconds !== undefined)
      ? { confirmed: true }
      : 'no reload waits to be confirmed';
  }

  subscribe(listener: (event: EventView) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
}
