/** A LAN's packet worker whose JavaScript stalls each time that it is entered for packets. */
import { workerData } from 'node:worker_threads';
import type { EngineOptions } from '../../src/dataplane/engine.js';
import { PacketPath } from '../../src/dataplane/forward/packet-path.js';
import { loadNative } from '../../src/dataplane/native.js';
import type { WorkerInput } from '../../src/dataplane/worker-input.js';
import { systemClock } from '../../src/net/system-clock.js';

export interface StallingStart {
  readonly engine: EngineOptions;
  readonly input: WorkerInput;
  /** Int32Array: times that it was entered, 1 when it is to stop. */
  readonly words: SharedArrayBuffer;
  readonly stallMs: number;
}

const { engine: options, input, words: memory, stallMs } = workerData as StallingStart;
const words = new Int32Array(memory);
const engine = loadNative().createEngine(options);
const { lan } = new PacketPath(engine, input, { punt: () => true, closeStream: () => {} }, systemClock);
while (Atomics.load(words, 1) === 0) {
  const received = engine.receive(500);
  if (received === 0) continue;
  Atomics.add(words, 0, 1);
  Atomics.wait(words, 1, 0, stallMs);
  for (let i = 0; i < received; i++) lan.decide(i);
  engine.send(0, received);
}
engine.close();
