/**
 * Sends and receives VRRP advertisements of one family and one virtual router on one LAN interface. Main thread only. What
 * becomes of the interface afterwards is told, never thrown: an interface that was made anew gets new sockets.
 */
import type { PcapAddon } from '../../../arp/pcap.js';
import type { Clock, Timer } from '../../../net/clock.js';
import { DeclaredCounters } from '../../../net/counters.js';
import type { Family, Ip } from '../../../net/ip.js';
import { type Advertisement, decodeAdvertisement, encodeAdvertisement } from '../../../pair/advertisement.js';
import { ADVERTISEMENT_COUNTERS } from '../../../pair/advertisement-counters.js';
import { readInterfaces } from '../../lan/interfaces.js';
import { type Channel, openChannel } from './channel.js';
import { linkOf } from './link.js';
import { checkSource } from './source.js';

const LOOK_MS = 250;

/** Of the interface, as far as advertisements are concerned. */
export type Condition =
  | { readonly is: 'up' }
  /** Down or without the family; no longer there; or there, and not taking what is sent. */
  | { readonly is: 'down' | 'gone' | 'failing'; readonly why: string };

export interface AdvertisementSocketOptions {
  readonly interface: string;
  /** An address that the interface has; decides the family. IPv6: link-local. `source.ts` chooses one. */
  readonly source: Ip;
  /** 1 to 255; other virtual routers' advertisements are counted only. */
  readonly vrid: number;
  readonly pcap: PcapAddon;
  readonly clock: Clock;
  /** Another machine's, and all checks passed. */
  readonly onAdvertisement: (advertisement: Advertisement) => void;
  /** When it has become another than before. */
  readonly onCondition: (condition: Condition) => void;
}

export interface AdvertisementSocket {
  /**
   * Sends in the next turn of the event loop, or counts that it could not. Throws a RangeError for what no advertisement can
   * say (`encodeAdvertisement`).
   */
  send(advertisement: Omit<Advertisement, 'source'>): void;
  /** Nothing more is told; settles when what was sent before has left: a last one with priority 0 as well. */
  close(): Promise<void>;
  condition(): Condition;
  /** By the names of `ADVERTISEMENT_COUNTERS`. */
  counters(): Readonly<Record<string, number>>;
}

/**
 * An interface that is down is waited for. Throws an Error that says what to do about it when there is none of that name, when it
 * does not have the source, or when no socket can be opened.
 */
export function openAdvertisementSocket(options: AdvertisementSocketOptions): AdvertisementSocket {
  return new LanAdvertisements(options);
}

class LanAdvertisements implements AdvertisementSocket {
  readonly #options: AdvertisementSocketOptions;
  readonly #family: Family;
  readonly #counts = new DeclaredCounters(ADVERTISEMENT_COUNTERS);
  #condition: Condition;
  /** Undefined while there is no interface that could be used. */
  #channel: Channel | undefined;
  /** Sockets of before, that are still closing. */
  #ending: Promise<void> = Promise.resolve();
  #watch: Timer | undefined;
  #isClosed = false;

  constructor(options: AdvertisementSocketOptions) {
    this.#options = options;
    this.#family = options.source.family;
    const link = linkOf(options.interface, this.#family);
    if (link.is === 'gone') throw new Error(`${link.why}: name one that does`);
    if (link.is === 'up') this.#channel = this.#open(link.index);
    this.#condition = link.is === 'up' ? { is: 'up' } : link;
    this.#watchLater();
  }

  send(advertisement: Omit<Advertisement, 'source'>): void {
    const packet = encodeAdvertisement({ ...advertisement, source: this.#options.source });
    if (this.#isClosed) return;
    if (this.#channel === undefined) {
      this.#counts.count('send_errors');
      return;
    }
    const isFarewell = advertisement.priority === 0;
    this.#channel.send(packet, (error) => {
      if (error !== undefined) {
        this.#failed('send_errors', `advertisements are not sent: ${error.message}`);
        return;
      }
      this.#counts.count('advertisements_sent');
      if (isFarewell) this.#counts.count('priority_zero_sent');
      if (this.#condition.is === 'failing') this.#become({ is: 'up' });
    });
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#watch?.cancel();
    this.#drop();
    await this.#ending;
  }

  condition(): Condition {
    return this.#condition;
  }

  counters(): Readonly<Record<string, number>> {
    return this.#counts.counters();
  }

  #open(index: number): Channel {
    const { interface: name, source, pcap } = this.#options;
    const addresses = readInterfaces([name])[0]?.addresses;
    // Without a carrier they cannot be told; it is no reason not to begin.
    if (addresses !== undefined) checkSource(name, source, addresses);
    try {
      return openChannel({
        interface: name,
        index,
        source,
        pcap,
        onPacket: (packet) => this.#hear(packet),
        onError: (error) =>
          this.#failed('receive_errors', `advertisements are not received: ${error.message}`),
      });
    } catch (error) {
      throw new Error(`advertisements cannot be sent and received on ${name}: ${reasonOf(error)}`, {
        cause: error,
      });
    }
  }

  #hear(packet: Uint8Array): void {
    const { source, vrid, onAdvertisement } = this.#options;
    const advertisement = decodeAdvertisement(packet, vrid);
    if (typeof advertisement === 'string') {
      this.#counts.count(advertisement);
      return;
    }
    // What a loop in the LAN brings back; as a rule the kernel takes nothing from an address of its own.
    if (advertisement.source.equals(source)) return;
    this.#counts.count('advertisements_received');
    if (advertisement.priority === 0) this.#counts.count('priority_zero_received');
    // In a turn of its own: see raw-socket.ts.
    setImmediate(() => {
      if (!this.#isClosed) onAdvertisement(advertisement);
    });
  }

  #failed(counter: 'send_errors' | 'receive_errors', why: string): void {
    this.#counts.count(counter);
    if (this.#isClosed) return;
    const link = linkOf(this.#options.interface, this.#family);
    // Why an interface that is there does not take anything, the operator has to find out.
    this.#become(link.is === 'up' ? { is: 'failing', why } : link);
  }

  #watchLater(): void {
    this.#watch = this.#options.clock.after('vrrp link', LOOK_MS, () => {
      this.#watchLater();
      this.#look();
    });
  }

  #look(): void {
    const link = linkOf(this.#options.interface, this.#family);
    if (link.is === 'gone') this.#drop();
    if (link.is !== 'up') this.#become(link);
    else if (this.#channel?.index !== link.index || this.#channel.isBroken) this.#reopen(link.index);
    // What failed while the interface was up goes on failing until something has been sent.
    else if (this.#condition.is !== 'failing') this.#become({ is: 'up' });
  }

  #reopen(index: number): void {
    this.#drop();
    try {
      this.#channel = this.#open(index);
    } catch (error) {
      this.#become({ is: 'failing', why: reasonOf(error) });
      return;
    }
    this.#counts.count('reopened');
    this.#become({ is: 'up' });
  }

  #drop(): void {
    const closing = this.#channel?.close();
    this.#channel = undefined;
    if (closing === undefined) return;
    this.#ending = Promise.all([this.#ending, closing]).then(() => {});
  }

  #become(condition: Condition): void {
    const isNew = condition.is !== this.#condition.is;
    this.#condition = condition;
    if (isNew) this.#options.onCondition(condition);
  }
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
