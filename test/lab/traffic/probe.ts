/**
 * A UDP probe: numbered packets at a steady pace, and a receiver that tells which are missing and for how long
 * nothing came.
 *   node probe.js receive ADDRESS PORT | send ADDRESS PORT [PACKETS-PER-SECOND]
 * stdin: "reset" starts the receiver's counts anew from the next packet; "finish" prints the last report and ends.
 */
import { createSocket, type Socket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { GapMeter } from './gap-meter.js';
import { epochMs, obey, type ProbeReport, print, reportEveryMs } from './reports.js';

const defaultPerSecond = 1000;
const payloadBytes = 64;

class Receiver {
  private readonly meter = new GapMeter();
  private first: number | undefined;
  private highest = -1;
  private seen = new Set<number>();
  private duplicated = 0;
  private reordered = 0;
  private resets = 0;

  packet(number: number): void {
    this.meter.arrived(epochMs());
    this.first ??= number;
    if (number < this.first) return; // from before the reset
    if (this.seen.has(number)) {
      this.duplicated++;
      return;
    }
    this.seen.add(number);
    if (number < this.highest) this.reordered++;
    else this.highest = number;
  }

  reset(): void {
    this.meter.reset();
    this.first = undefined;
    this.highest = -1;
    this.seen = new Set();
    this.duplicated = 0;
    this.reordered = 0;
    this.resets++;
  }

  report(event: ProbeReport['event']): void {
    const expected = this.first === undefined ? 0 : this.highest - this.first + 1;
    const { duplicated, reordered, resets } = this;
    const received = this.seen.size;
    print({ event, received, lost: expected - received, duplicated, reordered, gap: this.meter.gap, resets });
  }
}

function receive(socket: Socket, address: string, port: number): void {
  const receiver = new Receiver();
  socket.on('message', (bytes) => receiver.packet(bytes.readUInt32BE(0)));
  socket.bind(port, address, () => {
    receiver.report('listening');
    setInterval(() => receiver.report('progress'), reportEveryMs);
  });
  const finish = (): never => {
    receiver.report('done');
    process.exit(0);
  };
  obey({ reset: () => receiver.reset(), finish });
}

/** A timer wakes every millisecond; what was due since then is sent, so that the pace holds whatever its accuracy. */
function send(socket: Socket, address: string, port: number, perSecond: number): void {
  const started = performance.now();
  let sent = 0;
  const packet = Buffer.alloc(payloadBytes);
  // Nobody listening yet, or no route for a moment: what a probe is there to show, not an error.
  socket.on('error', () => undefined);
  setInterval(() => {
    const due = Math.floor(((performance.now() - started) / 1000) * perSecond);
    for (; sent < due; sent++) {
      packet.writeUInt32BE(sent, 0);
      socket.send(Uint8Array.from(packet), port, address);
    }
  }, 1);
  setInterval(() => print({ event: 'progress', sent }), reportEveryMs);
  const finish = (): never => {
    print({ event: 'done', sent });
    process.exit(0);
  };
  obey({ finish });
}

function main(): void {
  const [role, address = '', port = '', perSecond] = process.argv.slice(2);
  const socket = createSocket({ type: isIPv6(address) ? 'udp6' : 'udp4', recvBufferSize: 4 << 20 });
  if (role === 'receive') receive(socket, address, Number(port));
  else send(socket, address, Number(port), Number(perSecond ?? defaultPerSecond));
}

main();
