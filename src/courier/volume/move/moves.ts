/** The moves of a courier's volumes: orders of operators, and volumes that other couriers bring. */
import type { Socket } from 'node:net';
import type { Clock } from '../../../net/clock.js';
import { DeclaredCounters } from '../../../net/counters.js';
import type { PeerLink } from '../../job/peer-link.js';
import type { PageStore } from '../../store/page-store.js';
import type { SparseStorage } from '../gate.js';
import { decodeOpen, encodeOpened } from './message.js';
import { MovableVolume } from './movable.js';
import type { MoveOrder } from './movable-options.js';
import { type MoveView, moveLine } from './view.js';
import { MOVE_COUNTERS, type MoveWorld } from './world.js';

export interface MovesOptions {
  readonly token: string;
  readonly store: PageStore;
  readonly clock: Clock;
  log(line: string): void;
  /** With a courier; undefined: there is none of that name. */
  connect(peer: string): Socket | undefined;
  /** Handshakes with a peer take turns: it takes no more strangers of one host at once. */
  turn(peer: string, begin: (done: () => void) => void): void;
  isOnItsWay(key: string, except: object): boolean;
}

/** What the configuration says of the volume. */
export interface MovablePlace {
  readonly name: string;
  readonly owner: string;
  readonly receive: boolean;
  readonly stallSeconds: number;
}

interface Known {
  readonly place: MovablePlace;
  readonly volume: MovableVolume;
}

export class Moves {
  /** Of connections that are closed. */
  readonly #counters = new DeclaredCounters(MOVE_COUNTERS);
  readonly #volumes = new Map<string, Known>();
  readonly #world: MoveWorld;

  constructor(private readonly options: MovesOptions) {
    const { token, store, clock, log, isOnItsWay } = options;
    this.#world = { token, store, clock, log, isOnItsWay, counters: this.#counters };
  }

  /** What clients of the volume reach instead of its storage. Throws where what is kept of its move is damaged. */
  gate(storage: SparseStorage, place: MovablePlace): MovableVolume {
    const { connect, turn } = this.options;
    const { name, owner, receive, stallSeconds } = place;
    const volume = new MovableVolume({
      ...{ name, owner, receives: receive, stallSeconds, storage, world: this.#world },
      ...{ connect, turn },
    });
    this.#volumes.set(name, { place, volume });
    return volume;
  }

  /** Another courier says which volume comes on this connection. */
  comes(link: PeerLink, payload: Buffer): void {
    const open = decodeOpen(payload);
    const known = typeof open === 'string' ? undefined : this.#volumes.get(open.name);
    if (typeof open !== 'string' && known !== undefined && open.owner === known.place.owner) {
      if (open.store === this.options.store.name) known.volume.refuse(link, 'that is this courier itself');
      else known.volume.arrives(link, open);
      return;
    }
    const why = typeof open === 'string' ? open : `there is no volume ${open.name} of ${open.owner || 'all'}`;
    this.#counters.count('volume_moves_refused');
    link.handOver({ frame: () => undefined, closed: () => undefined });
    link.send(encodeOpened({ refused: why.slice(0, 500) }));
    link.end();
  }

  /** Rejects with why not. */
  async move(name: string, order: MoveOrder): Promise<void> {
    await this.#volume(name).move(order);
  }

  async abandon(name: string): Promise<void> {
    this.#volume(name).abandon();
  }

  async take(name: string): Promise<void> {
    await this.#volume(name).take();
  }

  /** Null: it is not being moved, and was not. */
  view(name: string): MoveView | null {
    return this.#volumes.get(name)?.volume.view() ?? null;
  }

  isOnItsWay(key: string, except: object): boolean {
    for (const { volume } of this.#volumes.values()) if (volume.isOnItsWay(key, except)) return true;
    return false;
  }

  counts(): Readonly<Record<string, number>> {
    const counters = this.#counters.counters();
    const links = [...this.#volumes.values()].flatMap(({ volume }) => volume.link ?? []);
    const [sent, received] = [
      links.reduce((sum, link) => sum + link.sentBytes, counters.volume_move_wan_bytes_sent ?? 0),
      links.reduce((sum, link) => sum + link.receivedBytes, counters.volume_move_wan_bytes_received ?? 0),
    ];
    return { ...counters, volume_move_wan_bytes_sent: sent, volume_move_wan_bytes_received: received };
  }

  /** Of what goes on, a line each. */
  lines(): readonly string[] {
    return [...this.#volumes.keys()].flatMap((name) => {
      const view = this.view(name);
      return view !== null && isUnderWay(view) ? [moveLine(name, view)] : [];
    });
  }

  gauges(): Readonly<Record<string, number>> {
    const views = [...this.#volumes.keys()].flatMap((name) => this.view(name) ?? []).filter(isUnderWay);
    const sum = (of: (view: MoveView) => number): number =>
      views.reduce((total, view) => total + of(view), 0);
    return {
      volume_moves_running: views.length,
      volume_moves_stalled: sum(({ whyStalled }) => (whyStalled === '' ? 0 : 1)),
      volume_chunks_remaining: sum(({ role, remaining }) => (role === 'source' ? remaining : 0)),
      volume_chunks_awaited: sum(({ role, remaining }) => (role === 'destination' ? remaining : 0)),
    };
  }

  stop(reason: string): void {
    for (const { volume } of this.#volumes.values()) volume.stop(reason);
  }

  #volume(name: string): MovableVolume {
    const known = this.#volumes.get(name);
    if (known === undefined) throw new Error(`there is no volume ${name}, or it is not open`);
    return known.volume;
  }
}

export function isUnderWay({ state }: MoveView): boolean {
  return ['pushing', 'given', 'receiving', 'pulling'].includes(state);
}
