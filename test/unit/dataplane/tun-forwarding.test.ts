/** What becomes of packets that the gateway machine itself sends or that are for it, with a TUN port and without. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  C,
  createPacketCounters,
  createVnetCounters,
  type PacketCounter,
} from '../../../src/dataplane/counters.js';
import { LanForwarder } from '../../../src/dataplane/lan-forwarder.js';
import { RelayTable } from '../../../src/dataplane/relay-table.js';
import { TunnelForwarder } from '../../../src/dataplane/tunnel-forwarder.js';
import { WorkerContext } from '../../../src/dataplane/worker-context.js';
import { ControlWord, type WorkerInput } from '../../../src/dataplane/worker-message.js';
import { Ip } from '../../../src/net/ip.js';
import { mac, ZERO_MAC } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding-compiler.js';
import { ForwardingTable } from '../../../src/tables/forwarding-table.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import { MacTable } from '../../../src/tables/mac-table.js';
import { ipPacket } from '../../support/ip-packets.js';
import { MemoryEngine } from '../../support/memory-engine.js';
import { SimClock } from '../../support/sim-clock.js';

const LAN = 0;
const TUN = 1;
const [VR_A, VR_B] = [0, 1];
const VM_MAC = mac('52:54:00:00:00:09');

/** Router vr-b: LAN 10.2.0.0/24 with own address .1, which is also the network's gateway; 10.2.0.9 is at vr-a. */
class Bench {
  readonly engine = new MemoryEngine();
  readonly #counters = createPacketCounters();
  readonly #lan: LanForwarder;
  readonly #tunnel: TunnelForwarder;

  constructor(hasTun: boolean) {
    const clock = new SimClock();
    const network = (prefix: string, router: string, gateway?: string) => ({
      vnet: 1,
      prefix: Prefix.of(prefix),
      router,
      gateway: gateway === undefined ? undefined : Ip.of(gateway),
      allow: undefined,
    });
    const entry = (id: string) => ({ id, publicKey: new Uint8Array(32), endpoints: [], relay: false });
    const config = {
      vnets: [{ name: 'blue', id: 1, subnet: undefined }],
      routers: [entry('vr-a'), entry('vr-b')],
      networks: [network('10.1.0.0/24', 'vr-a'), network('10.2.0.0/24', 'vr-b', '10.2.0.1')],
      cipher: 'chacha20-poly1305' as const,
      nodes: [],
    };
    const gndt = new Gndt(config, 'vr-b');
    const directory = new Directory('vr-b', clock);
    const hwdt = new Hwdt(clock);
    const lndt = new Lndt([{ vnet: 1, prefix: Prefix.of('10.2.0.0/24'), mac: undefined }], gndt, directory);
    const table = ForwardingTable.create();
    const lans = [{ index: LAN, vnet: 1, addresses: [Ip.of('10.2.0.1')] }];
    const tuns = hasTun ? [{ index: TUN, vnet: 1, addresses: [] }] : [];
    const away = { vnet: 1, ip: Ip.of('10.2.0.9'), mac: VM_MAC, router: 'vr-a', seq: 2, stamp: 1 };
    directory.apply({ ...away, state: 'here' });
    hwdt.learn(LAN, 1, VM_MAC, Ip.of('10.2.0.11'), 'arp-request');
    new ForwardingCompiler({ clock, gndt, lndt, hwdt, directory, table, lans, tuns }).rebuild();
    const control = new Int32Array(new SharedArrayBuffer(4 * ControlWord.count));
    Atomics.store(control, ControlWord.serving, 1);
    const input: WorkerInput = {
      engine: {
        role: 'lan',
        lans: [],
        tuns: [],
        udp: [],
        wakeupFd: -1,
        slots: 0,
        slotBytes: 0,
        counters: new SharedArrayBuffer(8),
      },
      lanVnets: [1, 1],
      tunsFrom: TUN,
      lanAddresses: [{ v4: undefined, v6: undefined }],
      vnets: new Uint8Array(new SharedArrayBuffer(65_536)).fill(1, 1, 2).buffer as SharedArrayBuffer,
      table: table.memory,
      macs: MacTable.create(16).memory,
      selfPeer: VR_B,
      relays: RelayTable.create(4).memory,
      clientVnets: new SharedArrayBuffer(4 * 4096),
      peerMtu: new Int32Array(new SharedArrayBuffer(64)).fill(1420).buffer as SharedArrayBuffer,
      counters: this.#counters.buffer as SharedArrayBuffer,
      control: control.buffer as SharedArrayBuffer,
      vnetCounters: createVnetCounters().buffer as SharedArrayBuffer,
      words: new SharedArrayBuffer(8),
    };
    const context = new WorkerContext(
      this.engine,
      input,
      () => {},
      () => clock.nowMs(),
    );
    this.#lan = new LanForwarder(context);
    this.#tunnel = new TunnelForwarder(context);
  }

  /** The machine itself sends. */
  own(source: string, destination: string, ttl = 64): void {
    this.engine.putFrame(TUN, ZERO_MAC, ipPacket({ source, destination, ttl }), ZERO_MAC);
    this.#lan.decide(0);
    this.engine.send(0, 1);
  }

  fromPeer(source: string, destination: string): void {
    const packet = ipPacket({ source, destination });
    this.engine.putMessage(VR_A, Buffer.concat([Buffer.from([0x10, 4, 0, 1]), packet]));
    this.#tunnel.decide(0);
    this.engine.send(0, 1);
  }

  counted(name: PacketCounter): number {
    return this.#counters[C[name]] ?? 0;
  }
}

describe('TUN port', () => {
  test('what the machine sends to another site goes there, and loses no TTL: this router is the machine', () => {
    const bench = new Bench(true);
    bench.own('10.2.0.1', '10.1.0.5', 1);
    const [sent] = bench.engine.sent;
    assert.ok(sent?.kind === 'tunnel');
    assert.equal(sent.peer, VR_A);
    assert.equal(sent.packet[8], 1);
  });

  test('to a native node that is away, and to one that is here', () => {
    const bench = new Bench(true);
    bench.own('10.2.0.1', '10.2.0.9');
    bench.own('10.2.0.1', '10.2.0.11');
    const [away, here] = bench.engine.sent;
    assert.ok(away?.kind === 'tunnel' && away.peer === VR_A);
    assert.ok(here?.kind === 'lan' && here.lan === LAN && here.to === VM_MAC);
  });

  test('only from its own addresses', () => {
    const bench = new Bench(true);
    for (const source of ['10.2.0.11', '10.1.0.5', '203.0.113.7']) bench.own(source, '10.1.0.6');
    assert.deepEqual(bench.engine.sent, []);
    assert.equal(bench.counted('drop_source_unauthorised'), 3);
  });

  test('what comes for its own address is handed to it', () => {
    const bench = new Bench(true);
    bench.fromPeer('10.1.0.5', '10.2.0.1');
    const [sent] = bench.engine.sent;
    assert.ok(sent?.kind === 'lan' && sent.lan === TUN);
    assert.equal(bench.counted('to_gateway'), 1);
  });

  test('a departed node and the outside world, where the machine itself is the gateway: through it, both ways', () => {
    const bench = new Bench(true);
    bench.fromPeer('10.2.0.9', '203.0.113.7');
    bench.own('203.0.113.7', '10.2.0.9');
    const [out, back] = bench.engine.sent;
    assert.ok(out?.kind === 'lan' && out.lan === TUN);
    assert.ok(back?.kind === 'tunnel' && back.peer === VR_A);
  });

  test('without one: dropped, and counted by name', () => {
    const bench = new Bench(false);
    bench.fromPeer('10.1.0.5', '10.2.0.1');
    assert.deepEqual(bench.engine.sent, []);
    assert.equal(bench.counted('drop_own_address_without_tun'), 1);
  });
});
