/** DHCP frames for the warm-up: a visiting node that asks to keep its address, and its home server's answer. */
import { type DhcpFrame, decodeDhcpFrame, encodeDhcpFrame, toServers } from '../../arp/dhcp/frame.js';
import { linkLocalOf } from '../../arp/ipv6.js';
import type { Ip } from '../../net/ip.js';
import { type Mac, writeMac } from '../../net/mac.js';

const LEASE_SECONDS = 3_600;

export interface ScratchClient {
  readonly mac: Mac;
  readonly ip: Ip;
  readonly server: Ip;
}

/** REBINDING, by broadcast. */
export function rebinding({ mac, ip }: ScratchClient, xid: number): DhcpFrame | undefined {
  const to = toServers(4);
  const addresses = { ethernetSource: mac, ethernetDestination: to.mac, source: ip, destination: to.ip };
  return read(encodeDhcpFrame(addresses, 'client', message(1, mac, xid, ip, [53, 1, 3, 61, 2, 1, 1])));
}

/** As it comes to the home router, which stands for the node. */
export function acknowledgement(
  { mac, ip, server }: ScratchClient,
  router: Mac,
  xid: number,
): DhcpFrame | undefined {
  const addresses = {
    ethernetSource: SERVER_MAC,
    ethernetDestination: router,
    source: server,
    destination: ip,
  };
  const lease = [0, 0, LEASE_SECONDS >>> 8, LEASE_SECONDS & 0xff];
  const options = [53, 1, 5, 54, 4, ...server.toBytes(), 51, 4, ...lease, 1, 4, 255, 255, 255, 0];
  return read(encodeDhcpFrame(addresses, 'server', message(2, mac, xid, ip, options)));
}

/** REBIND, to all servers. */
export function rebinding6({ mac }: ScratchClient, xid: number): DhcpFrame | undefined {
  const to = toServers(6);
  const addresses = {
    ethernetSource: mac,
    ethernetDestination: to.mac,
    source: linkLocalOf(mac),
    destination: to.ip,
  };
  return read(encodeDhcpFrame(addresses, 'client', message6(6, xid, [])));
}

/** As it comes to the home router, which has asked. */
export function reply6(router: Mac, xid: number): DhcpFrame | undefined {
  const source = linkLocalOf(SERVER_MAC);
  const addresses = {
    ethernetSource: SERVER_MAC,
    ethernetDestination: router,
    source,
    destination: linkLocalOf(router),
  };
  return read(encodeDhcpFrame(addresses, 'server', message6(7, xid, [0, 2, 0, 4, 0, 3, 0, 2])));
}

/** RFC 8415 §8: the client's DUID, an association with an address, each lifetime some hours. */
function message6(type: number, xid: number, more: readonly number[]): Uint8Array {
  const address = [0xfd, ...new Array<number>(14).fill(0), 9, 0, 0, 50, 0, 0, 0, 60, 0];
  const association = [0, 0, 0, 1, 0, 0, 20, 0, 0, 0, 30, 0, 0, 5, 0, address.length, ...address];
  const options = [0, 1, 0, 4, 0, 3, 0, 1, 0, 3, 0, association.length, ...association, ...more];
  return Uint8Array.from([type, (xid >>> 16) & 0xff, (xid >>> 8) & 0xff, xid & 0xff, ...options]);
}

const SERVER_MAC = 0x02000000fffe as Mac;

/** RFC 2131 §2; the same address as ciaddr and yiaddr. */
function message(operation: number, mac: Mac, xid: number, ip: Ip, options: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(300);
  bytes.set([operation, 1, 6, 0, xid >>> 24, (xid >>> 16) & 0xff, (xid >>> 8) & 0xff, xid & 0xff]);
  ip.write(bytes, 12);
  ip.write(bytes, 16);
  writeMac(mac, bytes, 28);
  bytes.set([0x63, 0x82, 0x53, 0x63, ...options, 255], 236);
  return bytes;
}

function read(bytes: Uint8Array): DhcpFrame | undefined {
  const frame = decodeDhcpFrame(bytes);
  return typeof frame === 'string' ? undefined : frame;
}
