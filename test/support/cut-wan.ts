/** A way between two ports of this machine that can be slow, and can be cut: then what is under way is lost, and nobody is let through. */
import { connect, createServer, type Socket } from 'node:net';

export class CutWan {
  readonly #pairs = new Set<readonly [Socket, Socket]>();
  readonly #server = createServer((socket) => this.#accept(socket));
  isCut = false;
  #isSilent = false;
  /** Came while nothing was let through. */
  #held: Socket[] = [];
  /** So many more may go through from the caller on, then the way is cut. */
  cutAfterBytes = Number.POSITIVE_INFINITY;
  /** The port that it leads to. */
  to = 0;

  /** @param bytesPerSecond from the caller on */
  constructor(private readonly bytesPerSecond = Number.POSITIVE_INFINITY) {}

  /** Its own port. */
  async listen(): Promise<number> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    const address = this.#server.address();
    return typeof address === 'object' && address !== null ? address.port : 0;
  }

  cut(): void {
    this.isCut = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.destroy();
  }

  /** Nothing is let through, and nobody is told: what is under way comes when it is mended. */
  silence(): void {
    this.isCut = true;
    this.#isSilent = true;
    for (const pair of this.#pairs) for (const socket of pair) socket.pause();
  }

  mend(): void {
    this.isCut = false;
    this.#isSilent = false;
    for (const pair of this.#pairs) for (const socket of pair) socket.resume();
    for (const near of this.#held.splice(0)) this.#accept(near);
    this.cutAfterBytes = Number.POSITIVE_INFINITY;
  }

  close(): void {
    for (const near of this.#held) near.destroy();
    this.cut();
    this.#server.close();
  }

  #accept(near: Socket): void {
    if (this.#isSilent) {
      near.on('error', () => undefined);
      this.#held.push(near);
      return;
    }
    if (this.isCut) {
      near.destroy();
      return;
    }
    const far = connect(this.to, '127.0.0.1');
    const pair = [near, far] as const;
    this.#pairs.add(pair);
    near.on('data', (piece: Buffer) => {
      this.cutAfterBytes -= piece.length;
      if (this.cutAfterBytes < 0) this.cut();
      else this.#pass(near, far, piece);
    });
    far.on('data', (piece: Buffer) => near.write(piece));
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#pairs.delete(pair);
        other.destroy();
      });
    }
  }

  #pass(near: Socket, far: Socket, piece: Buffer): void {
    far.write(piece);
    const tookMs = (piece.length / this.bytesPerSecond) * 1000;
    if (tookMs === 0) return;
    near.pause();
    setTimeout(() => {
      if (!this.isCut) near.resume();
    }, tookMs);
  }
}
