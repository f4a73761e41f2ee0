/** From text to the values that the tables are made of. Each reader says what would be right. */
import { Buffer } from 'node:buffer';
import { Ip } from '../../net/ip.js';
import { isGroupMac, type Mac, parseMac, ZERO_MAC } from '../../net/mac.js';
import { NAME, NAME_RULE } from '../../net/name.js';
import { Prefix } from '../../net/prefix.js';
import type { Endpoint, RouterEndpoint, SensorsConfig } from '../model.js';
import { readHostName } from './host-name.js';
import { quoted } from './suggest.js';

export type Read<T> = { readonly value: T } | { readonly problem: string };

/** Bytes of an X25519 key. */
export const KEY_BYTES = 32;

/** Ids of routers and names of vnets. */
export function readName(text: string): Read<string> {
  return NAME.test(text) ? { value: text } : { problem: `${quoted(text)} is no name; ${NAME_RULE}` };
}

/** Linux: IFNAMSIZ − 1 = 15 bytes, neither "/" nor white space, not "." or "..". */
export function readInterface(text: string): Read<string> {
  if (/^[\x21-\x2e\x30-\x7e]{1,15}$/.test(text) && text !== '.' && text !== '..') return { value: text };
  return {
    problem: `${quoted(text)} is no interface name; Linux takes 1 to 15 characters without "/" and blanks, as "ip link" shows them`,
  };
}

export function readFilePath(text: string): Read<string> {
  if (text !== '' && !text.includes('\0')) return { value: text };
  return { problem: `${quoted(text)} is no file path` };
}

/** A node's address: a host's, not a group's, not this machine's own, one that can leave its link. */
export function readNodeIp(text: string): Read<Ip> {
  const address = readIp(text);
  if ('problem' in address) return address;
  const why = unfit(address.value);
  return why === undefined ? address : { problem: `${text} ${why}` };
}

export function readIp(text: string): Read<Ip> {
  const value = Ip.parse(text);
  if (value !== undefined) return { value };
  const bare = Ip.parse(text.replace(/\/.*$/, ''));
  if (bare !== undefined)
    return { problem: `${quoted(text)} is a prefix; expected one address, such as ${bare}` };
  if (/^[\d.]+$/.test(text) && /(^|\.)0\d/.test(text)) {
    return {
      problem: `${quoted(text)} has leading zeros, which some programs read as octal; leave them out`,
    };
  }
  return { problem: `${quoted(text)} is no IP address; expected one such as 10.1.0.9 or fd00:1::9` };
}

/** A network's prefix: host bits zero, length given. */
export function readPrefix(text: string): Read<Prefix> {
  const slash = text.indexOf('/');
  const address = Ip.parse(slash < 0 ? text : text.slice(0, slash));
  if (address === undefined) {
    return { problem: `${quoted(text)} is no prefix; expected one such as 10.1.0.0/24 or fd00:1::/64` };
  }
  if (slash < 0) {
    const example = Prefix.containing(address, address.family === 4 ? 24 : 64);
    return { problem: `${quoted(text)} has no prefix length; write for example ${example}` };
  }
  const lengthText = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(lengthText) || Number(lengthText) > address.bits) {
    return { problem: `${quoted(text)} needs a prefix length from 0 to ${address.bits} after the "/"` };
  }
  const value = Prefix.containing(address, Number(lengthText));
  if (!value.address.equals(address)) {
    return { problem: `${quoted(text)} has host bits set; did you mean ${value}?` };
  }
  const why = value.length === 0 ? undefined : unfit(address);
  return why === undefined ? { value } : { problem: `${text} ${why}` };
}

/** lndt.json: an address or a prefix. */
export function readNodePrefix(text: string): Read<Prefix> {
  if (text.includes('/')) return readPrefix(text);
  const address = readNodeIp(text);
  return 'problem' in address ? address : { value: Prefix.host(address.value) };
}

function unfit(address: Ip): string | undefined {
  if (address.isUnspecified) return 'is the unspecified address; no node can have it';
  if (address.isGroup) return 'is multicast or broadcast; no node can have it';
  if (address.isLoopback) return 'is loopback; it never leaves its machine';
  if (address.isLinkLocal) return 'is link-local; it never leaves its LAN';
  return undefined;
}

export function readMac(text: string): Read<Mac> {
  const value = parseMac(text);
  if (value === undefined) {
    return {
      problem: `${quoted(text)} is no MAC address; expected six hexadecimal pairs, such as 52:54:00:00:00:09`,
    };
  }
  if (value === ZERO_MAC || isGroupMac(value)) {
    return { problem: `${text} is no single machine's MAC address (it is zero, or its group bit is set)` };
  }
  return { value };
}

/** A public key in base64, as `wg` and `vinectl` write it. */
export function readKey(text: string): Read<Uint8Array> {
  const value = decodeKey(text);
  if (value === undefined) {
    return { problem: 'not a key; expected the 44 characters of base64 that "vinectl pubkey" prints' };
  }
  if (value.every((byte) => byte === 0)) return { problem: "the key is all zeros, which is nobody's key" };
  return { value };
}

/** Base64 (RFC 4648 §4) of exactly 32 bytes, 44 characters; undefined when the text is anything else. */
export function decodeKey(text: string): Uint8Array | undefined {
  const bytes = Buffer.from(text, 'base64');
  // Encoding again shows what Buffer forgives: other alphabets, missing padding, stray bits in the last character.
  return bytes.length === KEY_BYTES && bytes.toString('base64') === text ? new Uint8Array(bytes) : undefined;
}

export function encodeKey(key: Uint8Array): string {
  return Buffer.from(key).toString('base64');
}

/** Where a router listens: the unspecified address (every interface) and port 0 (any free port) are fine. */
export function readListen(text: string): Read<Endpoint> {
  return readEndpointUrl(text, 0);
}

/** Where other routers reach a router: an address or a host name. */
export function readEndpoint(text: string): Read<RouterEndpoint> {
  const named = readNamedUrl(text);
  return named ?? readAddressEndpoint(text);
}

/** Where something is sent by UDP. */
export function readCollector(text: string): Read<Endpoint> {
  const outcome = readAddressEndpoint(text);
  if (!('value' in outcome) || outcome.value.transport === 'udp') return outcome;
  return { problem: `${JSON.stringify(text)} does not begin with udp://` };
}

/** Where something is heard by UDP. */
export function readFlowListen(text: string): Read<Endpoint> {
  const outcome = readEndpointUrl(text, 1);
  if (!('value' in outcome)) return outcome;
  const { transport, address } = outcome.value;
  if (transport !== 'udp') return { problem: `${JSON.stringify(text)} does not begin with udp://` };
  if (address.isGroup)
    return { problem: `${quoted(text)} is multicast or broadcast; expected an address of this machine` };
  return outcome;
}

/** Where sensors are heard. The path of a Unix socket is absolute. */
export function readSensorListen(text: string): Read<SensorsConfig['listen']> {
  if (text.startsWith('unix:')) {
    const path = text.slice('unix:'.length);
    return path.startsWith('/') ? { value: { path } } : { problem: `${quoted(text)} has no absolute path` };
  }
  const outcome = readEndpointUrl(text, 1);
  if (!('value' in outcome)) return outcome;
  const { transport, address, port } = outcome.value;
  if (transport !== 'tcp') return { problem: `${quoted(text)} does not begin with tcp:// or unix:` };
  return { value: { address, port } };
}

/** An address at which others are reached. */
export function readAddressEndpoint(text: string): Read<Endpoint> {
  const endpoint = readEndpointUrl(text, 1);
  if ('problem' in endpoint) return endpoint;
  const { address } = endpoint.value;
  if (address.isUnspecified) {
    return {
      problem: `${quoted(text)} says where to listen; expected an address at which others reach this router`,
    };
  }
  if (address.isGroup) {
    return { problem: `${quoted(text)} is multicast or broadcast; expected one router's address` };
  }
  return endpoint;
}

/** Undefined: there is no name in it, or something else is wrong, of which more is said elsewhere. */
function readNamedUrl(text: string): Read<RouterEndpoint> | undefined {
  const match = /^(udp|tcp):\/\/([^:/[\]@?#%]+)(?::([^:]*))?$/.exec(text);
  const [, scheme, host = '', portText] = match ?? [];
  if ((scheme !== 'udp' && scheme !== 'tcp') || !looksLikeName(host)) return undefined;
  const name = readHostName(host);
  if ('problem' in name) return { problem: `${quoted(text)}: ${name.problem}` };
  if (portText === undefined)
    return { problem: `${quoted(text)} has no port; expected for example ${scheme}://${name.value}:7700` };
  const port = readPort(portText, 1);
  if (port === undefined) return { problem: `${quoted(text)}: ${portProblem(1)}` };
  return { value: { transport: scheme, name: name.value, port } };
}

/** Digits and dots alone are an address, or meant to be one. */
function looksLikeName(host: string): boolean {
  return !/^[\d.]*$/.test(host);
}

function readEndpointUrl(text: string, lowestPort: 0 | 1): Read<Endpoint> {
  const match = /^([a-z][a-z0-9+.-]*):\/\/(.*)$/i.exec(text);
  if (match === null) {
    return {
      problem: `${quoted(text)} is no endpoint; expected udp://192.0.2.1:7700 or udp://[2001:db8::1]:7700`,
    };
  }
  const [, scheme = '', rest = ''] = match;
  if (scheme !== 'udp' && scheme !== 'tcp') {
    return {
      problem: `${quoted(text)}: expected "udp://" or "tcp://" in small letters, got "${scheme}://"`,
    };
  }
  const head = `${scheme}://`;
  const socket = readSocket(rest, { head, lowestPort, address: '192.0.2.1', port: 7700 });
  return 'problem' in socket ? socket : { value: { transport: scheme, ...socket.value } };
}

/** The metrics' `127.0.0.1:9770` or `[::1]:9770`. */
export function readSocketAddress(text: string): Read<{ address: Ip; port: number }> {
  return readSocket(text, { head: '', lowestPort: 1, address: '127.0.0.1', port: 9770 });
}

/** What stands before the address, and an example of what would be right. */
interface SocketForm {
  readonly head: string;
  readonly lowestPort: 0 | 1;
  readonly address: string;
  readonly port: number;
}

function readSocket(text: string, form: SocketForm): Read<{ address: Ip; port: number }> {
  const whole = quoted(`${form.head}${text}`);
  const match = /^(\[([^\]]*)\]|[^:[\]]*):([^:\]]*)$/.exec(text);
  if (match === null) return { problem: `${whole} ${withoutPort(text, form)}` };
  const [, host = '', bracketed, portText = ''] = match;
  const address = Ip.parse(bracketed ?? host);
  if (address === undefined) return { problem: `${whole}${notAnAddress(bracketed ?? host, form)}` };
  if ((bracketed !== undefined) !== (address.family === 6)) {
    return {
      problem: `${whole}: only an IPv6 address stands in brackets; write ${form.head}${address}:${portText}`,
    };
  }
  const port = readPort(portText, form.lowestPort);
  return port === undefined
    ? { problem: `${whole}: ${portProblem(form.lowestPort)}` }
    : { value: { address, port } };
}

function readPort(text: string, lowest: 0 | 1): number | undefined {
  const port = /^(0|[1-9]\d{0,4})$/.test(text) ? Number(text) : -1;
  return port < lowest || port > 65_535 ? undefined : port;
}

function portProblem(lowest: 0 | 1): string {
  return `the port must be a number from ${lowest} to 65535, with nothing after it`;
}

function withoutPort(text: string, { head, address, port }: SocketForm): string {
  const bare = Ip.parse(text.replace(/^\[(.*)\]$/, '$1'));
  if (bare === undefined) return `is not ADDRESS:PORT; expected for example ${head}${address}:${port}`;
  return `has no port; expected for example ${head}${bare.family === 6 ? `[${bare}]` : bare}:${port}`;
}

function notAnAddress(host: string, { head, address, port }: SocketForm): string {
  const example = `${head}${address}:${port}`;
  if (host === '') return ` has no address; expected for example ${example}`;
  if (host.includes('%')) return ': an address with a zone ("%") means nothing on another machine';
  if (/^[a-z0-9._-]*[a-z][a-z0-9._-]*$/i.test(host)) {
    return `: a name says nothing about where to listen; write the IP address, such as ${example}`;
  }
  return `: ${quoted(host)} is no IP address; expected for example ${example}`;
}
