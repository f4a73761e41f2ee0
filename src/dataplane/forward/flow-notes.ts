/**
 * What a decision tells the engine's flow memory, beside the action in the descriptor. `begin`; then what the decision
 * finds out; `forwarded` with the action. How long it stands the engine knows, which looked before the packet came here. A decision that did anything that the next
 * packet's decision has to do anew says so by `once`.
 */
import { D, DESCRIPTOR_WORDS, type Engine, FlowNote } from '../engine.js';

export class FlowNotes {
  readonly #engine: Engine;
  #flags = 0;
  #vnet = 0;
  #heard = -1;
  #second = 0;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** The next packet's decision begins. */
  begin(): void {
    this.#flags = 0;
    this.#heard = -1;
    this.#second = 0;
  }

  /** It is a frame from a LAN or a TUN port. */
  frame(): void {
    this.#keyed(0, 0);
  }

  /** From the overlay, with a header that names the vnet. */
  overlay(vnet: number): void {
    this.#keyed(FlowNote.overlay, vnet);
  }

  /** A WireGuard client's. */
  bare(): void {
    this.#keyed(FlowNote.bare, 0);
  }

  /** What follows is for this packet alone. */
  once(): void {
    this.#flags &= ~FlowNote.keep;
  }

  /** The packet is the router's own: it is no traffic of anybody's. */
  own(): void {
    this.#flags = 0;
  }

  /** The packet is put aside: whose it is goes into the descriptor, which is kept with it. */
  hold(i: number): void {
    const at = i * DESCRIPTOR_WORDS;
    this.#engine.descriptors[at + D.flow] = this.#flags & (FlowNote.keyed | FlowNote.overlay | FlowNote.bare);
    this.#engine.descriptors[at + D.flowVnet] = this.#vnet;
  }

  /** One that was put aside, in its descriptor of then, is decided over; for itself alone. */
  resume(i: number): void {
    this.begin();
    this.#flags = this.#engine.descriptors[i * DESCRIPTOR_WORDS + D.flow] ?? 0;
    this.#vnet = this.#engine.descriptors[i * DESCRIPTOR_WORDS + D.flowVnet] ?? 0;
  }

  /** The machine that has sent it was noted under that number (`NodeActivity`). */
  heard(number: number): void {
    this.#heard = number;
  }

  /** It is counted by this too (`C`). */
  alsoCounted(counter: number): void {
    this.#second = counter + 1;
  }

  spendsTtl(): void {
    this.#flags |= FlowNote.spendsTtl;
  }

  /**
   * It is forwarded as the descriptor says, counted by `counter` (`C`).
   * @param vnetCounter index of the vnet's counter of packets, −1 for none @param sent number of the machine that it goes to
   */
  forwarded(i: number, vnet: number, counter: number, vnetCounter: number, sent: number): void {
    const words = this.#engine.descriptors;
    const at = i * DESCRIPTOR_WORDS;
    words[at + D.flow] = FlowNote.forwarded | this.#flags;
    // Of an overlay packet it is a part of the key: what the header says.
    words[at + D.flowVnet] = (this.#flags & FlowNote.overlay) === 0 ? vnet : this.#vnet;
    words[at + D.flowCounter] = counter | (this.#second << 16);
    words[at + D.flowVnetCounter] = vnetCounter;
    words[at + D.flowHeard] = this.#heard;
    words[at + D.flowSent] = sent;
  }

  #keyed(kind: number, vnet: number): void {
    this.#flags = FlowNote.keyed | FlowNote.keep | kind;
    this.#vnet = vnet;
  }
}
