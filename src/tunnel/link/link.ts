/**
 * The control link with one peer, on top of whatever session is current: greeting, liveness, delivery.
 *
 *   idle ──session──▶ greeting ──Hello──▶ up
 *                        │                │
 *                        └──── refused ◀──┘   (another protocol; kept a moment so that the peer hears why)
 *
 * A session that replaces another changes nothing but that Hellos are exchanged again. A peer that has begun anew (a
 * Hello of a later epoch) is reported as down and up again, since it has forgotten what it was told.
 * After `ended` was called the link is as new; its owner decides what becomes of the sessions.
 */
import type { Timer } from '../../net/clock.js';
import { RateLimit } from '../../net/rate-limit.js';
import {
  type ByeMessage,
  type DeliveredMessage,
  type HelloMessage,
  type IntroductionMessage,
  isLinkMessage,
  type LinkMessage,
  type PongMessage,
} from '../../protocol/control-message.js';
import type { Envelope, EnvelopeHead } from '../../protocol/envelope.js';
import type { MembershipMessage } from '../../protocol/membership-message.js';
import type { NetworkMessage } from '../../protocol/network-message.js';
import { MAX_INNER_MTU_BYTES } from '../../protocol/overhead.js';
import type { PairMessage } from '../../protocol/pair-message.js';
import type { TableMessage } from '../../protocol/table-message.js';
import type { TrafficMessage } from '../../protocol/traffic-message.js';
import type { RouterId } from '../../tables/model.js';
import { samePath } from '../paths/path.js';
import type { DatagramAddress, PeerCounts, TunnelPorts } from '../ports.js';
import type { TunnelTimes } from '../times.js';
import { type AuthorityContext, LinkAuthority, type LinkFacts } from './authority.js';
import { Channel, type Way } from './channel.js';
import { EnvelopeInput } from './envelope-input.js';
import { type OutputContext, SealedOutput } from './envelope-output.js';
import { Liveness } from './liveness.js';
import { type Ping, Pings, pongTo } from './pings.js';
import type { Position } from './position.js';
import { refusalOf, type Terms } from './refusal.js';

/** Of our refusal, to one that goes on. */
const REMINDERS = { perSecond: 5, burst: 5 };

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
  /** For whichever part of the router it concerns. */
  message(message: DeliveredMessage): void;
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

export interface LinkContext extends OutputContext, AuthorityContext {
  readonly ports: TunnelPorts;
  readonly times: TunnelTimes;
  /** What we greet with now, and want of others; a reload changes both. */
  readonly self: Terms;
  readonly position: Position;
}

export class Link {
  readonly #peer: number;
  readonly #expectedId: RouterId;
  readonly #context: LinkContext;
  readonly #listener: LinkListener;
  readonly #paths: LinkPath;
  readonly #authority: LinkAuthority;
  readonly #reminders: RateLimit;
  readonly #output: SealedOutput;
  readonly #channel: Channel;
  readonly #input: EnvelopeInput;
  #currentState: LinkState = 'idle';
  #peerHello: HelloMessage | undefined;
  #tick: Timer | undefined;
  #lastPingMs = 0;
  #refusal = '';
  /** Round trip, loss and the peer's clock. */
  readonly pings: Pings;
  readonly #liveness: Liveness;

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
    this.pings = new Pings(ports.clock, context.position);
    this.#liveness = new Liveness(times);
    this.#authority = new LinkAuthority(expectedId, context);
    this.#reminders = new RateLimit(ports.clock, REMINDERS);
    this.#output = new SealedOutput(peer, context);
    const { rtt } = this.pings;
    this.#channel = new Channel({ clock: ports.clock, times, rtt, output: this.#output, counters });
    this.#input = new EnvelopeInput(expectedId, context, this.#channel);
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

  /** A session is current, the first or a new one. */
  sessionReady(rttMs: number): void {
    this.pings.rtt.seed(rttMs);
    if (this.#currentState === 'idle' || this.#currentState === 'refused') this.#begin();
    // Also confirms the session to its responder.
    this.#channel.send(this.#context.self.hello);
  }

  /** Pings out of turn. False: it is not up. @param answered called when the answer comes, if it does */
  pingNow(answered?: (rttMs: number) => void): boolean {
    if (this.#currentState !== 'up') return false;
    this.#ping(this.#context.ports.clock.nowMs(), answered);
    return true;
  }

  /** What we say of ourselves, or want of others, has changed. */
  greetAgain(): void {
    if (this.#currentState !== 'up') return;
    const refusal = this.#peerHello && refusalOf(this.#peerHello, this.#context.self, this.#expectedId);
    if (refusal === undefined) this.#channel.send(this.#context.self.hello);
    else this.#refuse(refusal);
  }

  /** The payload of an authenticated control message, and where it came from. */
  received(payload: Uint8Array, source?: DatagramAddress): void {
    const input = this.#input.read(payload);
    if (input === undefined) return;
    if ('repeated' in input) this.#repeated(input.repeated, source);
    else if (this.#currentState === 'refused') this.#remindOfRefusal(input.envelope);
    else if (this.#currentState === 'idle') this.#context.counters.add('control_drop_no_link');
    else this.#take(input.envelope, source);
  }

  /** False when the link is not up: the tables are compared when it is. */
  send(message: TableMessage | MembershipMessage): boolean {
    if (this.#currentState !== 'up') return false;
    this.#channel.send(message);
    return true;
  }

  /** Once, unacknowledged, but for what a peer has of the network's documents. Ignored when the link is not up. */
  say(message: IntroductionMessage | PairMessage | NetworkMessage | TrafficMessage): void {
    if (this.#currentState !== 'up') return;
    if (message.type === 'seek') this.#authority.sought(message.router);
    if (message.type === 'networkState') this.#channel.send(message);
    else this.#channel.sendOnce(message);
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
    const token = this.pings.asked({ purpose, sentMs, path, lengthBytes });
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
    this.#liveness.began(nowMs);
    this.#lastPingMs = Number.NEGATIVE_INFINITY;
    this.#arm();
  }

  #arm(): void {
    const { ports, times, counters } = this.#context;
    const everyMs = Math.min(times.pingIntervalMs, times.keepaliveMs);
    this.#tick = ports.clock.after('link-tick', everyMs, () => {
      this.#arm();
      if (this.#liveness.ticked(ports.clock.nowMs(), everyMs)) counters.add('link_stalls');
      this.#watch();
    });
  }

  /** Our acknowledgement was lost, or late. */
  #repeated(head: EnvelopeHead, source: DatagramAddress | undefined): void {
    this.#channel.acknowledged(head);
    this.#authenticated(source);
    this.#channel.isNew(head);
    this.#channel.flushAcks();
  }

  /** A Hello and a Bye may come from another beginning of the peer than is known; all else must come from that. */
  #take(envelope: Envelope, source: DatagramAddress | undefined): void {
    this.#channel.acknowledged(envelope);
    const { body } = envelope;
    const isOfLink = body !== undefined && isLinkMessage(body);
    const mayBeginAnew = body?.type === 'hello' || body?.type === 'bye';
    if (!mayBeginAnew) {
      if (envelope.epoch !== this.#channel.remoteEpoch) {
        this.#context.counters.add('control_drop_other_epoch');
        return;
      }
      this.#authenticated(source);
    }
    if (isOfLink && !this.#authority.allows(body, this.#factsOf(body, envelope))) return;
    if (body?.type === 'hello') this.#greeted(body, envelope);
    else if (body?.type === 'bye') this.#farewell(body, envelope);
    else this.#deliver(envelope, source);
  }

  #factsOf(body: LinkMessage, { epoch }: Envelope): LinkFacts {
    const known = this.#channel.remoteEpoch;
    return {
      beginsAnew: known !== 0 && epoch !== known,
      answersPing: body.type === 'pong' && this.pings.isOpen(body.token),
    };
  }

  #authenticated(source: DatagramAddress | undefined): void {
    this.#liveness.authenticatedPacketReceived(this.#context.ports.clock.nowMs());
    if (source !== undefined) this.#paths.authenticatedPacketReceived(source);
  }

  #deliver(envelope: Envelope, source?: DatagramAddress): void {
    const { body } = envelope;
    // A Hello that begins anew may have an id of before.
    if (!this.#channel.isNew(envelope)) this.#context.counters.add('control_duplicates');
    else if (body === undefined)
      this.#context.counters.add(envelope.id === 0 ? 'control_acks' : 'control_unknown_bodies');
    else if (body.type === 'ping')
      this.#channel.sendOnce(pongTo(body, this.#context.ports.clock, this.#context.position.own), {
        to: source,
      });
    else if (body.type === 'pong') this.#answered(body, source);
    // Hello and Bye have been dealt with before.
    else if (body.type !== 'hello' && body.type !== 'bye') this.#listener.message(body);
    this.#channel.flushAcks();
  }

  #greeted(hello: HelloMessage, envelope: Envelope): void {
    const refusal = refusalOf(hello, this.#context.self, this.#expectedId);
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
    this.#authenticated(undefined);
    this.#deliver(envelope);
    if (!wasUp) this.#listener.up(hello);
    else if (before !== undefined) this.#listener.changed(hello, before);
  }

  /** An epoch that goes back (the peer's clock was set) is believed only when the one before has fallen silent. */
  get #silent(): boolean {
    const { ports, times } = this.#context;
    return ports.clock.nowMs() - this.#liveness.lastReceivedMs > 3 * times.pingIntervalMs;
  }

  #peerBeganAnew(epoch: number): void {
    this.#channel.peerRestarted(epoch);
    // A greeting that was on the way may have gone to the peer's former self.
    this.#channel.send(this.#context.self.hello);
    if (this.#currentState !== 'up') return;
    this.#currentState = 'greeting';
    this.#listener.down('the peer has begun anew');
  }

  #refuse(reason: string): void {
    this.#channel.sendOnce({ type: 'bye', reason, refusal: true });
    this.#refusal = reason;
    this.#end('refused', reason);
  }

  /** The peer still sends: our Bye was lost. */
  #remindOfRefusal(envelope: Envelope): void {
    if (envelope.id === 0 || !this.#reminders.allow()) return;
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
    this.pings.reset();
    this.#channel.restart();
  }

  /** Every tick: is the peer alive, and does it know that we are? */
  #watch(): void {
    const { ports, times } = this.#context;
    const nowMs = ports.clock.nowMs();
    const counts = ports.peerStats?.(this.#peer);
    if (counts !== undefined) {
      this.#liveness.counted(counts.lastReceivedMs, nowMs);
      this.#listener.counted(counts);
    }
    const death = this.#liveness.deathOf(nowMs, this.#currentState === 'greeting');
    if (death !== undefined) this.#end('dead', death);
    else if (nowMs - this.#lastPingMs >= times.pingIntervalMs) this.#ping(nowMs);
    else if (this.#owesKeepAlive(nowMs)) this.#output.keepAlive();
  }

  #owesKeepAlive(nowMs: number): boolean {
    const { lastSentMs } = this.#output;
    return (
      nowMs - lastSentMs >= this.#context.times.keepaliveMs && this.#liveness.lastReceivedMs > lastSentMs
    );
  }

  #ping(nowMs: number, asker?: (rttMs: number) => void): void {
    this.#lastPingMs = nowMs;
    const { path } = this.#paths;
    const token = this.pings.asked({ purpose: 'alive', sentMs: nowMs, path, lengthBytes: 0, asker });
    this.#channel.sendOnce({ type: 'ping', token });
    this.#paths.pinged();
  }

  /** Where nobody says which way a message has come (tests), it has come the right one. */
  #answered(pong: PongMessage, source: DatagramAddress | undefined): void {
    const ping = this.pings.answered(pong);
    if (ping !== undefined && (source === undefined || samePath(source, ping.path)))
      this.#paths.answered(ping);
  }
}
