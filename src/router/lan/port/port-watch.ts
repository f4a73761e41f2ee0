/** What can be told from inside of how the platform treats this machine's ports: docs/platforms.md. */
import type { NeighbourFrame } from '../../../arp/frame.js';
import type { Clock } from '../../../net/clock.js';
import { isGroupMac, type Mac } from '../../../net/mac.js';
import type { Hwdt } from '../../../tables/hwdt.js';
import type { Lan, Lans } from '../../../tables/lan.js';
import type { LanIndex, VnetId } from '../../../tables/model.js';
import { GroupEar } from './group-ear.js';
import { type Asked, MOST_ASKED, StrayProbe, type StrayVerdict } from './stray-probe.js';
import { Unheeded, type UnheededSeries } from './unheeded.js';

/** A machine that was heard within that time is there now, most likely. */
const LATELY_MS = 600_000;

export interface PortWatchOptions {
  readonly clock: Clock;
  readonly lans: Lans;
  readonly hwdt: Pick<Hwdt, 'all'>;
  /** Are frames to other MACs needed in the vnet, because a node is not where its neighbours think? */
  readonly rescue: { isForNodes(vnet: VnetId): boolean };
  readonly plane: { counters(): Readonly<Record<string, number>> };
  readonly sendFrame: (lan: LanIndex, frame: Uint8Array) => void;
}

/** Of one LAN. */
export interface HearingView {
  readonly interface: string;
  /** For how long nothing that is for all was heard. */
  readonly silentMs: number;
  readonly hasHeard: boolean;
  /** Machines (MACs) that were heard within the last ten minutes all the same. */
  readonly machines: number;
}

/** `seen`: such frames have come by themselves since the last look, or the start. */
export interface StrayView {
  readonly interface: string;
  readonly verdict: StrayVerdict | 'seen';
}

export class PortWatch {
  readonly #options: PortWatchOptions;
  readonly #ear: GroupEar;
  readonly #unheeded = new Unheeded();
  readonly #strays: StrayProbe;
  /** Frames to other MACs at the last look. */
  #othersBefore = 0;

  constructor(options: PortWatchOptions) {
    this.#options = options;
    this.#ear = new GroupEar(options.clock);
    this.#strays = new StrayProbe(options);
  }

  /** Another machine has sent something to a group. */
  groupHeard(lan: LanIndex, capturedMs: number): void {
    this.#ear.heard(lan, capturedMs);
  }

  frameSeen(lan: LanIndex, frame: NeighbourFrame): void {
    this.#strays.frameSeen(lan, frame);
  }

  /** This router answers the question in another's name. */
  answered(lan: LanIndex, question: NeighbourFrame): void {
    if (!isGroupMac(question.ethernetDestination)) return;
    if (question.kind === 'ns') this.#answered(lan, question.ethernetSource, question.target);
    else if (question.kind === 'arp') this.#answered(lan, question.senderMac, question.targetIp);
  }

  #answered(lan: LanIndex, asker: Mac, target: UnheededSeries['target']): void {
    this.#unheeded.answered(lan, asker, target, this.#options.clock.nowMs());
  }

  hearing(): readonly HearingView[] {
    const nowMs = this.#options.clock.nowMs();
    return this.#options.lans.current().map(({ index, interface: name }) => ({
      interface: name,
      silentMs: this.#ear.silentMs(index, nowMs),
      hasHeard: this.#ear.hasHeard(index),
      machines: new Set(this.#lately(index, nowMs).map(({ mac }) => mac)).size,
    }));
  }

  unheeded(): readonly (UnheededSeries & { readonly interface: string })[] {
    const { clock, lans } = this.#options;
    return this.#unheeded
      .list(clock.nowMs())
      .map((series) => ({ ...series, interface: lans.get(series.lan)?.interface ?? '' }));
  }

  /** Of the LANs where frames to other MACs are needed now. Asks machines there unless some have come by themselves. */
  strays(): Promise<readonly StrayView[]> {
    const { lans, rescue } = this.#options;
    const needed = lans
      .current()
      .filter(({ index, vnet }) => lans.isActive(index) && rescue.isForNodes(vnet));
    // The counters are those of all LANs: of several each is asked.
    if (this.#haveComeSince() && lans.current().length === 1)
      return Promise.resolve(needed.map(({ interface: name }) => ({ interface: name, verdict: 'seen' })));
    return Promise.all(needed.map((lan) => this.#tryStray(lan)));
  }

  #haveComeSince(): boolean {
    const { frames_to_others: others = 0, rescued = 0 } = this.#options.plane.counters();
    const before = this.#othersBefore;
    this.#othersBefore = others + rescued;
    return this.#othersBefore > before;
  }

  async #tryStray(lan: Lan): Promise<StrayView> {
    const asked = this.#lately(lan.index, this.#options.clock.nowMs()).filter(({ ip }) => ip.family === 4);
    const verdict = await this.#strays.try(lan, asked.slice(-MOST_ASKED));
    return { interface: lan.interface, verdict };
  }

  /** Other machines that were heard lately, the one heard last at the end. */
  #lately(lan: LanIndex, nowMs: number): readonly Asked[] {
    const bindings = [...this.#options.hwdt.all()].filter(
      (it) => it.lan === lan && it.source !== 'static' && !it.silent && nowMs - it.lastSeenMs <= LATELY_MS,
    );
    return bindings.sort((a, b) => a.lastSeenMs - b.lastSeenMs);
  }
}
