/**
 * Finds out whether nodes that fell silent are still there: 15 min without a frame, then three unicast questions.
 * A native node that answers none is reported gone; a visiting one is only marked silent, because being quiet is not
 * having moved; an address of neither kind (link-local, in no network, of a node that is elsewhere) is forgotten.
 *
 * Whatever becomes of it, a binding that answered nothing is marked silent first and not asked again until it is seen: the
 * places for questions are few, and no number of dead ones may hold them.
 */
import type { Timer } from '../net/clock.js';
import type { Ip } from '../net/ip.js';
import type { Mac } from '../net/mac.js';
import type { BindingSource, LanIndex, VnetId } from '../tables/model.js';
import { probe } from './announce.js';
import { type AskingLans, type AskingPorts, ownAddress } from './asker.js';

export const SILENT_AFTER_MS = 15 * 60_000;
export const PROBES = 3;
export const PROBE_EVERY_MS = 1000;
const CHECK_EVERY_MS = 10_000;
/** Of one LAN, probed at once; the rest waits for the next check. */
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

/** What an address is to this VR: its own network's, a node's from elsewhere that is here, or nobody's of ours. */
export type Standing = 'native' | 'visiting' | 'strange';

export interface ProbeView {
  /** A LAN's bindings not seen for longer than that; those that matter most first. */
  stale(lan: LanIndex, olderThanMs: number): Iterable<ProbedBinding>;
  get(vnet: VnetId, ip: Ip): ProbedBinding | undefined;
  markSilent(vnet: VnetId, ip: Ip): void;
  forget(vnet: VnetId, ip: Ip): void;
  standing(vnet: VnetId, ip: Ip): Standing;
}

/** Timers of a LAN's bindings that are being probed. */
type Probing = Map<string, Timer>;

export class Prober {
  readonly #ports: AskingPorts;
  readonly #view: ProbeView;
  readonly #gone: (binding: ProbedBinding) => void;
  readonly #lans: AskingLans;
  readonly #probing: ReadonlyMap<LanIndex, Probing>;
  #check: Timer | undefined;

  /** @param gone called once for a native node that answered no probe; its owner forgets the binding */
  constructor(ports: AskingPorts, lans: AskingLans, view: ProbeView, gone: (binding: ProbedBinding) => void) {
    this.#ports = ports;
    this.#lans = lans;
    this.#probing = new Map(lans.current().map(({ index }) => [index, new Map()]));
    this.#view = view;
    this.#gone = gone;
  }

  start(): void {
    this.#check ??= this.#ports.clock.after('silent nodes', CHECK_EVERY_MS, () => this.#checkAll());
  }

  stop(): void {
    this.#check?.cancel();
    this.#check = undefined;
    for (const probing of this.#probing.values()) {
      for (const timer of probing.values()) timer.cancel();
      probing.clear();
    }
  }

  #checkAll(): void {
    this.#check = this.#ports.clock.after('silent nodes', CHECK_EVERY_MS, () => this.#checkAll());
    for (const [lan, probing] of this.#probing) this.#checkLan(lan, probing);
  }

  #checkLan(lan: LanIndex, probing: Probing): void {
    for (const binding of this.#view.stale(lan, SILENT_AFTER_MS)) {
      if (probing.size >= MAX_PROBED_AT_ONCE) return;
      if (binding.source === 'static' || binding.silent || probing.has(keyOf(binding))) continue;
      this.#probe(lan, probing, binding, 0);
    }
  }

  #probe(index: LanIndex, probing: Probing, binding: ProbedBinding, sent: number): void {
    const lan = this.#lans.get(index);
    if (lan === undefined || this.#wasHeard(binding)) {
      probing.delete(keyOf(binding));
      return;
    }
    if (sent === PROBES) {
      probing.delete(keyOf(binding));
      this.#unanswered(binding);
      return;
    }
    const next = (): void => this.#probe(index, probing, binding, sent + 1);
    probing.set(keyOf(binding), this.#ports.clock.after('probe', PROBE_EVERY_MS, next));
    const from = ownAddress(lan, binding.ip.family);
    this.#ports.sendFrame(lan.index, probe(binding.ip, lan.mac, binding.mac, from));
  }

  #unanswered(binding: ProbedBinding): void {
    const { vnet, ip } = binding;
    this.#view.markSilent(vnet, ip);
    const standing = this.#view.standing(vnet, ip);
    if (standing === 'native') this.#gone(binding);
    else if (standing === 'strange') this.#view.forget(vnet, ip);
  }

  /** Seen since, at another MAC, or forgotten meanwhile: in each case nothing is left to find out. */
  #wasHeard(binding: ProbedBinding): boolean {
    const now = this.#view.get(binding.vnet, binding.ip);
    return now === undefined || now.mac !== binding.mac || now.lastSeenMs > binding.lastSeenMs;
  }
}

function keyOf(binding: ProbedBinding): string {
  return `${binding.vnet} ${binding.ip.key} ${binding.mac}`;
}
