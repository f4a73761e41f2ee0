/**
 * Advertises a virtual router that it is not, past the node's own kernel, until its input ends:
 *
 *     advertise.js INTERFACE SOURCE VRID PRIORITY TTL EVERY-MS ADDRESS...     prints "sent" after the first
 */
import { checksumOf, sumOfWords } from '../../../src/arp/checksum.js';
import { writeU16 } from '../../../src/arp/ethernet.js';
import { Action, D, DESCRIPTOR_WORDS, EngineCounter } from '../../../src/dataplane/engine.js';
import { LanRoles } from '../../../src/dataplane/lan-roles.js';
import { loadNative } from '../../../src/dataplane/native.js';
import { Ip } from '../../../src/net/ip.js';
import { macHigh, macLow, mac as parseMac } from '../../../src/net/mac.js';
import { encodeAdvertisement } from '../../../src/pair/advertisement.js';

/** Of 224.0.0.18 and ff02::12 (RFC 1112 §6.4, RFC 2464 §7). */
const GROUP_MAC = { 4: '01:00:5e:00:00:12', 6: '33:33:00:00:00:12' } as const;
const IPV4_HEADER_BYTES = 20;

const [interfaceName = '', from = '', vrid, priority, ttl, everyMs, ...addresses] = process.argv.slice(2);
const source = Ip.parse(from);
if (source === undefined) throw new Error(`no address: ${from}`);

function parse(text: string): Ip {
  const ip = Ip.parse(text);
  if (ip === undefined) throw new Error(`no address: ${text}`);
  return ip;
}

function packet(): Uint8Array {
  const bytes = encodeAdvertisement({
    source: parse(from),
    vrid: Number(vrid),
    priority: Number(priority),
    maxIntervalCs: 5,
    addresses: addresses.map(parse),
  });
  if (bytes[0] === undefined || bytes[0] >>> 4 === 6) bytes[7] = Number(ttl);
  else {
    bytes[8] = Number(ttl);
    writeU16(bytes, 10, 0);
    writeU16(bytes, 10, checksumOf(sumOfWords(bytes, 0, IPV4_HEADER_BYTES)));
  }
  return bytes;
}

const native = loadNative();
const engine = native.createEngine({
  role: 'lan',
  lans: [native.openLan(interfaceName, 0)],
  tuns: [],
  udp: [],
  lanRoles: LanRoles.create(1).memory,
  wakeupFd: native.createWakeup(),
  slots: 64,
  slotBytes: 66_560,
  counters: new SharedArrayBuffer(EngineCounter.count * 8),
});
const advertisement = packet();
const to = parseMac(GROUP_MAC[source.family]);

function send(): void {
  engine.packets.set(advertisement, 0);
  const words = new Int32Array(DESCRIPTOR_WORDS);
  words[D.offset] = 0;
  words[D.length] = advertisement.length;
  words[D.action] = Action.lan;
  words[D.outMacHigh] = macHigh(to);
  words[D.outMacLow] = macLow(to);
  engine.descriptors.set(words, 0);
  engine.send(0, 1);
}

send();
process.stdout.write('sent\n');
setInterval(send, Number(everyMs));
process.stdin.resume().once('end', () => process.exit(0));
