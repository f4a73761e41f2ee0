/**
 * Many TCP connections between two nodes in one process an end: each end of each sends a known byte stream at a steady
 * pace and checks what arrives.
 *   node flows.js listen ADDRESS PORT | connect ADDRESS PORT COUNT
 * stdin: "reset" forgets stalls so far; "finish" ends the own directions, and the program when all have ended.
 */
import { connect, createServer, type Socket } from 'node:net';
import { GapMeter } from './gap-meter.js';
import { firstDifference, patternBytes } from './pattern.js';
import { epochMs, type FlowsReport, obey, print } from './reports.js';

/** Each flow sends so many bytes so often: the resolution of its stalls. Flows take turns, so that they do not send at once. */
const BYTES = 100;
const EVERY_MS = 50;
const TURN_MS = 5;
const REPORT_MS = 100;
/** What the kernel does not take now waits in the socket: no more than some seconds' worth. */
const MOST_WAITING_BYTES = 50 * BYTES;

class Flow {
  sentBytes = 0;
  receivedBytes = 0;
  wrongAt: number | undefined;
  error: string | undefined;
  isClosed = false;
  readonly meter = new GapMeter();

  constructor(readonly socket: Socket) {
    socket.setNoDelay(true);
    socket.on('data', (bytes) => this.check(bytes));
    socket.once('error', (error) => {
      this.error = error.message;
    });
    socket.once('close', () => {
      this.isClosed = true;
    });
  }

  send(): void {
    if (this.isClosed || this.socket.writableLength > MOST_WAITING_BYTES) return;
    this.socket.write(patternBytes(this.sentBytes, BYTES));
    this.sentBytes += BYTES;
  }

  private check(bytes: Uint8Array): void {
    this.meter.arrived(epochMs());
    this.wrongAt ??= firstDifference(this.receivedBytes, bytes);
    this.receivedBytes += bytes.length;
  }

  /** A stall that is under way counts. */
  stallMs(nowMs: number): number {
    return Math.round(Math.max(this.meter.gap.longestMs, this.meter.openMs(nowMs)));
  }
}

class Flows {
  private readonly flows: Flow[] = [];
  private resets = 0;
  private finishing = false;

  add(socket: Socket): void {
    this.flows.push(new Flow(socket));
  }

  report(event: FlowsReport['event']): void {
    const { flows, resets } = this;
    const nowMs = epochMs();
    print({
      event,
      open: flows.filter(({ isClosed }) => !isClosed).length,
      broken: flows.flatMap(({ error }) => (error === undefined ? [] : [error])),
      wrong: flows.filter(({ wrongAt }) => wrongAt !== undefined).length,
      sentBytes: flows.map(({ sentBytes }) => sentBytes),
      receivedBytes: flows.map(({ receivedBytes }) => receivedBytes),
      stallMs: flows.map((flow) => flow.stallMs(nowMs)),
      resets,
    });
  }

  run(): void {
    let turn = 0;
    setInterval(() => {
      if (!this.finishing)
        for (let i = turn; i < this.flows.length; i += EVERY_MS / TURN_MS) this.flows[i]?.send();
      turn = (turn + 1) % (EVERY_MS / TURN_MS);
    }, TURN_MS);
    setInterval(() => this.tell(), REPORT_MS);
    obey({ reset: () => this.reset(), finish: () => this.finish() });
  }

  private tell(): void {
    const isOver = this.finishing && this.flows.every(({ isClosed }) => isClosed);
    this.report(isOver ? 'done' : 'progress');
    if (isOver) process.exit(0);
  }

  private reset(): void {
    for (const { meter } of this.flows) meter.reset();
    this.resets++;
  }

  private finish(): void {
    this.finishing = true;
    for (const { socket } of this.flows) socket.end();
  }
}

function main(): void {
  const [role, address = '', port = '', count = '0'] = process.argv.slice(2);
  const flows = new Flows();
  if (role === 'listen') {
    const server = createServer({ allowHalfOpen: true }, (socket) => flows.add(socket));
    server.listen({ port: Number(port), host: address, backlog: 1024 }, () => flows.report('listening'));
  } else {
    for (let i = 0; i < Number(count); i++)
      flows.add(connect({ port: Number(port), host: address, allowHalfOpen: true }));
  }
  flows.run();
}

main();
