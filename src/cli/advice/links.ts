/** What lies between two sites: said in advice.json, measured by this router, or taken for granted. */
import type { PeerView } from '../../control/api.js';
import type { AdviceFile } from '../../tables/files/advice-file.js';
import type { SiteId } from '../../tables/model.js';
import type { SiteLink } from '../../traffic/advice/input.js';

const BYTES_PER_MBIT = 1e6 / 8;

export class Links {
  readonly #advice: AdviceFile;
  readonly #said = new Map<string, AdviceFile['links'][number]>();
  /** Round trips from this router's site. */
  readonly #measured = new Map<SiteId, number>();
  readonly #own: SiteId;
  /** Whether a round trip was asked for that nobody has measured or said. */
  guessed = false;

  constructor(advice: AdviceFile, own: SiteId, peers: readonly PeerView[], siteOf: (id: string) => SiteId) {
    this.#advice = advice;
    this.#own = own;
    for (const link of advice.links) this.#said.set(`${siteOf(link.to)} ${siteOf(link.from)}`, link);
    // What is said of a direction itself counts before what is said of the other one.
    for (const link of advice.links) this.#said.set(`${siteOf(link.from)} ${siteOf(link.to)}`, link);
    for (const { id, rttMs } of peers) {
      const [site, known] = [siteOf(id), this.#measured.get(siteOf(id))];
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

  /** Between two others: by way of this one it would be so much, and it can hardly be more. */
  #rttMs(from: SiteId, to: SiteId): number {
    const part = (site: SiteId): number | undefined => (site === this.#own ? 0 : this.#measured.get(site));
    const [one, other] = [part(from), part(to)];
    if (from !== this.#own && to !== this.#own) this.guessed = true;
    if (one !== undefined && other !== undefined) return one + other;
    this.guessed = true;
    return this.#advice.assume.rttMs;
  }
}
