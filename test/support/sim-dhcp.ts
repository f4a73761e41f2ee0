/** A DHCP server and a DHCP client of a simulated LAN, as far as questions and answers go; they see frames as bytes. */
import { type DhcpFrame, decodeDhcpFrame } from '../../src/arp/dhcp/frame.js';
import { formatMac, isGroupMac, type Mac, readMac } from '../../src/net/mac.js';
import {
  BROADCAST_MAC,
  type Dhcp6Fields,
  dhcp4,
  dhcp6,
  duidOf,
  SERVERS_6,
  SERVERS_MAC_6,
  TYPE,
  TYPE_6,
  udpFrame,
} from './dhcp-messages.js';
import type { LanPort, SimLan } from './sim-lan.js';

/** Hears what is for everybody or for its MAC; a network card does no more. */
abstract class Machine implements LanPort {
  readonly name: string;
  readonly mac: Mac;
  readonly heard: DhcpFrame[] = [];
  lan: SimLan;

  constructor(name: string, mac: Mac, lan: SimLan) {
    this.name = name;
    this.mac = mac;
    this.lan = lan;
    lan.attach(this);
  }

  frame(bytes: Uint8Array): void {
    const to = readMac(bytes, 0);
    if (to !== this.mac && !isGroupMac(to)) return;
    const frame = decodeDhcpFrame(bytes);
    if (typeof frame === 'string') return;
    this.heard.push(frame);
    this.answer(frame);
  }

  protected answer(_frame: DhcpFrame): void {}
}

export interface ServerOptions {
  readonly address: string;
  /** Begins so. What else is asked for is refused. */
  readonly network: string;
  readonly leaseSeconds?: number;
  readonly refused?: readonly string[];
  /** Silent; `frame` is heard all the same. */
  readonly isSilent?: boolean;
}

export class SimDhcpServer extends Machine {
  readonly options: ServerOptions;

  constructor(name: string, mac: Mac, lan: SimLan, options: ServerOptions) {
    super(name, mac, lan);
    this.options = options;
  }

  /** RFC 2131 §4.1: to ciaddr if there is one, at the MAC that it is known by; else by broadcast if that is asked for. */
  protected override answer({ message, ethernetSource, source }: DhcpFrame): void {
    if (this.options.isSilent === true || message.from !== 'client') return;
    const { address, network, leaseSeconds = 3_600, refused = [] } = this.options;
    const from = formatMac(this.mac);
    if (message.family === 6) {
      const type = message.kind === 'solicit' ? TYPE_6.advertise : TYPE_6.reply;
      const granted = ['request', 'renew', 'rebind'].includes(message.kind)
        ? { addresses: message.addresses.map((ip) => Buffer.from(ip.toBytes()).toString('hex')) }
        : {};
      const fields = { type, xid: message.xid, duid: message.clientId, serverDuid: duidOf(from), ...granted };
      const addresses = {
        source: HEX_LINK_LOCAL,
        destination: Buffer.from(source.toBytes()).toString('hex'),
      };
      const payload = dhcp6(fields);
      this.lan.send(
        this,
        udpFrame({ from, to: formatMac(ethernetSource), ...addresses, ports: [547, 546], payload }),
      );
      return;
    }
    const { kind, xid, mac, ciaddr, requested } = message;
    if (kind !== 'discover' && kind !== 'request') return;
    const wanted = ciaddr.isUnspecified ? requested?.key : ciaddr.key;
    const isOurs = wanted?.startsWith(network) === true && !refused.includes(wanted);
    const base = { mac: formatMac(mac), xid, server: address, broadcast: true };
    const granted = { yiaddr: wanted ?? `${network}99`, leaseSeconds };
    const isUnicast = isOurs && !ciaddr.isUnspecified;
    const payload =
      kind === 'discover'
        ? dhcp4({ ...base, type: TYPE.offer, ...granted })
        : dhcp4({
            ...base,
            type: isOurs ? TYPE.ack : TYPE.nak,
            ...(isOurs ? { ciaddr: ciaddr.key, ...granted } : {}),
          });
    this.lan.send(
      this,
      udpFrame({
        from,
        to: isUnicast ? formatMac(ethernetSource) : BROADCAST_MAC,
        source: address,
        destination: isUnicast ? ciaddr.key : '255.255.255.255',
        ports: [67, 68],
        payload,
      }),
    );
  }
}

const HEX_LINK_LOCAL = 'fe800000000000000000000000000012';

export interface Asking {
  readonly type?: number;
  readonly xid?: number;
  readonly ciaddr?: string;
  readonly requested?: string;
  readonly server?: string;
  readonly clientId?: string;
}

export type Asking6 = Pick<Dhcp6Fields, 'xid' | 'duid' | 'addresses' | 'more'>;

/** The DHCP client of a node that is on a LAN by another port too. */
export class SimDhcpClient extends Machine {
  /** By broadcast. */
  ask4(asking: Asking): void {
    const mac = formatMac(this.mac);
    const payload = dhcp4({ type: TYPE.request, ...asking, mac });
    const source = asking.ciaddr ?? '0.0.0.0';
    const addresses = { source, destination: '255.255.255.255', ports: [68, 67] as const };
    this.lan.send(this, udpFrame({ from: mac, to: BROADCAST_MAC, ...addresses, payload }));
  }

  /** To one MAC: a server's, or that of the router that stands for it. */
  ask4At(to: Mac, server: string, asking: Asking & { readonly ciaddr: string }): void {
    const mac = formatMac(this.mac);
    const payload = dhcp4({ type: TYPE.request, ...asking, mac });
    const addresses = { source: asking.ciaddr, destination: server, ports: [68, 67] as const };
    this.lan.send(this, udpFrame({ from: mac, to: formatMac(to), ...addresses, payload }));
  }

  ask6(type: number, more: Asking6 = {}): void {
    const mac = formatMac(this.mac);
    const payload = dhcp6({ type, mac, ...more });
    const addresses = { source: 'fe8000000000000050540000000009ff', destination: SERVERS_6 };
    this.lan.send(this, udpFrame({ from: mac, to: SERVERS_MAC_6, ...addresses, ports: [546, 547], payload }));
  }

  /** Kinds of what it has heard from servers, in order. */
  answers(): string[] {
    return this.heard.filter(({ message }) => message.from === 'server').map(({ message }) => message.kind);
  }

  /** Its port is plugged in at another LAN. */
  move(lan: SimLan): void {
    this.lan.detach(this);
    this.lan = lan;
    lan.attach(this);
  }
}
