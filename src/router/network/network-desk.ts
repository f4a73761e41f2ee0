/** The signed description in the running router: the agreement, connected to the disk, the reloader and the operators. */
import type { LoadOutcome, VineConfig } from '../../config/load.js';
import { readTrialFile } from '../../config/trial-file.js';
import type { NetworkView, PublishRequest, PublishView } from '../../control/network-view.js';
import type { NameLookupAddon } from '../../dataplane/name-lookup.js';
import { Agreement } from '../../membership/agreement.js';
import type { ApplyOutcome, TrialRecord } from '../../membership/agreement-ports.js';
import { type Description, textOf } from '../../membership/description.js';
import { successionDocument } from '../../membership/succession.js';
import type { Clock } from '../../net/clock.js';
import { NAME } from '../../net/name.js';
import type { Conduct } from '../../protocol/conduct.js';
import type { NetworkMessage } from '../../protocol/network-message.js';
import { encodeKey } from '../../tables/files/read.js';
import type { RouterId } from '../../tables/model.js';
import { siteResolver } from '../../tables/sites.js';
import type { Reloader } from '../reload/reloader.js';
import type { EventHub } from '../view/event-hub.js';
import { DESCRIPTION_EVENTS } from './description-events.js';
import { DescriptionFiles } from './description-files.js';
import { EtcdDesk } from './etcd-desk.js';

export interface NetworkDeskOptions {
  readonly clock: Clock;
  readonly conduct: Conduct;
  readonly hub: EventHub;
  /** What the router starts with; its `network` is pinned. */
  readonly config: VineConfig;
  readonly pinned: Uint8Array;
  readonly reloader: Reloader;
  /** Looks host names up. */
  readonly native: NameLookupAddon;
  /** Reads the configuration with this in the place of gndt.json, or as it lies there. */
  readonly load: (description?: Description) => LoadOutcome;
  readonly tunnel: { say(to: RouterId, message: NetworkMessage): void; upPeers(): RouterId[] };
}

export class NetworkDesk {
  readonly #options: NetworkDeskOptions;
  readonly #files: DescriptionFiles;
  readonly #agreement: Agreement;
  readonly #etcd: EtcdDesk | undefined;
  readonly #startWarnings: string[] = [];
  /** What ran before the one on trial; undefined also when the trial began before this start. */
  #before: VineConfig | undefined;

  constructor(options: NetworkDeskOptions) {
    this.#options = options;
    const { clock, conduct, config, hub, pinned, tunnel } = options;
    const { stateDir } = config.router;
    this.#files = new DescriptionFiles(stateDir);
    this.#agreement = new Agreement(
      {
        clock,
        conduct,
        say: (to, message) => tunnel.say(to, message),
        upPeers: () => tunnel.upPeers(),
        apply: (description, record) => this.#apply(description, record),
        goBack: (record) => this.#goBack(record),
        keepRecord: (record) => this.#files.keepRecord(record),
        keepSuccession: (document) => this.#files.keepSuccession(document),
        removesOf,
        event: (event, fields) =>
          hub.emit(DESCRIPTION_EVENTS[event][0], event, DESCRIPTION_EVENTS[event][1], fields),
      },
      {
        pinned,
        successions: config.successions ?? [],
        present: config.description,
        record: readTrialFile(stateDir, this.#startWarnings),
      },
    );
    options.reloader.subscribe((applied) => this.#agreement.reloaded(applied.description));
    const { etcd } = config.router.network ?? {};
    this.#etcd =
      etcd && new EtcdDesk({ ...options, etcd, judge: (...heard) => this.#agreement.offered(...heard) });
  }

  counters(): Readonly<Record<string, number>> {
    return { ...this.#agreement.counters(), ...this.#etcd?.counters() };
  }

  start(): void {
    this.#agreement.start();
    this.#etcd?.start();
  }

  stop(): void {
    this.#etcd?.stop();
    this.#agreement.stop();
  }

  peerUp(router: RouterId): void {
    this.#agreement.peerUp(router);
  }

  peerDown(router: RouterId): void {
    this.#agreement.peerDown(router);
  }

  received(from: RouterId, message: NetworkMessage): void {
    this.#agreement.received(from, message);
  }

  warnings(): readonly string[] {
    return [...this.#startWarnings, ...this.conditions()];
  }

  /** Those of the warnings that `view` says too. */
  conditions(): readonly string[] {
    const { present, verdict } = this.#agreement;
    const trial = this.#agreement.trialView();
    const lines: string[] = [];
    if (trial !== undefined)
      lines.push(
        `version ${present?.version} of the description is on trial, for ${Math.ceil(trial.remainingMs / 1_000)} s yet: ${trial.lost.length} of ${trial.of} peers are lost`,
      );
    if (verdict !== undefined)
      lines.push(`version ${verdict.version} of the description was ${verdict.outcome}: ${verdict.reason}`);
    return [...lines, ...(this.#etcd?.warnings() ?? [])];
  }

  view(): NetworkView {
    const { pinned, reloader } = this.#options;
    const { present, successions, undone } = this.#agreement;
    const { gndt } = reloader.config;
    const newest = successions.at(-1);
    const trial = this.#agreement.trialView();
    const siteOf = siteResolver(gndt.sites);
    const vnets = new Map(gndt.vnets.map(({ id, name }) => [id, name]));
    return {
      publicKey: encodeKey(pinned),
      newestKey: newest === undefined ? null : encodeKey(newest.newKey),
      newestKeyUntil: newest === undefined ? null : new Date(newest.untilSeconds * 1_000).toISOString(),
      successions:
        newest === undefined ? null : Buffer.from(successionDocument(successions)).toString('base64'),
      version: present?.version ?? null,
      digest: present?.digest ?? null,
      trial:
        trial === undefined
          ? null
          : { lost: trial.lost, of: trial.of, remainingSeconds: Math.ceil(trial.remainingMs / 1_000) },
      undone: undone.map(({ version, reason }) => ({ version, reason })),
      etcd: this.#etcd?.view() ?? null,
      routers: gndt.routers.map(({ id }) => {
        const site = siteOf(id);
        return { id, site: site === id ? null : site, ...this.#viewOf(id) };
      }),
      networks: gndt.networks.map(({ vnet, prefix, router }) => ({
        vnet: vnets.get(vnet) ?? String(vnet),
        prefix: prefix.key,
        router,
      })),
    };
  }

  /** What runs here, as it was signed; undefined: it is not. */
  document(): Uint8Array | undefined {
    return this.#agreement.present?.document;
  }

  async publish({ description, succession }: PublishRequest): Promise<PublishView | string> {
    const before = this.#options.reloader.config.gndt;
    const { present } = this.#agreement;
    const trying = before.routers.map(({ id }) => id).filter((id) => this.#agreement.stateOf(id)?.trial);
    // Not the key alone when both are given.
    const waits = description === undefined ? undefined : this.#agreement.mustWait();
    if (succession !== undefined && waits !== undefined) return waits;
    if (succession !== undefined) {
      const problem = await this.#agreement.succeed(succession);
      if (problem !== undefined) return problem;
    }
    if (description === undefined) return { version: null, warnings: [] };
    const taken = await this.#agreement.publish(description);
    if (typeof taken === 'string') return taken;
    const { gndt } = this.#options.reloader.config;
    const named = new Set([...gndt.routers.map(({ id }) => id), ...(gndt.removes ?? [])]);
    const gone = before.routers.map(({ id }) => id).filter((id) => !named.has(id));
    const warning = `it takes ${gone.join(', ')} away without saying so, which counts as lost: "vinectl network sign --remove ${gone.join(',')}" says that it is meant`;
    const early = `${trying.join(', ')} tried version ${present?.version} still: whom this one cuts off there undoes that one too`;
    const isNew = taken.digest !== present?.digest;
    return {
      version: taken.version,
      warnings: [...(gone.length === 0 ? [] : [warning]), ...(isNew && trying.length > 0 ? [early] : [])],
    };
  }

  #viewOf(id: RouterId): Omit<NetworkView['routers'][number], 'id' | 'site'> {
    const { tunnel, config } = this.#options;
    const { present } = this.#agreement;
    if (id === config.router.id) {
      const { verdict } = this.#agreement;
      const state = this.#agreement.trialView() === undefined ? 'current' : 'trial';
      return { reachable: true, version: present?.version ?? null, state, verdict: verdictView(verdict) };
    }
    const said = this.#agreement.stateOf(id);
    const its = said?.documents.find(({ kind }) => kind === 'description');
    const reachable = tunnel.upPeers().includes(id);
    const base = { reachable, version: its?.version ?? null, verdict: verdictView(said?.verdict) };
    if (said === undefined) return { ...base, state: 'unknown' };
    const own = present?.version ?? 0;
    const version = its?.version ?? 0;
    if (version !== own) return { ...base, state: version < own ? 'older' : 'newer' };
    if (its?.digest !== present?.digest) return { ...base, state: 'differs' };
    return { ...base, state: said.trial ? 'trial' : 'current' };
  }

  async #apply(description: Description, record: TrialRecord): Promise<ApplyOutcome> {
    const { reloader, load } = this.#options;
    const before = reloader.config;
    const isOnTrial = this.#agreement.trialView() !== undefined;
    const taken = await reloader.take(
      () => load(description),
      () => this.#files.take(description, record, isOnTrial),
      false,
    );
    if (taken.outcome === 'applied' && !isOnTrial) this.#before = before;
    // So that a start takes it.
    if (taken.outcome === 'restart')
      await this.#files.take(description, { ...record, trial: null }, isOnTrial);
    return taken;
  }

  async #goBack(record: TrialRecord): Promise<Description | undefined> {
    const { reloader, load } = this.#options;
    const version = this.#agreement.present?.version ?? 0;
    const before = this.#before;
    this.#before = undefined;
    const here = reloader.config;
    // What else was reloaded meanwhile stays.
    const known = before && {
      ...here,
      gndt: before.gndt,
      lndt: before.lndt,
      description: before.description,
    };
    const taken = await reloader.take(
      () => (known === undefined ? load() : { config: known, warnings: [] }),
      () => this.#files.goBack(version, record),
      true,
    );
    if (taken.outcome !== 'applied') throw new Error(taken.reason);
    return reloader.config.description;
  }
}

function verdictView(verdict: Agreement['verdict']): NetworkView['routers'][number]['verdict'] {
  if (verdict === undefined) return null;
  const { outcome, version, reason } = verdict;
  return { outcome, version, reason };
}

/** Of what was signed; names that are none are no routers. */
function removesOf(description: Description): readonly RouterId[] {
  const text = textOf(description);
  if ('errors' in text) return [];
  const { removes } = JSON.parse(text.value) as { removes?: unknown };
  if (!Array.isArray(removes)) return [];
  return removes.filter((id): id is string => typeof id === 'string' && NAME.test(id));
}
