/** The machine as `vinectl doctor` and the router look at it: interfaces, kernel settings, capabilities. Reads only. */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { messageOf } from '../net/system-error.js';

const COMMAND_LIMIT_MS = 3_000;

export interface LinkState {
  readonly name: string;
  /** Administratively up. */
  readonly up: boolean;
  readonly carrier: boolean;
  readonly mtuBytes: number;
}

/** Interfaces of this process's network namespace by name; a text says why they cannot be told. */
export async function readLinks(): Promise<ReadonlyMap<string, LinkState> | string> {
  try {
    const { stdout } = await promisify(execFile)('ip', ['-json', 'link', 'show'], {
      timeout: COMMAND_LIMIT_MS,
    });
    const rows = JSON.parse(stdout) as { ifname: string; flags: string[]; mtu: number }[];
    return new Map(
      rows.map(({ ifname, flags, mtu }) => [
        ifname,
        { name: ifname, up: flags.includes('UP'), carrier: flags.includes('LOWER_UP'), mtuBytes: mtu },
      ]),
    );
  } catch (problem) {
    return `"ip link show" does not work: ${messageOf(problem)}`;
  }
}

/** True when the kernel would itself forward what arrives on the interface, and so duplicate the router's packets. */
export function kernelForwards(name: string): boolean {
  return (
    readSysctl(`ipv4/conf/${name}/forwarding`) === '1' || readSysctl(`ipv6/conf/${name}/forwarding`) === '1'
  );
}

function readSysctl(path: string): string | undefined {
  try {
    return readFileSync(`/proc/sys/net/${path}`, 'utf8').trim();
  } catch {
    return undefined; // No IPv6, or /proc not mounted: nothing forwards that we know of.
  }
}

/** What a single ping that must not be fragmented came to. */
export interface PingOutcome {
  readonly answered: boolean;
  /** What the path carries, when somebody on it has said so. */
  readonly mtuBytes: number | undefined;
}

/** One ping with an IP packet of `sizeBytes`; never rejects. */
export async function pingWhole(address: string, sizeBytes: number): Promise<PingOutcome> {
  const headerBytes = address.includes(':') ? 48 : 28;
  const args = ['-n', '-c', '1', '-W', '1', '-M', 'do', '-s', String(sizeBytes - headerBytes), address];
  try {
    await promisify(execFile)('ping', args, { timeout: COMMAND_LIMIT_MS });
    return { answered: true, mtuBytes: undefined };
  } catch (problem) {
    const { stdout = '', stderr = '' } = problem as { stdout?: string; stderr?: string };
    const mtu = /mtu ?[=:] ?(\d+)/i.exec(`${stdout}${stderr}`)?.[1];
    return { answered: false, mtuBytes: mtu === undefined ? undefined : Number(mtu) };
  }
}
