/** `vinectl dhcp ignore`: the visiting machines, for the DHCP server of the site that they visit. */
import { type Command, Option } from 'commander';
import { IGNORE_FORMATS, type IgnoreFormat, ignoreList } from '../../config/ignore-list.js';
import type { LndtView } from '../../control/api.js';
import { parseMac } from '../../net/mac.js';
import { contextOf } from '../context.js';
import type { Io } from '../io.js';
import { examples } from './help.js';

/** One machine that visits this site. */
interface Visitor {
  readonly vnet: string;
  readonly mac: string;
  readonly ips: readonly string[];
  /** The router of the site where it is at home. */
  readonly home: string | null;
}

export function addDhcpVerbs(program: Command, io: Io): void {
  const summary = 'what the DHCP server of this site should know';
  const dhcp = program.command('dhcp').summary(summary).description(summary);
  const what = 'the visiting machines, in the form by which a DHCP server leaves them alone';
  const ignore = dhcp
    .command('ignore')
    .summary(what)
    .description(`${what}. mobility.dhcp.ignoreFile in router.json keeps the same in a file.`)
    .addOption(new Option('--format <server>', 'for which server').choices(IGNORE_FORMATS).default('dnsmasq'))
    .option('--vnet <name>', 'only this vnet');
  examples(dhcp, ['vinectl dhcp ignore']);
  examples(ignore, [
    'vinectl dhcp ignore > /etc/dnsmasq.d/hosts/vine',
    'vinectl dhcp ignore --format kea > /etc/kea/vine-visitors.json',
    'vinectl dhcp ignore --json',
  ]);
  ignore.action(async (options: { format: IgnoreFormat; vnet?: string }, self: Command) => {
    const context = contextOf(io, self);
    const client = await context.client();
    const { body } = await client.get<readonly LndtView[]>('/v1/lndt', {
      state: 'visiting',
      vnet: options.vnet,
    });
    const visitors = visitorsOf(body);
    const macs = visitors.flatMap(({ mac }) => parseMac(mac) ?? []);
    context.print(context.json ? `${JSON.stringify(visitors, null, 2)}\n` : ignoreList(macs, options.format));
  });
}

/** A row is an address; a machine has several. */
function visitorsOf(rows: readonly LndtView[]): Visitor[] {
  const visitors = new Map<string, Visitor>();
  for (const { vnet, mac, node, router } of rows) {
    if (mac === null) continue;
    const known = visitors.get(`${vnet} ${mac}`);
    const ips = [...(known?.ips ?? []), node];
    visitors.set(`${vnet} ${mac}`, { vnet, mac, ips, home: known?.home ?? router });
  }
  return [...visitors.values()];
}
