/** The lab's addresses by family, for tests that are the same for IPv4 and IPv6. */
import type { Lab } from '../lab/lab.js';
import { outsideAddress, outsideAddress6, siteAddress, siteAddress6 } from '../lab/plan.js';
import { isUnreachable, ping } from './support.js';

export type Family = 4 | 6;
export const families = [4, 6] as const;

/** Address of a node that moves. */
export function moverAddress(lab: Lab, name: string, family: Family): string {
  const { ipv4, ipv6 } = lab.mover(name);
  return family === 4 ? ipv4 : ipv6;
}

/** Address of a host `a1`, `b2` …, or of `outside`. */
export function hostAddress(lab: Lab, name: string, family: Family): string {
  if (name === 'outside') return family === 4 ? outsideAddress : outsideAddress6;
  const site = lab.plan.sites.find(({ letter }) => letter === name[0]);
  if (site === undefined) throw new Error(`no host "${name}"`);
  const host = 10 + Number(name.slice(1));
  return family === 4 ? siteAddress(site, host) : siteAddress6(site, host);
}

/** Every site's first host, and what is outside, reaches the node. Answers who does not, for the message. */
export async function whoDoesNotReach(lab: Lab, address: string): Promise<string[]> {
  const hosts = [...lab.plan.sites.map(({ letter }) => `${letter}1`), 'outside'];
  const lost = await Promise.all(
    hosts.map(async (host) =>
      ping(lab, host, address).then(
        () => undefined,
        async () => ((await isUnreachable(lab, host, address)) ? host : undefined),
      ),
    ),
  );
  return lost.filter((host) => host !== undefined);
}
