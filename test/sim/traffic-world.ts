/** Routers that tell each other what they have counted, on a wire of 20 ms, without tunnels; one of them says what a test wants. */
import assert from 'node:assert/strict';
import type { TrafficRequest, TrafficView } from '../../src/control/traffic-view.js';
import { Action } from '../../src/dataplane/descriptor.js';
import type { Flow, FlowCounts } from '../../src/dataplane/flows/flow-harvest.js';
import { FlowKind } from '../../src/dataplane/flows/flow-memory.js';
import { Ip } from '../../src/net/ip.js';
import { Prefix } from '../../src/net/prefix.js';
import { Conduct } from '../../src/protocol/conduct.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { TrafficAskMessage, TrafficMessage } from '../../src/protocol/traffic-message.js';
import { TrafficDesk } from '../../src/router/traffic/desk.js';
import { Directory } from '../../src/tables/directory.js';
import { Gndt } from '../../src/tables/gndt.js';
import type { GndtConfig, RouterId } from '../../src/tables/model.js';
import { SimClock } from '../support/sim-clock.js';

export const HONEST: readonly RouterId[] = ['vr-a', 'vr-b', 'vr-c'];
export const MAD: RouterId = 'vr-d';
const ALL = [...HONEST, MAD];
const VNET = 1;
const DELAY_MS = 20;
/** Of each flow, each second. */
const COUNTS: FlowCounts = { packets: 2, bytes: 1_500 };

const CONFIG: GndtConfig = {
  vnets: [{ name: 'blue', id: VNET, subnet: undefined }],
  routers: ALL.map((id, i) => ({
    id,
    publicKey: new Uint8Array(32).fill(i + 1),
    endpoints: [],
    relay: false,
  })),
  sites: [],
  networks: ALL.flatMap((router, i) =>
    [`10.${i + 1}.0.0/24`, `fd00:${i + 1}::/64`].map((prefix) => ({
      vnet: VNET,
      prefix: Prefix.of(prefix),
      router,
      gateway: undefined,
      allow: undefined,
    })),
  ),
  cipher: 'auto',
  nodes: [],
};

interface Member {
  readonly desk: TrafficDesk;
  readonly conduct: Conduct;
}

/** What a router's nodes send to the next honest site's, in both families. */
function flowsOf(router: RouterId, gndt: Gndt): Flow[] {
  const from = HONEST.indexOf(router);
  const to = (from + 1) % HONEST.length;
  const ends = (i: number, host: number) => [`10.${i + 1}.0.${host}`, `fd00:${i + 1}::${host}`];
  return [0, 1].map((family) => ({
    family: family === 0 ? 4 : 6,
    vnet: VNET,
    kind: FlowKind.frame,
    from: 0,
    source: Ip.of(ends(from, 1)[family] ?? '').words,
    destination: Ip.of(ends(to, 2)[family] ?? '').words,
    action: Action.tunnel,
    to: gndt.peerIndex(HONEST[to] ?? ''),
  }));
}

export class TrafficWorld {
  readonly clock = new SimClock();
  /** Messages that were on the wire. */
  carried = 0;
  readonly #members = new Map<RouterId, Member>();
  readonly #codec = new ControlCodec();
  readonly #mad: (asked: TrafficAskMessage, from: RouterId) => void;

  /** @param mad what it does when it is asked */
  constructor(mad: (asked: TrafficAskMessage, from: RouterId) => void) {
    this.#mad = mad;
    for (const router of HONEST) this.#members.set(router, this.#member(router));
  }

  /** Unix time at the beginning of the last period that has ended, by its length. */
  get lastPeriod(): number {
    return Math.floor(this.clock.wallMs() / 30_000) - 1;
  }

  /** What the pairs between honest sites have had in so many seconds. */
  truth(seconds: number): string[] {
    return HONEST.flatMap((router) => {
      const gndt = new Gndt(CONFIG, router);
      return flowsOf(router, gndt).map(({ family, source, destination }) => {
        const [from, to] = [Ip.fromWords(family, source), Ip.fromWords(family, destination)];
        return `${router} ${from.key} ${to.key} ${seconds * COUNTS.bytes}`;
      });
    }).sort();
  }

  /** As its receiver reads it; what that cannot read arrives nowhere. */
  carry(from: RouterId, to: RouterId, message: TrafficMessage): void {
    this.carried++;
    const payload = this.#codec.encode({ id: 0, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body: message });
    const decoded = this.#codec.decode(payload);
    assert.ok(from === MAD || typeof decoded !== 'string', String(decoded));
    if (typeof decoded === 'string') return;
    const body = decoded.envelope.body as TrafficMessage;
    this.clock.after('wire', DELAY_MS, () => {
      if (to !== MAD) this.#at(to).desk.received(from, body);
      else if (body.type === 'trafficAsk') this.#mad(body, from);
    });
  }

  async ask(router: RouterId, request: TrafficRequest): Promise<TrafficView> {
    const asked = this.#at(router).desk.ask(request);
    const answer = { view: undefined as TrafficView | string | undefined };
    void asked.then((view) => {
      answer.view = view;
    });
    for (let waitedMs = 0; answer.view === undefined; waitedMs += 100) {
      assert.ok(waitedMs <= 1_000 * (request.waitSeconds + 1), 'no answer in time');
      await this.pass(100, 10);
    }
    if (typeof answer.view === 'string') assert.fail(answer.view);
    return answer.view;
  }

  /** Kind → how often. */
  refusals(router: RouterId): Record<string, number> {
    const counters = Object.entries(this.#at(router).desk.counters());
    return Object.fromEntries(counters.filter(([name]) => name.startsWith('traffic_refused_')));
  }

  isMisbehaving(router: RouterId): boolean {
    return this.#at(router).conduct.isMisbehaving(MAD);
  }

  async pass(ms: number, stepMs = 50): Promise<void> {
    for (let left = ms; left > 0; left -= stepMs) {
      this.clock.advance(Math.min(stepMs, left));
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  #member(router: RouterId): Member {
    const { clock } = this;
    const gndt = new Gndt(CONFIG, router);
    const conduct = new Conduct(clock);
    const flows = flowsOf(router, gndt);
    const desk = new TrafficDesk({
      clock,
      conduct,
      isActive: () => true,
      tables: { gndt, directory: new Directory(router, clock) },
      plane: {
        *harvest(told): Generator<void> {
          for (const flow of flows) told(flow, COUNTS);
          yield;
        },
        unattributed: () => ({ packets: 0, bytes: 0 }),
      },
      config: { keepSeconds: 86_400, export: [], listen: [], exporters: undefined, sensors: undefined },
      tunnel: {
        say: (to, message) => this.carry(router, to, message),
        upPeers: () => ALL.filter((other) => other !== router),
      },
    });
    desk.start();
    return { desk, conduct };
  }

  #at(router: RouterId): Member {
    const member = this.#members.get(router);
    assert.ok(member, router);
    return member;
  }
}
