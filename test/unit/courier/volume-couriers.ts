/** Two couriers in this process, each with a volume in a directory, and a WAN between that can be cut. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { loadConfig } from '../../../src/courier/config.js';
import { Courier } from '../../../src/courier/courier.js';
import { CMD } from '../../../src/courier/disk/nbd/spec.js';
import type { MoveView } from '../../../src/courier/volume/move/view.js';
import { systemClock } from '../../../src/net/system-clock.js';
import { CutWan } from '../../support/cut-wan.js';
import { freePort, TOKEN, until } from './couriers.js';
import { DiskUser } from './disks.js';

export const KIB = 1024;
export const CHUNK = 256 * KIB;
export const VOLUME_BYTES = 16 * CHUNK + 8 * KIB;

export interface VolumeChanges {
  readonly a?: object;
  readonly b?: object;
  readonly wanBytesPerSecond?: number;
}

type Which = 'a' | 'b';

export class VolumeCouriers {
  readonly directory = mkdtempSync(join(tmpdir(), 'volumes-'));
  readonly wan: CutWan;
  readonly backWan = new CutWan();
  readonly log: string[] = [];
  readonly running = new Map<Which, Courier>();
  readonly #ports = { a: 0, b: 0 };
  readonly #wanPorts = { a: 0, b: 0 };

  private constructor(readonly changes: VolumeChanges) {
    this.wan = new CutWan(changes.wanBytesPerSecond);
  }

  static async start(t: TestContext, changes: VolumeChanges = {}): Promise<VolumeCouriers> {
    const couriers = new VolumeCouriers(changes);
    t.after(() => couriers.#stop());
    writeFileSync(join(couriers.directory, 'token'), `${TOKEN}\n`);
    for (const [which, wan] of [
      ['b', couriers.wan],
      ['a', couriers.backWan],
    ] as const) {
      couriers.#ports[which] = await freePort();
      wan.to = couriers.#ports[which];
      couriers.#wanPorts[which] = await wan.listen();
    }
    await couriers.begin('a');
    await couriers.begin('b');
    return couriers;
  }

  get a(): Courier {
    return this.#courier('a');
  }

  get b(): Courier {
    return this.#courier('b');
  }

  async begin(which: Which): Promise<void> {
    const other = which === 'a' ? 'b' : 'a';
    const path = join(this.directory, `${which}.json`);
    const volume = {
      ...{ name: 'vm', listen: `unix:${this.#socket(which)}`, size: VOLUME_BYTES, stallSeconds: 5 },
      ...{ directory: join(this.directory, `${which}-volume`), receive: which === 'b' },
      ...this.changes[which],
    };
    const other_volume = {
      ...volume,
      name: 'other',
      directory: `${volume.directory}2`,
      listen: `${volume.listen}2`,
    };
    const config = {
      ...{ name: which, tokenFile: 'token', listen: `tcp:127.0.0.1:${this.#ports[which]}` },
      peers: { [other]: `tcp:127.0.0.1:${this.#wanPorts[other]}` },
      volumes: [volume, { ...other_volume, receive: true }],
      store: { memoryMb: 16, directory: join(this.directory, `${which}-store`) },
    };
    writeFileSync(path, JSON.stringify(config));
    const loaded = loadConfig(path);
    if ('errors' in loaded) throw new Error(loaded.errors.join('\n'));
    this.running.set(
      which,
      await Courier.start(loaded, systemClock, (line) => this.log.push(`${which}: ${line}`)),
    );
  }

  async end(which: Which): Promise<void> {
    await this.#courier(which).stop();
    this.running.delete(which);
  }

  user(which: Which): Promise<DiskUser> {
    return DiskUser.open(this.#socket(which), 'vm');
  }

  view(which: Which): MoveView | null {
    return this.#courier(which).moves.view('vm');
  }

  counter(which: Which, name: string): number {
    return this.#courier(which).status().counters[name] ?? 0;
  }

  move(more: object = {}): Promise<void> {
    return this.a.moves.move('vm', { peer: 'b', name: 'vm', threshold: 3, completeFirst: null, ...more });
  }

  /** Until a side's move is so far. */
  async state(which: Which, state: string): Promise<MoveView> {
    return until(`${which} is ${state} (${JSON.stringify(this.view(which))})`, () => {
      const view = this.view(which);
      return view?.state === state && view;
    });
  }

  /** All that is not written to often is at the other side. */
  async pushed(): Promise<void> {
    await until(
      'all is pushed',
      () => this.view('a')?.state === 'pushing' && this.view('a')?.remaining === 0,
    );
  }

  #socket(which: Which): string {
    return join(this.directory, `${which}.sock`);
  }

  #courier(which: Which): Courier {
    const courier = this.running.get(which);
    if (courier === undefined) throw new Error(`courier ${which} does not run`);
    return courier;
  }

  async #stop(): Promise<void> {
    this.wan.close();
    this.backWan.close();
    for (const courier of this.running.values()) await courier.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}

export async function readAll(user: DiskUser): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let offset = 0; offset < VOLUME_BYTES; offset += CHUNK)
    pieces.push(await read(user, offset, Math.min(CHUNK, VOLUME_BYTES - offset)));
  return Buffer.concat(pieces);
}

export async function read(user: DiskUser, offset: number, length: number): Promise<Buffer> {
  const { error, data } = await user.do({ type: CMD.read, offset, length });
  assert.equal(error, 0, `read of ${length} bytes at ${offset}`);
  return data ?? Buffer.alloc(0);
}

/** A client and what it has written. */
export class Writer {
  readonly shadow = Buffer.alloc(VOLUME_BYTES);
  #seed = 1;

  constructor(public user: DiskUser) {}

  async write(offset: number, length: number): Promise<void> {
    const data = this.#bytes(length);
    assert.equal(await this.user.write(offset, data), 0, `write of ${length} bytes at ${offset}`);
    data.copy(this.shadow, offset);
  }

  async zero(offset: number, length: number): Promise<void> {
    const { error } = await this.user.do({ type: CMD.writeZeroes, offset, length });
    assert.equal(error, 0);
    this.shadow.fill(0, offset, offset + length);
  }

  async flush(): Promise<void> {
    assert.equal(await this.user.flush(), 0);
  }

  /** Unlike all before. */
  #bytes(length: number): Buffer {
    const data = Buffer.alloc(length);
    for (let at = 0; at + 4 <= length; at += 4) {
      this.#seed = (Math.imul(this.#seed, 1_664_525) + 1_013_904_223) | 0;
      data.writeInt32LE(this.#seed, at);
    }
    return data;
  }
}
