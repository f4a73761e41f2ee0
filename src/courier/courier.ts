/** A courier: its store, the sockets where hypervisors and other couriers come, and the jobs that follow. */
import { randomBytes } from 'node:crypto';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Clock, Timer } from '../net/clock.js';
import { DeclaredCounters } from '../net/counters.js';
import { bytes, MIB } from '../net/sizes.js';
import { Unproven } from '../net/unproven.js';
import { type Address, socketOptions } from './address.js';
import { routesOf } from './commands.js';
import type { CourierConfig } from './config.js';
import { Disks } from './disk/disks.js';
import type { DiskView } from './disk/view.js';
import { diskPlaces, volumePlaces } from './disk-places.js';
import { IncomingJob } from './job/incoming.js';
import { JOB_COUNTERS, type JobView, type JobWorld } from './job/job.js';
import { OutgoingJob } from './job/outgoing.js';
import { listenAt } from './listening.js';
import { Macs } from './macs.js';
import { PageStore, type StoreView } from './store/page-store.js';
import { PAGE_BYTES } from './stream/token.js';
import { Turns } from './turns.js';
import type { SparseStorage, VolumeGate } from './volume/gate.js';
import { Moves } from './volume/move/moves.js';
import type { MoveView } from './volume/move/view.js';
import { type VolumeConfig, Volumes, type VolumeView } from './volume/volumes.js';
import type { Opening } from './wire/opening.js';

const MOST_ENDED = 100;
/** Others' connections that have not proven the token: in all, and of one host. */
const MOST_STRANGERS = 32;
const MOST_STRANGERS_OF_ONE = 8;
/** Less than that: who moves many guests at once is no stranger. */
const HANDSHAKES_AT_ONCE = 4;
/** Connections of couriers whose hypervisors have not said anything yet. */
const MOST_SILENT = 1_024;
const PROGRESS_MS = 1_000;

type Job = OutgoingJob | IncomingJob;
type Route = CourierConfig['send'][number];

export interface CourierView {
  readonly name: string;
  readonly startedAt: string;
  readonly jobsRunning: number;
  readonly jobsEnded: number;
  readonly listen: string | null;
  readonly peers: readonly string[];
  readonly disks: readonly string[];
  readonly counters: Readonly<Record<string, number>>;
}

export class Courier implements JobWorld {
  readonly counters = new DeclaredCounters(JOB_COUNTERS);
  readonly #running = new Set<Job>();
  readonly #unproven = new Unproven(MOST_STRANGERS, MOST_STRANGERS_OF_ONE);
  readonly #strangers = new Set<IncomingJob>();
  /** Of those that know the token, the ones that have not said what comes. */
  readonly #silent = new Set<IncomingJob>();
  readonly #handshakes = new Turns(HANDSHAKES_AT_ONCE);
  /** Hypervisors whose handshake with the other courier has to wait for its turn. */
  readonly #waiting = new Set<Socket>();
  #ended: JobView[] = [];
  readonly #disks: Disks;
  readonly #volumes: Volumes;
  readonly moves: Moves;
  readonly #macs = new Macs();
  readonly #servers: Server[] = [];
  #progress: Timer | undefined;
  readonly #startedAt: string;

  private constructor(
    readonly config: CourierConfig,
    readonly store: PageStore,
    readonly clock: Clock,
    private readonly log: (line: string) => void,
  ) {
    this.#startedAt = new Date(clock.wallMs()).toISOString();
    this.#disks = new Disks({
      ...{ ...diskPlaces(config), token: config.token, store, clock, log },
      isOnItsWay: (key, except) => this.isOnItsWay(key, except),
      turn: (peer, begin) => this.#handshakes.take(peer, begin),
    });
    this.moves = new Moves({
      ...{ token: config.token, store, clock, log },
      connect: (peer) => {
        const address = config.peers.get(peer);
        return address && connect({ ...socketOptions(address), allowHalfOpen: false });
      },
      isOnItsWay: (key, except) => this.isOnItsWay(key, except),
      turn: (peer, begin) => this.#handshakes.take(peer, begin),
    });
    const gate = (storage: SparseStorage, volume: VolumeConfig): VolumeGate =>
      this.moves.gate(storage, volume);
    this.#volumes = new Volumes({ volumes: volumePlaces(config), clock, log, gate });
  }

  /** Rejects when a socket or the store cannot be opened; nothing is left open then. */
  static async start(config: CourierConfig, clock: Clock, log: (line: string) => void): Promise<Courier> {
    const { memoryMb, diskMb, directory } = config.store;
    const sizes = { memoryBytes: memoryMb * MIB, diskBytes: diskMb * MIB };
    const store = await PageStore.open({ pageBytes: PAGE_BYTES, ...sizes, directory, clock });
    const courier = new Courier(config, store, clock, log);
    try {
      await courier.#volumes.open();
      await courier.#listen();
    } catch (error) {
      await courier.stop();
      throw error;
    }
    courier.#showProgress();
    return courier;
  }

  async #listen(): Promise<void> {
    const { listen, send, disks, volumes } = this.config;
    for (const route of send) await this.#serve(route.listen, (socket) => this.#goes(socket, route));
    for (const [number, disk] of disks.entries())
      await this.#serve(disk.listen, (socket) => this.#disks.accept(number, socket));
    for (const [number, volume] of volumes.entries())
      if (this.#volumes.isOpen(number))
        await this.#serve(volume.listen, (socket) => this.#volumes.accept(number, socket));
    if (listen !== undefined) await this.#serve(listen, (socket) => this.#comes(socket));
  }

  async #serve(address: Address, accept: (socket: Socket) => void): Promise<void> {
    const server = createServer({ allowHalfOpen: true }, accept);
    await listenAt(server, address);
    server.on('error', () => this.counters.count('accepts_failed'));
    this.#servers.push(server);
  }

  /** Ends all jobs: the hypervisors' migrations fail, and their guests go on. */
  async stop(): Promise<void> {
    this.#progress?.cancel();
    for (const server of this.#servers) server.close();
    for (const socket of this.#waiting) socket.destroy();
    for (const job of [...this.#running, ...this.#strangers, ...this.#silent])
      job.stop('the courier was stopped');
    this.#disks.stop('the courier was stopped');
    this.moves.stop('the courier was stopped');
    await this.#volumes.stop();
    await this.store.close();
  }

  isOnItsWay(key: string, except: object): boolean {
    for (const job of this.#running)
      if (job !== except && job instanceof OutgoingJob && job.isOnItsWay(key)) return true;
    return this.#disks.isOnItsWay(key, except) || this.moves.isOnItsWay(key, except);
  }

  otherJobs(except: object): number {
    let others = 0;
    for (const job of this.#running) if (job !== except && job instanceof IncomingJob) others++;
    return others;
  }

  status(): CourierView {
    const { name, listen, peers } = this.config;
    return {
      name,
      startedAt: this.#startedAt,
      jobsRunning: this.#running.size,
      jobsEnded: this.#ended.length,
      listen: listen === undefined ? null : JSON.stringify(socketOptions(listen)),
      peers: [...peers.keys()],
      disks: this.disks().map(({ destination, role, state }) => `${destination} (${role}): ${state}`),
      counters: {
        ...this.counters.counters(),
        ...this.#disks.counts(),
        ...this.#volumes.counts(),
        ...this.moves.counts(),
      },
    };
  }

  /** As jobs. */
  disks(): readonly DiskView[] {
    return this.#disks.views();
  }

  volumes(): readonly (VolumeView & { readonly move: MoveView | null })[] {
    return this.#volumes.views().map((view) => ({ ...view, move: this.moves.view(view.name) }));
  }

  /** Those that have ended first, at most a hundred of them. */
  jobs(): readonly JobView[] {
    return [...this.#ended, ...[...this.#running].flatMap((job) => job.view() ?? [])];
  }

  /** Of a guest's jobs that begin from now on. A text: there is no such guest. */
  nameMacs(vm: string, to: string, macs: readonly string[]): string | undefined {
    const found = routesOf(this.config, vm, to);
    if (typeof found === 'string') return found;
    this.#macs.name(found.route, macs);
    return undefined;
  }

  storeView(): StoreView {
    return this.store.view();
  }

  #owner(owner: string): string {
    return this.config.store.shared ? '' : owner;
  }

  /** It is not read before it is its turn. */
  #goes(source: Socket, route: Route): void {
    source.on('error', () => undefined);
    this.#waiting.add(source);
    this.#handshakes.take(route.peer, (done) => {
      this.#waiting.delete(source);
      if (source.destroyed) done();
      else this.#leaves(source, route, done);
    });
  }

  /** @param done the other courier is who it should be, or the job is over */
  #leaves(source: Socket, route: Route, done: () => void): void {
    const { peer, destination, owner } = route;
    const address = this.config.peers.get(peer);
    if (address === undefined) throw new Error(`${peer} is not in peers`);
    const socket = connect({ ...socketOptions(address), allowHalfOpen: false });
    const job: OutgoingJob = new OutgoingJob({
      ...{
        job: randomBytes(8).toString('hex'),
        source,
        peer,
        destination,
        owner: this.#owner(owner),
        macs: this.#macs.of(route),
        world: this,
      },
      link: { socket, token: this.config.token, clock: this.clock },
      proven: done,
      ended: () => {
        done();
        this.#over(job);
      },
    });
    this.#begun(job);
  }

  #comes(socket: Socket): void {
    const leave = this.#unproven.take(socket.remoteAddress);
    if (typeof leave === 'string') {
      this.counters.count(leave === 'too-many' ? 'strangers_refused' : 'strangers_refused_host');
      socket.destroy();
      return;
    }
    const job: IncomingJob = new IncomingJob({
      link: { socket, token: this.config.token, clock: this.clock },
      world: this,
      connect: (opening) => this.#destination(opening, job),
      isDisk: (link, codec, { name, payload }) => {
        this.#silent.delete(job);
        if (name === 'volume-open') this.moves.comes(link, payload);
        else this.#disks.comes(link, codec, payload);
      },
      proven: () => {
        leave();
        this.#proven(job);
      },
      ended: () => this.#over(job),
    });
    // Its socket stays for a while when the job is over.
    socket.once('close', leave);
    this.#strangers.add(job);
  }

  #proven(job: IncomingJob): void {
    this.#strangers.delete(job);
    this.#silent.add(job);
    if (this.#silent.size <= MOST_SILENT) return;
    this.counters.count('jobs_refused');
    job.stop('too many hypervisors are connected and say nothing');
  }

  /** The waiting hypervisor's socket, or why this job may not have it. */
  #destination(opening: Opening, job: IncomingJob): Socket | string {
    this.#silent.delete(job);
    const { destination, owner, speaker } = opening;
    const place = this.config.receive.get(destination);
    if (place === undefined) return `there is no destination ${destination}`;
    if (owner !== this.#owner(place.owner))
      return `${destination} belongs to ${this.#owner(place.owner) || 'all'}, not to ${owner || 'all'}`;
    // Channels beside the main one may be as many as they are.
    if (speaker === 'qemu' && this.#isTaken(destination))
      return `another guest is on its way to ${destination}`;
    this.#begun(job);
    return connect({ ...socketOptions(place.connect), allowHalfOpen: true });
  }

  #isTaken(destination: string): boolean {
    return [...this.#running].some(
      (job) =>
        job instanceof IncomingJob &&
        job.opening?.destination === destination &&
        job.opening.speaker === 'qemu' &&
        !job.isOver,
    );
  }

  #begun(job: Job): void {
    this.#running.add(job);
    this.counters.count('jobs_begun');
  }

  #over(job: Job): void {
    // A job may end while it is being made.
    queueMicrotask(() => {
      if (this.#strangers.delete(job as IncomingJob)) this.counters.count('strangers_refused');
      this.#silent.delete(job as IncomingJob);
      if (!this.#running.delete(job)) return;
      const view = job.view();
      if (view === undefined) return;
      this.#ended = [...this.#ended, view].slice(-MOST_ENDED);
      this.counters.count(view.state === 'complete' ? 'jobs_complete' : 'jobs_failed');
      this.counters.count('stream_bytes', view.streamBytes);
      this.counters.count('wan_bytes_sent', view.wanBytesSent);
      this.counters.count('wan_bytes_received', view.wanBytesReceived);
      this.counters.count('pages_sent', view.pagesNew);
      this.counters.count('pages_referenced', view.pagesReferenced);
      this.log(progressLine(view));
    });
  }

  #showProgress(): void {
    this.#progress = this.clock.after('courier-progress', PROGRESS_MS, () => {
      for (const job of this.#running) {
        const view = job.view();
        if (view !== undefined) this.log(progressLine(view));
      }
      for (const line of this.moves.lines()) this.log(`volume move ${line}`);
      this.#showProgress();
    });
  }
}

/** One line for people. */
export function progressLine(view: JobView): string {
  const wan = view.wanBytesSent + view.wanBytesReceived;
  const [way, at] = view.role === 'source' ? ['to', view.peer] : ['from', view.peer.slice(0, 8)];
  const said = [
    `job ${view.job} ${view.destination} ${way} ${at}: ${view.state}`,
    view.reason && `(${view.reason})`,
    `${bytes(view.streamBytes)} in ${view.seconds.toFixed(1)} s, ${bytes(wan)} on the WAN, ${view.savedPercent} % saved`,
    `${view.pages} pages, ${view.pagesReferenced} known there`,
    view.speaker === 'tls' && 'TLS: nothing can be saved, switch it off in the hypervisor',
    view.speaker === 'multifd' && 'a multifd channel',
    view.sha256 !== null &&
      `sha256 ${view.sha256.slice(0, 16)}… ${view.identical === true ? 'same at both ends' : ''}`,
  ];
  return said
    .filter((part) => part !== '' && part !== false)
    .join(', ')
    .replace(', (', ' (');
}
