import assert from 'node:assert/strict';
import type { AskingPorts } from '../../../src/arp/asker.js';
import { ArpOperation, decodeNeighbourFrame } from '../../../src/arp/frame.js';
import { formatMac } from '../../../src/net/mac.js';
import type { LanIndex } from '../../../src/tables/model.js';
import { ManualClock } from './manual-clock.js';

export interface SentQuestion {
  readonly atMs: number;
  readonly lan: LanIndex;
  readonly ip: string;
  readonly from: string;
  readonly to: string;
}

/** Ports that keep every question sent, decoded. */
export function recordingPorts() {
  const clock = new ManualClock();
  const sent: SentQuestion[] = [];
  const ports: AskingPorts = {
    clock,
    sendFrame: (lan, bytes) => {
      const frame = decodeNeighbourFrame(bytes);
      assert.ok(typeof frame !== 'string');
      assert.ok(frame.kind === 'ns' || (frame.kind === 'arp' && frame.operation === ArpOperation.request));
      const [ip, from] =
        frame.kind === 'ns' ? [frame.target, frame.source] : [frame.targetIp, frame.senderIp];
      const to = formatMac(frame.ethernetDestination);
      sent.push({ atMs: clock.nowMs(), lan, ip: ip.key, from: from.key, to });
    },
  };
  return { clock, ports, sent };
}
