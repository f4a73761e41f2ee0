import type { Ip } from '../../src/net/ip.js';
import { type Mac, macHigh, macLow } from '../../src/net/mac.js';
import { ForwardingTable } from '../../src/tables/forwarding/forwarding-table.js';
import { bucketOf } from '../../src/tables/forwarding/generations.js';

export interface FrameOf {
  readonly source: Ip;
  readonly destination: Ip;
  readonly sourceMac: Mac;
  readonly destinationMac: Mac;
}

/** What a decision over such a frame is good for now: as an engine sums it up. */
export function generationOf(table: Pick<ForwardingTable, 'memory'>, frame: FrameOf): number {
  const words = new Int32Array(table.memory, 4 * ForwardingTable.generationsWord);
  const ofIp = ({ w0, w1, w2, w3 }: Ip): number => bucketOf(w0, w1, w2, w3);
  const ofMac = (mac: Mac): number => bucketOf(0, 0, macHigh(mac), macLow(mac));
  return [
    0,
    ofIp(frame.source),
    ofIp(frame.destination),
    ofMac(frame.sourceMac),
    ofMac(frame.destinationMac),
  ].reduce((sum, bucket) => (sum + Atomics.load(words, bucket)) | 0, 0);
}
