/** `vinectl status` and `vinectl counters`. */
import type { CountersView, StatusView } from '../../control/api.js';
import { count, longDuration, time } from '../../control/units.js';
import { type Block, blocks, clean, type Look, table } from './text.js';

type NodeCounts = Pick<StatusView, 'nodesHere' | 'nodesVisiting' | 'nodesDeparted' | 'nodesMissing'>;

export function showStatus(status: StatusView, { paint }: Look): string {
  const shown: Block[] = [
    ['router', status.id, routerLines(status)],
    ...status.lans.map((lan): Block => ['lan', lan.interface, lanLines(lan)]),
    ...status.workers.map((worker): Block => ['worker', worker.name, workerLines(worker)]),
  ];
  const warnings = status.warnings.map((text) => `${paint('yellow', 'warning')}: ${clean(text)}\n`);
  return [...blocks(shown, paint), ...(warnings.length > 0 ? [warnings.join('')] : [])].join('\n');
}

function routerLines(status: StatusView): [string, string][] {
  return [
    ['version', status.version],
    ['state', status.ready ? 'ready' : 'not ready'],
    ...(status.descriptionVersion
      ? [['description', `version ${status.descriptionVersion}`] as [string, string]]
      : []),
    ...roleLines(status.role),
    ['up', `${longDuration(status.uptimeSeconds * 1000)}, since ${time(status.startedAt)}`],
    ['listening', status.listen.join(', ') || 'nowhere'],
    ['tunnel', tunnelLine(status.tunnel)],
    ['peers', `${count(status.peersUp)} of ${count(status.peersTotal)} up`],
    ['nodes', nodesLine(status)],
  ];
}

/** Only of a site with two routers; a router of an older version says nothing of it. */
function roleLines(role: StatusView['role'] | undefined): [string, string][] {
  if (role === null || role === undefined) return [];
  return [
    ['site', `${role.site}, with ${role.partner} (${role.partnerRole ?? 'not heard yet'})`],
    ['role', `${role.role}, term ${role.term}`],
  ];
}

/** Missing nodes are named only when there are any: a router of an older version does not count them. */
export function nodesLine(
  { nodesHere, nodesVisiting, nodesDeparted, nodesMissing }: NodeCounts,
  here = 'here',
): string {
  const line = `${count(nodesHere)} ${here}, ${count(nodesVisiting)} visiting, ${count(nodesDeparted)} departed`;
  return nodesMissing > 0 ? `${line}, ${count(nodesMissing)} missing` : line;
}

function lanLines(lan: StatusView['lans'][number]): [string, string][] {
  return [
    ['vnet', lan.vnet],
    ['mac', lan.mac],
    ['mtu', `${lan.mtuBytes} bytes`],
    ['offload', lan.offload],
    ...servingLines(lan),
  ];
}

function servingLines({
  gateway = [],
  servingMacs = [],
  active = true,
}: StatusView['lans'][number]): [string, string][] {
  if (gateway.length === 0 && servingMacs.length === 0) return [];
  return [
    ['gateway', gateway.join(', ') || 'none'],
    ['served with', servingMacs.join(', ')],
    ['role', active ? 'active' : 'standby'],
  ];
}

function tunnelLine(tunnel: StatusView['tunnel']): string {
  const { sealing, segmentation, coalescing } = tunnel;
  const carrying = [segmentation ? 'segmentation' : '', coalescing ? 'coalescing' : ''].filter(
    (word) => word !== '',
  );
  return `${cipherWords(tunnel)} by ${sealing === 'evp' ? 'EVP' : sealing}, offload: ${carrying.join(' and ') || 'none'}`;
}

/** With `auto`, what is used with peers that say the same. A router of an older version says nothing of speeds. */
function cipherWords({ cipher, fastAes, chachaGbps, aesGbps }: StatusView['tunnel']): string {
  if (cipher !== 'auto') return cipher;
  const speeds = `aes-256-gcm ${aesGbps.toFixed(1)} Gbit/s, chacha20-poly1305 ${chachaGbps.toFixed(1)}`;
  return `auto (${fastAes ? 'offers' : 'does not offer'} aes-256-gcm: ${speeds}), chacha20-poly1305`;
}

/** A router of an older version says nothing of it. */
function loadLine(load: number | undefined): [string, string][] {
  return load === undefined ? [] : [['load', `${(100 * load).toFixed(1)} % of a processor`]];
}

/** Nor of this. */
function flowLines(flows: StatusView['workers'][number]['flows'] | undefined): [string, string][] {
  if (flows === undefined) return [];
  const { entries, hits, misses, stale, replaced } = flows;
  return [
    ['flow memory', `${count(hits)} hits, ${count(misses)} misses (${count(stale)} stale)`],
    ['flows', `${count(entries)} entries, ${count(replaced)} replaced`],
  ];
}

function workerLines(worker: StatusView['workers'][number]): [string, string][] {
  return [
    ['state', worker.state],
    ['packets', count(worker.packets)],
    ...loadLine(worker.load),
    ...flowLines(worker.flows),
  ];
}

export function showCounters(counters: CountersView, { paint }: Look): string {
  const rows = Object.entries(counters).sort(([a], [b]) => (a < b ? -1 : 1));
  return table(
    rows,
    [
      { title: 'COUNTER', text: ([name]) => name },
      { title: 'VALUE', text: ([, value]) => String(value), right: true },
    ],
    paint,
    'no counters',
  );
}
