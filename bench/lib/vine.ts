/** Ours: `vined` of this checkout at both routers, as an operator would run it. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { PeerView, StatusView } from '../../src/control/api.js';
import { getJson, projectRoot } from '../../test/lab/daemon.js';
import { isAlive, type ProcessEntry } from '../../test/lab/ledger.js';
import { waitFor } from '../../test/lab/wait.js';
import type { Carrier } from './carrier.js';
import { HOST_A, HOST_B, type Place, type Topology, WAN_A, WAN_B } from './topology.js';

export interface VineSettings {
  readonly cipher: 'auto' | 'chacha20-poly1305' | 'aes-256-gcm';
  readonly transport: 'udp' | 'tcp';
  /** Also describes router `vr-c`, whose key is in `rc/router.key`, and the network 10.64.0.0/10 of the absent `vr-d`. */
  readonly churn?: boolean;
}

export const CHURN_NETWORK = '10.64.0.0/10';
const PORT = 7700;
const READY_LIMIT_MS = 30_000;
const VNET = 'blue';

function toBase64(text: string | undefined): string {
  if (text === undefined) throw new Error('an X25519 key without x or d');
  return Buffer.from(text, 'base64url').toString('base64');
}

function keyPair(): { privateKey: string; publicKey: string } {
  const jwk = generateKeyPairSync('x25519').privateKey.export({ format: 'jwk' });
  return { privateKey: toBase64(jwk.d), publicKey: toBase64(jwk.x) };
}

export const configDirectory = (topology: Topology, place: Place): string => join(topology.directory, place);
export const controlSocket = (topology: Topology, place: Place): string =>
  join(configDirectory(topology, place), 'control.sock');

/** Writes all routers' directories. */
export function writeConfiguration(topology: Topology, settings: VineSettings): void {
  const sites = [
    { place: 'ra', id: 'vr-a', wan: WAN_A, prefix: '10.1.0.0/24', host: HOST_A },
    { place: 'rb', id: 'vr-b', wan: WAN_B, prefix: '10.2.0.0/24', host: HOST_B },
  ] as const;
  const keys = { ra: keyPair(), rb: keyPair(), rc: keyPair(), rd: keyPair() };
  const url = (address: string): string => `${settings.transport}://${address}:${PORT}`;
  const { cipher, churn = false } = settings;
  const absent = [
    { id: 'vr-c', publicKey: keys.rc.publicKey },
    { id: 'vr-d', publicKey: keys.rd.publicKey },
  ];
  const gndt = {
    vnets: [{ name: VNET, id: 1 }],
    routers: [
      ...sites.map(({ place, id, wan }) => ({ id, publicKey: keys[place].publicKey, endpoints: [url(wan)] })),
      ...(churn ? absent : []),
    ],
    networks: [
      ...sites.map(({ id, prefix }) => ({ vnet: VNET, prefix, router: id })),
      ...(churn ? [{ vnet: VNET, prefix: CHURN_NETWORK, router: 'vr-d' }] : []),
    ],
    cipher,
  };
  const write = (place: Place, id: string, privateKey: string, lans: object[], nodes: object[]): void => {
    const directory = configDirectory(topology, place);
    mkdirSync(join(directory, 'state'), { recursive: true, mode: 0o700 });
    writeFileSync(join(directory, 'router.key'), `${privateKey}\n`, { mode: 0o600 });
    const router = {
      id,
      privateKeyFile: 'router.key',
      listen: [url('0.0.0.0')],
      lans,
      control: { socket: controlSocket(topology, place), group: 'root' },
      stateDir: join(directory, 'state'),
      log: { level: 'warn' },
      // The third router has more nodes than one router may have without a word of its operator's.
      limits: { nodesPerRouter: 131_072 },
    };
    const files = { 'router.json': router, 'gndt.json': gndt, 'lndt.json': { nodes } };
    for (const [name, value] of Object.entries(files))
      writeFileSync(join(directory, name), JSON.stringify(value, undefined, 2));
  };
  for (const { place, id, host } of sites)
    write(place, id, keys[place].privateKey, [{ interface: 'lan0', vnet: VNET }], [{ vnet: VNET, ip: host }]);
  if (churn) write('rc', 'vr-c', keys.rc.privateKey, [{ interface: 'wan1', vnet: VNET }], []);
}

/** Starts vined at both routers and waits until they are connected. @param root the checkout that it is of */
export async function startRouters(
  topology: Topology,
  settings: VineSettings,
  root = projectRoot,
): Promise<ProcessEntry[]> {
  writeConfiguration(topology, settings);
  const start = (place: Place): ProcessEntry =>
    topology.start(place, `vined-${place}`, [
      join(root, 'bin/vined'),
      '--config',
      configDirectory(topology, place),
    ]);
  const entries = [start('ra'), start('rb')];
  await waitFor(
    'both routers ready and connected',
    async () => {
      if (!entries.every(isAlive)) return true;
      return (await isReady(topology, 'ra')) && (await isReady(topology, 'rb'));
    },
    READY_LIMIT_MS,
  );
  if (!entries.every(isAlive)) throw new Error(`vined ended\n${topology.logs()}`);
  return entries;
}

async function isReady(topology: Topology, place: 'ra' | 'rb'): Promise<boolean> {
  const socket = controlSocket(topology, place);
  const { ready } = await getJson<StatusView>(socket, '/v1/status');
  const peers = await getJson<readonly PeerView[]>(socket, '/v1/peers');
  const other = place === 'ra' ? 'vr-b' : 'vr-a';
  return ready && peers.some(({ id, state }) => id === other && state === 'up');
}

/** What this checkout's vined says that it does not do of these settings; empty when it does them. */
export async function notSupported(topology: Topology, settings: VineSettings): Promise<string> {
  writeConfiguration(topology, settings);
  const { stderr, status } = await topology.attempt('ra', [
    ...[`${projectRoot}bin/vined`, '--check', '--config', configDirectory(topology, 'ra')],
  ]);
  if (status !== 0) return stderr.trim();
  return stderr
    .split('\n')
    .filter((line) => line.includes('NOT AVAILABLE YET'))
    .join('\n');
}

export interface OwnCarrier extends Carrier {
  readonly settings: VineSettings;
}

function own(name: string, detail: string, chosen: VineSettings): OwnCarrier {
  // The third router speaks UDP.
  const churns = chosen.transport === 'udp';
  const settings = { ...chosen, churn: churns };
  return {
    name,
    kind: 'ours',
    detail,
    settings,
    churns,
    kernelForwards: false,
    up: async (topology) => (await startRouters(topology, settings)).map(({ pid }) => pid),
  };
}

export const OURS: readonly OwnCarrier[] = [
  own('vine', 'ChaCha20-Poly1305 over UDP', { cipher: 'chacha20-poly1305', transport: 'udp' }),
  own('vine-aes', 'AES-256-GCM over UDP', { cipher: 'aes-256-gcm', transport: 'udp' }),
  own('vine-tcp', 'ChaCha20-Poly1305 over TCP', { cipher: 'chacha20-poly1305', transport: 'tcp' }),
];
