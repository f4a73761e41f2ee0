/** A router among three sites whose tables and traffic an advice is made from; its machines can be moved. */
import type {
  CoordinateView,
  DirectoryView,
  GndtView,
  MigrationView,
  PeerView,
  StatusView,
} from '../../../src/control/api.js';
import type { TrafficRequest, TrafficRowView, TrafficView } from '../../../src/control/traffic-view.js';
import { FakeRouter, NOW } from '../control/fake-router.js';

const KEYS = ['vr-a', 'vr-b', 'vr-c'].map((id, n) => ({
  id,
  publicKey: Buffer.alloc(32, n + 1).toString('base64'),
  endpoints: [`udp://192.0.2.${n + 1}:7700`],
}));

export const GNDT = {
  vnets: [{ name: 'blue', id: 1 }],
  routers: KEYS,
  networks: [
    { vnet: 'blue', prefix: '10.1.0.0/24', router: 'vr-a', gateway: '10.1.0.254' },
    { vnet: 'blue', prefix: '10.2.0.0/24', router: 'vr-b', mobility: { allow: [] } },
    { vnet: 'blue', prefix: 'fd00:1::/64', router: 'vr-a' },
  ],
  nodes: [{ vnet: 'blue', ip: '10.1.0.201', publicKey: Buffer.alloc(32, 9).toString('base64'), via: 'vr-a' }],
};

const HOUR_S = 3_600;

export class AdviceRouter extends FakeRouter {
  rows: DirectoryView[] = [];
  moved: MigrationView[] = [];
  talk: TrafficRowView[] = [];
  share = 1;
  silent: string[] = [];
  document: Uint8Array | undefined;
  readonly asked: TrafficRequest[] = [];

  /** @param n the address is 10.`network`.0.`n` */
  add(n: number, site: string, change: Partial<DirectoryView> = {}, network = 1): void {
    const mac = `52:54:00:00:0${network}:${n.toString(16).padStart(2, '0')}`;
    this.rows.push({
      vnet: 'blue',
      ip: `10.${network}.0.${n}`,
      mac,
      router: site,
      seq: 1,
      state: 'here',
      frozen: false,
      missing: false,
      stampedAt: NOW,
      ...change,
    });
  }

  talks(source: string, destination: string, gbPerDay: number, sites = 'ab'): void {
    const bytes = (gbPerDay * 1e9) / 24;
    const [from, to] = [...sites].map((letter) => `vr-${letter}`);
    this.talk.push({
      vnet: 'blue',
      source,
      destination,
      sourceSite: from ?? '',
      destinationSite: to ?? '',
      packets: 1,
      bytes,
      bytesPerSecond: bytes / HOUR_S,
    });
  }

  /** As the routers do when a machine announces itself somewhere else. */
  override move(request: { readonly vnet: string | undefined; readonly ip: string }): MigrationView | string {
    return this.moveTo(request.ip, 'vr-a', 'accepted') ?? 'no such node';
  }

  moveTo(ip: string, to: string, verdict: MigrationView['verdict'], agoMs = 0): MigrationView | undefined {
    const row = this.rows.find((one) => one.ip === ip);
    if (row === undefined) return undefined;
    const { vnet, mac, router: from } = row;
    const seq = row.seq + 1;
    if (verdict === 'accepted')
      this.rows = this.rows.map((one) => (one.mac === mac ? { ...one, router: to, seq } : one));
    const move: MigrationView = {
      vnet,
      mac,
      ips: [ip],
      from,
      to,
      role: 'observer',
      trigger: 'rarp',
      seq,
      verdict,
      reason: verdict === 'accepted' ? '' : 'it answers at its old place',
      blackoutUs: null,
      startedAt: NOW,
      startedUnixMs: Date.parse(NOW) - agoMs,
      steps: [],
    };
    this.moved.push(move);
    return move;
  }

  /** Where the others say that they are. */
  readonly places = new Map<string, CoordinateView>();

  override status(): StatusView {
    return { ...super.status(), id: 'vr-a' };
  }

  override peers(): readonly PeerView[] {
    const [peer] = super.peers();
    if (peer === undefined) return [];
    return [
      { ...peer, id: 'vr-b', site: null, rttMs: 10, coordinate: this.places.get('vr-b') ?? null },
      { ...peer, id: 'vr-c', site: null, rttMs: 30, coordinate: this.places.get('vr-c') ?? null },
    ];
  }

  override gndt(): readonly GndtView[] {
    return GNDT.networks.map(({ vnet, prefix, router, gateway }) => ({
      vnet,
      prefix,
      router,
      kind: 'network',
      gateway: gateway ?? null,
      home: null,
      seq: null,
    }));
  }

  override directory(): readonly DirectoryView[] {
    return this.rows;
  }

  override migrations(): readonly MigrationView[] {
    return this.moved;
  }

  override signedDescription(): Uint8Array | undefined {
    return this.document;
  }

  override async traffic(request: TrafficRequest): Promise<TrafficView> {
    this.asked.push(request);
    const bytes = this.talk.reduce((sum, row) => sum + row.bytes, 0);
    return {
      from: '2026-03-01T11:00:00.000Z',
      to: NOW,
      periods: 120,
      periodSeconds: 30,
      mode: 'ended',
      weight: 1,
      by: 'node',
      partial: this.silent.length > 0,
      missing: this.silent,
      lacking: [],
      parts: [
        {
          startedAt: '2026-03-01T11:00:00.000Z',
          seconds: HOUR_S,
          packets: this.talk.length,
          bytes: bytes / this.share,
          truncated: this.share < 1,
          shareOfBytes: this.share,
          rows: this.talk,
        },
      ],
    };
  }
}
