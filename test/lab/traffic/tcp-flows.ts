/** Many checked TCP connections between two nodes (flows.ts), as a test holds them. */
import type { Lab } from '../lab.js';
import type { FlowsReport } from './reports.js';
import { Reporter, takePort } from './traffic.js';

const START_LIMIT_MS = 30_000;
const PROGRESS_LIMIT_MS = 60_000;

export interface FlowsResult {
  readonly flows: number;
  /** Why connections broke, one entry for each end that noticed. */
  readonly broken: readonly string[];
  /** Of each flow the longer of its ends' longest stalls since the last mark. */
  readonly stallMs: readonly number[];
}

export class TcpFlows {
  private constructor(
    readonly name: string,
    readonly count: number,
    private readonly client: Reporter<FlowsReport>,
    private readonly server: Reporter<FlowsReport>,
  ) {}

  /** Resolves when both ends of all have received something. */
  static async open(lab: Lab, from: string, to: string, toAddress: string, count: number): Promise<TcpFlows> {
    const port = String(takePort());
    const server = new Reporter<FlowsReport>(lab, to, 'flows', ['listen', toAddress, port]);
    await server.until('listening', ({ event }) => event === 'listening');
    const client = new Reporter<FlowsReport>(lab, from, 'flows', ['connect', toAddress, port, String(count)]);
    const flows = new TcpFlows(`${count} × ${from} → ${to}`, count, client, server);
    await flows.reach(1, START_LIMIT_MS);
    return flows;
  }

  private get ends(): readonly Reporter<FlowsReport>[] {
    return [this.client, this.server];
  }

  /** Until each end of each has received so many bytes in all. */
  private async reach(bytes: number | readonly (readonly number[])[], limitMs: number): Promise<void> {
    await Promise.all(
      this.ends.map((end, e) =>
        end.until(
          `${this.name}: all go on`,
          ({ receivedBytes, broken }) =>
            broken.length > 0 ||
            (receivedBytes.length >= this.count &&
              receivedBytes.every(
                (got, i) => got >= (typeof bytes === 'number' ? bytes : (bytes[e]?.[i] ?? 0)),
              )),
          limitMs,
        ),
      ),
    );
    const { broken } = this.now();
    if (broken.length > 0) throw new Error(`${this.name}: broken: ${broken.join('; ')}`);
  }

  /** Until every connection has brought `bytes` more to both of its ends. Rejects as soon as one is broken. */
  async progress(bytes: number, limitMs = PROGRESS_LIMIT_MS): Promise<void> {
    const wanted = this.ends.map(({ report }) => (report?.receivedBytes ?? []).map((got) => got + bytes));
    await this.reach(wanted, limitMs);
  }

  /** Stalls are counted from when this resolves. */
  async mark(): Promise<void> {
    await Promise.all(this.ends.map((end) => end.restartCounts()));
  }

  /** As it is now, without waiting; broken connections do not make it throw. */
  now(): FlowsResult {
    const reports = this.ends.map(({ report }) => report);
    const wrong = reports.reduce((sum, report) => sum + (report?.wrong ?? 0), 0);
    const broken = reports.flatMap((report) => report?.broken ?? []);
    if (wrong > 0) broken.push(`wrong bytes in ${wrong} of them`);
    const stallMs = Array.from({ length: this.count }, (_, i) =>
      Math.max(...reports.map((report) => report?.stallMs[i] ?? 0)),
    );
    return { flows: this.count, broken, stallMs };
  }

  /** Ends all in order and checks that every byte sent has arrived, once and unchanged. */
  async finish(): Promise<FlowsResult> {
    const result = this.now();
    for (const end of this.ends) end.tell('finish');
    const [client, server] = await Promise.all(this.ends.map((end) => end.end()));
    const after = this.now();
    if (client?.event !== 'done' || server?.event !== 'done' || after.broken.length > 0)
      throw new Error(`${this.name} broke: ${after.broken.join('; ')}`);
    const sum = (bytes: readonly number[]): number => bytes.reduce((all, one) => all + one, 0);
    if (
      sum(client.sentBytes) !== sum(server.receivedBytes) ||
      sum(server.sentBytes) !== sum(client.receivedBytes)
    )
      throw new Error(`${this.name}: bytes are missing`);
    return result;
  }

  kill(): void {
    for (const end of this.ends) end.kill();
  }
}
