/** What becomes of messages from the tunnel. */
import assert from 'node:assert/strict';
import { beforeEach, describe, test } from 'node:test';
import { StreamEvent } from '../../../../src/dataplane/engine.js';
import { ControlWord } from '../../../../src/dataplane/worker-input.js';
import { Ip } from '../../../../src/net/ip.js';
import { ipPacket } from '../../../support/ip-packet.js';
import { A, C, GATEWAY_MAC, HOST_MAC, SITES, SiteWorker, VM_MAC } from './site-worker.js';

for (const [family, site] of Object.entries(SITES)) {
  describe(`from the tunnel, ${family}`, () => {
    let bench: SiteWorker;
    beforeEach(() => {
      bench = new SiteWorker(site);
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
      bench.overlay(C, ipPacket({ source: site.remote, destination: site.host }));
      bench.overlay(C, ipPacket({ source: site.host, destination: site.host }));
      bench.overlay(C, ipPacket({ source: site.outside, destination: site.host }));
      bench.overlay(C, ipPacket({ source: site.remote, destination: site.host }), { hops: 3 });
      assert.equal(bench.counted('drop_source_not_peers'), 4);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('from either router of the source’s site, whichever is active', () => {
      const second = 9;
      bench.sitePeers.setSite(second, A);
      for (const active of [A, second]) {
        bench.sitePeers.setActive(A, active);
        for (const peer of [A, second])
          bench.overlay(peer, ipPacket({ source: site.remote, destination: site.host }));
      }
      assert.equal(bench.engine.sent.length, 1, 'the last of four');
      assert.equal(bench.counted('to_lan'), 4);
      bench.overlay(8, ipPacket({ source: site.remote, destination: site.host }));
      assert.equal(bench.counted('drop_source_not_peers'), 1);
    });

    test('a node that was at the peer a moment ago: its packets may still be under way', () => {
      bench.overlay(A, ipPacket({ source: site.visitor, destination: site.host }));
      assert.equal(bench.engine.sent.length, 1, 'it has come here from vr-a just now');
      bench.overlay(C, ipPacket({ source: site.visitor, destination: site.host }));
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
      assert.deepEqual([sent?.kind, sent?.kind === 'tunnel' && [sent.peer, sent.hops]], ['tunnel', [C, 3]]);
      assert.equal(bench.counted('forwarded_on'), 1);
    });

    test('from outside to a visiting node: only through its home VR', () => {
      const packet = ipPacket({ source: site.outside, destination: site.visitor });
      bench.overlay(A, packet);
      assert.equal(bench.engine.sent[0]?.kind, 'lan');
      bench.overlay(C, packet);
      assert.equal(bench.engine.sent.length, 0);
    });

    test('for a node that has moved on: once more through the tunnel, one hop less, and the sender is told', () => {
      bench.overlay(A, ipPacket({ source: site.remote, destination: site.away }));
      const [sent] = bench.engine.sent;
      assert.ok(sent?.kind === 'tunnel');
      assert.deepEqual([sent.peer, sent.hops], [C, 3]);
      const [told] = bench.posted;
      assert.ok(told?.type === 'redirect');
      assert.equal(told.peer, A);
    });

    test('a peer that says more hops than there are does not make a loop longer', () => {
      for (const hops of [5, 128, 255]) {
        bench.overlay(A, ipPacket({ source: site.remote, destination: site.away }), { hops });
        const [sent] = bench.engine.sent;
        assert.ok(sent?.kind === 'tunnel');
        assert.equal(sent.hops, 3);
      }
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
      bench.overlay(C, ipPacket({ source: site.away, destination: site.outside }));
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
  let bench: SiteWorker;
  beforeEach(() => {
    bench = new SiteWorker(SITES.IPv4);
  });

  test('a control message goes to the control thread, whole', () => {
    bench.message(C, Buffer.from([0x20, 1, 2, 3]));
    const [message] = bench.posted;
    assert.ok(message?.type === 'control');
    assert.equal(message.peer, C);
    assert.deepEqual([...message.payload], [0x20, 1, 2, 3]);
  });

  test('a hundred thousand control messages of one peer: a bounded part waits, and another peer’s goes through', () => {
    const flood = Buffer.from([0x20, 1, 2, 3]);
    for (let i = 0; i < 100_000; i++) bench.message(C, flood);
    bench.message(A, Buffer.from([0x20, 9]));
    const waiting = bench.posted.length;
    assert.ok(waiting < 1_100, `${waiting} wait`);
    assert.equal(bench.posted.filter((punt) => punt.type === 'control' && punt.peer === A).length, 1);
    assert.equal(bench.counted('control_received'), 100_001);
    const refused = bench.counted('control_dropped_peer_queue_full');
    assert.equal(refused, 100_001 - waiting);
    // And when the control thread keeps up it is the rate.
    for (let i = 0; i < 30_000; i++) {
      bench.message(C, flood);
      bench.workOff();
    }
    assert.ok(bench.counted('control_dropped_peer_rate') > 10_000);
  });

  test('a flood of connections: few wait for the control thread, the others are closed', () => {
    for (let stream = 0; stream < 1_000; stream++) bench.stream(StreamEvent.accepted, stream);
    assert.equal(bench.posted.length, 64);
    assert.deepEqual(
      bench.closed,
      Array.from({ length: 936 }, (_, i) => 64 + i),
    );
    assert.equal(bench.counted('stream_dropped_queue_full'), 936);
    bench.stream(StreamEvent.closed, 3);
    bench.stream(StreamEvent.connected, 2_000);
    assert.equal(bench.posted.length, 66, 'what becomes of those that are known is always told');
    bench.workOff();
    bench.stream(StreamEvent.accepted, 3_000);
    assert.equal(bench.posted.length, 1);
  });

  test('what finds the way up full is dropped, counted and does not wait', () => {
    const control = Buffer.from([0x20, 1, 2, 3]);
    bench.hasRoom = false;
    for (let i = 0; i < 3_000; i++) {
      bench.message(A, control);
      bench.handshake(Buffer.alloc(148, 1), i, 7700);
      bench.stream(StreamEvent.accepted, i);
      bench.clock.advance(100);
    }
    assert.equal(bench.counted('control_dropped_peer_queue_full'), 3_000);
    assert.equal(bench.counted('drop_handshake_queue_full'), 3_000);
    assert.equal(bench.counted('stream_dropped_queue_full'), 3_000);
    assert.equal(bench.closed.length, 3_000, 'nothing would ever be heard of these');
    bench.message(A, Buffer.from([0]), 1, 77);
    assert.equal(bench.counted('control_dropped_peer_queue_full'), 3_001);
    bench.hasRoom = true;
    bench.message(A, control);
    bench.handshake(Buffer.alloc(148, 1), 1, 7700);
    bench.stream(StreamEvent.accepted, 1);
    assert.deepEqual(
      bench.posted.map(({ type }) => type),
      ['control', 'handshake', 'stream'],
    );
  });

  test('no more than 512 handshake messages wait', () => {
    for (let second = 0; second < 20; second++) {
      for (let i = 0; i < 100; i++) bench.handshake(Buffer.alloc(148, 1), i, 7700);
      bench.clock.advance(1_000);
    }
    assert.equal(bench.posted.length, 512);
    assert.ok(bench.counted('drop_handshake_queue_full') > 0);
    bench.workOff(10);
    bench.handshake(Buffer.alloc(148, 1), 1, 7700);
    assert.equal(bench.posted.length, 503);
  });

  test('a session’s first message confirms it, a keep-alive too', () => {
    bench.message(A, Buffer.alloc(0), 1, 0x80000001 | 0);
    assert.deepEqual(bench.posted, [{ type: 'sessionConfirmed', peer: A, session: 0x80000001 }]);
  });

  test('a handshake message goes up with its sender’s address', () => {
    bench.handshake(Buffer.alloc(148, 1), 0xc0000201 | 0, 7700);
    const [message] = bench.posted;
    assert.ok(message?.type === 'handshake');
    assert.equal(message.bytes.length, 148);
    const { address, port, relay } = message.source;
    assert.deepEqual([port, relay], [7700, undefined]);
    assert.equal(Ip.fromWords(address.family, address.words).key, '192.0.2.1');
  });

  test('any other first byte is counted', () => {
    for (const first of [0x00, 0x11, 0x45, 0x60, 0x31, 0xff]) {
      bench.message(A, Buffer.from([first, 0, 0, 0, 0]));
    }
    assert.equal(bench.counted('drop_payload_unknown'), 6);
  });
});
