/** The kernel guard over reloads: a new one stands before the old one goes, so that no copy slips through between. */
import { kernelForwards } from '../../config/machine.js';
import type { Lans } from '../../tables/lan.js';
import type { NetworkConfig, RouterId } from '../../tables/model.js';
import { NOTHING_TO_DO, type Prepared } from '../reload/prepared.js';
import type { EventHub } from '../view/event-hub.js';
import { guardRules, KernelGuard } from './kernel-guard.js';

export class Guards {
  readonly #lans: Lans;
  readonly #self: RouterId;
  readonly #hub: EventHub;
  #guard: KernelGuard | undefined;
  #rules = '';
  #generation = 0;

  constructor(lans: Lans, self: RouterId, hub: EventHub) {
    this.#lans = lans;
    this.#self = self;
    this.#hub = hub;
  }

  /** Are the rules in place? */
  get standing(): boolean {
    return this.#guard !== undefined;
  }

  /** @returns warnings when there can be none: the router works without, with these drawbacks */
  async start(networks: readonly NetworkConfig[]): Promise<string[]> {
    const guard = await this.#make(networks);
    if (typeof guard === 'string') return [this.#warning(guard)];
    this.#guard = guard;
    this.#rules = this.#rulesFor(networks);
    return [];
  }

  /** @returns a problem, when there was a guard and there can be no new one */
  async prepare(networks: readonly NetworkConfig[], lenient: boolean): Promise<Prepared | string> {
    const rules = this.#rulesFor(networks);
    const old = this.#guard;
    if (old === undefined || rules === this.#rules) return NOTHING_TO_DO;
    const guard = await this.#make(networks);
    if (typeof guard === 'string')
      return lenient ? NOTHING_TO_DO : `the rules that keep the kernel off the overlay's packets: ${guard}`;
    return {
      commit: () => {
        this.#guard = guard;
        this.#rules = rules;
        old.stop();
      },
      abandon: () => guard.stop(),
    };
  }

  stop(): void {
    this.#guard?.stop();
    this.#guard = undefined;
  }

  async #make(networks: readonly NetworkConfig[]): Promise<KernelGuard | string> {
    let made: KernelGuard | string | undefined;
    const lost = (): void => {
      if (made !== this.#guard) return;
      this.#guard = undefined;
      this.#hub.emit(
        'error',
        'kernel_guard_lost',
        'the nftables rules that keep the kernel off are gone: restart the router',
      );
    };
    made = await KernelGuard.start(
      this.#lans.current(),
      { self: this.#self, networks },
      this.#generation++,
      lost,
    );
    return made;
  }

  #warning(reason: string): string {
    const names = this.#lans.current().map((lan) => lan.interface);
    const forwarding = names.filter(kernelForwards);
    const harm =
      forwarding.length > 0
        ? `it forwards what arrives on ${forwarding.join(', ')}, so packets may leave twice, unencrypted`
        : 'it may answer IPv6 packets of the overlay with "no route"';
    return `the kernel also handles the overlay's packets (${reason}): ${harm}`;
  }

  #rulesFor(networks: readonly NetworkConfig[]): string {
    return guardRules(this.#lans.current(), { self: this.#self, networks }, 'x').join('\n');
  }
}
