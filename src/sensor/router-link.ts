/** The stream to the router: greets it, and comes again when it ends. What cannot be told in its time is left out, not told late. */
import type { Socket } from 'node:net';
import type { Clock, Timer } from '../net/clock.js';
import type { Prefix } from '../net/prefix.js';
import { introduction, readAcceptance, readGreeting } from '../traffic/sensors/greeting.js';
import { SensorStream } from '../traffic/sensors/stream.js';

const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
const GREETING_LIMIT_MS = 10_000;
/** The router does not take it: it is not heaped up here. */
const MOST_UNSENT_BYTES = 1_048_576;

export interface RouterLinkOptions {
  readonly clock: Pick<Clock, 'after'>;
  readonly connect: () => Socket;
  readonly token: Uint8Array;
  readonly name: string;
  readonly log: (text: string) => void;
  /** Accepted: on which links pairs are to be counted. */
  readonly accepted: (links: readonly Prefix[]) => void;
}

type Stage = 'greeting' | 'answer' | 'accepted';

export class RouterLink {
  readonly #options: RouterLinkOptions;
  #socket: Socket | undefined;
  #stage: Stage = 'greeting';
  #pauseMs = FIRST_PAUSE_MS;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: RouterLinkOptions) {
    this.#options = options;
  }

  start(): void {
    const { clock, connect, log } = this.#options;
    const socket = connect();
    const stream = new SensorStream();
    let why = 'the router has closed the stream';
    this.#socket = socket;
    this.#stage = 'greeting';
    this.#timer = clock.after('sensor-greeting', GREETING_LIMIT_MS, () => {
      why = 'the router does not greet';
      socket.destroy();
    });
    socket.on('error', (error) => {
      why = error.message;
    });
    socket.on('data', (bytes) => {
      stream.push(bytes);
      for (let line = stream.line(); line !== undefined; line = stream.line()) {
        const problem = line === 'bad' ? 'this is no router' : this.#heard(line.text, socket);
        if (problem === undefined) continue;
        why = problem;
        socket.destroy();
        return;
      }
    });
    socket.on('close', () => {
      this.#timer?.cancel();
      this.#socket = undefined;
      if (this.#isStopped) return;
      log(`${why}; once more in ${this.#pauseMs / 1_000} s`);
      this.#timer = clock.after('sensor-again', this.#pauseMs, () => this.start());
      this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
    });
  }

  /** False: nobody is there to take it. */
  send(messages: Iterable<Uint8Array>): boolean {
    const socket = this.#socket;
    if (socket === undefined || this.#stage !== 'accepted') return false;
    if (socket.writableLength > MOST_UNSENT_BYTES) return false;
    for (const message of messages) socket.write(message);
    return true;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
    this.#socket?.end();
    this.#socket = undefined;
  }

  /** @returns why the stream is to end */
  #heard(line: string, socket: Socket): string | undefined {
    const { token, name, accepted } = this.#options;
    if (this.#stage === 'greeting') {
      const nonce = readGreeting(line);
      if (nonce === undefined) return 'this is no router, or one of another version';
      socket.write(`${introduction(token, nonce, name)}\n`);
      this.#stage = 'answer';
      return undefined;
    }
    if (this.#stage === 'accepted') return 'the router says what nobody expects';
    const links = readAcceptance(line);
    if (links === undefined) return 'the router refuses this sensor: has it another token?';
    this.#stage = 'accepted';
    this.#timer?.cancel();
    this.#pauseMs = FIRST_PAUSE_MS;
    accepted(links);
    return undefined;
  }
}
