/** The messages about traffic, every field checked. */
import { MAX_ID } from './constants.js';
import type { FieldReader } from './field-reader.js';
import {
  MAX_ASKED_NODE_IPS,
  MAX_ASKED_PAIRS,
  MAX_ASKED_PERIODS,
  MAX_DETAIL_PERIODS,
  MAX_PERIOD,
  MAX_TRAFFIC_PARTS,
  MAX_WEIGHT_PERMILLE,
  type TrafficAskMessage,
  type TrafficPartMessage,
  type TrafficRow,
} from './traffic-message.js';
import { TRAFFIC_ROW_KIND } from './words.js';

const MAX_VNET = 65_535;
/** Sites of a message's rows. */
const MAX_SITES = 64;

export function readTrafficAsk(fields: FieldReader): TrafficAskMessage {
  const vnet = fields.uint('vnet', MAX_VNET);
  const detail = fields.flag('detail');
  const ask: TrafficAskMessage = {
    type: 'trafficAsk',
    queryId: fields.id('queryId'),
    lastPeriod: fields.uint('lastPeriod', Math.floor(MAX_PERIOD)),
    periods: fields.uint('periods', detail ? MAX_DETAIL_PERIODS : MAX_ASKED_PERIODS),
    approximate: fields.flag('approximate'),
    detail,
    weightPermille: fields.uint('weightPermille', MAX_WEIGHT_PERMILLE),
    vnet: vnet === 0 ? undefined : vnet,
    ips: fields.nodeIps('ips', MAX_ASKED_NODE_IPS),
    mostPairs: fields.uint('mostPairs', MAX_ASKED_PAIRS),
    first: fields.uint('first', MAX_TRAFFIC_PARTS - 1),
  };
  if (ask.periods === 0 || ask.weightPermille === 0) fields.refuse('bad-question');
  return ask;
}

export function readTrafficPart(fields: FieldReader): TrafficPartMessage {
  const sites = fields.siteIds('sites', MAX_SITES);
  const [part, parts] = [fields.uint('part', MAX_TRAFFIC_PARTS - 1), fields.uint('parts', MAX_TRAFFIC_PARTS)];
  if (part >= parts) fields.refuse('bad-number');
  return {
    type: 'trafficPart',
    queryId: fields.id('queryId'),
    part,
    parts,
    periods: fields.uint('periods', MAX_ASKED_PERIODS),
    rows: fields.list('rows', (row) => readRow(row, sites)),
  };
}

function readRow(fields: FieldReader, sites: readonly string[]): TrafficRow {
  const kind = fields.word('kind', TRAFFIC_ROW_KIND, 'nobody');
  const period = fields.uint('period', MAX_DETAIL_PERIODS - 1);
  const counts = { packets: fields.uint('packets', MAX_ID), bytes: fields.uint('bytes', MAX_ID) };
  const none = { source: undefined, destination: undefined };
  if (kind === 'nobody')
    return { kind, period, vnet: 0, ...none, sourceSite: '', destinationSite: '', ...counts };
  const siteAt = (name: string): string => sites[fields.uint(name, Math.max(0, sites.length - 1))] ?? '';
  if (sites.length === 0) fields.refuse('bad-router-id');
  const ends =
    kind === 'pair'
      ? { source: fields.optionalNodeIp('source'), destination: fields.optionalNodeIp('destination') }
      : none;
  return {
    kind,
    period,
    vnet: fields.vnet('vnet'),
    ...ends,
    sourceSite: siteAt('sourceSite'),
    destinationSite: siteAt('destinationSite'),
    ...counts,
  };
}
