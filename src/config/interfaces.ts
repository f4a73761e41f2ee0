/** Are the LAN interfaces there? The one check that looks at the machine instead of the files. */
import { readFileSync } from 'node:fs';
import type { ConfigError } from '../tables/files/error.js';
import type { TableConfig } from '../tables/files/parse.js';
import { ROUTER_FILE } from '../tables/files/router-file.js';
import { didYouMean, listed } from '../tables/files/suggest.js';

/**
 * @param exists whether this machine has an interface of that name
 * @param names the interfaces there are, for the message
 */
export function checkInterfaces(
  config: Pick<TableConfig, 'router'>,
  exists: (name: string) => boolean = (name) => listInterfaces().includes(name),
  names: () => readonly string[] = listInterfaces,
): ConfigError[] {
  const errors: ConfigError[] = [];
  for (const [index, lan] of config.router.lans.entries()) {
    if (exists(lan.interface)) continue;
    const others = names().filter((name) => name !== 'lo');
    errors.push({
      file: ROUTER_FILE,
      path: `lans[${index}].interface`,
      message: `this machine has no interface "${lan.interface}"${didYouMean(lan.interface, others)}; it has ${listed(others, 30)}`,
    });
  }
  return errors;
}

/**
 * The interfaces of this process's network namespace, those that are down included (which `os.networkInterfaces`
 * leaves out). Not from /sys/class/net: that shows the namespace in which /sys was mounted.
 */
export function listInterfaces(): string[] {
  return readFileSync('/proc/self/net/dev', 'utf8')
    .split('\n')
    .flatMap((line) => /^\s*([^\s|]+):/.exec(line)?.[1] ?? []);
}
