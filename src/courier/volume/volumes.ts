/** A courier's volumes: storage, gate and export of each. One that cannot be opened says why, and the others are served. */
import type { Socket } from 'node:net';
import type { Clock } from '../../net/clock.js';
import { DeclaredCounters } from '../../net/counters.js';
import { bytes } from '../../net/sizes.js';
import { messageOf } from '../../net/system-error.js';
import { VOLUME_COUNTERS } from './export/counters.js';
import { VolumeExport } from './export/export.js';
import { machineBoot } from './files/boot.js';
import { openVolume } from './files/opening.js';
import type { FileVolume } from './files/volume.js';
import { openGate, type VolumeGate } from './gate.js';

/** What `volumes` of the configuration says. */
export interface VolumeConfig {
  readonly name: string;
  readonly sizeBytes: number | undefined;
  /** A local file. */
  readonly base: string | undefined;
  readonly directory: string;
  readonly owner: string;
  /** Another courier may move one here. */
  readonly receive: boolean;
  /** So long clients wait for a move, or for what only the other site has. */
  readonly stallSeconds: number;
}

export interface VolumeView {
  readonly name: string;
  readonly owner: string;
  readonly directory: string;
  /** Null: it is not open. */
  readonly sizeBytes: number | null;
  /** SHA-256. */
  readonly base: string | null;
  readonly modifiedChunks: number;
  /** What of the volume's data is in its directory. */
  readonly modifiedBytes: number;
  /** Of NBD clients. */
  readonly connections: number;
  readonly problem: string | null;
}

export interface VolumesOptions {
  readonly volumes: readonly VolumeConfig[];
  readonly clock: Clock;
  log(line: string): void;
  /** What clients reach instead of the storage. */
  gate?(storage: FileVolume, volume: VolumeConfig): VolumeGate;
}

interface Served {
  readonly storage: FileVolume;
  readonly export: VolumeExport;
}

export class Volumes {
  readonly #counters = new DeclaredCounters(VOLUME_COUNTERS);
  readonly #served = new Map<VolumeConfig, Served>();
  readonly #problems = new Map<VolumeConfig, string>();

  constructor(private readonly options: VolumesOptions) {}

  /** All of them, or why not: nothing is rejected. */
  async open(): Promise<void> {
    const { volumes, log } = this.options;
    if (volumes.length > 0 && (await machineBoot()) === undefined)
      log(
        'volumes: nobody says which boot of the machine this is: what a killed courier had not flushed is lost',
      );
    await Promise.all(volumes.map((volume) => this.#open(volume)));
  }

  /** @param number of the volume in the configuration */
  isOpen(number: number): boolean {
    const volume = this.options.volumes[number];
    return volume !== undefined && this.#served.has(volume);
  }

  /** An NBD client has come. */
  accept(number: number, client: Socket): void {
    const volume = this.options.volumes[number];
    const served = volume && this.#served.get(volume);
    if (served === undefined) client.destroy();
    else served.export.accept(client);
  }

  views(): readonly VolumeView[] {
    return this.options.volumes.map((volume) => {
      const { name, owner, directory } = volume;
      const served = this.#served.get(volume);
      const storage = served?.storage;
      return {
        ...{ name, owner, directory, sizeBytes: storage?.size ?? null, base: storage?.baseDigest ?? null },
        modifiedChunks: storage?.modified.size ?? 0,
        modifiedBytes: storage?.storedBytes ?? 0,
        connections: served?.export.connections ?? 0,
        problem:
          storage === undefined ? (this.#problems.get(volume) ?? 'it is being opened') : storage.problem,
      };
    });
  }

  counts(): Readonly<Record<string, number>> {
    return this.#counters.counters();
  }

  /** Clients are closed, and everything is made durable. */
  async stop(): Promise<void> {
    await Promise.all([...this.#served].map(([volume, served]) => this.#close(volume, served)));
  }

  async #open(volume: VolumeConfig): Promise<void> {
    const { clock, log } = this.options;
    try {
      const storage = await openVolume({ ...volume, clock });
      const stands = await this.#gateOf(storage, volume);
      const shown = new VolumeExport({
        ...{
          name: volume.name,
          sizeBytes: storage.size,
          chunkBytes: storage.chunkBytes,
          counters: this.#counters,
        },
        gate: stands,
      });
      this.#served.set(volume, { storage, export: shown });
      const modified = `${storage.modified.size} chunks of it modified`;
      log(`volume ${volume.name}: ${bytes(storage.size)}, ${modified}${problemOf(storage)}`);
    } catch (error) {
      this.#problems.set(volume, messageOf(error));
      log(`volume ${volume.name}: not served: ${messageOf(error)}`);
    }
  }

  /** Nothing is left open where there is none. */
  async #gateOf(storage: FileVolume, volume: VolumeConfig): Promise<VolumeGate> {
    try {
      return this.options.gate?.(storage, volume) ?? openGate(storage);
    } catch (error) {
      await storage.close();
      throw error;
    }
  }

  async #close(volume: VolumeConfig, served: Served): Promise<void> {
    await served.export.stop();
    this.#served.delete(volume);
    try {
      await served.storage.close();
    } catch (error) {
      this.options.log(`volume ${volume.name}: closed with an error: ${messageOf(error)}`);
    }
  }
}

function problemOf({ problem }: FileVolume): string {
  return problem === null ? '' : `: ${problem}`;
}
