import type { Ip } from '../net/ip.js';
import { LatestAnswers } from './latest-answers.js';
import type { VnetId } from './model.js';

/** A fresh text is hashed anew by each table that is asked for it. */
const latest = new LatestAnswers((vnet, ip) => `${vnet}|${ip.key}`);

/** One text for a node address, as a Map key. */
export function nodeKey(vnet: VnetId, ip: Ip): string {
  return latest.of(vnet, ip);
}
