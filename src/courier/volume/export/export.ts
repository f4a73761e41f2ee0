/** A volume as an NBD export: several connections at once see the same content, and a flush on one covers all. */
import type { Socket } from 'node:net';
import type { DeclaredCounters } from '../../../net/counters.js';
import { DEFAULT_SIZES, type ExportFacts, FLAG } from '../../disk/nbd/spec.js';
import type { VolumeGate } from '../gate.js';
import { VolumeConnection } from './connection.js';
import type { VOLUME_COUNTERS } from './counters.js';
import { Blocks, Room } from './room.js';

const MOST_CLIENTS = 16;
/** Of a client's requests under way, and of replies that it has not read. */
const OWN_BYTES = 4 * 1024 * 1024;
/** What those of all clients take beyond that. */
const SHARED_BYTES = 32 * 1024 * 1024;
/** Blocks of a chunk's size that are kept for the next writes: 4 MiB. */
const MOST_FREE_BLOCKS = 16;
const SECTOR_BYTES = 512;
const FLAGS =
  FLAG.hasFlags |
  FLAG.sendFlush |
  FLAG.sendFua |
  FLAG.sendTrim |
  FLAG.sendWriteZeroes |
  FLAG.sendDf |
  FLAG.canMultiConn |
  FLAG.sendFastZero;

export interface ExportOptions {
  readonly name: string;
  readonly sizeBytes: number;
  readonly chunkBytes: number;
  readonly gate: VolumeGate;
  readonly counters: DeclaredCounters<typeof VOLUME_COUNTERS>;
}

export class VolumeExport {
  readonly #clients = new Set<VolumeConnection>();
  readonly #room = new Room(SHARED_BYTES);
  readonly #blocks: Blocks;
  #whenAlone: (() => void) | undefined;

  constructor(private readonly options: ExportOptions) {
    this.#blocks = new Blocks(options.chunkBytes, MOST_FREE_BLOCKS);
  }

  get connections(): number {
    return this.#clients.size;
  }

  accept(socket: Socket): void {
    const { name, sizeBytes, chunkBytes, gate, counters } = this.options;
    if (this.#clients.size >= MOST_CLIENTS) {
      counters.count('volume_clients_refused');
      socket.destroy();
      return;
    }
    const facts: ExportFacts = { sizeBytes, flags: FLAGS, ...DEFAULT_SIZES, minimumBytes: SECTOR_BYTES };
    const client = new VolumeConnection({
      // The default export, and by its name.
      ...{
        socket,
        names: ['', name],
        facts,
        chunkBytes,
        gate,
        counters,
        room: this.#room,
        ownBytes: OWN_BYTES,
        blocks: this.#blocks,
      },
      closed: (connection) => this.#left(connection),
    });
    this.#clients.add(client);
    gate.clients(this.#clients.size);
  }

  /** Resolves when nothing is under way any more. */
  async stop(): Promise<void> {
    for (const client of this.#clients) client.close();
    if (this.#clients.size > 0)
      await new Promise<void>((resolve) => {
        this.#whenAlone = resolve;
      });
  }

  #left(client: VolumeConnection): void {
    if (!this.#clients.delete(client)) return;
    this.options.gate.clients(this.#clients.size);
    if (this.#clients.size === 0) this.#whenAlone?.();
  }
}
