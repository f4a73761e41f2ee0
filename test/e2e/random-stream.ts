/** A random stream of packets from a host of site A to one of site B, compared byte by byte. */
import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import type { Lab } from '../lab/lab.js';
import { essence, flowOf, randomStream, routed, siteAtoB } from '../support/flow-packets.js';
import { faultsOf } from '../support/ip-packet.js';

const COUNT = 240;
const PROGRAM = new URL('../lab/traffic/packets.js', import.meta.url).pathname;

interface Arrived {
  readonly frames: number;
  readonly hex: readonly string[];
}

/** Rejects when a packet does not arrive as it should. @param name for the failure's message */
export async function carryRandomStream(
  lab: Lab,
  seed: number,
  name: string,
): Promise<{ packets: number; frames: number }> {
  const { frames, hex } = await carry(lab, seed);
  compare(randomStream(seed, COUNT, siteAtoB).map(routed), hex.map(bytesOf), name);
  return { packets: COUNT, frames };
}

async function carry(lab: Lab, seed: number): Promise<Arrived> {
  const mac = (await lab.exec('vr-a', ['cat', '/sys/class/net/lan0/address'])).trim();
  const receiver = lab.spawn('b1', [process.execPath, PROGRAM, 'receive', 'eth0', `${COUNT}`]);
  let said = '';
  receiver.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  for await (const line of createInterface({ input: receiver.stdout })) {
    if (line === 'ready') {
      await lab.exec('a1', [process.execPath, PROGRAM, 'send', 'eth0', mac, `${seed}`, `${COUNT}`]);
    } else {
      return JSON.parse(line) as Arrived;
    }
  }
  throw new Error(`the receiver ended without a report: ${said}`);
}

const bytesOf = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex, 'hex'));

/** Every packet once, byte for byte, its checksums as right or wrong as they were, in the order of its flow. */
function compare(sent: readonly Uint8Array[], arrived: readonly Uint8Array[], name: string): void {
  const [before, after] = [grouped(sent), grouped(arrived)];
  for (const [flow, packets] of before) {
    const same = after.get(flow) ?? [];
    assert.deepEqual(same.map(essence), packets.map(essence), `${name}: flow ${flow}`);
    assert.deepEqual(same.map(faultsOf), packets.map(faultsOf), `${name}: checksums of flow ${flow}`);
  }
  assert.equal(arrived.length, sent.length, name);
}

function grouped(packets: readonly Uint8Array[]): Map<string, Uint8Array[]> {
  const flows = new Map<string, Uint8Array[]>();
  for (const packet of packets) flows.set(flowOf(packet), [...(flows.get(flowOf(packet)) ?? []), packet]);
  return flows;
}
