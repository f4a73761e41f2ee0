/**
 * Debian's DHCP servers on host `x2` of a site, each with a list of machines that it leaves alone, if there is one. They
 * are authoritative for the site's networks, but dhcpd: then it would refuse a machine of another network before it has
 * looked whether it should leave it alone.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import type { IgnoreFormat } from '../../../src/config/ignore-list.js';
import type { Lab } from '../lab.js';
import { type Site, siteAddress, siteAddress6 } from '../plan.js';
import { waitFor } from '../wait.js';

export const serverPrograms: { readonly [Server in IgnoreFormat]: string } = {
  dnsmasq: 'dnsmasq',
  kea: 'kea-dhcp4',
  dhcpd: 'dhcpd',
};

/** Why a test with this program cannot run here; false when it can. */
export const misses = (program: string): string | false =>
  spawnSync('sh', ['-c', `command -v ${program}`]).status === 0 ? false : `${program} is not installed`;

export interface ServerOptions {
  /** A machine that has one and the same address each time. */
  readonly reserved?: { readonly mac: string; readonly address: string };
  /** In the form of the server. */
  readonly ignoreFile?: string;
}

interface Starting extends ServerOptions {
  readonly site: Site;
  /** Of its own, empty. */
  readonly directory: string;
}

interface Started {
  readonly command: readonly string[];
  /** In its log when it serves. */
  readonly serves: string;
  /** Checks its files as operators do before they start it. */
  readonly check: readonly string[];
}

const SERVERS: { readonly [Server in IgnoreFormat]: (starting: Starting) => Started } = {
  dnsmasq,
  kea,
  dhcpd,
};

export class DhcpServer {
  readonly address: string;
  readonly #log: string;
  readonly #pid: () => number;

  private constructor(address: string, log: string, pid: () => number) {
    this.address = address;
    this.#log = log;
    this.#pid = pid;
  }

  /** Throws when the server does not accept its files. */
  static async start(
    lab: Lab,
    site: Site,
    kind: IgnoreFormat,
    options: ServerOptions = {},
  ): Promise<DhcpServer> {
    const directory = freshDirectory(join(lab.directory, `${kind}-${site.letter}`));
    const { command, serves, check } = SERVERS[kind]({ ...options, site, directory });
    const host = `${site.letter}2`;
    await lab.exec(host, check);
    const log = join(directory, 'log');
    const pidFile = join(directory, 'its-pid');
    // Its own pid before it becomes the server.
    const script = 'echo $$ >"$0"; exec "$@"';
    lab.start(basename(directory), host, ['sh', '-c', script, pidFile, ...command], log);
    const server = new DhcpServer(siteAddress(site, 12), log, () => Number(readFileSync(pidFile, 'utf8')));
    await waitFor(`${kind} to serve`, () => server.log().includes(serves));
    return server;
  }

  log(): string {
    return readFileSync(this.#log, 'utf8');
  }

  async stop(): Promise<void> {
    const pid = this.#pid();
    process.kill(pid, 'SIGTERM');
    await waitFor('the server to end', () => !existsSync(`/proc/${pid}/exe`));
  }
}

function freshDirectory(base: string): string {
  let directory = base;
  for (let n = 2; existsSync(directory); n++) directory = `${base}-${n}`;
  mkdirSync(directory, { recursive: true });
  return directory;
}

function dnsmasq({ site, directory, reserved, ignoreFile }: Starting): Started {
  const command = [
    ...['dnsmasq', '--keep-in-foreground', '--conf-file=/dev/null', '--user=root', '--port=0', '--no-ping'],
    ...[
      '--interface=eth0',
      '--except-interface=lo',
      '--dhcp-authoritative',
      '--log-dhcp',
      '--log-facility=-',
    ],
    `--dhcp-range=${siteAddress(site, 100)},${siteAddress(site, 150)},255.255.255.0,1h`,
    `--dhcp-range=${siteAddress6(site, 100)},${siteAddress6(site, 150)},64,1h`,
    ...(reserved === undefined ? [] : [`--dhcp-host=${reserved.mac},${reserved.address}`]),
    ...(ignoreFile === undefined ? [] : [`--dhcp-hostsdir=${dirname(ignoreFile)}`]),
    `--dhcp-leasefile=${join(directory, 'leases')}`,
    `--pid-file=${join(directory, 'pid')}`,
  ];
  const hosts = ignoreFile === undefined ? [] : [`--dhcp-hostsfile=${ignoreFile}`];
  return {
    command,
    serves: 'DHCP, IP range',
    check: ['dnsmasq', '--test', '--conf-file=/dev/null', ...hosts],
  };
}

function kea({ site, directory, ignoreFile }: Starting): Started {
  const file = join(directory, 'kea.json');
  const list = ignoreFile === undefined ? '[]' : `<?include "${ignoreFile}"?>`;
  const pool = `${siteAddress(site, 100)} - ${siteAddress(site, 150)}`;
  writeFileSync(
    file,
    `{ "Dhcp4": {
  "interfaces-config": { "interfaces": [ "eth0" ] },
  "lease-database": { "type": "memfile", "persist": false },
  "authoritative": true,
  "valid-lifetime": 3600,
  "early-global-reservations-lookup": true,
  "reservations-global": true,
  "reservations": ${list},
  "subnet4": [ { "id": 1, "subnet": "${siteAddress(site, 0)}/24", "pools": [ { "pool": "${pool}" } ] } ],
  "loggers": [ { "name": "kea-dhcp4", "output_options": [ { "output": "stdout" } ], "severity": "DEBUG" } ]
} }
`,
  );
  const settings = ['env', `KEA_PIDFILE_DIR=${directory}`, `KEA_LOCKFILE_DIR=${directory}`];
  return {
    command: [...settings, 'kea-dhcp4', '-c', file],
    serves: 'DHCP4_STARTED',
    check: [...settings, 'kea-dhcp4', '-t', file],
  };
}

function dhcpd({ site, directory, ignoreFile }: Starting): Started {
  const file = join(directory, 'dhcpd.conf');
  const pool = `range ${siteAddress(site, 100)} ${siteAddress(site, 150)};`;
  writeFileSync(
    file,
    `subnet ${siteAddress(site, 0)} netmask 255.255.255.0 { ${pool} }
${ignoreFile === undefined ? '' : `include "${ignoreFile}";`}
`,
  );
  const leases = join(directory, 'leases');
  writeFileSync(leases, '');
  const files = ['-cf', file, '-lf', leases, '-pf', join(directory, 'pid')];
  return {
    command: ['dhcpd', '-4', '-f', '-d', ...files, 'eth0'],
    serves: 'Server starting service',
    check: ['dhcpd', '-4', '-t', ...files],
  };
}
