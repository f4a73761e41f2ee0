/**
 * The control link with one peer, on top of whatever session is current: greeting, liveness, delivery.
 *
 *   idle ──session──▶ greeting ──Hello──▶ up
 *                        │                │
 *                        └──── refused ◀──┘   (another protocol major; kept a moment so that the peer hears why)
 *
 * A session that replaces another changes nothing but that Hellos are exchanged again. A peer that has begun anew (a
 * Hello of a later epoch) is reported as down and up again, since it has forgotten what it was told.
 * After `ended` was called the link is as new; its owner decides what becomes of the sessions.
 */
import type { Timer } from '../net/clock.js';
import { MAX_INNER_MTU_BYTES } from '../protocol/constants.js';
import type {
  ByeMessage,
  HelloMessage,
  IntroductionMessage,
  PongMessage,
} from '../protocol/control-message.js';
import type { Envelope } from '../protocol/envelope.js';
import type { TableMessage } from '../protocol/table-message.js';
import type { RouterId } from '../tables/model.js';
import { MAX_STAMP } from '../tables/record.js';
import { Channel, type Way } from './channel.js';
import { type OutputContext, SealedOutput } from './envelope-output.js';
import { OwnStall } from './own-stall.js';
import { samePath } from './paths/path.js';
import { type Ping, Pings } from './pings.js';
import type { DatagramAddress, PeerCounts } from './ports.js';
import { RttEstimator } from './rtt.js';
import type { TunnelTimes } from './times.js';

export type LinkState = 'idle' | 'greeting' | 'up' | 'refused';

/** How a link ends: nothing was heard, the peer said Bye, or one of the two does not talk to the other. */
export type LinkEnd = 'dead' | 'bye' | 'refused';

export interface LinkListener {
  up(hello: HelloMessage): void;
  /** It is up, and says something else of itself than before. */
  changed(hello: HelloMessage, before: HelloMessage): void;
  /** Was up, is no more; before `ended`, or alone when the peer has begun anew. */
  down(reason: string): void;
  ended(how: LinkEnd, reason: string): void;
  /** Every tick, when the packet engine counts. */
  counted(counts: PeerCounts): void;
  message(message: TableMessage): void;
  introduction(message: IntroductionMessage): void;
}

/** The paths that a link's messages take. */
export interface LinkPath {
  /** The one in use. */
  readonly path: DatagramAddress | undefined;
  /** An authenticated message of the peer's present self has come by it. */
  authenticatedPacketReceived(source: DatagramAddress): void;
  /** A regular Ping was sent. */
  pinged(): void;
  /** By the path that it was sent by. */
  answered(ping: Ping): void;
}

export interface LinkContext extends OutputContext {
  readonly times: TunnelTimes;
  /** What we greet with now; a reload changes it. */
  readonly self: { readonly hello: HelloMessage };
}

export class Link {
  readonly #peer: number;
  readonly #expectedId: RouterId;
  readonly #context: LinkContext;
  readonly #listener: LinkListener;
  readonly #paths: LinkPath;
  readonly rtt = new RttEstimator();
  readonly #output: SealedOutput;
  readonly #channel: Channel;
  #currentState: LinkState = 'idle';
  #peerHello: HelloMessage | undefined;
  #tick: Timer | undefined;
  #greetingSinceMs = 0;
  #lastReceivedMs = 0;
  #lastPingMs = 0;
  #lastEngineReceivedMs = 0;
  #refusal = '';
  readonly #pings = new Pings();
  readonly #stall = new OwnStall();
  #offsetMs: number | undefined;

  constructor(
    peer: number,
    expectedId: RouterId,
    context: LinkContext,
    listener: LinkListener,
    paths: LinkPath,
  ) {
    this.#peer = peer;
    this.#expectedId = expectedId;
    this.#context = context;
    this.#listener = listener;
    this.#paths = paths;
    const { ports, times, counters } = context;
    this.#output = new SealedOutput(peer, context);
    const { rtt } = this;
    this.#channel = new Channel({ clock: ports.clock, times, rtt, output: this.#output, counters });
  }

  get state(): LinkState {
    return this.#currentState;
  }

  /** What the peer said of itself last; kept when it goes down. */
  get hello(): HelloMessage | undefined {
    return this.#peerHello;
  }

  get pendingMessages(): number {
    return this.#channel.pending;
  }

  /** See `Pings`. */
  get lossPercent(): number | undefined {
    return this.#pings.lossPercent;
  }

  /** A session is current, the first or a new one. */
  sessionReady(rttMs: number): void {
    this.rtt.seed(rttMs);
    if (this.#currentState === 'idle' || this.#currentState === 'refused') this.#begin();
    // Also confirms the session to its responder.
    this.#channel.send(this.#context.self.hello);
  }

  /** By how much the peer's clock is ahead of ours, as far as half a round trip can tell; undefined before a ping. */
  get clockOffsetMs(): number | undefined {
    return this.#offsetMs;
  }

  /** Pings out of turn. False: it is not up. @param answered called when the answer comes, if it does */
  pingNow(answered?: (rttMs: number) => void): boolean {
    if (this.#currentState !== 'up') return false;
    this.#ping(this.#context.ports.clock.nowMs(), answered);
    return true;
  }

  /** What we say of ourselves has changed. */
  greetAgain(): void {
    if (this.#currentState === 'up') this.#channel.send(this.#context.self.hello);
  }

  /** The payload of an authenticated control message, and where it came from. */
  received(payload: Uint8Array, source?: DatagramAddress): void {
    const decoded = this.#context.codec.decode(payload);
    if (typeof decoded === 'string') {
      this.#context.counters.add(`control_drop_${decoded}`);
      return;
    }
    if (decoded.unknownFields > 0) this.#context.counters.add('control_with_unknown_fields');
    const { envelope } = decoded;
    this.#context.counters.add(`control_received_${envelope.body?.type ?? 'ack'}`);
    if (this.#currentState === 'refused') this.#remindOfRefusal(envelope);
    else if (this.#currentState === 'idle') this.#context.counters.add('control_drop_no_link');
    else this.#take(envelope, source);
  }

  /** False when the link is not up: the tables are compared when it is. */
  send(message: TableMessage): boolean {
    if (this.#currentState !== 'up') return false;
    this.#channel.send(message);
    return true;
  }

  /** Once, unacknowledged. Ignored when the link is not up. */
  say(message: IntroductionMessage): void {
    if (this.#currentState === 'up') this.#channel.sendOnce(message);
  }

  /**
   * A Ping by a path of its own, or filled up to a length; `answered` follows if it comes back that way. False: it could
   * not be sent, or is longer than any packet.
   */
  probe(purpose: 'path' | 'size', way: Way): boolean {
    if (this.#currentState !== 'up' && this.#currentState !== 'greeting') return false;
    const { to: path = this.#paths.path, lengthBytes = 0 } = way;
    if (lengthBytes > MAX_INNER_MTU_BYTES) return false;
    const sentMs = this.#context.ports.clock.nowMs();
    const token = this.#pings.asked({ purpose, sentMs, path, lengthBytes });
    return this.#channel.sendOnce({ type: 'ping', token }, { to: path, lengthBytes });
  }

  /** Says Bye, as far as the session carries it, and ends in silence. */
  stop(reason: string): void {
    if (this.#currentState !== 'idle') this.#channel.sendOnce({ type: 'bye', reason, refusal: false });
    this.#reset('idle');
  }

  /** Ends because the sessions are gone. */
  lost(reason: string): void {
    this.#end('dead', reason);
  }

  #begin(): void {
    const nowMs = this.#context.ports.clock.nowMs();
    this.#currentState = 'greeting';
    this.#greetingSinceMs = this.#lastReceivedMs = nowMs;
    this.#lastPingMs = Number.NEGATIVE_INFINITY;
    this.#stall.reset(nowMs);
    this.#arm();
  }

  #arm(): void {
    const { ports, times } = this.#context;
    const everyMs = Math.min(times.pingIntervalMs, times.keepaliveMs);
    this.#tick = ports.clock.after('link-tick', everyMs, () => {
      this.#arm();
      this.#forgive(this.#stall.ticked(ports.clock.nowMs(), everyMs));
      this.#watch();
    });
  }

  /** Time in which this router did not run is no silence of the peer's. */
  #forgive(stalledMs: number): void {
    if (stalledMs === 0) return;
    const nowMs = this.#context.ports.clock.nowMs();
    this.#context.counters.add('link_stalls');
    this.#lastReceivedMs = Math.min(nowMs, this.#lastReceivedMs + stalledMs);
    this.#greetingSinceMs = Math.min(nowMs, this.#greetingSinceMs + stalledMs);
  }

  #take(envelope: Envelope, source: DatagramAddress | undefined): void {
    this.#channel.acknowledged(envelope);
    const { body } = envelope;
    if (body?.type === 'hello') this.#greeted(body, envelope);
    else if (body?.type === 'bye') this.#farewell(body, envelope);
    else if (envelope.epoch !== this.#channel.remoteEpoch)
      this.#context.counters.add('control_drop_other_epoch');
    else this.#deliver(envelope, source);
  }

  #deliver(envelope: Envelope, source?: DatagramAddress): void {
    const { body } = envelope;
    this.#lastReceivedMs = this.#context.ports.clock.nowMs();
    if (source !== undefined) this.#paths.authenticatedPacketReceived(source);
    if (!this.#channel.isNew(envelope)) this.#context.counters.add('control_duplicates');
    else if (body === undefined)
      this.#context.counters.add(envelope.id === 0 ? 'control_acks' : 'control_unknown_bodies');
    else if (body.type === 'ping')
      this.#channel.sendOnce({ type: 'pong', token: body.token, wallUs: this.#wallUs() }, { to: source });
    else if (body.type === 'pong') this.#answered(body, source);
    else if (body.type === 'seek' || body.type === 'seen') this.#listener.introduction(body);
    else if (body.type !== 'hello' && body.type !== 'bye') this.#listener.message(body);
    this.#channel.flushAcks();
  }

  #greeted(hello: HelloMessage, envelope: Envelope): void {
    const refusal = this.#refusalOf(hello);
    if (refusal !== undefined) {
      this.#peerHello = hello;
      this.#refuse(refusal);
      return;
    }
    const known = this.#channel.remoteEpoch;
    if (known !== 0 && envelope.epoch < known && !this.#silent) {
      this.#context.counters.add('control_drop_other_epoch');
      return;
    }
    if (known === 0) this.#channel.peerBegan(envelope.epoch);
    else if (envelope.epoch !== known) this.#peerBeganAnew(envelope.epoch);
    const before = this.#peerHello;
    this.#peerHello = hello;
    const wasUp = this.#currentState === 'up';
    this.#currentState = 'up';
    this.#deliver(envelope);
    if (!wasUp) this.#listener.up(hello);
    else if (before !== undefined) this.#listener.changed(hello, before);
  }

  /** An epoch that goes back (the peer's clock was set) is believed only when the one before has fallen silent. */
  get #silent(): boolean {
    const { ports, times } = this.#context;
    return ports.clock.nowMs() - this.#lastReceivedMs > 3 * times.pingIntervalMs;
  }

  #peerBeganAnew(epoch: number): void {
    this.#channel.peerRestarted(epoch);
    // A greeting that was on the way may have gone to the peer's former self.
    this.#channel.send(this.#context.self.hello);
    if (this.#currentState !== 'up') return;
    this.#currentState = 'greeting';
    this.#listener.down('the peer has begun anew');
  }

  #refusalOf(hello: HelloMessage): string | undefined {
    const ours = this.#context.self.hello;
    if (hello.protocolMajor !== ours.protocolMajor) {
      return `${hello.routerId} speaks protocol ${hello.protocolMajor}, ${ours.routerId} speaks ${ours.protocolMajor}`;
    }
    if (hello.routerId !== this.#expectedId) {
      return `the key of ${this.#expectedId} is used by a router that calls itself ${hello.routerId}`;
    }
    return undefined;
  }

  #refuse(reason: string): void {
    this.#channel.sendOnce({ type: 'bye', reason, refusal: true });
    this.#refusal = reason;
    this.#end('refused', reason);
  }

  /** The peer still sends: our Bye was lost. */
  #remindOfRefusal(envelope: Envelope): void {
    if (envelope.id === 0) return;
    this.#channel.sendOnce({ type: 'bye', reason: this.#refusal, refusal: true });
  }

  #farewell(bye: ByeMessage, envelope: Envelope): void {
    const known = this.#channel.remoteEpoch;
    if (known !== 0 && envelope.epoch < known) this.#context.counters.add('control_drop_other_epoch');
    else if (bye.refusal) this.#end('refused', bye.reason);
    else this.#end('bye', `the peer has stopped: ${bye.reason}`);
  }

  #end(how: LinkEnd, reason: string): void {
    const wasUp = this.#currentState === 'up';
    this.#reset(how === 'refused' ? 'refused' : 'idle');
    if (wasUp) this.#listener.down(reason);
    this.#listener.ended(how, reason);
  }

  #reset(state: LinkState): void {
    this.#currentState = state;
    this.#tick?.cancel();
    this.#tick = undefined;
    this.#pings.reset();
    this.#offsetMs = undefined;
    this.rtt.reset();
    this.#channel.restart();
  }

  /** Every tick: is the peer alive, and does it know that we are? */
  #watch(): void {
    const { ports, times } = this.#context;
    const nowMs = ports.clock.nowMs();
    const counts = ports.peerStats?.(this.#peer);
    if (counts !== undefined) this.#counted(counts, nowMs);
    if (nowMs - this.#lastReceivedMs >= times.deadAfterMs) {
      this.#end('dead', `nothing heard for ${seconds(nowMs - this.#lastReceivedMs)}`);
    } else if (this.#currentState === 'greeting' && nowMs - this.#greetingSinceMs >= times.deadAfterMs) {
      this.#end('dead', `no greeting within ${seconds(nowMs - this.#greetingSinceMs)}`);
    } else if (nowMs - this.#lastPingMs >= times.pingIntervalMs) {
      this.#ping(nowMs);
    } else if (this.#owesKeepAlive(nowMs)) {
      this.#output.keepAlive();
    }
  }

  #owesKeepAlive(nowMs: number): boolean {
    const { lastSentMs } = this.#output;
    return nowMs - lastSentMs >= this.#context.times.keepaliveMs && this.#lastReceivedMs > lastSentMs;
  }

  /** The engine hears more than control messages: packets, keep-alives. */
  #counted(counts: PeerCounts, nowMs: number): void {
    if (counts.lastReceivedMs !== this.#lastEngineReceivedMs) {
      this.#lastEngineReceivedMs = counts.lastReceivedMs;
      this.#lastReceivedMs = nowMs;
    }
    this.#listener.counted(counts);
  }

  #ping(nowMs: number, asker?: (rttMs: number) => void): void {
    this.#lastPingMs = nowMs;
    const { path } = this.#paths;
    const token = this.#pings.asked({ purpose: 'alive', sentMs: nowMs, path, lengthBytes: 0, asker });
    this.#channel.sendOnce({ type: 'ping', token });
    this.#paths.pinged();
  }

  #answered({ token, wallUs }: PongMessage, source: DatagramAddress | undefined): void {
    const ping = this.#pings.answered(token);
    if (ping === undefined) return;
    const { clock } = this.#context.ports;
    const rttMs = clock.nowMs() - ping.sentMs;
    if (ping.purpose === 'alive') this.rtt.sample(rttMs);
    // Its clock was read about half a round trip ago.
    if (wallUs > 0) this.#offsetMs = wallUs / 1000 + rttMs / 2 - clock.wallMs();
    // Where nobody says which way a message has come (tests), it has come the right one.
    if (source === undefined || samePath(source, ping.path)) this.#paths.answered(ping);
    ping.asker?.(rttMs);
  }

  /** A clock that is nowhere near the truth is not told. */
  #wallUs(): number {
    const wallUs = Math.floor(this.#context.ports.clock.wallMs() * 1000);
    return wallUs >= 0 && wallUs <= MAX_STAMP ? wallUs : 0;
  }
}

function seconds(durationMs: number): string {
  return `${Math.round(durationMs / 1_000)} s`;
}
