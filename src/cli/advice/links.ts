/** What lies between two sites: said in advice.json, measured by this router, or taken for granted. */
import type { CoordinateView, PeerView } from '../../control/api.js';
import { estimatedRttMs } from '../../net/coordinates.js';
import type { AdviceFile } from '../../tables/files/advice-file.js';
import type { SiteId } from '../../tables/model.js';
import type { SiteLink } from '../../traffic/advice/input.js';

const BYTES_PER_MBIT = 1e6 / 8;
/** A place that is more in doubt than this says nothing. */
const MOST_ERROR = 0.5;

export class Links {
  readonly #advice: AdviceFile;
  readonly #said = new Map<string, AdviceFile['links'][number]>();
  /** Round trips from this router's site. */
  readonly #measured = new Map<SiteId, number>();
  /** Of the other sites, each one's router that is surest. */
  readonly #places = new Map<SiteId, CoordinateView>();
  readonly #own: SiteId;
  /** Whether a round trip was asked for that nobody has measured or said. */
  guessed = false;

  constructor(advice: AdviceFile, own: SiteId, peers: readonly PeerView[], siteOf: (id: string) => SiteId) {
    this.#advice = advice;
    this.#own = own;
    for (const link of advice.links) this.#said.set(`${siteOf(link.to)} ${siteOf(link.from)}`, link);
    // What is said of a direction itself counts before what is said of the other one.
    for (const link of advice.links) this.#said.set(`${siteOf(link.from)} ${siteOf(link.to)}`, link);
    for (const { id, rttMs, coordinate } of peers) {
      const [site, known] = [siteOf(id), this.#measured.get(siteOf(id))];
      this.#place(site, coordinate);
      if (rttMs !== null) this.#measured.set(site, Math.min(rttMs, known ?? rttMs));
    }
  }

  between(from: SiteId, to: SiteId): SiteLink {
    const said = this.#said.get(`${from} ${to}`);
    const { assume, pricePerGb } = this.#advice;
    return {
      rttMs: said?.rttMs ?? this.#rttMs(from, to),
      pricePerGb: said?.pricePerGb ?? pricePerGb,
      bytesPerSecond: (said?.mbitPerSecond ?? assume.mbitPerSecond) * BYTES_PER_MBIT,
    };
  }

  #place(site: SiteId, at: CoordinateView | null): void {
    if (at !== null && at.error <= MOST_ERROR && at.error < (this.#places.get(site)?.error ?? 1))
      this.#places.set(site, at);
  }

  /** Between two others: by their places, but no more than it would be by way of this one. */
  #rttMs(from: SiteId, to: SiteId): number {
    const part = (site: SiteId): number | undefined => (site === this.#own ? 0 : this.#measured.get(site));
    const [one, other] = [part(from), part(to)];
    if (from !== this.#own && to !== this.#own) this.guessed = true;
    const byOwn = one !== undefined && other !== undefined ? one + other : undefined;
    if (from === this.#own || to === this.#own) return byOwn ?? this.#assumed();
    this.guessed = true;
    const [here, there] = [this.#places.get(from), this.#places.get(to)];
    if (here === undefined || there === undefined) return byOwn ?? this.#assumed();
    return Math.min(estimatedRttMs(here, there), byOwn ?? Number.POSITIVE_INFINITY);
  }

  #assumed(): number {
    this.guessed = true;
    return this.#advice.assume.rttMs;
  }
}
