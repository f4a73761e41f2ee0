/**
 * The WAN as the tunnel's own control channel makes it: links, envelopes and their codec are the daemon's, over sessions
 * that are there whenever a path is (the handshake is tested elsewhere). Payloads are lost, late and doubled.
 */
import type { Clock } from '../../src/net/clock.js';
import { Conduct } from '../../src/protocol/conduct.js';
import { ControlCodec } from '../../src/protocol/control-codec.js';
import { type HelloMessage, isTableMessage } from '../../src/protocol/control-message.js';
import { split } from '../../src/protocol/split.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import type { RouterId } from '../../src/tables/model.js';
import { Counters } from '../../src/tunnel/counters.js';
import { Link, type LinkContext, type LinkListener, type LinkPath } from '../../src/tunnel/link/link.js';
import { Position } from '../../src/tunnel/link/position.js';
import { DEFAULT_TIMES } from '../../src/tunnel/times.js';
import type { WanEnd, WanOptions } from './sim-lan-wan.js';

/** Pings are rarer than in life: a history is minutes long, and they are most of its messages. */
const TIMES = { ...DEFAULT_TIMES, pingIntervalMs: 5_000, deadAfterMs: 15_000, keepaliveMs: 30_000 };
const SESSION_MS = 60;
const RETRY_MS = 2_000;

/** Of an epoch before, or of a link that has ended: none of the sender's doing. */
const ORDINARY: ReadonlySet<string> = new Set(['control_drop_no_link', 'control_drop_other_epoch']);

const codec = new ControlCodec();
/** Routers have one path to each other here. */
const ONE_PATH: LinkPath = {
  path: undefined,
  authenticatedPacketReceived: () => {},
  pinged: () => {},
  answered: () => {},
};

/** Counters whose every count is heard. */
class HeardCounters extends Counters {
  readonly #heard: (name: string) => void;

  constructor(heard: (name: string) => void) {
    super();
    this.#heard = heard;
  }

  override add(name: Parameters<Counters['add']>[0], by = 1): void {
    super.add(name, by);
    this.#heard(name);
  }
}

/** One router's end of its link with another. */
interface End {
  readonly owner: RouterId;
  readonly peer: RouterId;
  readonly link: Link;
}

export class SimLinkWan {
  readonly #clock: Clock;
  readonly #options: WanOptions;
  readonly #random: () => number;
  readonly #routers = new Map<RouterId, WanEnd>();
  readonly #up = new Set<RouterId>();
  /** By `owner peer`. */
  readonly #ends = new Map<string, End>();
  readonly #cut = new Set<string>();
  sent = 0;
  /** Told of every message when it is sent, by a channel or past one. */
  tap: ((from: RouterId, to: RouterId, message: TableMessage) => void) | undefined;
  /** Payloads that a router's decoder refused: nobody who is honest sends such. */
  readonly refused: { readonly by: RouterId; readonly from: RouterId; readonly why: string }[] = [];

  constructor(clock: Clock, options: WanOptions, random: () => number) {
    this.#clock = clock;
    this.#options = options;
    this.#random = random;
  }

  /** A router is there, for the first time or again. It knows nothing of its former links. */
  join(id: RouterId, router: WanEnd): void {
    this.#routers.set(id, router);
    this.#up.add(id);
  }

  /** A router is gone in mid-sentence. */
  leave(id: RouterId): void {
    this.#up.delete(id);
    for (const [key, { owner, link }] of this.#ends) {
      if (owner !== id) continue;
      this.#ends.delete(key);
      link.stop('gone');
    }
  }

  /** Router `id` does not know `peer` any more: no session comes to be again. */
  part(id: RouterId, peer: RouterId): void {
    this.cut(id, peer);
    const key = `${id} ${peer}`;
    const link = this.#ends.get(key)?.link;
    this.#ends.delete(key);
    link?.stop('not a member any more');
  }

  /** Routers that are there begin to talk to each other. */
  connectAll(): void {
    for (const a of this.#up) for (const b of this.#up) if (a < b) this.#connect(a, b);
  }

  upPeers(of: RouterId): readonly RouterId[] {
    return [...this.#routers.keys()].filter((id) => this.#ends.get(`${of} ${id}`)?.link.state === 'up');
  }

  send(from: RouterId, to: RouterId, message: TableMessage): void {
    this.tap?.(from, to, message);
    const link = this.#ends.get(`${from} ${to}`)?.link;
    for (const part of split(message)) if (link?.send(part) === true) this.sent++;
  }

  /** What a router says whose channel is its own: without a window, acknowledged or not. */
  say(from: RouterId, to: RouterId, message: TableMessage): void {
    const { delayMs, jitterMs, loss } = this.#options;
    this.tap?.(from, to, message);
    if (this.#random() < loss) return;
    this.#clock.after('payload', delayMs + this.#random() * jitterMs, () => {
      const isHeard = this.isWhole(from, to) && this.#ends.get(`${to} ${from}`)?.link.state === 'up';
      if (isHeard) this.#routers.get(to)?.message(from, message);
    });
  }

  cut(a: RouterId, b: RouterId): void {
    this.#cut.add(pairKey(a, b));
  }

  heal(a: RouterId, b: RouterId): void {
    if (this.#cut.delete(pairKey(a, b))) this.#connect(a, b);
  }

  isWhole(a: RouterId, b: RouterId): boolean {
    return this.#up.has(a) && this.#up.has(b) && !this.#cut.has(pairKey(a, b));
  }

  /** A session comes to be, if there is a path; else it is tried again as long as one end wants it. */
  #connect(a: RouterId, b: RouterId): void {
    this.#clock.after('handshake', SESSION_MS, () => {
      if (!this.isWhole(a, b)) return;
      for (const [owner, peer] of [
        [a, b],
        [b, a],
      ] as const) {
        this.#end(owner, peer).link.sessionReady(this.#options.delayMs * 2);
      }
    });
  }

  #end(owner: RouterId, peer: RouterId): End {
    const key = `${owner} ${peer}`;
    const known = this.#ends.get(key);
    if (known !== undefined) return known;
    const router = (): WanEnd | undefined => (this.#up.has(owner) ? this.#routers.get(owner) : undefined);
    const listener: LinkListener = {
      up: () => router()?.peerUp(peer),
      down: () => router()?.peerDown(peer),
      ended: () => this.#retry(owner, peer),
      changed: () => {},
      counted: () => {},
      message: (message) => {
        if (isTableMessage(message)) router()?.message(peer, message);
      },
    };
    const link = new Link(0, peer, this.#contextOf(owner, peer), listener, ONE_PATH);
    const end = { owner, peer, link };
    this.#ends.set(key, end);
    return end;
  }

  #retry(owner: RouterId, peer: RouterId): void {
    this.#clock.after('handshake', RETRY_MS, () => {
      if (this.#ends.get(`${owner} ${peer}`)?.link.state !== 'idle') return;
      if (this.isWhole(owner, peer)) this.#connect(owner, peer);
      else if (this.#up.has(owner)) this.#retry(owner, peer);
    });
  }

  #contextOf(owner: RouterId, peer: RouterId): LinkContext {
    const unused = (): never => {
      throw new Error('a link does not do that');
    };
    const hello: HelloMessage = {
      type: 'hello',
      routerId: owner,
      version: '0',
      protocolMajor: 1,
      protocolMinor: 0,
      capabilities: [],
      gndtDigest: new Uint8Array(32),
      innerMtuBytes: 1400,
    };
    const ports: LinkContext['ports'] = {
      clock: this.#clock,
      random: unused,
      installSession: unused,
      setCurrentSession: unused,
      removeSession: unused,
      setPeerEndpoint: unused,
      removePeer: unused,
      sendDatagram: unused,
      sealAndSend: (_peer, payload) => this.#transmit(owner, peer, payload.slice()),
    };
    const refused = (name: string): void => {
      if (name.startsWith('control_drop_') && !ORDINARY.has(name))
        this.refused.push({ by: owner, from: peer, why: name });
    };
    return {
      codec,
      ports,
      times: TIMES,
      self: { hello, leastMinor: 0 },
      counters: new HeardCounters(refused),
      conduct: new Conduct(this.#clock),
      routers: { standingOf: () => 'unknown' },
      position: new Position(() => 0.5),
    };
  }

  #transmit(from: RouterId, to: RouterId, payload: Uint8Array): boolean {
    const { delayMs, jitterMs, loss, duplicate } = this.#options;
    if (payload.length === 0 || this.#random() < loss) return true;
    const copies = this.#random() < duplicate ? 2 : 1;
    for (let copy = 0; copy < copies; copy++) {
      this.#clock.after('payload', delayMs + this.#random() * jitterMs, () => {
        if (this.isWhole(from, to)) this.#ends.get(`${to} ${from}`)?.link.received(payload);
      });
    }
    return true;
  }
}

function pairKey(a: RouterId, b: RouterId): string {
  return a < b ? `${a} ${b}` : `${b} ${a}`;
}
