/**
 * A TCP connection on which both ends send a known byte stream at a steady pace and check what arrives.
 *   node stream.js listen ADDRESS PORT | connect ADDRESS PORT   [BYTES-PER-SECOND]
 * stdin: "reset" forgets gaps so far; "finish" ends the own direction, and the program when both have ended.
 */
import { connect, createServer, type Socket } from 'node:net';
import { GapMeter } from './gap-meter.js';
import { firstDifference, patternBytes } from './pattern.js';
import { epochMs, obey, print, reportEveryMs, type StreamReport } from './reports.js';

/** Short, for it is the resolution of the gaps that are measured. */
const tickMs = 2;
const defaultBytesPerSecond = 400_000;

class Stream {
  private sentBytes = 0;
  private receivedBytes = 0;
  private resets = 0;
  private wrongAt: number | null = null;
  private readonly meter = new GapMeter();
  private sending: NodeJS.Timeout | undefined;

  constructor(private readonly bytesPerTick: number) {}

  report(event: StreamReport['event'], error = ''): void {
    const { sentBytes, receivedBytes, wrongAt, resets } = this;
    print({ event, sentBytes, receivedBytes, wrongAt, gap: this.meter.gap, resets, error });
  }

  carry(socket: Socket): void {
    socket.setNoDelay(true);
    this.report('connected');
    this.sending = setInterval(() => this.send(socket), tickMs);
    const reporting = setInterval(() => this.report('progress'), reportEveryMs);
    socket.on('data', (bytes) => this.check(bytes));
    let failed = '';
    socket.once('error', (error) => {
      failed = error.message;
    });
    socket.once('close', () => {
      clearInterval(this.sending);
      clearInterval(reporting);
      this.report(failed === '' ? 'done' : 'broken', failed);
      process.exit(failed === '' ? 0 : 1);
    });
    obey({ reset: () => this.reset(), finish: () => this.finish(socket) });
  }

  private send(socket: Socket): void {
    // What the kernel does not take now waits in the socket: no more than a second's worth.
    if (socket.writableLength > (this.bytesPerTick * 1000) / tickMs) return;
    socket.write(patternBytes(this.sentBytes, this.bytesPerTick));
    this.sentBytes += this.bytesPerTick;
  }

  private check(bytes: Uint8Array): void {
    this.meter.arrived(epochMs());
    this.wrongAt ??= firstDifference(this.receivedBytes, bytes) ?? null;
    this.receivedBytes += bytes.length;
  }

  private reset(): void {
    this.meter.reset();
    this.resets++;
  }

  private finish(socket: Socket): void {
    clearInterval(this.sending);
    socket.end();
  }
}

function main(): void {
  const [role, address = '', port = '', bytesPerSecond] = process.argv.slice(2);
  const pace = Number(bytesPerSecond ?? defaultBytesPerSecond);
  const stream = new Stream(Math.max(1, Math.round((pace * tickMs) / 1000)));
  const fail = (error: Error): never => {
    stream.report('broken', error.message);
    process.exit(1);
  };
  if (role === 'listen') {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      server.close();
      stream.carry(socket);
    });
    server.once('error', fail);
    server.listen(Number(port), address, () => stream.report('listening'));
    return;
  }
  const socket = connect({ port: Number(port), host: address, allowHalfOpen: true });
  socket.once('error', fail);
  socket.once('connect', () => {
    socket.off('error', fail);
    stream.carry(socket);
  });
}

main();
