/** What the end-to-end tests share. */
import type { TestContext } from 'node:test';
import { Lab, type LabOptions } from '../lab/lab.js';
import { routerName, type SiteLetter } from '../lab/plan.js';

/** Why end-to-end tests cannot run here; false when they can. For node:test's `skip`. */
export const cannotRun: string | false =
  process.getuid?.() === 0 ? false : 'needs root for network namespaces';

/** Brings a lab up, hands it to `body`, and takes it down whatever happens. A failure carries the routers' logs. */
export async function withLab(
  t: TestContext,
  options: LabOptions,
  body: (lab: Lab) => Promise<void>,
): Promise<void> {
  const lab = await Lab.up(options);
  try {
    await body(lab);
  } catch (error) {
    t.diagnostic(lab.report());
    throw error;
  } finally {
    await lab.down();
  }
}

/** Rejects unless at least one of some pings is answered: the first may wait for ARP. */
export async function ping(lab: Lab, from: string, address: string): Promise<void> {
  await lab.exec(from, ['ping', '-q', '-n', '-c', '5', '-i', '0.2', '-W', '2', address]);
}

/** True when none of five pings is answered. @param source address that they come from */
export async function isUnreachable(
  lab: Lab,
  from: string,
  address: string,
  source?: string,
): Promise<boolean> {
  const { status } = await lab.attempt(from, [
    'ping',
    '-q',
    '-n',
    '-c',
    '5',
    '-i',
    '0.2',
    '-W',
    '1',
    ...(source === undefined ? [] : ['-I', source]),
    address,
  ]);
  return status === 1; // 2 would be an error of another kind
}

/** Until a site's router knows the node to be at the router of another (or the same) site. */
export function untilKnownAt(lab: Lab, asked: SiteLetter, ip: string, at: SiteLetter): Promise<void> {
  return lab.daemon(asked).waitKnows(ip, routerName(at));
}

/** MAC that a node's neighbour cache has for an address; undefined when none. */
export async function neighbourMac(lab: Lab, node: string, ip: string): Promise<string | undefined> {
  const rows = JSON.parse(await lab.exec(node, ['ip', '-j', 'neigh', 'show', ip])) as { lladdr?: string }[];
  return rows[0]?.lladdr;
}

/** Bytes that an interface of a node has received, as its kernel counts them. */
export async function receivedBytes(lab: Lab, node: string, interfaceName: string): Promise<number> {
  interface Link {
    readonly stats64: { readonly rx: { readonly bytes: number } };
  }
  const links = JSON.parse(await lab.exec(node, ['ip', '-s', '-j', 'link', 'show', interfaceName])) as Link[];
  const [link] = links;
  if (link === undefined) throw new Error(`${node} has no ${interfaceName}`);
  return link.stats64.rx.bytes;
}

export const round = (ms: number): string => ms.toFixed(1);
