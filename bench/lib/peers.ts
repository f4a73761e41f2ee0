/** How each of the others is set up to carry the same two sites. Debian's packages, their defaults where they have any. */
import { writeFileSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { run } from '../../test/lab/shell.js';
import { pause, waitFor } from '../../test/lab/wait.js';
import type { Carrier, Peer } from './carrier.js';
import { type Place, type Topology, WAN_A, WAN_B } from './topology.js';

const SETTLE_MS = 1_500;

/** Runs a program of a peer outside of any namespace; rejects unless it ends with 0. */
async function tool(directory: string, command: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await run(['sh', '-c', 'cd "$0" && exec "$@"', directory, ...command], {
    timeoutMs: 30_000,
  });
  if (status !== 0) throw new Error(`${command.join(' ')}: ${stdout}${stderr}`);
  return stdout;
}

/** Until a router has a network device of that name. */
function hasDevice(topology: Topology, place: Place, device: string): Promise<unknown> {
  return waitFor(
    `${device} at ${place}`,
    async () => (await topology.attempt(place, ['ip', 'link', 'show', device])).status === 0,
    10_000,
  );
}

async function bothHave(topology: Topology, device: string): Promise<void> {
  await Promise.all([hasDevice(topology, 'ra', device), hasDevice(topology, 'rb', device)]);
}

const direct: Carrier = {
  name: 'kernel',
  kind: 'kernel',
  detail: 'forwarding, no tunnel',
  kernelForwards: true,
  up: async (topology) => {
    topology.routes('wan0', WAN_B, WAN_A);
    return [];
  },
};

const vxlan: Carrier = {
  name: 'vxlan',
  kind: 'kernel',
  detail: 'kernel, not encrypted',
  kernelForwards: true,
  up: async (topology) => {
    for (const [place, remote, address] of [
      ['ra', WAN_B, '10.9.0.1/24'],
      ['rb', WAN_A, '10.9.0.2/24'],
    ] as const)
      topology.ip(
        place,
        `link add vx type vxlan id 7 remote ${remote} dstport 4789 dev wan0`,
        `addr add ${address} dev vx`,
        'link set vx up',
      );
    topology.routes('vx', '10.9.0.2', '10.9.0.1');
    return [];
  },
};

const nebula: Peer = {
  name: 'nebula',
  kind: 'peer',
  detail: 'AES-256-GCM over UDP',
  needs: { programs: ['nebula', 'nebula-cert'], packages: ['nebula'] },
  kernelForwards: true,
  up: async (topology, program) => {
    const { directory } = topology;
    await tool(directory, [program('nebula-cert'), 'ca', '-name', 'bench']);
    const pids: number[] = [];
    for (const [place, name, own, other, ownNet, otherNet, remote] of [
      ['ra', 'na', '10.9.0.1', '10.9.0.2', '10.1.0.0/24', '10.2.0.0/24', WAN_B],
      ['rb', 'nb', '10.9.0.2', '10.9.0.1', '10.2.0.0/24', '10.1.0.0/24', WAN_A],
    ] as const) {
      const sign = [program('nebula-cert'), 'sign', '-name', name, '-ip', `${own}/24`, '-subnets', ownNet];
      await tool(directory, sign);
      const any = '[{port: any, proto: any, host: any}]';
      const file = join(directory, `${name}.yml`);
      writeFileSync(
        file,
        [
          `pki: {ca: ${directory}/ca.crt, cert: ${directory}/${name}.crt, key: ${directory}/${name}.key}`,
          `static_host_map: {"${other}": ["${remote}:4242"]}`,
          'lighthouse: {am_lighthouse: false, hosts: []}',
          'listen: {host: 0.0.0.0, port: 4242}',
          `tun: {dev: neb, mtu: 1300, unsafe_routes: [{route: ${otherNet}, via: ${other}, mtu: 1300}]}`,
          `firewall: {outbound: ${any}, inbound: ${any}}`,
        ].join('\n'),
      );
      pids.push(topology.start(place, name, [program('nebula'), '-config', file]).pid);
    }
    await bothHave(topology, 'neb');
    await pause(SETTLE_MS);
    return pids;
  },
};

const fastd: Peer = {
  name: 'fastd',
  kind: 'peer',
  detail: 'salsa2012+umac over UDP',
  needs: { programs: ['fastd'], packages: ['fastd'] },
  kernelForwards: true,
  up: async (topology, program) => {
    const keys = async (): Promise<{ secret: string; public: string }> => {
      const text = await tool(topology.directory, [program('fastd'), '--generate-key']);
      return {
        secret: /Secret:\s*(\w+)/.exec(text)?.[1] ?? '',
        public: /Public:\s*(\w+)/.exec(text)?.[1] ?? '',
      };
    };
    const [a, b] = [await keys(), await keys()];
    const pids = (
      [
        ['ra', a.secret, `peer "b" { key "${b.public}"; }`],
        ['rb', b.secret, `peer "a" { key "${a.public}"; remote ${WAN_A}:10000; }`],
      ] as const
    ).map(([place, secret, peer]) => {
      const file = join(topology.directory, `fastd-${place}.conf`);
      const common = 'bind 0.0.0.0:10000; mode tun; method "salsa2012+umac"; interface "fst"; mtu 1400;';
      writeFileSync(file, `${common}\nsecret "${secret}";\n${peer}\n`, { mode: 0o600 });
      return topology.start(place, `fastd-${place}`, [program('fastd'), '--config', file]).pid;
    });
    await bothHave(topology, 'fst');
    await pause(SETTLE_MS);
    for (const place of ['ra', 'rb'] as const) topology.ip(place, 'link set fst up');
    topology.routes('fst');
    return pids;
  },
};

function openvpn(name: string, transport: 'udp' | 'tcp'): Peer {
  return {
    name,
    kind: 'peer',
    detail: `AES-256-GCM over ${transport.toUpperCase()}, no kernel offload`,
    needs: { programs: ['openvpn', 'openssl'], packages: ['openvpn', 'openssl'] },
    kernelForwards: true,
    up: async (topology, program) => {
      const { directory } = topology;
      const fingerprint = async (side: string): Promise<string> => {
        const file = join(directory, side);
        const make = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30'.split(' ');
        await tool(directory, [
          program('openssl'),
          ...make,
          ...['-keyout', `${file}.key`, '-out', `${file}.crt`, '-subj', `/CN=${side}`],
        ]);
        const shown = await tool(directory, [
          program('openssl'),
          ...['x509', '-in', `${file}.crt`, '-noout', '-fingerprint', '-sha256'],
        ]);
        return shown.trim().split('=')[1] ?? '';
      };
      const [a, b] = [await fingerprint('a'), await fingerprint('b')];
      const start = (place: Place, side: string, peer: string, more: string): number =>
        topology.start(place, `openvpn-${side}`, [
          ...[
            program('openvpn'),
            '--dev',
            'ovpn',
            '--dev-type',
            'tun',
            '--disable-dco',
            '--data-ciphers',
            'AES-256-GCM',
          ],
          ...['--sndbuf', '0', '--rcvbuf', '0', '--peer-fingerprint', peer],
          ...['--cert', join(directory, `${side}.crt`), '--key', join(directory, `${side}.key`)],
          ...more.split(' '),
        ]).pid;
      const [server, client] = transport === 'udp' ? ['udp', 'udp'] : ['tcp-server', 'tcp-client'];
      const pids = [
        start(
          'ra',
          'a',
          b,
          `--proto ${server} --local ${WAN_A} --tls-server --dh none --ifconfig 10.9.0.1 10.9.0.2`,
        ),
        start('rb', 'b', a, `--proto ${client} --remote ${WAN_A} --tls-client --ifconfig 10.9.0.2 10.9.0.1`),
      ];
      await bothHave(topology, 'ovpn');
      await waitFor(
        'openvpn answers',
        async () => (await topology.attempt('ra', ['ping', '-c1', '-W1', '10.9.0.2'])).status === 0,
        20_000,
      );
      topology.routes('ovpn');
      return pids;
    },
  };
}

const wireguardGo: Peer = {
  name: 'wireguard-go',
  kind: 'peer',
  detail: 'ChaCha20-Poly1305 over UDP',
  needs: { programs: ['wireguard-go', 'wg'], packages: ['wireguard-go', 'wireguard-tools'] },
  kernelForwards: true,
  up: async (topology, program) => {
    const { directory } = topology;
    const wg = program('wg');
    const keys = 'umask 077; for s in a b; do "$0" genkey >$s.key; "$0" pubkey <$s.key >$s.pub; done';
    await tool(directory, ['sh', '-c', keys, wg]);
    const start = (place: Place, device: string): number =>
      topology.start(place, `wireguard-${device}`, [
        ...['env', 'WG_PROCESS_FOREGROUND=1', 'WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD=1'],
        ...[program('wireguard-go'), '-f', device],
      ]).pid;
    // Its control sockets are named after the device, in a directory that all namespaces share.
    const devices = { ra: `wga${process.pid}`, rb: `wgb${process.pid}` } as const;
    const pids = [start('ra', devices.ra), start('rb', devices.rb)];
    for (const [place, own, other, remote, network] of [
      ['ra', 'a', 'b', WAN_B, '10.2.0.0/24'],
      ['rb', 'b', 'a', WAN_A, '10.1.0.0/24'],
    ] as const) {
      const device = devices[place];
      await hasDevice(topology, place, device);
      const peer = (await tool(directory, ['cat', `${other}.pub`])).trim();
      await topology.exec(place, [
        ...[wg, 'set', device, 'private-key', join(directory, `${own}.key`), 'listen-port', '51820'],
        ...['peer', peer, 'allowed-ips', '0.0.0.0/0', 'endpoint', `${remote}:51820`],
      ]);
      topology.ip(place, `link set ${device} up mtu 1420`, `route add ${network} dev ${device}`);
    }
    return pids;
  },
};

const tinc: Peer = {
  name: 'tinc',
  kind: 'peer',
  detail: 'Blowfish and SHA-1 over UDP (1.0 defaults)',
  needs: { programs: ['tincd'], packages: ['tinc'] },
  kernelForwards: true,
  up: async (topology, program) => {
    const { directory } = topology;
    for (const side of ['a', 'b']) await mkdir(join(directory, side, 'hosts'), { recursive: true });
    const common = 'Interface=tnc\nMode=router\nAddressFamily=ipv4\n';
    writeFileSync(join(directory, 'a/tinc.conf'), `Name=a\n${common}`);
    writeFileSync(join(directory, 'b/tinc.conf'), `Name=b\nConnectTo=a\n${common}`);
    writeFileSync(join(directory, 'a/hosts/a'), `Address=${WAN_A}\nSubnet=10.1.0.0/24\n`);
    writeFileSync(join(directory, 'b/hosts/b'), `Address=${WAN_B}\nSubnet=10.2.0.0/24\n`);
    for (const side of ['a', 'b'])
      await tool(directory, [
        'sh',
        '-c',
        `printf '\\n\\n\\n' | "$0" -c ${directory}/${side} -K2048`,
        program('tincd'),
      ]);
    await tool(directory, ['sh', '-c', 'cp a/hosts/a b/hosts/; cp b/hosts/b a/hosts/']);
    const start = (place: Place, side: string): number =>
      topology.start(place, `tinc-${side}`, [
        ...[program('tincd'), '-c', join(directory, side), '-D', `--pidfile=${join(directory, side, 'pid')}`],
      ]).pid;
    const pids = [start('ra', 'a')];
    await hasDevice(topology, 'ra', 'tnc');
    pids.push(start('rb', 'b'));
    await hasDevice(topology, 'rb', 'tnc');
    for (const place of ['ra', 'rb'] as const) topology.ip(place, 'link set tnc up');
    topology.routes('tnc');
    await pause(SETTLE_MS);
    return pids;
  },
};

const n2n: Peer = {
  name: 'n2n',
  kind: 'peer',
  detail: 'Twofish over UDP (1.3 defaults)',
  needs: { programs: ['edge', 'supernode'], packages: ['n2n'] },
  kernelForwards: true,
  up: async (topology, program) => {
    topology.start('ra', 'supernode', [program('supernode'), '-l', '7654']);
    await pause(500);
    const start = (place: Place, number: number): number =>
      topology.start(place, `edge-${number}`, [
        ...[program('edge'), '-d', 'n2n', '-a', `10.9.0.${number}`, '-c', 'bench', '-k', 'bench', '-r'],
        ...['-l', `${WAN_A}:7654`, '-m', `02:00:00:00:00:0${number}`],
      ]).pid;
    const pids = [start('ra', 1), start('rb', 2)];
    await bothHave(topology, 'n2n');
    await waitFor(
      'n2n answers',
      async () => (await topology.attempt('ra', ['ping', '-c1', '-W1', '10.9.0.2'])).status === 0,
      20_000,
    );
    topology.routes('n2n', '10.9.0.2', '10.9.0.1');
    return pids;
  },
};

export const KERNEL: readonly Carrier[] = [direct, vxlan];

export const PEERS: readonly Peer[] = [
  nebula,
  fastd,
  openvpn('openvpn', 'udp'),
  openvpn('openvpn-tcp', 'tcp'),
  wireguardGo,
  tinc,
  n2n,
];
