/** A packet worker that sends, without a pause, packets whose datagrams may be fragmented: until it is told to stop. */
import { parentPort, workerData } from 'node:worker_threads';
import { Action, type UdpSocket } from '../../src/dataplane/engine.js';
import { loadNative } from '../../src/dataplane/native.js';
import { pattern, udpPacket } from '../support/ip-packet.js';
import { Rig } from './rig.js';

export interface FragmentingTask {
  readonly udp: UdpSocket;
  readonly peer: number;
  /** Of each packet, an IPv4 one that its sender does not let fragment. */
  readonly payloadBytes: number;
  /** Element 0 counts the batches, element 1 says stop. */
  readonly shared: SharedArrayBuffer;
}

export interface FragmentingResult {
  readonly sent: number;
  readonly errors: number;
}

const BATCH = 8;

const { udp, peer, payloadBytes, shared } = workerData as FragmentingTask;
const control = new Int32Array(shared);
const rig = new Rig(loadNative(), { role: 'lan', udp: [udp], slotBytes: 4096 });
const packet = udpPacket({ family: 4, payload: pattern(payloadBytes) });
packet[6] = 0x40;
const fields = { action: Action.bare, to: peer, mtu: 1420 };
for (let i = 0; i < BATCH; i++) rig.place(i, packet, fields);
while (Atomics.load(control, 1) === 0) {
  rig.engine.send(rig.engine.capacity, BATCH);
  Atomics.add(control, 0, 1);
}
const result: FragmentingResult = {
  sent: rig.counter('tunnelDatagramsSent'),
  errors: rig.counter('tunnelSendErrors'),
};
rig.close();
parentPort?.postMessage(result);
