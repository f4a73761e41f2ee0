/** Hands up to the control thread what a decision finds, as far as it may (`HandshakeGate`, `PuntPolicer`, rates here). */
import { onceIn } from '../../net/rate-limit.js';
import { C } from '../counters.js';
import { Action, D, RELAY_HEADER_BYTES, type StreamEvent } from '../engine.js';
import { HandshakeGate } from '../punt/handshake-gate.js';
import { PeerShares } from '../punt/peer-shares.js';
import type { AddressWords, MessageSource, Punt, ReportKind } from '../punt/punt.js';
import { PuntPolicer } from '../punt/punt-policer.js';
import type { WorkerInput } from '../worker-input.js';
import type { WorkerContext } from './worker-context.js';

const ADDRESS_PROVEN = 4;
/** One report a second for one subject. */
const REPORT_INTERVAL_MS = 1_000;
const NOBODY: AddressWords = { family: 4, words: [0, 0, 0, 0] };
const STREAM_EVENTS = [undefined, 'connected', 'accepted', 'closed'] as const satisfies readonly (
  | keyof typeof StreamEvent
  | undefined
)[];

/** Under what a message is counted that there was no room for. */
const NO_ROOM: Readonly<Record<Punt['type'], number>> = {
  handshake: C.drop_handshake_queue_full,
  stream: C.stream_dropped_queue_full,
  control: C.control_dropped_peer_queue_full,
  sessionConfirmed: C.control_dropped_peer_queue_full,
  clientWanted: C.report_dropped_queue_full,
  want: C.report_dropped_queue_full,
  redirect: C.report_dropped_queue_full,
  sourceElsewhere: C.report_dropped_queue_full,
  macElsewhere: C.report_dropped_queue_full,
  unheardOf: C.report_dropped_queue_full,
};

/** What a worker does besides forwarding. */
export interface WorkerPorts {
  /** Hands a copy up to the control thread. False: there is no room on the way. */
  punt(punt: Punt): boolean;
  /** Ends a TCP connection of the addon's. */
  closeStream(stream: number): void;
}

export class Punter {
  readonly #ctx: WorkerContext;
  readonly #ports: WorkerPorts;
  readonly #policer: PuntPolicer;
  readonly #gate: HandshakeGate;
  readonly #reports: Readonly<Record<ReportKind, { allow(subject: string): boolean }>>;

  constructor(context: WorkerContext, input: WorkerInput, ports: WorkerPorts) {
    const { budgets } = context;
    this.#ctx = context;
    this.#ports = ports;
    const shares = PeerShares.attach(input.puntShares);
    this.#policer = new PuntPolicer(budgets, input, shares);
    this.#gate = new HandshakeGate(budgets);
    const reports = (kind: ReportKind) => budgets.keyed(kind, onceIn(REPORT_INTERVAL_MS));
    this.#reports = {
      want: reports('want'),
      clientWanted: reports('clientWanted'),
      redirect: reports('redirect'),
      sourceElsewhere: reports('sourceElsewhere'),
      macElsewhere: reports('macElsewhere'),
      unheardOf: reports('unheardOf'),
    };
  }

  /** The control message in descriptor `i`. */
  control(i: number): void {
    const ctx = this.#ctx;
    ctx.count(C.control_received);
    const peer = ctx.word(i, D.from);
    switch (this.#policer.control(peer, ctx.word(i, D.length))) {
      case 'pass':
        this.#handUp({ type: 'control', peer, payload: this.#copy(i), source: this.#sourceOf(i) });
        return;
      case 'rate':
        ctx.count(C.control_dropped_peer_rate);
        return;
      case 'full':
        ctx.count(C.control_dropped_peer_queue_full);
    }
  }

  /** The message in descriptor `i` is the first of its session. */
  sessionConfirmed(i: number): void {
    const [peer, session] = [this.#ctx.word(i, D.from), this.#ctx.word(i, D.session) >>> 0];
    this.#policer.sessionConfirmed(peer);
    this.#handUp({ type: 'sessionConfirmed', peer, session });
  }

  /** The handshake message in descriptor `i`: handed up, answered with a cookie, or dropped. */
  handshake(i: number): void {
    const ctx = this.#ctx;
    ctx.count(C.handshake_received);
    const source = this.#sourceOf(i);
    // Who has a connection receives where it says.
    const isProven = source.stream !== undefined || (ctx.word(i, D.sessionFlags) & ADDRESS_PROVEN) !== 0;
    const type = ctx.engine.packets[ctx.word(i, D.offset)] ?? 0;
    switch (this.#gate.judge(type, isProven, source.address)) {
      case 'pass':
        this.#passHandshake(i, 0);
        return;
      case 'cookie':
        ctx.setWord(i, D.action, Action.cookie);
        ctx.count(C.handshake_answered_with_cookie);
        return;
      case 'limited':
        ctx.count(C.drop_handshake_limited);
    }
  }

  /** One that a relay has passed on, behind the relay header. @param sender the number of the router whose it is said to be */
  relayedHandshake(i: number, sender: number): void {
    const ctx = this.#ctx;
    ctx.count(C.handshake_received);
    if (this.#gate.mayPassRelayed(ctx.word(i, D.from), sender)) this.#passHandshake(i, RELAY_HEADER_BYTES);
    else ctx.count(C.drop_handshake_limited);
  }

  /** Something has become of a TCP connection. */
  stream(i: number): void {
    const ctx = this.#ctx;
    const event = STREAM_EVENTS[ctx.word(i, D.sessionFlags)];
    if (event === undefined) return;
    const [stream, errno] = [ctx.word(i, D.session), ctx.word(i, D.length)];
    if (event !== 'accepted') this.#policer.stream();
    else if (!this.#policer.accepted()) {
      // Nothing more is heard of it.
      this.#ports.closeStream(stream);
      ctx.count(C.stream_dropped_queue_full);
      return;
    }
    const isTold = this.#handUp({ type: 'stream', event, stream, source: this.#sourceOf(i), errno });
    if (!isTold && event === 'accepted') this.#ports.closeStream(stream);
  }

  /** A packet waits for a local node's MAC. */
  want(vnet: number, address: AddressWords): void {
    if (this.#mayReport('want', 0, vnet, address)) this.#handUp({ type: 'want', vnet, address });
  }

  /** There is a packet for a WireGuard client that has no session. */
  clientWanted(peer: number): void {
    if (this.#mayReport('clientWanted', peer, 0, NOBODY)) this.#handUp({ type: 'clientWanted', peer });
  }

  /** A packet from `peer` was for a node that is elsewhere. */
  redirect(peer: number, vnet: number): void {
    const address = this.#ctx.destinationWords();
    if (this.#mayReport('redirect', peer, vnet, address))
      this.#handUp({ type: 'redirect', peer, vnet, address });
  }

  /** A frame's source is a node that the directory has elsewhere. */
  sourceElsewhere(lan: number, vnet: number, mac: number): void {
    const address = this.#ctx.sourceWords();
    if (this.#mayReport('sourceElsewhere', 0, vnet, address))
      this.#handUp({ type: 'sourceElsewhere', lan, vnet, address, mac });
  }

  /** A machine that the directory has elsewhere sends frames to others on this LAN. */
  macElsewhere(lan: number, vnet: number, mac: number): void {
    if (
      this.#mayReport('macElsewhere', lan, vnet, {
        family: 4,
        words: [0, 0, Math.floor(mac / 2 ** 32), mac | 0],
      })
    ) {
      this.#handUp({ type: 'macElsewhere', lan, vnet, mac });
    }
  }

  /** A packet is for the MAC of a machine that is elsewhere, and for an address that no node is known to have. */
  unheardOf(vnet: number, mac: number): void {
    const address = this.#ctx.destinationWords();
    if (this.#mayReport('unheardOf', 0, vnet, address)) {
      this.#handUp({ type: 'unheardOf', vnet, address, mac });
    }
  }

  /** A flood of one kind of report does not keep others back. */
  #mayReport(kind: ReportKind, peer: number, vnet: number, address: AddressWords): boolean {
    if (!this.#reports[kind].allow(`${peer} ${vnet} ${address.words.join()}`)) return false;
    if (this.#policer.report(kind)) return true;
    this.#ctx.count(C.report_dropped_queue_full);
    return false;
  }

  /** False, and counted: there is no room. */
  #handUp(punt: Punt): boolean {
    if (this.#ports.punt(punt)) return true;
    this.#policer.takeBack(punt);
    this.#ctx.count(NO_ROOM[punt.type]);
    return false;
  }

  #passHandshake(i: number, skip: number): void {
    if (this.#policer.handshake())
      this.#handUp({ type: 'handshake', bytes: this.#copy(i, skip), source: this.#sourceOf(i) });
    else this.#ctx.count(C.drop_handshake_queue_full);
  }

  /** A copy of what descriptor `i` describes, from byte `skip` on: its slot is the engine's again soon. */
  #copy(i: number, skip = 0): Uint8Array {
    const offset = this.#ctx.word(i, D.offset);
    return this.#ctx.engine.packets.slice(offset + skip, offset + this.#ctx.word(i, D.length));
  }

  #sourceOf(i: number): MessageSource {
    const ctx = this.#ctx;
    const [stream, relay] = [ctx.word(i, D.sourceStream), ctx.word(i, D.sourceRelay)];
    return {
      address: {
        family: ctx.word(i, D.sourceFamily) === 6 ? 6 : 4,
        words: [
          ctx.word(i, D.sourceWord0),
          ctx.word(i, D.sourceWord1),
          ctx.word(i, D.sourceWord2),
          ctx.word(i, D.sourceWord3),
        ],
      },
      port: ctx.word(i, D.sourcePort),
      stream: stream === 0 ? undefined : stream - 1,
      relay: relay === 0 ? undefined : relay - 1,
    };
  }
}
