/**
 * Compression in threads of its own. In Node's pool each call costs the main thread an object with a megabyte of tables behind it, and
 * these make V8 look for garbage in the whole heap again and again: that took more of the processor than the compression.
 */
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Codec } from '../wire/message.js';
import { OUR_CODECS } from './codecs.js';

export interface Task {
  readonly number: number;
  readonly does: 'compress' | 'decompress';
  readonly codec: Exclude<Codec, 'none'>;
  readonly bytes: Uint8Array;
  /** The level, or how long the result may be. */
  readonly value: number;
}

export type Answer =
  | { readonly number: number; readonly bytes: Uint8Array; readonly isWorked: boolean }
  | { readonly number: number; readonly failed: string };

type Worked = Exclude<Answer, { failed: string }>;

interface Waiter {
  resolve(answer: Worked): void;
  reject(error: Error): void;
}

/** More do not help: there are two batches of each stream at once. */
const MOST_THREADS = 4;

class Thread {
  readonly #worker = new Worker(new URL('./compression-thread.js', import.meta.url), {
    name: 'compression',
  });
  readonly #waiting = new Map<number, Waiter>();
  #number = 0;

  /** @param gone it takes no further tasks */
  constructor(gone: (thread: Thread) => void) {
    this.#worker.on('message', (answer: Answer) => this.#answered(answer));
    this.#worker.on('error', (error) => this.#failed(error));
    this.#worker.on('exit', () => {
      gone(this);
      this.#failed(new Error('a thread that compresses has ended'));
    });
    this.#worker.unref();
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  /** @param bytes its memory is the thread's from now on */
  run(task: Omit<Task, 'number'>): Promise<Worked> {
    const number = this.#number++;
    // The process does not end while somebody waits.
    if (this.#waiting.size === 0) this.#worker.ref();
    return new Promise((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      this.#worker.postMessage({ ...task, number } satisfies Task, [task.bytes.buffer as ArrayBuffer]);
    });
  }

  #answered(answer: Answer): void {
    const waiter = this.#waiting.get(answer.number);
    this.#waiting.delete(answer.number);
    if (this.#waiting.size === 0) this.#worker.unref();
    if ('failed' in answer) waiter?.reject(new Error(answer.failed));
    else waiter?.resolve(answer);
  }

  #failed(error: Error): void {
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}

/** Of the whole process; the first is begun with the first task. */
const threads: Thread[] = [];

/** One that has nothing to do, a new one, or the one that has least to do. */
function threadToUse(): Thread {
  const least = threads.toSorted((a, b) => a.waiting - b.waiting)[0];
  if (least?.waiting === 0) return least;
  if (least !== undefined && threads.length >= mostThreads()) return least;
  const fresh = new Thread((gone) => threads.splice(threads.indexOf(gone), 1));
  threads.push(fresh);
  return fresh;
}

/** More is to be compressed than there are threads: it waits. */
export function isCrowded(): boolean {
  return threads.reduce((sum, { waiting }) => sum + waiting, 0) > mostThreads();
}

function mostThreads(): number {
  return Math.min(MOST_THREADS, availableParallelism());
}

/** In memory of its own, which can be given to a thread. */
function owned(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : new Uint8Array(bytes);
}

export interface Compressed {
  readonly codec: Codec;
  readonly content: Buffer;
}

/** Less than this is not worth it. */
const LEAST_BYTES = 64;

/** As it is when it does not become shorter. `bytes` is not the caller's any more. */
export async function compress(codec: Codec, bytes: Buffer, level: number): Promise<Compressed> {
  if (codec === 'none' || bytes.length < LEAST_BYTES) return { codec: 'none', content: bytes };
  const task = { does: 'compress', codec, bytes: owned(bytes), value: level } as const;
  const { bytes: content, isWorked } = await threadToUse().run(task);
  return { codec: isWorked ? codec : 'none', content: bufferOf(content) };
}

/** Rejects unless it is exactly so long. */
export async function decompress({ codec, content }: Compressed, bytes: number): Promise<Buffer> {
  if (codec === 'none') return content;
  if (!OUR_CODECS.includes(codec)) throw new Error(`${codec} was not agreed on`);
  // A copy: what came in one frame, or in one piece, has other parts that are still in use.
  const task = { does: 'decompress', codec, bytes: new Uint8Array(content), value: bytes } as const;
  const { bytes: result } = await threadToUse().run(task);
  if (result.length !== bytes) throw new Error(`${bytes} bytes were announced, ${result.length} came out`);
  return bufferOf(result);
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
