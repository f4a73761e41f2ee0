/** A site of two routers, as tests and the bench hold it: who is active, what is done to it, and when it is whole again. */
import type { RoleView } from '../../src/control/role-view.js';
import type { Daemon } from './daemon.js';
import type { Lab } from './lab.js';
import { cutLink, healLink } from './links.js';
import type { SiteLetter } from './plan.js';
import { waitFor } from './wait.js';

/** A router starts within seconds, also on a busy machine; sessions come up in one or two. */
const WHOLE_LIMIT_MS = 60_000;
const TAKEOVER_LIMIT_MS = 20_000;

export interface Roles {
  readonly active: Daemon;
  readonly standby: Daemon;
}

/**
 * What is done to a router. `kill`: SIGKILL. `stop`: SIGSTOP, for good. `lan`, `wan`: that link is unplugged;
 * `…-silent`: nothing passes, and the carrier stays.
 */
export const faults = ['kill', 'stop', 'lan', 'wan', 'lan-silent', 'wan-silent'] as const;
export type Fault = (typeof faults)[number];

/** Does it to the router; resolves when it is done, with how to undo it. A process that was killed is started then. */
export async function strike(lab: Lab, daemon: Daemon, fault: Fault): Promise<() => Promise<void>> {
  switch (fault) {
    case 'kill':
      await daemon.kill('SIGKILL');
      return async () => daemon.start();
    case 'stop':
      daemon.suspend();
      return async () => {
        await daemon.kill('SIGKILL');
        daemon.start();
      };
    default: {
      const side = fault.startsWith('lan') ? 'lan' : 'wan';
      const how = fault.endsWith('silent') ? 'silent' : 'unplugged';
      await cutLink(lab, daemon.id, side, how);
      return () => healLink(lab, daemon.id, side, how);
    }
  }
}

export class Pair {
  readonly routers: readonly [Daemon, Daemon];

  constructor(
    private readonly lab: Lab,
    site: SiteLetter = 'a',
  ) {
    const [first, second] = lab.routersOf(site);
    if (first === undefined || second === undefined) throw new Error(`site ${site} has not two routers`);
    this.routers = [first, second];
  }

  other(daemon: Daemon): Daemon {
    return daemon === this.routers[0] ? this.routers[1] : this.routers[0];
  }

  /** Until both say, of themselves and of each other, who is active, in one term, and all sessions and LANs are up. */
  async whole(limitMs = WHOLE_LIMIT_MS): Promise<Roles> {
    let last = '';
    try {
      return await waitFor(
        'the pair is whole',
        async () => {
          const views = await Promise.all(this.routers.map((daemon) => daemon.role()));
          last = views.map(inWords).join('; ');
          if (!agree(views)) return false;
          await this.connected();
          const [first] = views;
          const [one, two] = this.routers;
          return first?.role === 'active' ? { active: one, standby: two } : { active: two, standby: one };
        },
        limitMs,
      );
    } catch (error) {
      throw new Error(`${String(error)}: ${last}`, { cause: error });
    }
  }

  private async connected(): Promise<void> {
    const all = [...this.lab.routers.values()];
    for (const daemon of all) {
      const up = (await daemon.peers()).filter(({ state }) => state === 'up').map(({ id }) => id);
      const missing = all.filter((other) => other !== daemon && !up.includes(other.id));
      if (missing.length > 0)
        throw new Error(`${daemon.id} has no session with ${missing.map(({ id }) => id)}`);
    }
  }

  /** Until the router says that it is active, whatever has become of the other one. */
  async taken(daemon: Daemon, limitMs = TAKEOVER_LIMIT_MS): Promise<RoleView> {
    return waitFor(
      `${daemon.id} is active`,
      async () => {
        const view = await daemon.role();
        return view.role === 'active' && view;
      },
      limitMs,
    );
  }

  /** Orders the active router to hand over; resolves when the other one is active and both agree. */
  async handOver(): Promise<Roles> {
    const { active, standby } = await this.whole();
    const { status, stdout, stderr } = await active.vinectl(['role', 'standby']);
    if (status !== 0) throw new Error(`vinectl role standby: ${status} ${stdout}${stderr}`);
    const roles = await this.whole();
    if (roles.active !== standby) throw new Error(`${active.id} is still active`);
    return roles;
  }
}

function agree(views: readonly RoleView[]): boolean {
  const [one, two] = views;
  if (one === undefined || two === undefined) return false;
  const roles = [one.role, two.role].sort();
  return (
    roles[0] === 'active' &&
    roles[1] === 'standby' &&
    one.term === two.term &&
    one.partner?.role === two.role &&
    two.partner?.role === one.role &&
    views.every(({ draining, lans }) => !draining && lans.every(({ carrier }) => carrier)) &&
    views.every(({ health }) => (health?.peersUp ?? 0) > 0)
  );
}

function inWords({ router, role, term, cause, draining, partner, health }: RoleView): string {
  const other = partner === null ? 'nobody' : `${partner.router} ${partner.role}`;
  const { soundLans, lans, peersUp } = health ?? { soundLans: 0, lans: 0, peersUp: 0 };
  return `${router} is ${role}${draining ? ', draining,' : ''} (${cause}, term ${term}, LANs ${soundLans}/${lans}, peers ${peersUp}) and hears ${other}`;
}
