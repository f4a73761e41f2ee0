/** A lab whose gateways are machines with a system of their own, as an operator has them: nothing is installed there yet. */
import { copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { Lab } from '../lab.js';
import { Machine, type Suite } from './machine.js';
import { buildPackage } from './package.js';

export interface Gateways {
  /** By the ids of the plan's routers and spares. All on the lab's WAN (wan0), each on its site's LAN (lan0). */
  readonly machines: ReadonlyMap<string, Machine>;
  /** The package, on this machine. */
  readonly packageFile: string;
  /** Folder of this machine that all see as /media/files; it goes with the lab. */
  readonly files: string;
  /** Throws for one that the lab has not. */
  machine(id: string): Machine;
  /** Their routers' logs, for a failing test's report. */
  report(): Promise<string>;
}

export interface GatewayOptions {
  /** Default: bookworm for all. */
  readonly suiteOf?: (id: string) => Suite;
  /** Host name; default: the router's id. */
  readonly nameOf?: (id: string) => string;
}

/**
 * Boots one for each router that the plan has, all at once. The lab has no daemons of its own for them
 * (`daemons: false`). The package is in each one's /root. They end with the lab.
 */
export async function bootGateways(lab: Lab, options: GatewayOptions = {}): Promise<Gateways> {
  const { suiteOf = () => 'bookworm', nameOf = (id) => id } = options;
  const files = join(lab.directory, 'files');
  mkdirSync(files);
  const packageFile = buildPackage();
  copyFileSync(packageFile, join(files, basename(packageFile)));
  const machines = new Map<string, Machine>();
  const boot = async (id: string): Promise<void> => {
    const machine = await Machine.boot(lab, { node: id, name: nameOf(id), suite: suiteOf(id), files });
    machines.set(id, machine);
    await machine.sh('cp /media/files/*.deb /root/');
  };
  await Promise.all([...lab.plan.routers, ...lab.plan.spares].map(({ id }) => boot(id)));
  const machine = (id: string): Machine => {
    const found = machines.get(id);
    if (found === undefined)
      throw new Error(`no gateway "${id}"; there are: ${[...machines.keys()].join(' ')}`);
    return found;
  };
  const report = async (): Promise<string> =>
    (await Promise.all([...machines.values()].map((each) => each.log()))).join('\n');
  return { machines, packageFile, files, machine, report };
}
