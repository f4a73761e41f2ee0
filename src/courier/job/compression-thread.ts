/** A thread that compresses and decompresses, one task after another (compression.ts). */
import { parentPort } from 'node:worker_threads';
import { messageOf } from '../../net/system-error.js';
import { compressNow, decompressNow } from './codecs.js';
import type { Answer, Task } from './compression.js';

parentPort?.on('message', (task: Task) => {
  const { answer, moved } = answerOf(task);
  parentPort?.postMessage(answer, moved);
});

function answerOf({ number, does, codec, bytes, value }: Task): { answer: Answer; moved: ArrayBuffer[] } {
  try {
    const work = does === 'compress' ? compressNow : decompressNow;
    const result = work(codec, bytes, value);
    // What does not become shorter goes as it is. Node's result is part of a larger memory.
    const isWorked = does === 'decompress' || result.length < bytes.length;
    const used = isWorked ? new Uint8Array(result) : bytes;
    return { answer: { number, bytes: used, isWorked }, moved: [used.buffer as ArrayBuffer] };
  } catch (error) {
    return { answer: { number, failed: messageOf(error) }, moved: [] };
  }
}
