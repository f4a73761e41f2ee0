/** A courier's disks: those that NBD clients write to here, and those that other couriers write to. */
import type { Socket } from 'node:net';
import type { Clock } from '../../net/clock.js';
import { DeclaredCounters } from '../../net/counters.js';
import type { PeerLink } from '../job/peer-link.js';
import type { PageStore } from '../store/page-store.js';
import type { Codec } from '../wire/message.js';
import { DestinationSession } from './destination/session.js';
import * as message from './message.js';
import { ExportedDisk } from './source/exported.js';
import { SourceSession } from './source/session.js';
import { countsOf, DISK_COUNTERS, type DiskView, type DiskWorld, diskLine } from './view.js';

const MOST_ENDED = 100;

/** What `disks` and `receiveDisks` of the configuration say. */
export interface SourcePlace {
  readonly peer: string;
  readonly destination: string;
  readonly owner: string;
  readonly stallSeconds: number;
  /** With the peer. */
  connect(): Socket;
}

export interface DestinationPlace {
  readonly owner: string;
  readonly exportName: string;
  /** With the NBD server. */
  connect(): Socket;
}

export interface DisksOptions {
  readonly sources: readonly SourcePlace[];
  readonly destinations: ReadonlyMap<string, DestinationPlace>;
  readonly token: string;
  readonly store: PageStore;
  readonly clock: Clock;
  isOnItsWay(key: string, except: object): boolean;
  /** Handshakes with a peer take turns: it takes no more strangers of one host at once. */
  turn(peer: string, begin: (done: () => void) => void): void;
  log(line: string): void;
}

type Session = SourceSession | DestinationSession;

export class Disks {
  /** Of what is over: `counts` has all. */
  readonly #counters = new DeclaredCounters(DISK_COUNTERS);
  readonly #world: DiskWorld;
  readonly #exported: readonly ExportedDisk[];
  readonly #running = new Set<Session>();
  /** The last session of each destination. */
  readonly #destinations = new Map<string, DestinationSession>();
  #ended: DiskView[] = [];

  constructor(private readonly options: DisksOptions) {
    const { store, clock, isOnItsWay, sources } = options;
    this.#world = { store, clock, isOnItsWay, counters: this.#counters };
    this.#exported = sources.map(
      (place) => new ExportedDisk(place.destination, this.#world, () => this.#goes(place)),
    );
  }

  /** An NBD client has come. @param number of the place in `sources` */
  accept(number: number, client: Socket): void {
    const disk = this.#exported[number];
    if (disk === undefined) throw new RangeError(`disk ${number}`);
    disk.accept(client);
  }

  /** Another courier says which disk comes on this connection. */
  comes(link: PeerLink, codec: Codec, payload: Buffer): void {
    const open = message.decodeDiskOpen(payload);
    const session = typeof open === 'string' ? open : this.#sessionOf(open);
    if (typeof session !== 'string') {
      session.attach(link, codec);
      return;
    }
    this.#counters.count('disks_refused');
    link.handOver({ frame: () => undefined, closed: () => undefined });
    link.send(message.encodeDiskOpened({ refused: session.slice(0, 500) }));
    link.end();
  }

  /** Those that have ended first, at most a hundred of them. */
  views(): readonly DiskView[] {
    return [...this.#ended, ...[...this.#running].map((session) => session.view())];
  }

  /** By their names, of what is over and of what is not. */
  counts(): Readonly<Record<string, number>> {
    const all: Record<string, number> = { ...this.#counters.counters() };
    for (const session of this.#running)
      for (const [name, count] of Object.entries(countsOf(session.view())))
        all[name] = (all[name] ?? 0) + count;
    return all;
  }

  isOnItsWay(key: string, except: object): boolean {
    for (const session of this.#running)
      if (session instanceof SourceSession && session.isOnItsWay(key, except)) return true;
    return false;
  }

  stop(reason: string): void {
    for (const session of [...this.#running]) session.stop(reason);
    for (const disk of this.#exported) disk.stop();
  }

  #goes(place: SourcePlace): SourceSession {
    const session: SourceSession = new SourceSession({
      ...{ ...place, connect: place.connect, token: this.options.token, world: this.#world },
      turn: (begin) => this.options.turn(place.peer, begin),
      changed: (view) => this.#changed(view),
      ended: (view) => this.#over(session, view),
    });
    this.#begun(session);
    return session;
  }

  /** The session that it is, or why there is none. */
  #sessionOf(open: message.DiskOpen): DestinationSession | string {
    const { destination, owner } = open;
    const place = this.options.destinations.get(destination);
    if (place === undefined) return `there is no disk ${destination}`;
    if (owner !== place.owner)
      return `${destination} belongs to ${place.owner || 'all'}, not to ${owner || 'all'}`;
    const last = this.#destinations.get(destination);
    if (last?.id === open.session) return last.isOver ? `it has ended: ${last.reason}` : last;
    if (open.isOld) return 'this session is not known here';
    if (last?.isAttached === true && !last.isOver) return `another disk is on its way to ${destination}`;
    // Whoever had it and is gone finds it taken when he comes again.
    const before = last === undefined ? Promise.resolve() : last.end('another session has begun');
    const session: DestinationSession = new DestinationSession({
      ...{ open, world: this.#world, exportName: place.exportName, before, connect: place.connect },
      changed: (view) => this.#changed(view),
      ended: (view) => this.#over(session, view),
    });
    this.#destinations.set(destination, session);
    this.#begun(session);
    return session;
  }

  #begun(session: Session): void {
    this.#running.add(session);
    this.#counters.count('disks_begun');
  }

  #changed(view: DiskView): void {
    if (view.resumed > 0 && view.state === 'running') this.#counters.count('disks_resumed');
    this.options.log(diskLine(view));
  }

  #over(session: Session, view: DiskView): void {
    this.#running.delete(session);
    this.#ended = [...this.#ended, view].slice(-MOST_ENDED);
    this.#counters.count(view.state === 'complete' ? 'disks_complete' : 'disks_failed');
    for (const [name, count] of Object.entries(countsOf(view)))
      this.#counters.count(name as keyof typeof DISK_COUNTERS, count);
    this.options.log(diskLine(view));
  }
}
