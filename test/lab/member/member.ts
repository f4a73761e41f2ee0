/** A member of a lab that says what a test tells it to, in the place of a site's `vined`. */
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { ControlCodec } from '../../../src/protocol/control-codec.js';
import type { TableMessage } from '../../../src/protocol/table-message.js';
import type { Lab } from '../lab.js';
import { routerName, type SiteLetter } from '../plan.js';
import { waitFor } from '../wait.js';
import type { Notice, Order } from './speak.js';

const codec = new ControlCodec();

export class Member {
  readonly heard: { readonly from: string; readonly message: TableMessage }[] = [];
  /** Told of each message, at once. */
  onHeard: (from: string, message: TableMessage) => void = () => {};
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #up = new Set<string>();
  #said = 0;
  #ordered = 0;
  #errors = '';

  private constructor(lab: Lab, site: SiteLetter, innerMtuBytes: number) {
    const script = fileURLToPath(new URL('speak.js', import.meta.url));
    const args = [script, lab.daemon(site).directory, String(innerMtuBytes)];
    this.#child = lab.spawn(routerName(site), [process.execPath, '--enable-source-maps', ...args]);
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#errors += text;
    });
    createInterface({ input: this.#child.stdout }).on('line', (line) =>
      this.#take(JSON.parse(line) as Notice),
    );
  }

  /** The site's `vined` must be gone. */
  static start(lab: Lab, site: SiteLetter, innerMtuBytes = 1_400): Member {
    return new Member(lab, site, innerMtuBytes);
  }

  async waitUp(peers: readonly SiteLetter[], limitMs = 20_000): Promise<void> {
    const isUp = (): boolean => peers.every((letter) => this.#up.has(routerName(letter)));
    await waitFor(`the member has joined ${peers.join(', ')}`, () => this.#isRunning() && isUp(), limitMs);
  }

  /** Says it, at least once, as long as the peer is up. */
  tell(to: SiteLetter, message: TableMessage): void {
    this.#order(to, message, 1);
  }

  /** Says it that often, as fast as it can, unacknowledged. Resolves when all is on its way. */
  async flood(to: SiteLetter, message: TableMessage, times: number): Promise<void> {
    this.#order(to, message, times);
    await this.saidAll();
  }

  async saidAll(): Promise<void> {
    await waitFor('the member has said all', () => this.#isRunning() && this.#said >= this.#ordered, 30_000);
  }

  async leave(): Promise<void> {
    if (this.#child.exitCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.stdin.end();
    await gone;
  }

  #order(to: SiteLetter, message: TableMessage, times: number): void {
    const payload = codec.encode({ id: 1, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body: message });
    const order: Order = {
      to: routerName(to),
      payload: Buffer.from(payload).toString('base64'),
      times,
    };
    this.#ordered += times;
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
  }

  #isRunning(): boolean {
    if (this.#child.exitCode === null) return true;
    throw new Error(`the member has ended: ${this.#errors}`);
  }

  #take(notice: Notice): void {
    if ('up' in notice) this.#up.add(notice.up);
    else if ('down' in notice) this.#up.delete(notice.down);
    else if ('said' in notice) this.#said += notice.said;
    else {
      const decoded = codec.decode(Buffer.from(notice.payload, 'base64'));
      if (typeof decoded === 'string') throw new Error(decoded);
      const message = decoded.envelope.body as TableMessage;
      this.heard.push({ from: notice.from, message });
      this.onHeard(notice.from, message);
    }
  }
}
