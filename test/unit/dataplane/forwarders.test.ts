import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
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
import { ControlWord, type WorkerInput, type WorkerMessage } from '../../../src/dataplane/worker-message.js';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac, macHigh, macLow } from '../../../src/net/mac.js';
import { Prefix } from '../../../src/net/prefix.js';
import { Directory } from '../../../src/tables/directory.js';
import { ForwardingCompiler } from '../../../src/tables/forwarding-compiler.js';
import { ForwardingTable } from '../../../src/tables/forwarding-table.js';
import { Gndt } from '../../../src/tables/gndt.js';
import { Hwdt } from '../../../src/tables/hwdt.js';
import { Lndt } from '../../../src/tables/lndt.js';
import { MacTable } from '../../../src/tables/mac-table.js';
import type { GndtConfig, NetworkConfig, RouterEntry } from '../../../src/tables/model.js';
import { Rescue } from '../../../src/tables/rescue.js';
import { checksumsHold, ipPacket, tcpPacket } from '../../support/ip-packets.js';
import { MemoryEngine } from '../../support/memory-engine.js';
import { SimClock } from '../../support/sim-clock.js';

/** This router is vr-b; a node native to vr-a's network may visit, one of its own may be away at vr-c. */
const [A, B, C_] = [0, 1, 2];
const VR_MAC = mac('02:00:00:00:02:01');
const HOST_MAC = mac('52:54:00:00:02:11');
const VM_MAC = mac('52:54:00:00:00:09');
const GATEWAY_MAC = mac('52:54:00:00:02:fe');
const AWAY_MAC = mac('52:54:00:00:02:22');
const MTU = 1436;

interface Site {
  readonly host: string;
  readonly remote: string;
  readonly third: string;
  readonly visitor: string;
  readonly away: string;
  readonly outside: string;
  readonly unlisted: string;
  readonly own: string;
}

const SITES: Record<'IPv4' | 'IPv6', Site> = {
  IPv4: {
    host: '10.2.0.11',
    remote: '10.1.0.11',
    third: '10.3.0.11',
    visitor: '10.1.0.9',
    away: '10.2.0.22',
    outside: '198.51.100.10',
    unlisted: '10.2.0.200',
    own: '10.2.0.1',
  },
  IPv6: {
    host: 'fd00:2::11',
    remote: 'fd00:1::11',
    third: 'fd00:3::11',
    visitor: 'fd00:1::9',
    away: 'fd00:2::22',
    outside: '2001:db8::10',
    unlisted: 'fd00:2:0:0:ffff::1',
    own: 'fd00:2::1',
  },
};

function gndtConfig(subnet: boolean): GndtConfig {
  const routers = ['vr-a', 'vr-b', 'vr-c'].map(
    (id): RouterEntry => ({ id, publicKey: new Uint8Array(32), endpoints: [], relay: false }),
  );
  const network = (prefix: string, router: string, gateway?: string): NetworkConfig => ({
    vnet: 1,
    prefix: Prefix.of(prefix),
    router,
    gateway: gateway === undefined ? undefined : Ip.of(gateway),
    allow: undefined,
  });
  return {
    vnets: [{ name: 'blue', id: 1, subnet: subnet ? Prefix.of('10.0.0.0/8') : undefined }],
    routers,
    networks: [
      network('10.1.0.0/24', 'vr-a', '10.1.0.254'),
      network('10.2.0.0/24', 'vr-b', '10.2.0.254'),
      network('10.3.0.0/24', 'vr-c'),
      network('fd00:1::/64', 'vr-a', 'fd00:1::fe'),
      network('fd00:2::/64', 'vr-b', 'fd00:2::fe'),
      network('fd00:3::/64', 'vr-c'),
    ],
    cipher: 'chacha20-poly1305',
    nodes: [],
  };
}

class Bench {
  readonly engine = new MemoryEngine();
  readonly posted: WorkerMessage[] = [];
  readonly clock = new SimClock();
  readonly counters = createPacketCounters();
  readonly control = new Int32Array(new SharedArrayBuffer(ControlWord.count * 4));
  readonly directory: Directory;
  readonly hwdt: Hwdt;
  readonly context: WorkerContext;

  constructor(site: Site, subnet = false) {
    const gndt = new Gndt(gndtConfig(subnet), 'vr-b');
    this.directory = new Directory('vr-b', this.clock);
    this.hwdt = new Hwdt(this.clock);
    const listed = [Prefix.of('10.2.0.0/25'), Prefix.of('fd00:2::/80')];
    const lndt = new Lndt(
      listed.map((prefix) => ({ vnet: 1, prefix, mac: undefined })),
      gndt,
      this.directory,
    );
    const table = ForwardingTable.create();
    const lans = [{ index: 0, vnet: 1, addresses: [Ip.of(site.own)] }];
    const { clock, directory, hwdt } = this;
    new ForwardingCompiler({ gndt, lndt, hwdt, directory, table, clock, lans }).rebuild();
    const macs = MacTable.create(16);
    new Rescue(gndt, this.directory, macs, () => {});
    this.#populate(site);
    const peerMtu = new Int32Array(new SharedArrayBuffer(64)).fill(MTU);
    Atomics.store(this.control, ControlWord.serving, 1);
    const words = (text: string): { family: 4 | 6; words: [number, number, number, number] } => {
      const { family, words: w } = Ip.of(text);
      return { family, words: [...w] };
    };
    const own = words(site.own);
    const input: WorkerInput = {
      engine: {
        role: 'lan',
        lans: [
          {
            fd: 3,
            index: 0,
            macHigh: macHigh(VR_MAC),
            macLow: macLow(VR_MAC),
            mtuBytes: 1500,
            vnetHeader: true,
          },
        ],
        tuns: [],
        udp: [],
        wakeupFd: -1,
        slots: 0,
        slotBytes: 0,
        counters: new SharedArrayBuffer(8),
      },
      lanVnets: [1, 1],
      tunsFrom: 1,
      lanAddresses: [{ v4: own.family === 4 ? own : undefined, v6: own.family === 6 ? own : undefined }],
      vnets: new Uint8Array(new SharedArrayBuffer(65_536)).fill(1, 1, 2).buffer as SharedArrayBuffer,
      table: table.memory,
      macs: macs.memory,
      selfPeer: B,
      relays: RelayTable.create(16).memory,
      clientVnets: new SharedArrayBuffer(64),
      peerMtu: peerMtu.buffer as SharedArrayBuffer,
      counters: this.counters.buffer as SharedArrayBuffer,
      vnetCounters: createVnetCounters().buffer as SharedArrayBuffer,
      control: this.control.buffer as SharedArrayBuffer,
      words: new SharedArrayBuffer(8),
    };
    this.context = new WorkerContext(
      this.engine,
      input,
      (m) => void this.posted.push(m),
      () => this.clock.nowMs(),
    );
  }

  #populate(site: Site): void {
    const { directory, hwdt } = this;
    hwdt.learn(0, 1, HOST_MAC, Ip.of(site.host), 'arp-request');
    directory.originate(1, Ip.of(site.host), HOST_MAC, 1);
    hwdt.learn(0, 1, GATEWAY_MAC, Ip.of(site.own.includes(':') ? 'fd00:2::fe' : '10.2.0.254'), 'arp-reply');
    hwdt.learn(0, 1, mac('52:54:00:00:02:c8'), Ip.of(site.unlisted), 'arp-request');
    directory.apply({
      vnet: 1,
      ip: Ip.of(site.visitor),
      mac: VM_MAC,
      router: 'vr-a',
      seq: 1,
      state: 'here',
      stamp: 1,
    });
    directory.originate(1, Ip.of(site.visitor), VM_MAC, 2);
    hwdt.learn(0, 1, VM_MAC, Ip.of(site.visitor), 'gratuitous');
    directory.originate(1, Ip.of(site.away), AWAY_MAC, 1);
    directory.apply({
      vnet: 1,
      ip: Ip.of(site.away),
      mac: AWAY_MAC,
      router: 'vr-c',
      seq: 2,
      state: 'here',
      stamp: 1,
    });
  }

  frame(from: Mac, packet: Uint8Array, to = VR_MAC): void {
    this.engine.sent.length = 0;
    this.engine.putFrame(0, from, packet, to);
    new LanForwarder(this.context).decide(0);
    this.engine.send(0, 1);
  }

  overlay(peer: number, packet: Uint8Array, { hops = 4, vnet = 1, padding = 0 } = {}): void {
    this.engine.sent.length = 0;
    const header = Buffer.from([0x10, hops, vnet >>> 8, vnet & 0xff]);
    this.engine.putMessage(peer, Buffer.concat([header, packet, Buffer.alloc(padding)]));
    new TunnelForwarder(this.context).decide(0);
    this.engine.send(0, 1);
  }

  counted(name: PacketCounter): number {
    return this.counters[C[name]] ?? 0;
  }
}

for (const [family, site] of Object.entries(SITES)) {
  describe(`from a LAN, ${family}`, () => {
    let bench: Bench;
    beforeEach(() => {
      bench = new Bench(site);
    });
    const send = (source: string, destination: string, from = HOST_MAC, ttl = 64): Buffer => {
      const packet = ipPacket({ source, destination, ttl });
      bench.frame(from, packet);
      return packet;
    };

    test('to another site: into the peer’s tunnel, TTL one less', () => {
      const packet = send(site.host, site.remote);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.deepEqual([sent.peer, sent.vnet, sent.hops, sent.mtu], [A, 1, 4, MTU]);
      assert.equal(sent.packet[family === 'IPv4' ? 8 : 7], 63);
      assert.equal(sent.packet.length, packet.length);
    });

    test('a node that is not in the LNDT gets nothing, sending or receiving', () => {
      send(site.unlisted, site.remote);
      assert.equal(bench.counted('drop_source_unauthorised'), 1);
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.unlisted }));
      assert.equal(bench.counted('drop_destination_unauthorised'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('to a node that is away: to where it is, TTL unchanged, for they believe to be on one link', () => {
      send(site.host, site.away);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, C_);
      assert.equal(sent.packet[family === 'IPv4' ? 8 : 7], 64);
    });

    test('a visiting node and a host of its new LAN: from MAC to MAC on the LAN, both ways', () => {
      send(site.visitor, site.host, VM_MAC);
      const [there] = bench.engine.sent;
      assert.ok(there?.kind === 'lan');
      assert.deepEqual([there.lan, there.to], [0, HOST_MAC]);
      send(site.host, site.visitor);
      const [back] = bench.engine.sent;
      assert.ok(back?.kind === 'lan');
      assert.equal(back.to, VM_MAC);
    });

    test('a visiting node and its old LAN: through the tunnel, TTL unchanged', () => {
      send(site.visitor, site.remote, VM_MAC);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, A);
      assert.equal(sent.packet[family === 'IPv4' ? 8 : 7], 64);
    });

    const macOf = (bench: Bench, address: string): Mac => {
      const known = bench.directory.here(1, Ip.of(address));
      assert(known);
      return known.mac;
    };
    const rescued = (source: string, destination: string, from: Mac, to: Mac): void =>
      bench.frame(from, ipPacket({ source, destination }), to);

    test('rescued: an old neighbour sends to the MAC of a departed node', () => {
      rescued(site.host, site.away, HOST_MAC, AWAY_MAC);
      const [sent] = bench.engine.sent;
      assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', C_]);
      assert.equal(bench.counted('rescued'), 1);
    });

    test('rescued: a visiting node sends to its old neighbours’ MACs, and through its old gateway’s', () => {
      const oldMac = mac('52:54:00:00:00:07');
      bench.directory.apply({
        vnet: 1,
        ip: Ip.of(site.remote),
        mac: oldMac,
        router: 'vr-a',
        seq: 1,
        state: 'here',
        stamp: 9,
      });
      for (const to of [site.remote, site.outside]) {
        rescued(site.visitor, to, VM_MAC, oldMac);
        const [sent] = bench.engine.sent;
        assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && sent.peer], ['tunnel', A], to);
      }
      rescued(site.visitor, site.host, VM_MAC, oldMac);
      const [local] = bench.engine.sent;
      assert.deepEqual([local?.kind, local?.kind === 'lan' && local.to], ['lan', HOST_MAC]);
      assert.equal(bench.counted('rescued'), 3);
    });

    test('left alone: frames to MACs of this LAN and to strangers’', () => {
      rescued(site.visitor, site.host, VM_MAC, HOST_MAC);
      rescued(site.host, site.visitor, HOST_MAC, VM_MAC);
      rescued(site.host, site.remote, HOST_MAC, mac('02:00:00:00:00:99'));
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(bench.counted('frames_to_others'), 3);
      assert.equal(bench.counted('rescued'), 0);
    });

    test('never rescued: what another VR or this one has sent', () => {
      const otherVr = mac('02:00:00:00:01:01');
      const record = { vnet: 1, mac: otherVr, seq: 1, state: 'here', stamp: 10 } as const;
      const own = site.own.includes(':') ? 'fd00:1::1' : '10.1.0.1';
      bench.directory.apply({ ...record, ip: Ip.of(own), router: 'vr-a' });
      for (const from of [otherVr, VR_MAC]) rescued(site.host, site.away, from, AWAY_MAC);
      assert.deepEqual(bench.engine.sent, []);
      assert.equal(macOf(bench, own), otherVr);
    });

    test('a visiting node and the outside world: through its home VR', () => {
      send(site.visitor, site.outside, VM_MAC);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, A);
    });

    test('the outside world to a departed node: only through the home gateway’s MAC', () => {
      send(site.outside, site.away, GATEWAY_MAC);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.equal(sent.peer, C_);
      send(site.outside, site.away, HOST_MAC);
      assert.equal(bench.engine.sent.length, 0);
      send(site.outside, site.remote, GATEWAY_MAC);
      assert.equal(bench.engine.sent.length, 0);
      assert.equal(bench.counted('drop_source_unauthorised'), 2);
    });

    test('a host’s own outside traffic is not the overlay’s', () => {
      send(site.host, site.outside);
      assert.equal(bench.counted('drop_no_route'), 1);
    });

    test('the gateway machine’s own address is left to its kernel', () => {
      send(site.host, site.own);
      assert.equal(bench.counted('kernel_own_address'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('a source that the directory has elsewhere is dropped and reported once a second', () => {
      send(site.away, site.remote, AWAY_MAC);
      send(site.away, site.remote, AWAY_MAC);
      assert.equal(bench.counted('drop_source_elsewhere'), 2);
      assert.equal(bench.posted.filter(({ type }) => type === 'sourceElsewhere').length, 1);
      bench.clock.advance(1001);
      send(site.away, site.remote, AWAY_MAC);
      assert.equal(bench.posted.filter(({ type }) => type === 'sourceElsewhere').length, 2);
    });

    test('an unknown local MAC: the packet waits, the MAC is asked for, then it goes', () => {
      const unknown = family === 'IPv4' ? '10.2.0.77' : 'fd00:2::77';
      bench.overlay(A, ipPacket({ source: site.remote, destination: unknown }));
      assert.equal(bench.engine.sent.length, 0);
      assert.deepEqual(
        bench.posted.map(({ type }) => type),
        ['want'],
      );
      bench.hwdt.learn(0, 1, mac('52:54:00:00:02:77'), Ip.of(unknown), 'arp-reply');
      bench.context.releaseHeld();
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.equal(sent.to, mac('52:54:00:00:02:77'));
    });

    test('a packet that waits in vain is dropped after 3 s and counted', () => {
      bench.overlay(
        A,
        ipPacket({ source: site.remote, destination: family === 'IPv4' ? '10.2.0.77' : 'fd00:2::77' }),
      );
      bench.clock.advance(2999);
      bench.context.releaseHeld();
      assert.equal(bench.counted('drop_unresolved'), 0);
      bench.clock.advance(2);
      bench.context.releaseHeld();
      assert.equal(bench.counted('drop_unresolved'), 1);
    });

    test('a TTL that runs out is answered with "time exceeded" from the LAN’s own address', () => {
      const packet = send(site.host, site.remote, HOST_MAC, 1);
      assert.equal(bench.counted('drop_ttl_expired'), 1);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.equal(sent.to, HOST_MAC);
      assert.equal(checksumsHold(sent.packet), true);
      const v6 = family === 'IPv6';
      assert.equal(Ip.read(v6 ? 6 : 4, sent.packet, v6 ? 8 : 12).key, site.own);
      assert.equal(Ip.read(v6 ? 6 : 4, sent.packet, v6 ? 24 : 16).key, site.host);
      assert.equal(sent.packet[v6 ? 40 : 20], v6 ? 3 : 11);
      assert.deepEqual(sent.packet.subarray(v6 ? 48 : 28), packet);
    });

    test('no more than 100 ICMP errors a second, and none about an ICMP error', () => {
      for (let i = 0; i < 150; i++) send(site.host, site.remote, HOST_MAC, 1);
      assert.equal(bench.counted('icmp_time_exceeded_sent'), 100);
      bench.clock.advance(1000);
      const v6 = family === 'IPv6';
      const error = ipPacket({
        source: site.host,
        destination: site.remote,
        ttl: 1,
        protocol: v6 ? 58 : 1,
        payload: Buffer.from([v6 ? 1 : 3, 0, 0, 0, 0, 0, 0, 0]),
      });
      bench.frame(HOST_MAC, error);
      assert.equal(bench.counted('icmp_time_exceeded_sent'), 100);
    });

    test('what is too big and must not be cut is answered with the size that fits', () => {
      const v6 = family === 'IPv6';
      const packet = ipPacket({
        source: site.host,
        destination: site.remote,
        payload: new Uint8Array(MTU + 1 - (v6 ? 40 : 20)),
      });
      if (!v6) packet[6] = 0x40;
      bench.frame(HOST_MAC, packet);
      assert.equal(bench.counted('drop_too_big'), 1);
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan' && bench.engine.sent.length === 1);
      assert.equal(sent.to, HOST_MAC);
      assert.equal(checksumsHold(sent.packet), true);
      assert.deepEqual([...sent.packet.subarray(v6 ? 40 : 20, v6 ? 42 : 22)], v6 ? [2, 0] : [3, 4]);
      assert.equal(sent.packet.readUInt32BE(v6 ? 44 : 24), MTU);
      const fits = packet.subarray(0, MTU);
      bench.frame(HOST_MAC, fits);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
    });

    test('what may be cut goes into the tunnel, however large: TCP, and IPv4 without DF', () => {
      const segment = new Uint8Array(2900);
      segment[12] = 0x50;
      const tcp = ipPacket({ source: site.host, destination: site.remote, protocol: 6, payload: segment });
      if (family === 'IPv4') tcp[6] = 0x40;
      bench.frame(HOST_MAC, tcp);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
      if (family === 'IPv6') return;
      const udp = ipPacket({ source: site.host, destination: site.remote, payload: new Uint8Array(2900) });
      udp[6] = 0;
      bench.frame(HOST_MAC, udp);
      assert.equal(bench.engine.sent[0]?.kind, 'tunnel');
      assert.equal(bench.counted('drop_too_big'), 0);
    });

    test('IPv6 of 1,280 bytes passes, whatever the path carries', () => {
      new Int32Array(bench.context.input.peerMtu).fill(1216);
      const v6 = family === 'IPv6';
      const packet = ipPacket({
        source: site.host,
        destination: site.remote,
        payload: new Uint8Array(1280 - (v6 ? 40 : 20)),
      });
      if (!v6) packet[6] = 0x40;
      bench.frame(HOST_MAC, packet);
      assert.equal(bench.engine.sent[0]?.kind, v6 ? 'tunnel' : 'lan');
      if (!v6) assert.equal(bench.engine.sent[0]?.packet.readUInt32BE(24), 1216);
    });

    test('a SYN’s MSS is clamped on its way into the tunnel', () => {
      const packet = tcpPacket({
        source: site.host,
        destination: site.remote,
        flags: 2,
        options: Buffer.from([2, 4, 5, 180]),
      });
      bench.frame(HOST_MAC, packet);
      const [sent] = bench.engine.sent;
      assert.equal(sent?.packet.readUInt16BE(packet.length - 2), MTU - (family === 'IPv4' ? 40 : 60));
      assert.equal(sent !== undefined && checksumsHold(sent.packet), true);
    });
  });

  describe(`from the tunnel, ${family}`, () => {
    let bench: Bench;
    beforeEach(() => {
      bench = new Bench(site);
    });

    test('from the peer that has the source, to a local node: to its MAC, TTL as it came, padding cut off', () => {
      const packet = ipPacket({ source: site.remote, destination: site.host });
      bench.overlay(A, packet, { padding: 12 });
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.equal(sent.to, HOST_MAC);
      assert.deepEqual(sent.packet, packet);
    });

    test('an inner source that is another site’s is dropped', () => {
      bench.overlay(C_, ipPacket({ source: site.remote, destination: site.host }));
      bench.overlay(C_, ipPacket({ source: site.host, destination: site.host }));
      bench.overlay(C_, ipPacket({ source: site.outside, destination: site.host }));
      bench.overlay(C_, ipPacket({ source: site.remote, destination: site.host }), { hops: 3 });
      assert.equal(bench.counted('drop_source_not_peers'), 4);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('a node that was at the peer a moment ago: its packets may still be under way', () => {
      bench.overlay(A, ipPacket({ source: site.visitor, destination: site.host }));
      assert.equal(bench.engine.sent.length, 1, 'it has come here from vr-a just now');
      bench.overlay(C_, ipPacket({ source: site.visitor, destination: site.host }));
      assert.equal(bench.engine.sent.length, 0, 'it never was at vr-c');
      bench.clock.advance(2_000);
      bench.overlay(A, ipPacket({ source: site.visitor, destination: site.host }));
      assert.equal(bench.engine.sent.length, 0);
      assert.equal(bench.counted('drop_source_not_peers'), 2);
    });

    test('a visitor that has moved on: its packets go on to where it is', () => {
      const record = { vnet: 1, ip: Ip.of(site.visitor), mac: VM_MAC, state: 'here', stamp: 20 } as const;
      bench.directory.apply({ ...record, router: 'vr-c', seq: 3 });
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.visitor }));
      const [sent] = bench.engine.sent;
      assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && [sent.peer, sent.hops]], ['tunnel', [C_, 3]]);
      assert.equal(bench.counted('forwarded_on'), 1);
    });

    test('from outside to a visiting node: only through its home VR', () => {
      const packet = ipPacket({ source: site.outside, destination: site.visitor });
      bench.overlay(A, packet);
      assert.equal(bench.engine.sent[0]?.kind, 'lan');
      bench.overlay(C_, packet);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('for a node that has moved on: once more through the tunnel, one hop less, and the sender is told', () => {
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.away }));
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.deepEqual([sent.peer, sent.hops], [C_, 3]);
      const [told] = bench.posted;
      assert.ok(told?.type === 'redirect');
      assert.equal(told.peer, A);
    });

    test('hops that have run out end a loop', () => {
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.away }), { hops: 1 });
      assert.equal(bench.counted('drop_hops_exhausted'), 1);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('this router is no way between two other sites', () => {
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.third }));
      assert.equal(bench.counted('drop_not_for_us'), 1);
    });

    test('a packet that another router only forwards is taken when its destination was there or is native there', () => {
      bench.overlay(A, ipPacket({ source: site.third, destination: site.visitor }), { hops: 3 });
      assert.equal(bench.engine.sent[0]?.kind, 'lan');
    });

    test('a departed node’s traffic to the outside leaves through the home gateway', () => {
      bench.overlay(C_, ipPacket({ source: site.away, destination: site.outside }));
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'lan');
      assert.equal(sent.to, GATEWAY_MAC);
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.outside }));
      assert.equal(bench.counted('drop_no_route'), 1);
    });

    test('the gateway machine’s own address needs a TUN port', () => {
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.own }));
      assert.equal(bench.counted('drop_own_address_without_tun'), 1);
    });

    test('nothing passes before the tables are complete', () => {
      Atomics.store(bench.control, ControlWord.serving, 0);
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.host }));
      assert.equal(bench.counted('drop_not_serving'), 1);
    });

    test('unknown vnet, lying length, cut header: each its own counter', () => {
      const packet = ipPacket({ source: site.remote, destination: site.host });
      bench.overlay(A, packet, { vnet: 7 });
      assert.equal(bench.counted('drop_unknown_vnet'), 1);
      const lying = Buffer.from(packet);
      lying.writeUInt16BE(2000, family === 'IPv4' ? 2 : 4);
      bench.overlay(A, lying);
      bench.overlay(A, packet.subarray(0, 10));
      assert.equal(bench.counted('drop_malformed'), 2);
    });
  });
}

describe('messages that are not overlay packets', () => {
  let bench: Bench;
  beforeEach(() => {
    bench = new Bench(SITES.IPv4);
  });

  test('a control message goes to the control thread, whole', () => {
    bench.engine.putMessage(C_, Buffer.from([0x20, 1, 2, 3]));
    new TunnelForwarder(bench.context).decide(0);
    const [message] = bench.posted;
    assert.ok(message?.type === 'control');
    assert.equal(message.peer, C_);
    assert.deepEqual([...message.payload], [0x20, 1, 2, 3]);
  });

  test('a session’s first message confirms it, a keep-alive too', () => {
    bench.engine.putMessage(A, Buffer.alloc(0), 1, 0x80000001 | 0);
    new TunnelForwarder(bench.context).decide(0);
    assert.deepEqual(bench.posted, [{ type: 'sessionConfirmed', peer: A, session: 0x80000001 }]);
  });

  test('a handshake message goes up with its sender’s address', () => {
    bench.engine.putHandshake(Buffer.alloc(148, 1), 0xc0000201 | 0, 7700);
    new TunnelForwarder(bench.context).decide(0);
    const [message] = bench.posted;
    assert.ok(message?.type === 'handshake');
    assert.equal(message.bytes.length, 148);
    const { address, port, relay } = message.source;
    assert.deepEqual([port, relay], [7700, undefined]);
    assert.equal(Ip.fromWords(address.family, address.words).key, '192.0.2.1');
  });

  test('any other first byte is counted', () => {
    for (const first of [0x00, 0x11, 0x45, 0x60, 0x31, 0xff]) {
      bench.engine.putMessage(A, Buffer.from([first, 0, 0, 0, 0]));
      new TunnelForwarder(bench.context).decide(0);
    }
    assert.equal(bench.counted('drop_payload_unknown'), 6);
  });
});

test('single large subnet: hosts of two networks are on one link, TTL unchanged', () => {
  const bench = new Bench(SITES.IPv4, true);
  bench.frame(HOST_MAC, ipPacket({ source: SITES.IPv4.host, destination: SITES.IPv4.remote }));
  assert.equal(bench.engine.sent[0]?.packet[8], 64);
});
