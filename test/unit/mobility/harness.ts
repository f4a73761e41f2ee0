/** One router's mobility with real tables; what it sends is recorded, in order. */
import { announcementTo } from '../../../src/arp/announce.js';
import {
  ArpOperation,
  type ArpPacket,
  decodeNeighbourFrame,
  type NeighbourFrame,
} from '../../../src/arp/frame.js';
import type { MobilityDependencies } from '../../../src/mobility/context.js';
import { Mobility } from '../../../src/mobility/mobility.js';
import type { MobilityEvent } from '../../../src/mobility/ports.js';
import { Ip } from '../../../src/net/ip.js';
import { BROADCAST_MAC, type Mac, mac, ZERO_MAC } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import type { TableMessage } from '../../../src/protocol/table-message.js';
import { Directory } from '../../../src/tables/directory.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { type Lan, Lans } from '../../../src/tables/lan.js';
import { LanGrowth } from '../../../src/tables/lan-growth.js';
import { LanNodes } from '../../../src/tables/lan-nodes.js';
import { Lndt } from '../../../src/tables/lndt.js';
import type { LndtEntry, NetworkConfig, NodeRecord, RouterId, VnetId } from '../../../src/tables/model.js';
import { SimClock } from '../../support/sim-clock.js';

export const BLUE = 1;
/** The other vnet of a router that has two, on a LAN of its own (1). */
export const RED = 2;
export const VR_MAC = mac('02:00:00:00:0b:01');
const RED_VR_MAC = mac('02:00:00:00:0b:02');
export const NODE_MAC = mac('52:54:00:00:00:09');
export const OTHER_MAC = mac('52:54:00:00:00:aa');
export const ip = Ip.of;

/** vr-b's view of three sites: 10.1/24 at vr-a, 10.2/24 at vr-b, 10.3/24 at vr-c, and fd00:N::/64 likewise. */
export interface HarnessOptions {
  readonly allow?: readonly RouterId[];
  readonly subnet?: Prefix;
  readonly lndt?: readonly LndtEntry[];
  readonly verify?: 'optimistic' | 'strict' | 'off';
  /** A second vnet with the same networks. */
  readonly red?: true;
  /** How its LAN is served. */
  readonly gateway?: readonly Ip[];
  readonly vrid?: number;
}

/** Something that left the router. */
export type Sent =
  | { readonly what: 'frame'; readonly atMs: number; readonly frame: NeighbourFrame }
  | { readonly what: 'message'; readonly atMs: number; readonly to: RouterId; readonly message: TableMessage }
  | { readonly what: 'save'; readonly atMs: number };

export class Harness {
  readonly clock = new SimClock();
  readonly gndt: Gndt;
  readonly directory: Directory;
  readonly lndt: Lndt;
  readonly hwdt: Hwdt;
  readonly mobility: Mobility;
  readonly lan: Lan;
  readonly lans: Lans;
  readonly dependencies: MobilityDependencies;
  readonly events: MobilityEvent[] = [];
  sent: Sent[] = [];
  /** Echo requests to machines that have arrived. */
  echoes: Uint8Array[] = [];
  up: RouterId[] = ['vr-c', 'vr-a'];

  constructor(options: HarnessOptions = {}) {
    const self = 'vr-b';
    this.directory = new Directory(self, this.clock);
    this.gndt = new Gndt(
      {
        vnets: [
          { name: 'blue', id: BLUE, subnet: options.subnet },
          { name: 'red', id: RED, subnet: undefined },
        ],
        routers: ['vr-a', 'vr-b', 'vr-c'].map(routerEntry),
        networks: ['vr-a', 'vr-b', 'vr-c'].flatMap((router, i) => [
          ...networksOf(BLUE, router, i + 1, options.allow),
          ...(options.red === true ? networksOf(RED, router, i + 1, undefined) : []),
        ]),
        cipher: 'chacha20-poly1305',
        nodes: [],
      },
      self,
    );
    const listed = ['10.2.0.0/24', 'fd00:2::/64'].map((text) => ({
      vnet: BLUE,
      prefix: Prefix.of(text),
      mac: undefined,
    }));
    this.lndt = new Lndt(options.lndt ?? listed, this.gndt, this.directory);
    this.hwdt = new Hwdt(this.clock);
    const { gateway, vrid } = options;
    this.lan = {
      ...{ index: 0, interface: 'lan0', vnet: BLUE, mac: VR_MAC, addresses: [ip('10.2.0.1')] },
      ...(gateway === undefined ? {} : { gateway }),
      ...(vrid === undefined ? {} : { vrid }),
    };
    const red = { index: 1, interface: 'lan1', vnet: RED, mac: RED_VR_MAC, addresses: [] };
    this.lans = new Lans(options.red === true ? [this.lan, red] : [this.lan]);
    const { gndt, lndt, hwdt, directory, clock } = this;
    this.dependencies = {
      gndt,
      lndt,
      hwdt,
      directory,
      limits: { nodesPerLan: 4_096, nodesPerRouter: 16_384, nodes: 131_072 },
      growth: new LanGrowth(clock, new LanNodes(self, directory, hwdt), 4_096),
      lans: this.lans,
      config: { verify: options.verify ?? 'optimistic', maxMoves: 5, moveWindowSeconds: 180 },
      ports: {
        clock,
        messenger: {
          send: (to, message) => this.sent.push({ what: 'message', atMs: clock.nowMs(), to, message }),
          upPeers: () => this.up,
        },
        sendFrame: (_lan, bytes) => this.#sendFrame(bytes),
        event: (event) => this.events.push(event),
        saveState: () => this.sent.push({ what: 'save', atMs: clock.nowMs() }),
      },
    };
    this.mobility = new Mobility(this.dependencies);
  }

  /** Tells of a node as its router's Records message does. */
  known(address: string, nodeMac: Mac, router: RouterId, seq = 1): NodeRecord {
    const record = recordOf(address, nodeMac, router, seq);
    this.mobility.message(router, { type: 'records', records: [record] });
    return record;
  }

  see(frame: NeighbourFrame, lan = 0): void {
    this.mobility.frameSeen(lan, frame, this.clock.nowMs());
  }

  /** What was sent since the last call, times and all. */
  take(): Sent[] {
    const sent = this.sent;
    this.sent = [];
    return sent;
  }

  takeMessages<T extends TableMessage['type']>(
    type: T,
  ): { to: RouterId; message: Extract<TableMessage, { type: T }> }[] {
    return this.take().flatMap((sent) =>
      sent.what === 'message' && isOf(sent.message, type) ? [{ to: sent.to, message: sent.message }] : [],
    );
  }

  takeFrames(): NeighbourFrame[] {
    return this.take().flatMap((sent) => (sent.what === 'frame' ? [sent.frame] : []));
  }

  eventNames(): string[] {
    return this.events.map(({ event }) => event);
  }

  #sendFrame(bytes: Uint8Array): void {
    const frame = decodeNeighbourFrame(bytes);
    if (frame === 'nd-other-type') {
      this.echoes.push(bytes);
      return;
    }
    if (typeof frame === 'string') throw new Error(`sent a frame that cannot be read: ${frame}`);
    this.sent.push({ what: 'frame', atMs: this.clock.nowMs(), frame });
  }
}

function isOf<T extends TableMessage['type']>(
  message: TableMessage,
  type: T,
): message is Extract<TableMessage, { type: T }> {
  return message.type === type;
}

export function recordOf(address: string, nodeMac: Mac, router: RouterId, seq = 1, stamp = 2): NodeRecord {
  return { vnet: BLUE, ip: ip(address), mac: nodeMac, router, seq, state: 'here', stamp };
}

export function arpOf(address: string, senderMac: Mac, target = address, operation = 1): ArpPacket {
  return {
    kind: 'arp',
    ethernetSource: senderMac,
    ethernetDestination: BROADCAST_MAC,
    operation,
    senderMac,
    senderIp: ip(address),
    targetMac: ZERO_MAC,
    targetIp: ip(target),
  };
}

export function rarpOf(senderMac: Mac): ArpPacket {
  return {
    kind: 'rarp',
    ethernetSource: senderMac,
    ethernetDestination: BROADCAST_MAC,
    operation: ArpOperation.reverseRequest,
    senderMac,
    senderIp: ip('0.0.0.0'),
    targetMac: senderMac,
    targetIp: ip('0.0.0.0'),
  };
}

/** An unsolicited neighbour advertisement, as a guest sends it. */
export function advertisementOf(address: string, senderMac: Mac): NeighbourFrame {
  const [bytes] = announcementTo(ip(address), senderMac, senderMac, BROADCAST_MAC, undefined);
  const frame = bytes === undefined ? 'nothing' : decodeNeighbourFrame(bytes);
  if (typeof frame === 'string') throw new Error(frame);
  return frame;
}

function routerEntry(id: RouterId) {
  return { id, publicKey: new Uint8Array(32), endpoints: [], relay: false };
}

function networksOf(
  vnet: VnetId,
  router: RouterId,
  n: number,
  allow: readonly RouterId[] | undefined,
): NetworkConfig[] {
  const allowed = n === 1 ? allow : undefined;
  return [
    { vnet, prefix: Prefix.of(`10.${n}.0.0/24`), router, gateway: ip(`10.${n}.0.254`), allow: allowed },
    { vnet, prefix: Prefix.of(`fd00:${n}::/64`), router, gateway: undefined, allow: allowed },
  ];
}
