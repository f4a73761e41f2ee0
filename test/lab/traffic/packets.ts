/**
 * Raw packets on a node's interface, through the addon and past the node's own kernel:
 *
 *     packets.js send INTERFACE MAC SEED COUNT       a random stream (flow-packets.ts) from site A's first host to B's
 *     packets.js receive INTERFACE COUNT             prints "ready", then what came of such a stream, cut to packets
 */
import {
  Action,
  D,
  DESCRIPTOR_WORDS,
  type Engine,
  EngineCounter,
  type LanSocket,
} from '../../../src/dataplane/engine.js';
import { LanRoles } from '../../../src/dataplane/lan-roles.js';
import { loadNative } from '../../../src/dataplane/native.js';
import { macHigh, macLow, mac as parseMac } from '../../../src/net/mac.js';
import { splitPacket } from '../../support/fake-segment.js';
import { isOfStream, randomStream, siteAtoB } from '../../support/flow-packets.js';

const BATCH = 60;
const SLOTS = 64;
const QUIET_MS = 5_000;

const native = loadNative();

function open(interfaceName: string): { engine: Engine; lan: LanSocket } {
  const lan = native.openLan(interfaceName, 0);
  const engine = native.createEngine({
    role: 'lan',
    lans: [lan],
    lanRoles: LanRoles.create(1).memory,
    tuns: [],
    udp: [],
    wakeupFd: native.createWakeup(),
    slots: SLOTS,
    slotBytes: 66_560,
    counters: new SharedArrayBuffer(EngineCounter.count * 8),
  });
  return { engine, lan };
}

function send(interfaceName: string, mac: string, seed: number, count: number): void {
  const { engine } = open(interfaceName);
  const to = parseMac(mac);
  const packets = randomStream(seed, count, siteAtoB);
  for (let first = 0; first < packets.length; first += BATCH) {
    let offset = 0;
    const batch = packets.slice(first, first + BATCH);
    batch.forEach((packet, i) => {
      engine.packets.set(packet, offset);
      const words = new Int32Array(DESCRIPTOR_WORDS);
      words[D.offset] = offset;
      words[D.length] = packet.length;
      words[D.action] = Action.lan;
      words[D.outMacHigh] = macHigh(to);
      words[D.outMacLow] = macLow(to);
      engine.descriptors.set(words, i * DESCRIPTOR_WORDS);
      offset += packet.length;
    });
    engine.send(0, batch.length);
  }
}

function receive(interfaceName: string, count: number): void {
  const { engine } = open(interfaceName);
  const hex: string[] = [];
  let frames = 0;
  process.stdout.write('ready\n');
  for (let last = performance.now(); hex.length < count && performance.now() - last < QUIET_MS; ) {
    const filled = engine.receive(100);
    for (let i = 0; i < filled; i++) {
      const packets = packetsOf(engine, i).filter(isOfStream);
      if (packets.length > 0) frames++;
      hex.push(...packets.map((packet) => Buffer.from(packet).toString('hex')));
    }
    if (filled > 0) last = performance.now();
  }
  process.stdout.write(`${JSON.stringify({ frames, hex })}\n`);
}

function packetsOf(engine: Engine, i: number): Uint8Array[] {
  const word = (field: number): number => engine.descriptors[i * DESCRIPTOR_WORDS + field] ?? 0;
  const packet = engine.packets.slice(word(D.offset), word(D.offset) + word(D.length));
  const offload = {
    gsoType: word(D.gsoType),
    gsoSize: word(D.gsoSize),
    flags: word(D.flags),
    checksumStart: word(D.checksumStart),
    checksumOffset: word(D.checksumOffset),
  };
  return splitPacket(packet, offload, Number.POSITIVE_INFINITY) ?? [];
}

const [mode = '', interfaceName = '', ...rest] = process.argv.slice(2);
if (mode === 'send') send(interfaceName, rest[0] ?? '', Number(rest[1]), Number(rest[2]));
else if (mode === 'receive') receive(interfaceName, Number(rest[0]));
else throw new Error(`unknown mode ${mode}`);
