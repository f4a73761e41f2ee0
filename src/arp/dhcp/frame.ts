/** Frames that carry DHCP: by the ports of RFC 2131 §4.1 and RFC 8415 §7.2, between clients and servers. */

import { Ip } from '../../net/ip.js';
import { UDP } from '../../net/ip-protocol.js';
import { BROADCAST_MAC, type Mac } from '../../net/mac.js';
import { EtherType, readU16 } from '../ethernet.js';
import { groupMac } from '../ipv6.js';
import { type Dhcp4Message, decodeDhcp4 } from './dhcp4.js';
import { type Dhcp6Message, decodeDhcp6 } from './dhcp6.js';
import type { DhcpDropReason } from './drop-reason.js';
import { decodeUdp, encodeUdp } from './udp.js';

export { DHCP_DROP_REASONS, type DhcpDropReason } from './drop-reason.js';

/** Of either family: what is read of it, and its bytes. */
export type DhcpMessage = Dhcp4Message | Dhcp6Message;

const SERVER_PORT = 67;
const CLIENT_PORT = 68;
const SERVER_PORT_6 = 547;
const CLIENT_PORT_6 = 546;

export const BROADCAST = Ip.v4(0xffffffff);
/** ff02::1:2, all relay agents and servers (RFC 8415 §7.1). */
export const ALL_SERVERS = Ip.v6(0xff020000, 0, 0, 0x0001_0002);

export interface DhcpFrame {
  readonly ethernetSource: Mac;
  readonly ethernetDestination: Mac;
  readonly source: Ip;
  readonly destination: Ip;
  readonly message: DhcpMessage;
}

/** Is it IPv4, or IPv6 with UDP? Of what the capture's filter lets through, that is DHCP. */
export function isUdpFrame(bytes: Uint8Array): boolean {
  const type = readU16(bytes, 12);
  return type === EtherType.ipv4 || (type === EtherType.ipv6 && bytes[20] === UDP);
}

/** @param bytes a UDP payload. Never throws; `bytes` of the result is a copy */
export function decodeDhcp(family: 4 | 6, bytes: Uint8Array): DhcpMessage | DhcpDropReason {
  return family === 4 ? decodeDhcp4(bytes) : decodeDhcp6(bytes);
}

/** Decodes a whole Ethernet frame. Never throws; keeps no reference to `bytes`. */
export function decodeDhcpFrame(bytes: Uint8Array): DhcpFrame | DhcpDropReason {
  const udp = decodeUdp(bytes);
  if (typeof udp === 'string') return udp;
  const { source, destination, ethernetSource, ethernetDestination, payload } = udp;
  const message = decodeDhcp(source.family, payload);
  if (typeof message === 'string') return message;
  // What a client says comes to a server's port, and the other way round; only relays send from a server's to a server's.
  const [server, client] = source.family === 4 ? [SERVER_PORT, CLIENT_PORT] : [SERVER_PORT_6, CLIENT_PORT_6];
  if (udp.destinationPort !== (message.from === 'client' ? server : client)) return 'ports';
  return { ethernetSource, ethernetDestination, source, destination, message };
}

/**
 * A frame with a DHCP message.
 * @param from who says it: decides the ports @param payload the message, which `Dhcp4Message.bytes` is only when padded
 */
export function encodeDhcpFrame(
  addresses: Omit<DhcpFrame, 'message'>,
  from: DhcpMessage['from'],
  payload: Uint8Array,
): Uint8Array {
  const [server, client] =
    addresses.source.family === 4 ? [SERVER_PORT, CLIENT_PORT] : [SERVER_PORT_6, CLIENT_PORT_6];
  const [sourcePort, destinationPort] = from === 'client' ? [client, server] : [server, client];
  return encodeUdp({ ...addresses, sourcePort, destinationPort, payload });
}

/** Where clients send what is for any server. */
export function toServers(family: 4 | 6): { readonly mac: Mac; readonly ip: Ip } {
  return family === 4
    ? { mac: BROADCAST_MAC, ip: BROADCAST }
    : { mac: groupMac(ALL_SERVERS), ip: ALL_SERVERS };
}

/** Is the frame for any server? */
export function isForAnyServer({ ethernetDestination, destination }: DhcpFrame): boolean {
  const { mac, ip } = toServers(destination.family);
  return ethernetDestination === mac && destination.equals(ip);
}
