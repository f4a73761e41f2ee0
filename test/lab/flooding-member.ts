/**
 * A member that has gone mad: a router with a valid key that, once its control link is up, sends one other router
 * well-formed control messages as fast as it can: Pings, each of which wants an answer, and every eighth time a record
 * of its own with a sequence number never seen. Prints `{"sent":N}` twice a second; ends by a signal.
 *
 *   node flooding-member.js CONFIG_DIRECTORY ROUTER
 *
 * It runs in the place of the `vined` whose configuration it is given.
 */
import { gndtDigest } from '../../src/config/digest.js';
import { loadConfigDirectory, type VineConfig } from '../../src/config/load.js';
import { loadNative } from '../../src/dataplane/native.js';
import { DataPlane } from '../../src/dataplane/plane.js';
import { Ip } from '../../src/net/ip.js';
import { mac } from '../../src/net/mac.js';
import { systemClock } from '../../src/net/system-clock.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { ControlMessage } from '../../src/protocol/control-message.js';
import type { Envelope } from '../../src/protocol/envelope.js';
import { datagramAddress } from '../../src/router/address-words.js';
import { Relays } from '../../src/router/relays.js';
import { tunnelPorts } from '../../src/router/tunnel-ports.js';
import { ForwardingTable } from '../../src/tables/forwarding-table.js';
import { Gndt } from '../../src/tables/gndt.js';
import { MacTable } from '../../src/tables/mac-table.js';
import { Tunnel } from '../../src/tunnel/tunnel.js';

/** Sent between two looks at what else there is to do: the link's own answers, a signal. */
const BURST = 256;
const RECORD_EVERY = 8;
const REPORT_MS = 500;
/** Far beyond the ids that the link itself gives out. */
const FIRST_ID = 1_000_000;

const [directory = '', target = ''] = process.argv.slice(2);

function readConfig(): VineConfig {
  const loaded = loadConfigDirectory(directory);
  if ('errors' in loaded) throw new Error(JSON.stringify(loaded.errors));
  return loaded.config;
}

const config = readConfig();
const native = loadNative();
const codec = new ControlCodec();
const gndt = new Gndt(config.gndt, config.router.id);
const victim = gndt.peerIndex(target);
const listen = config.router.listen.filter(({ transport }) => transport === 'udp');
const udp = listen.map(({ address, port }) => native.openUdp(address.toBytes(), port));
const relays = new Relays(native, gndt);
const ports = tunnelPorts(native, udp, (peer) => relays.tagOf(peer));
/** The last envelope that the link has sent to the victim: its epochs are what a message needs to be taken. */
let link: Envelope | undefined;

const tunnel = new Tunnel({
  gndt: config.gndt,
  self: config.router.id,
  peerNumber: (router) => gndt.peerIndex(router),
  privateKey: config.privateKey,
  description: {
    version: 'flood',
    capabilities: [],
    gndtDigest: gndtDigest(config.gndt),
    innerMtuBytes: 1_500,
  },
  ports: {
    ...ports,
    sealAndSend: (peer, payload, to) => {
      const decoded = peer === victim && payload.length > 0 ? codec.decode(payload) : undefined;
      if (typeof decoded === 'object') link = decoded.envelope;
      return ports.sealAndSend(peer, payload, to);
    },
  },
  listeners: {
    message: () => undefined,
    up: (router) => {
      if (router === target) setImmediate(flood);
    },
    down: () => undefined,
  },
});

const plane = new DataPlane({
  clock: systemClock,
  native,
  lans: [],
  tuns: [],
  udp,
  lanVnets: [],
  lanAddresses: [],
  vnets: [],
  table: ForwardingTable.create({ slots: 64 }).memory,
  macs: MacTable.create(64).memory,
  selfPeer: gndt.peerIndex(gndt.self),
  relays: relays.memory,
  clients: [],
});

let sent = 0;

function flood(): void {
  for (let i = 0; i < BURST; i++) if (ports.sealAndSend(victim, payload())) sent++;
  setImmediate(flood);
}

function payload(): Uint8Array {
  const epochs = { epoch: link?.epoch ?? 0, ackEpoch: link?.ackEpoch ?? 0, oldest: link?.oldest ?? 1 };
  const isRecord = sent % RECORD_EVERY === 0;
  const id = isRecord ? FIRST_ID + sent : 0;
  return codec.encode({ id, acks: [], ...epochs, body: isRecord ? records() : ping() });
}

const ping = (): ControlMessage => ({ type: 'ping', token: sent });

const records = (): ControlMessage => ({
  type: 'records',
  records: [
    {
      vnet: 1,
      ip: Ip.of('10.3.0.11'),
      mac: mac('52:54:00:00:03:99'),
      router: config.router.id,
      seq: FIRST_ID + sent,
      state: 'here',
      stamp: FIRST_ID + sent,
    },
  ],
});

await plane.startTunnel({
  punt: (punt) => {
    if (punt.type === 'handshake') tunnel.handshakeReceived(punt.bytes, datagramAddress(punt.source));
    else if (punt.type === 'sessionConfirmed') tunnel.sessionConfirmed(punt.peer, punt.session);
    else if (punt.type === 'control')
      tunnel.controlReceived(punt.peer, punt.payload, datagramAddress(punt.source));
  },
  failed: (_, error) => {
    throw error;
  },
});
tunnel.start();
setInterval(() => process.stdout.write(`${JSON.stringify({ sent })}\n`), REPORT_MS);
