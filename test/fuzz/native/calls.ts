/** Calls with arguments that TypeScript would never let pass: each must throw or do nothing, and never more. */
import type { PcapHandle } from '../../../src/arp/pcap.js';
import { EngineCounter, type NativeAddon, type WakeupWatch } from '../../../src/dataplane/engine.js';
import { createFlowMemory } from '../../../src/dataplane/flows/flow-memory.js';
import type { PairCapture, PairCounter } from '../../../src/dataplane/pair-counter.js';
import { GENERATION_WORDS } from '../../../src/tables/forwarding/generations.js';
import type { Random } from '../random.js';

/** Numbers of peers that the packets' fuzzer does not use. */
const PEERS = [100, 101, 4095, 4096, -1];

export class CallFuzzer {
  readonly #functions: readonly [name: string, call: (...values: unknown[]) => unknown][];
  readonly #random: Random;
  readonly #captures: PcapHandle[] = [];
  readonly #counters: PairCounter[] = [];
  readonly #counting: PairCapture[] = [];

  constructor(addon: NativeAddon, random: Random) {
    this.#random = random;
    // `closeSocket` and `wake` would close and write to descriptors of this very process when a number fits by chance.
    this.#functions = Object.entries(addon).flatMap(([name, value]) =>
      typeof value === 'function' &&
      !['closeSocket', 'wake', 'createWakeup', 'openTun', 'openUdp', 'shareUdp', 'shareLan'].includes(name)
        ? [[name, value as (...values: unknown[]) => unknown]]
        : [],
    );
  }

  round(): void {
    const random = this.#random;
    const [name, call] = random.pick(this.#functions);
    const options = this.#optionsOf(name);
    const values =
      options === undefined ? Array.from({ length: random.below(6) }, () => this.#value()) : options;
    try {
      const result = call(...values);
      if (name === 'createEngine') (result as { close(): void }).close();
      if (name === 'openCapture') this.#useCapture(result as PcapHandle);
      if (name === 'createPairCounter') this.#countPairs(result as PairCounter);
      if (name === 'watchWakeup') (result as WakeupWatch).close();
    } catch (error) {
      if (!(error instanceof Error)) throw new Error(`${name} threw what is no error`, { cause: error });
    }
  }

  #optionsOf(name: string): unknown[] | undefined {
    if (name === 'createEngine') return [this.#engineOptions()];
    return name === 'openCapture' ? this.#captureArguments() : undefined;
  }

  #captureArguments(): unknown[] {
    const random = this.#random;
    return [
      random.chance(10) ? this.#value() : this.#captureOptions(),
      random.chance(10) ? this.#value() : () => {},
    ];
  }

  #captureOptions(more: object = {}): unknown {
    const random = this.#random;
    const options: Record<string, unknown> = {
      interface: 'lo',
      filter: random.pick([
        '',
        'arp',
        'ip or ip6',
        'less 1',
        'ip6[40] == 135',
        'vlan and vlan',
        'ether[',
        '((',
      ]),
      frameBytes: random.pick([64, 100, 1522, 262_144]),
      ringBytes: random.pick([65_536, 1 << 20]),
      ...more,
    };
    for (const key of Object.keys(options)) if (random.chance(10)) options[key] = this.#value();
    return options;
  }

  /** What the captures send comes by on the same interface. */
  #countPairs(counter: PairCounter): void {
    const random = this.#random;
    this.#counters.push(counter);
    if (this.#counters.length > 4) this.#counters.shift();
    const more = {
      filter: random.pick(['', '', 'ip or ip6', '((']),
      inboundOnly: random.chance(50),
      collectMs: random.pick([1, 10, 1_000]),
      ringBytes: 1 << 20,
    };
    for (const used of this.#counters) if (random.chance(50)) used.take();
    if (this.#counting.length > 4) this.#counting.shift()?.close();
    if (random.chance(5)) counter.take.call(this.#value() as PairCounter);
    const capture = random.pick(this.#counters).openCapture(this.#captureOptions(more) as never);
    this.#counting.push(capture);
    random.pick(this.#counting).drops.call(random.chance(5) ? (this.#value() as PairCapture) : capture);
    if (random.chance(20)) random.pick(this.#counting).close();
  }

  /** Closed at once, now and then, or when the frames that come by have been seen for a while. */
  #useCapture(capture: PcapHandle): void {
    const random = this.#random;
    this.#captures.push(capture);
    if (this.#captures.length > 8) this.#captures.shift()?.close();
    for (let i = random.below(4); i > 0; i--) {
      const used = random.pick(this.#captures);
      const method = random.pick(['send', 'drops', 'close'] as const);
      (used[method] as (value: unknown) => unknown).call(
        random.chance(5) ? this.#value() : used,
        this.#value(),
      );
    }
  }

  #engineOptions(): unknown {
    const random = this.#random;
    const options: Record<string, unknown> = {
      role: random.pick(['lan', 'tunnel']),
      lans: [],
      lanRoles: new SharedArrayBuffer(4 * random.below(3)),
      tuns: [],
      udp: random.chance(20) ? [{ fd: 0, segmentation: false, receiveFd: this.#value() }] : [],
      number: random.chance(30) ? random.below(12) : undefined,
      wakeupFd: 0,
      slots: 1 + random.below(8),
      slotBytes: random.pick([256, 2_048, 16_384, 17_000]),
      streams: random.chance(30),
      counters: new SharedArrayBuffer(EngineCounter.count * 8),
      flows: random.chance(50) ? undefined : this.#flows(),
    };
    for (const key of Object.keys(options)) if (random.chance(10)) options[key] = this.#value();
    return options;
  }

  #flows(): unknown {
    const random = this.#random;
    const memory = createFlowMemory({ entries: 2, ring: 1 });
    if (random.chance(30)) new Int32Array(memory)[random.below(8)] = random.oddWord();
    const flows: Record<string, unknown> = { memory, generationsWord: random.below(3) };
    flows.generations = new SharedArrayBuffer(4 * (GENERATION_WORDS + random.below(3) - 1));
    for (const name of ['packetCounters', 'vnetCounters', 'activity', 'stop', 'turns'])
      flows[name] = new SharedArrayBuffer(8 * random.below(3));
    for (const key of Object.keys(flows)) if (random.chance(10)) flows[key] = this.#value();
    return flows;
  }

  #value(): unknown {
    const random = this.#random;
    const keys = {
      localIndex: random.word() >>> 0,
      remoteIndex: random.word() >>> 0,
      sendKey: random.bytes(random.pick([32, 31, 0])),
      receiveKey: random.bytes(32),
      cipher: random.pick(['chacha20-poly1305', 'aes-256-gcm', 'rot13', 7]),
    };
    return random.pick<unknown>([
      undefined,
      null,
      random.oddWord(),
      random.pick(PEERS),
      Number.NaN,
      1e300,
      0.5,
      'lan0',
      'x'.repeat(random.below(300)),
      '',
      [],
      [undefined],
      [{ fd: 5 }],
      {},
      keys,
      random.bytes(random.pick([0, 4, 16, 5, 100, 2000])),
      new Float64Array(random.below(10)),
      new Uint8Array(new SharedArrayBuffer(random.below(40))),
      new SharedArrayBuffer(random.below(300)),
      () => 1,
      Symbol('s'),
      12n,
      new Proxy(
        {},
        {
          get: () => {
            throw new Error('a getter that throws');
          },
        },
      ),
    ]);
  }
}
