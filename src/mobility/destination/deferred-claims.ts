/**
 * Nodes that were seen here and could not be claimed, because they are frozen, contested, or were refused a moment ago.
 * They may never announce themselves again: when the obstacle is gone, they are asked whether they are (still) here.
 */
import { BoundedMap } from '../../net/bounded-map.js';
import type { Timer } from '../../net/clock.js';
import type { Ip } from '../../net/ip.js';
import type { DirectoryChange } from '../../tables/directory.js';
import type { NodeRecord, VnetId } from '../../tables/model.js';
import { nodeKey } from '../../tables/node-key.js';
import { type AddressProbe, QUICK } from '../address-probe.js';
import type { Context } from '../context.js';
import type { Evidence } from '../evidence.js';

const REMEMBERED = 1_024;

export class DeferredClaims {
  readonly #context: Context;
  readonly #addressProbe: AddressProbe;
  readonly #waiting = new BoundedMap<string, Evidence & { readonly ip: Ip }>(REMEMBERED);
  /** Those that are asked again at a time of their own, and when. */
  readonly #timed = new Map<string, { readonly atMs: number; readonly timer: Timer }>();

  constructor(context: Context, addressProbe: AddressProbe) {
    this.#context = context;
    this.#addressProbe = addressProbe;
    context.atEnd(context.directory.subscribe((change) => this.#changed(change)));
  }

  remember(evidence: Evidence & { readonly ip: Ip }): void {
    this.#waiting.set(nodeKey(evidence.lan.vnet, evidence.ip), evidence);
  }

  /** Asks again after a while, whatever happens until then; sooner if it was to be asked sooner. */
  rememberFor(evidence: Evidence & { readonly ip: Ip }, delayMs: number): void {
    const key = nodeKey(evidence.lan.vnet, evidence.ip);
    this.remember(evidence);
    const { clock, timers } = this.#context;
    const atMs = clock.nowMs() + delayMs;
    const timed = this.#timed.get(key);
    if (timed === undefined ? this.#timed.size >= REMEMBERED : timed.atMs <= atMs) return;
    timed?.timer.cancel();
    const timer = timers.after('deferred claim', delayMs, () => {
      this.#timed.delete(key);
      this.release(evidence.lan.vnet, evidence.ip);
    });
    this.#timed.set(key, { atMs, timer });
  }

  /** The obstacle is gone: is the node here? An answer is considered as any other frame. */
  release(vnet: VnetId, ip: Ip): void {
    const key = nodeKey(vnet, ip);
    const evidence = this.#waiting.get(key);
    this.#waiting.delete(key);
    if (evidence === undefined || this.#context.isHere(vnet, ip)) return;
    const { mac } = evidence;
    this.#addressProbe.ask({ vnet, ip, mac, probes: QUICK, purpose: { for: 'deferred' } });
  }

  /** Obstacles of every kind may be gone. */
  releaseAll(): void {
    for (const { lan, ip } of [...this.#waiting.values()]) this.release(lan.vnet, ip);
  }

  /**
   * A node that nobody knew, and that no router but its home's may learn, has been withdrawn there: it may be claimed
   * where it is.
   */
  #madeKnown({ vnet, ip, mac }: NodeRecord): void {
    if (this.#context.hwdt.get(vnet, ip)?.mac !== mac) return;
    this.#addressProbe.ask({ vnet, ip, mac, probes: QUICK, purpose: { for: 'deferred' } });
  }

  /** By the router that contested it: withdrawn, or taken by a third one, which has not heard this one. */
  #isLetGo(before: NodeRecord, after: NodeRecord): boolean {
    if (after.state === 'withdrawn') return true;
    return after.router !== before.router && before.router !== this.#context.self && after.frozen !== true;
  }

  #changed({ before, after }: DirectoryChange): void {
    if (after.router === this.#context.self) {
      if (after.state === 'here' && this.#waiting.size > 0)
        this.#waiting.delete(nodeKey(after.vnet, after.ip));
    } else if (before?.state === 'here' && this.#isLetGo(before, after)) {
      this.release(after.vnet, after.ip);
    } else if (before === undefined && after.state === 'withdrawn') this.#madeKnown(after);
  }
}
