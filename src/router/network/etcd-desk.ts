/** The etcd that has the description too: followed, judged as a peer is, and shown. */
import type { LookupFunction } from 'node:net';
import { EtcdGateway } from '../../config/etcd-gateway.js';
import type { EtcdView } from '../../control/network-view.js';
import type { NameLookupAddon } from '../../dataplane/name-lookup.js';
import { type EtcdEventName, EtcdFollower } from '../../membership/etcd/follower.js';
import type { Clock } from '../../net/clock.js';
import { Ip } from '../../net/ip.js';
import type { EtcdConfig } from '../../tables/model.js';
import type { EventHub, EventLevel } from '../view/event-hub.js';

const EVENTS: Readonly<Record<EtcdEventName, readonly [EventLevel, string]>> = {
  etcd_reached: ['info', 'the etcd with the description answers'],
  etcd_lost: ['warn', 'no etcd with the description answers; the last version stays'],
  etcd_description_refused: ['warn', 'what is in the etcd does not count here'],
};

export interface EtcdDeskOptions {
  readonly clock: Clock;
  readonly hub: Pick<EventHub, 'emit'>;
  readonly etcd: EtcdConfig;
  readonly native: NameLookupAddon;
  /** A string: why it does not count. */
  judge(document: Uint8Array, from: string): string | undefined;
}

export class EtcdDesk {
  readonly #options: EtcdDeskOptions;
  readonly #follower: EtcdFollower;

  constructor(options: EtcdDeskOptions) {
    this.#options = options;
    const { clock, hub, etcd, native, judge } = options;
    this.#follower = new EtcdFollower({
      clock,
      port: new EtcdGateway(etcd, lookupBy(native)),
      endpoints: etcd.endpoints,
      random: Math.random,
      judge: (document) => judge(document, `etcd:${etcd.key}`),
      event: (name, fields) => hub.emit(EVENTS[name][0], name, EVENTS[name][1], fields),
    });
  }

  start(): void {
    this.#follower.start();
  }

  stop(): void {
    this.#follower.stop();
  }

  counters(): Readonly<Record<string, number>> {
    return this.#follower.counters();
  }

  warnings(): readonly string[] {
    const { isReached, sinceWallMs, failure, refusal } = this.#follower.view();
    if (!isReached && sinceWallMs !== undefined)
      return [
        `no etcd answers since ${stamp(sinceWallMs)}: ${failure?.endpoint}: ${failure?.detail}; the description stays, and routers tell each other of another one`,
      ];
    return refusal === undefined ? [] : [`${this.#options.etcd.key} in etcd does not count here: ${refusal}`];
  }

  view(): EtcdView {
    const { endpoints, key } = this.#options.etcd;
    const { endpoint, isReached, sinceWallMs, revision, refusal, failure } = this.#follower.view();
    return {
      endpoints,
      key,
      endpoint,
      reached: isReached,
      since: sinceWallMs === undefined ? null : stamp(sinceWallMs),
      revision: revision === undefined ? null : String(revision),
      refusal: refusal ?? null,
      lastProblem: failure
        ? {
            at: stamp(failure.atWallMs),
            endpoint: failure.endpoint,
            problem: failure.problem,
            reason: failure.detail,
          }
        : null,
    };
  }
}

/** In threads that nobody waits for: a name server that is silent holds nothing else up. */
function lookupBy(native: NameLookupAddon): LookupFunction {
  return (name, { all, family }, done) => {
    const fail = (code: string): void => done(Object.assign(new Error(code), { code }), '', 0);
    const wanted = family === 4 || family === 6 ? [family] : [4, 6];
    try {
      native.lookUpName(name, (code, addresses) => {
        const found = addresses
          .map((bytes) => ({ bytes, family: bytes.length === 4 ? (4 as const) : (6 as const) }))
          .filter((one) => wanted.includes(one.family))
          .map((one) => ({ address: String(Ip.read(one.family, one.bytes, 0)), family: one.family }));
        const [first] = found;
        if (first === undefined) fail(code === 'EAI_AGAIN' ? code : 'ENOTFOUND');
        else if (all) done(null, found);
        else done(null, first.address, first.family);
      });
    } catch {
      setImmediate(fail, 'EAI_AGAIN');
    }
  };
}

function stamp(wallMs: number): string {
  return new Date(wallMs).toISOString();
}
