/** QEMU's machine protocol (docs/interop/qmp-spec) as far as the lab needs it: commands, one after another. */
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';

interface Message {
  readonly QMP?: unknown;
  readonly event?: string;
  readonly return?: unknown;
  readonly error?: { readonly class: string; readonly desc: string };
}

interface Waiter {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

export class Qmp {
  private readonly waiting: Waiter[] = [];
  private gone: Error | undefined;

  private constructor(private readonly socket: Socket) {
    const lines = createInterface({ input: socket });
    lines.on('line', (line) => this.message(JSON.parse(line) as Message));
    // It repeats the socket's.
    lines.on('error', () => undefined);
    socket.once('close', () => this.fail(new Error('QEMU closed its control socket')));
    socket.on('error', (error) => this.fail(error));
  }

  /** Rejects if nobody listens there. */
  static async open(path: string): Promise<Qmp> {
    const socket = connect(path);
    await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject));
    const qmp = new Qmp(socket);
    await qmp.execute('qmp_capabilities');
    return qmp;
  }

  /** Rejects with QEMU's own words, or when QEMU has closed the connection. */
  execute<Result>(command: string, args?: object): Promise<Result> {
    if (this.gone !== undefined) return Promise.reject(this.gone);
    return new Promise((resolve, reject) => {
      this.waiting.push({ resolve: (value) => resolve(value as Result), reject });
      this.socket.write(`${JSON.stringify({ execute: command, ...(args && { arguments: args }) })}\n`);
    });
  }

  /** QEMU has closed the connection: its process is over. */
  get isGone(): boolean {
    return this.gone !== undefined;
  }

  close(): void {
    this.socket.destroy();
  }

  /** Answers come in the order of the commands; greeting and events are passed over. */
  private message(message: Message): void {
    if (message.error !== undefined) this.waiting.shift()?.reject(new Error(message.error.desc));
    else if ('return' in message) this.waiting.shift()?.resolve(message.return);
  }

  private fail(error: Error): void {
    this.gone ??= error;
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
