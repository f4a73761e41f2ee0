/** The traffic programs as a test holds them: started on nodes of a lab, asked how they are, ended. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Lab } from '../lab.js';
import { waitFor } from '../wait.js';
import type { ProbeReport, ProbeSenderReport, StreamReport } from './reports.js';

const startLimitMs = 40_000;
const endLimitMs = 40_000;
const programUrl = (name: string): string => new URL(`./${name}.js`, import.meta.url).pathname;

/** A program on a node that prints reports. */
export class Reporter<Report extends { readonly event: string; readonly resets?: number }> {
  private latest: Report | undefined;
  private stderr = '';
  private ended = false;
  private readonly child: ChildProcessWithoutNullStreams;

  constructor(
    lab: Lab,
    readonly node: string,
    program: string,
    args: readonly string[],
  ) {
    this.child = lab.spawn(node, [process.execPath, programUrl(program), ...args]);
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      this.latest = JSON.parse(line) as Report;
    });
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
    });
    // A pipe to a program that has gone: its last report tells why.
    this.child.stdin.on('error', () => undefined);
    this.child.once('close', () => {
      this.ended = true;
    });
  }

  get report(): Report | undefined {
    return this.latest;
  }

  tell(word: 'reset' | 'finish'): void {
    this.child.stdin.write(`${word}\n`);
  }

  /** Until a report satisfies `condition`; fails at once when the program ends without one. */
  async until(what: string, condition: (report: Report) => boolean, limitMs = startLimitMs): Promise<Report> {
    const found = await waitFor(
      `${this.node}: ${what}; last report ${JSON.stringify(this.latest)}`,
      () => {
        const { latest } = this;
        if (latest !== undefined && condition(latest)) return latest;
        return this.ended ? 'ended' : undefined;
      },
      limitMs,
    );
    if (found === 'ended')
      throw new Error(`${this.node}: ended before: ${what}; ${JSON.stringify(this.latest)} ${this.stderr}`);
    return found;
  }

  async restartCounts(): Promise<void> {
    const before = this.latest?.resets ?? 0;
    this.tell('reset');
    await this.until('counts anew', ({ resets }) => (resets ?? 0) > before);
  }

  async end(): Promise<Report | undefined> {
    if (!this.ended) await once(this.child, 'close', { signal: AbortSignal.timeout(endLimitMs) });
    return this.latest;
  }

  kill(): void {
    this.child.kill('SIGKILL');
  }
}

export interface StreamResult {
  readonly name: string;
  readonly client: StreamReport;
  readonly server: StreamReport;
  /** The longer of the two directions' longest gaps. */
  readonly gapMs: number;
  readonly retransmissions: number;
}

let nextPort = 9000;
export const takePort = (): number => nextPort++;

/** A checked TCP connection between two nodes, both ends sending. */
export class TcpStream {
  private constructor(
    readonly name: string,
    private readonly lab: Lab,
    private readonly port: number,
    private readonly client: Reporter<StreamReport>,
    private readonly server: Reporter<StreamReport>,
  ) {}

  /** Resolves when both ends have received something. */
  static async open(
    lab: Lab,
    from: string,
    to: string,
    toAddress: string,
    bytesPerSecond = 400_000,
  ): Promise<TcpStream> {
    const port = takePort();
    const args = [toAddress, String(port), String(bytesPerSecond)];
    const server = new Reporter<StreamReport>(lab, to, 'stream', ['listen', ...args]);
    await server.until('listening', (report) => report.event === 'listening');
    const client = new Reporter<StreamReport>(lab, from, 'stream', ['connect', ...args]);
    const stream = new TcpStream(`${from} → ${to}`, lab, port, client, server);
    await stream.progress(1);
    return stream;
  }

  /** Until both ends have received `bytes` more than now. */
  async progress(bytes: number, limitMs = startLimitMs): Promise<void> {
    const wanted = [this.client, this.server].map((end) => (end.report?.receivedBytes ?? 0) + bytes);
    await Promise.all(
      [this.client, this.server].map((end, i) =>
        end.until(
          `${this.name}: ${bytes} bytes more`,
          (report) => report.receivedBytes >= (wanted[i] ?? 0),
          limitMs,
        ),
      ),
    );
  }

  /** Gaps are counted from when this resolves. */
  async mark(): Promise<void> {
    await Promise.all([this.client, this.server].map((end) => end.restartCounts()));
  }

  /** The longest gap at either end since the last mark. */
  get gapMs(): number {
    return Math.max(...[this.client, this.server].map((end) => end.report?.gap.longestMs ?? 0));
  }

  /** Segments sent again so far, both ends. */
  async retransmissions(): Promise<number> {
    const filter = `sport = :${this.port} or dport = :${this.port}`;
    const counts = await Promise.all(
      [this.client, this.server].map(async (end) => {
        const text = await this.lab.exec(end.node, ['ss', '-tinH', 'state', 'established', filter]);
        return Number(/ retrans:\d+\/(\d+)/.exec(text)?.[1] ?? 0);
      }),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  }

  /** Ends both directions in order and checks that every byte sent has arrived, once and unchanged. */
  async finish(): Promise<StreamResult> {
    const retransmissions = await this.retransmissions();
    for (const end of [this.client, this.server]) end.tell('finish');
    const [client, server] = await Promise.all([this.client.end(), this.server.end()]);
    if (client?.event !== 'done' || server?.event !== 'done')
      throw new Error(`${this.name} broke: ${JSON.stringify({ client, server })}`);
    if (client.wrongAt !== null || server.wrongAt !== null)
      throw new Error(`${this.name}: wrong bytes: ${JSON.stringify({ client, server })}`);
    if (client.sentBytes !== server.receivedBytes || server.sentBytes !== client.receivedBytes)
      throw new Error(`${this.name}: bytes are missing: ${JSON.stringify({ client, server })}`);
    return { name: this.name, client, server, gapMs: this.gapMs, retransmissions };
  }

  kill(): void {
    this.client.kill();
    this.server.kill();
  }
}

/** A TCP connection from a node to a machine that sends everything back (a QEMU guest), checked when it returns. */
export class EchoStream {
  private constructor(
    readonly name: string,
    private readonly client: Reporter<StreamReport>,
  ) {}

  /** Resolves when something has come back. */
  static async open(
    lab: Lab,
    from: string,
    address: string,
    port: number,
    bytesPerSecond = 100_000,
  ): Promise<EchoStream> {
    const args = ['connect', address, String(port), String(bytesPerSecond)];
    const stream = new EchoStream(
      `${from} ⇄ ${address}`,
      new Reporter<StreamReport>(lab, from, 'stream', args),
    );
    await stream.progress(1);
    return stream;
  }

  async progress(bytes: number, limitMs = startLimitMs): Promise<void> {
    const wanted = (this.client.report?.receivedBytes ?? 0) + bytes;
    await this.client.until(
      `${this.name}: ${bytes} bytes more`,
      (report) => report.receivedBytes >= wanted,
      limitMs,
    );
  }

  async mark(): Promise<void> {
    await this.client.restartCounts();
  }

  /** The longest gap since the last mark. */
  get gapMs(): number {
    return this.client.report?.gap.longestMs ?? 0;
  }

  /** Ends it in order and checks that every byte came back, once and unchanged. */
  async finish(): Promise<StreamReport> {
    this.client.tell('finish');
    const report = await this.client.end();
    if (report?.event !== 'done' || report.wrongAt !== null || report.sentBytes !== report.receivedBytes)
      throw new Error(`${this.name} broke: ${JSON.stringify(report)}`);
    return report;
  }
}

/** A one-way UDP probe between two nodes. */
export class UdpProbe {
  private constructor(
    private readonly sender: Reporter<ProbeSenderReport>,
    private readonly receiver: Reporter<ProbeReport>,
  ) {}

  /** Resolves when packets arrive. */
  static async open(
    lab: Lab,
    from: string,
    to: string,
    toAddress: string,
    perSecond = 1000,
  ): Promise<UdpProbe> {
    const args = [toAddress, String(takePort())];
    const receiver = new Reporter<ProbeReport>(lab, to, 'probe', ['receive', ...args]);
    await receiver.until('listening', (report) => report.event === 'listening');
    const sender = new Reporter<ProbeSenderReport>(lab, from, 'probe', ['send', ...args, String(perSecond)]);
    const probe = new UdpProbe(sender, receiver);
    await probe.progress(1);
    return probe;
  }

  async progress(packets: number, limitMs = startLimitMs): Promise<void> {
    const wanted = (this.receiver.report?.received ?? 0) + packets;
    await this.receiver.until(`${packets} packets more`, (report) => report.received >= wanted, limitMs);
  }

  /** Since the last mark; up to 50 ms old. */
  get report(): ProbeReport {
    const { report } = this.receiver;
    if (report === undefined) throw new Error('the probe has not begun');
    return report;
  }

  /** Counts start anew; resolves when the receiver has done so and packets arrive again. */
  async mark(): Promise<void> {
    await this.receiver.restartCounts();
    await this.progress(1);
  }

  async finish(): Promise<ProbeReport> {
    this.receiver.tell('finish');
    const report = await this.receiver.end();
    this.sender.tell('finish');
    await this.sender.end();
    if (report?.event !== 'done') throw new Error(`the probe's receiver broke: ${JSON.stringify(report)}`);
    return report;
  }

  kill(): void {
    this.sender.kill();
    this.receiver.kill();
  }
}
