/**
 * Keeps the gateway's kernel from acting on the packets that are the router's. The router reads copies of the frames;
 * the kernel gets them too. With forwarding on it would send them a second time by its own routes; without, its IPv6
 * still answers "no route" (ICMPv6 destination unreachable), which ends a host's connection attempt at once.
 *
 * An nftables ingress rule drops the kernel's copy, behind the point where packet sockets read. The table has the
 * `owner` flag: it lives as long as the `nft` process that made it, and that process as long as its standard input is
 * open. So it is gone with the router, also after a SIGKILL.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { formatMac } from '../../net/mac.js';
import type { Lan } from '../../tables/lan.js';
import type { NetworkConfig, RouterId } from '../../tables/model.js';

/** What the rules depend on. */
export interface GuardedNetworks {
  readonly self: RouterId;
  readonly networks: readonly NetworkConfig[];
}

/** What nft has said is kept up to this, for the message. */
const MAX_SAID = 500;
const SETTLED = 'all_rules_taken';

export class KernelGuard {
  readonly #nft: ChildProcess;
  #stopped = false;

  private constructor(nft: ChildProcess) {
    this.#nft = nft;
  }

  /**
   * Installs the rules. A string says why it cannot: the router works without, with the drawbacks above.
   * @param generation another number for each guard of this process: a new one stands before the old one goes
   * @param onLost the rules have gone while the router runs
   */
  static start(
    lans: readonly Lan[],
    guarded: GuardedNetworks,
    generation: number,
    onLost: () => void,
  ): Promise<KernelGuard | string> {
    const table = tableName(guarded.self, generation);
    const nft = spawn('nft', ['--interactive'], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH },
    });
    const guard = new KernelGuard(nft);
    return new Promise((resolve) => {
      let said = '';
      let settled = false;
      const settle = (outcome: KernelGuard | string): void => {
        if (settled) return;
        settled = true;
        if (typeof outcome === 'string') guard.stop();
        resolve(outcome);
      };
      const listen = (chunk: Buffer): void => {
        if (settled) return;
        said = (said + chunk.toString()).slice(-MAX_SAID);
        if (/error/i.test(said)) settle(oneLine(said));
        else if (said.includes(SETTLED)) settle(guard);
      };
      nft.stdout?.on('data', listen);
      nft.stderr?.on('data', listen);
      nft.stdin?.on('error', () => settle('nft has ended'));
      nft.on('error', (error: NodeJS.ErrnoException) => {
        settle(error.code === 'ENOENT' ? 'nftables is not installed' : error.message);
      });
      nft.on('exit', () => {
        settle(said === '' ? 'nft has ended' : oneLine(said));
        if (!guard.#stopped) onLost();
      });
      nft.stdin?.write(`${guardRules(lans, guarded, table).join('\n')}\nlist table netdev ${table}\n`);
    });
  }

  /** Takes the rules away. */
  stop(): void {
    this.#stopped = true;
    this.#nft.stdin?.end();
  }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim();
}

function tableName(self: RouterId, generation: number): string {
  return `vine_${self.replace(/[^A-Za-z0-9_]/g, '_')}_${generation}`;
}

/** The rules, a command each. The last one names an empty chain by which the listing shows that all were taken. */
export function guardRules(
  lans: readonly Lan[],
  { self, networks: all }: GuardedNetworks,
  name: string,
): string[] {
  const table = `netdev ${name}`;
  const commands = [`add table ${table} { flags owner; }`];
  for (const lan of lans) {
    const chain = `${table} lan_${lan.index}`;
    const rule = (text: string): string => `add rule ${chain} ${text}`;
    const networks = all.filter(({ vnet }) => vnet === lan.vnet);
    commands.push(
      `add chain ${chain} { type filter hook ingress device "${lan.interface}" priority -500; policy accept; }`,
      rule(`ether daddr != ${formatMac(lan.mac)} accept`),
      rule('fib daddr type local accept'),
      rule('ip6 daddr { fe80::/10, ff00::/8 } accept'),
      ...drops('daddr', networks).map(rule),
      // A visiting node's packets to the outside world. Native nodes' own stay the kernel's: it may be their router. Not
      // where the router is that, with the MAC that the kernel has.
      ...drops(
        'saddr',
        networks.filter(({ router }) => router !== self || isGatewayWithOwnMac(lan)),
      ).map(rule),
    );
  }
  return [...commands, `add chain ${table} ${SETTLED}`];
}

function isGatewayWithOwnMac({ gateway = [], vrid }: Lan): boolean {
  return gateway.length > 0 && vrid === undefined;
}

function drops(field: 'daddr' | 'saddr', networks: readonly NetworkConfig[]): string[] {
  return ([4, 6] as const).flatMap((family) => {
    const prefixes = networks
      .filter(({ prefix }) => prefix.family === family)
      .map(({ prefix }) => prefix.key);
    if (prefixes.length === 0) return [];
    return [`${family === 4 ? 'ip' : 'ip6'} ${field} { ${prefixes.join(', ')} } drop`];
  });
}
