/**
 * Finds out whether nodes that fell silent are still there: 15 min without a frame, then three unicast questions.
 * A native node that answers none is reported gone; a visiting one is only marked silent, because being quiet is not
 * having moved.
 */
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { BindingSource, LanIndex, VnetId } from '../tables/model.js';
import { probe } from './announce.js';
import { type AskingLan, type AskingPorts, ownAddress } from './asker.js';

export const SILENT_AFTER_MS = 15 * 60_000;
export const PROBES = 3;
export const PROBE_EVERY_MS = 1000;
const CHECK_EVERY_MS = 10_000;
/** Probed at once; the rest waits for the next check. */
const MAX_PROBED_AT_ONCE = 256;

/** What the prober needs of a binding; `Binding` of the HWDT fits. */
export interface ProbedBinding {
  readonly lan: LanIndex;
  readonly vnet: VnetId;
  readonly mac: Mac;
  readonly ip: Ip;
  readonly source: BindingSource;
  readonly lastSeenMs: number;
  readonly silent: boolean;
}

export interface ProbeView {
  /** Bindings not seen for longer than that. */
  stale(olderThanMs: number): readonly ProbedBinding[];
  get(vnet: VnetId, ip: Ip): ProbedBinding | undefined;
  markSilent(vnet: VnetId, ip: Ip): void;
  isVisiting(vnet: VnetId, ip: Ip): boolean;
}

export class Prober {
  readonly #ports: AskingPorts;
  readonly #lans: readonly AskingLan[];
  readonly #view: ProbeView;
  readonly #gone: (binding: ProbedBinding) => void;
  /** Timers of the bindings being probed. */
  readonly #probing = new Map<string, Timer>();
  #check: Timer | undefined;

  /** @param gone called once for a native node that answered no probe; its owner forgets the binding */
  constructor(
    ports: AskingPorts,
    lans: readonly AskingLan[],
    view: ProbeView,
    gone: (binding: ProbedBinding) => void,
  ) {
    this.#ports = ports;
    this.#lans = lans;
    this.#view = view;
    this.#gone = gone;
  }

  start(): void {
    this.#check ??= this.#ports.clock.after('silent nodes', CHECK_EVERY_MS, () => this.#checkAll());
  }

  stop(): void {
    this.#check?.cancel();
    this.#check = undefined;
    for (const timer of this.#probing.values()) timer.cancel();
    this.#probing.clear();
  }

  #checkAll(): void {
    this.#check = this.#ports.clock.after('silent nodes', CHECK_EVERY_MS, () => this.#checkAll());
    for (const binding of this.#view.stale(SILENT_AFTER_MS)) {
      if (this.#probing.size >= MAX_PROBED_AT_ONCE) return;
      if (binding.source === 'static' || binding.silent || this.#probing.has(keyOf(binding))) continue;
      this.#probe(binding, 0);
    }
  }

  #probe(binding: ProbedBinding, sent: number): void {
    const lan = this.#lans.find((candidate) => candidate.index === binding.lan);
    if (lan === undefined || this.#wasHeard(binding)) {
      this.#probing.delete(keyOf(binding));
      return;
    }
    if (sent === PROBES) {
      this.#probing.delete(keyOf(binding));
      if (this.#view.isVisiting(binding.vnet, binding.ip)) {
        this.#view.markSilent(binding.vnet, binding.ip);
      } else {
        this.#gone(binding);
      }
      return;
    }
    const timer = this.#ports.clock.after('probe', PROBE_EVERY_MS, () => this.#probe(binding, sent + 1));
    this.#probing.set(keyOf(binding), timer);
    const from = ownAddress(lan, binding.ip.family);
    this.#ports.sendFrame(lan.index, probe(binding.ip, lan.mac, binding.mac, from));
  }

  /** Seen since, at another MAC, or forgotten meanwhile: in each case nothing is left to find out. */
  #wasHeard(binding: ProbedBinding): boolean {
    const now = this.#view.get(binding.vnet, binding.ip);
    return now === undefined || now.mac !== binding.mac || now.lastSeenMs > binding.lastSeenMs;
  }
}

function keyOf(binding: ProbedBinding): string {
  return `${binding.lan} ${binding.vnet} ${binding.ip.key} ${binding.mac}`;
}
