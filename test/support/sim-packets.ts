/** Packets that travel through the simulated routers by the decisions of the packet workers' own code. */
import assert from 'node:assert/strict';
import { createPacketCounters } from '../../src/dataplane/counters.js';
import { PacketPath } from '../../src/dataplane/forward/packet-path.js';
import { ControlWord } from '../../src/dataplane/worker-input.js';
import type { Ip } from '../../src/net/ip.js';
import type { Mac } from '../../src/net/mac.js';
import type { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { MacTable } from '../../src/tables/forwarding/mac-table.js';
import { ipPacket } from './ip-packet.js';
import { MemoryEngine } from './memory-engine.js';
import type { SimHost } from './sim-lan-host.js';
import type { SimSite } from './sim-lan-site.js';
import { workerInput } from './worker-input.js';

const engine = new MemoryEngine();
const macs = MacTable.create(4);
const peerMtu = new SharedArrayBuffer(64);
new Int32Array(peerMtu).fill(1_400);
const counters = createPacketCounters().buffer as SharedArrayBuffer;
const control = new SharedArrayBuffer(ControlWord.count * 4);
Atomics.store(new Int32Array(control), ControlWord.serving, 1);
const vnets = new SharedArrayBuffer(65_536);
new Uint8Array(vnets).fill(1, 1, 2);

export interface Fate {
  readonly path: readonly string[];
  /** The site on whose LAN it was put, and to which MAC there. */
  readonly deliveredTo: string | undefined;
  readonly mac?: Mac;
}

/**
 * One packet from a host that is on `site`'s LAN and takes the VR for its gateway. `hop` carries it from router to
 * router, or loses it; `done` is told the routers that it came through, and where it was put on a LAN.
 */
export function sendPacket(
  sites: readonly SimSite[],
  from: { readonly host: SimHost; readonly site: SimSite },
  to: Ip,
  hop: (action: () => void, from: SimSite, to: SimSite) => void,
  done: (fate: Fate) => void,
): void {
  const packet = ipPacket({
    source: from.host.addressFor(to.family).key,
    destination: to.key,
  });
  const path: string[] = [];
  const step = (site: SimSite, put: (path: PacketPath) => void): void => {
    if (!site.isUp) {
      done({ path, deliveredTo: undefined });
      return;
    }
    path.push(site.id);
    engine.sent.length = 0;
    put(workersOf(site));
    engine.send(0, 1);
    const [sent] = engine.sent;
    if (sent?.kind === 'tunnel') {
      const next = sites[sent.peer];
      assert(next);
      const payload = Buffer.concat([Buffer.from([0x10, sent.hops, 0, 1]), sent.packet]);
      const sender = site.gndt.peerIndex(site.id);
      const arrive = (): void =>
        step(next, ({ tunnel }) => {
          engine.putMessage(sender, payload);
          tunnel.decide(0);
        });
      hop(arrive, site, next);
    } else if (sent?.kind === 'lan') done({ path, deliveredTo: site.id, mac: sent.to });
    else done({ path, deliveredTo: undefined });
  };
  step(from.site, ({ lan }) => {
    engine.putFrame(0, from.host.mac, packet, from.site.options.mac);
    lan.decide(0);
  });
}

/** Those of the router that runs now: with their caches, they live as long as its table. */
const workers = new WeakMap<ForwardingTable, PacketPath>();

function workersOf(site: SimSite): PacketPath {
  const known = workers.get(site.table);
  if (known !== undefined) return known;
  const input = workerInput(site.options.mac, {
    vnets,
    table: site.table.memory,
    macs: macs.memory,
    selfPeer: site.gndt.peerIndex(site.id),
    peerMtu,
    counters,
    control,
    vnetCounters: new SharedArrayBuffer(4_096),
  });
  const ports = { punt: () => true, closeStream: () => {} };
  const made = new PacketPath(engine, input, ports, { nowMs: () => 0 });
  workers.set(site.table, made);
  return made;
}
