/** What a mad router does in the course of time: lies alone, in bursts, one upon the other, and false answers. */
import type { ClaimMessage, PartnerMessage, TableMessage } from '../../src/protocol/table-message.js';
import type { RouterId } from '../../src/tables/model.js';
import type { Liar, Subject } from './mad-lies.js';
import type { Heard } from './mad-router.js';
import { HONEST, type MadWorld } from './mad-world.js';

/** What it does with the messages of its honest part. */
const MANNERS = ['honest', 'honest', 'mute', 'refuses', 'twists'] as const;

export class Campaigns {
  readonly #all: MadWorld;
  readonly #random: () => number;
  readonly #liar: Liar;
  /** Chance that a question, a claim or a record is answered by a lie. */
  readonly #falseAnswers: number;
  /** By what was done. */
  readonly begun = new Map<string, number>();
  readonly #kinds: readonly (readonly [name: string, begin: () => void])[];

  constructor(all: MadWorld, random: () => number, liar: Liar) {
    this.#all = all;
    this.#random = random;
    this.#liar = liar;
    this.#falseAnswers = this.#pick([0, 0.3, 1]);
    const manner = this.#pick(MANNERS);
    all.mad.passes = (to, message) => this.#passed(manner, to, message);
    all.mad.onHeard = (heard) => this.#answer(heard);
    this.#kinds = [
      ['one lie', () => this.#one()],
      ['one lie', () => this.#one()],
      ['medley', () => this.#medley()],
      ['medley', () => this.#medley()],
      ['repeated', () => this.#repeated()],
      ['theft', () => this.#theft()],
      ['theft', () => this.#theft()],
      ['tombstone, then frozen', () => this.#tombstone()],
      ['replay', () => this.#replay()],
      ['flood', () => this.#flood()],
      ['hints', () => this.#hints()],
    ];
  }

  begin(): void {
    const [name, begin] = this.#pick(this.#kinds);
    this.begun.set(name, (this.begun.get(name) ?? 0) + 1);
    begin();
  }

  /** To one honest router, or to all, some time from now. */
  #later(delayMs: number, to: readonly RouterId[], make: (to: RouterId) => TableMessage): void {
    this.#all.world.clock.after('lie', delayMs, () => {
      for (const router of to) this.#all.mad.tell(router, make(router));
    });
  }

  #one(): void {
    const about = this.#liar.subject();
    this.#later(0, this.#whom(), (to) => this.#liar.message(to, about));
  }

  #medley(): void {
    const about = this.#liar.subject();
    const [count, forMs] = [this.#pick([3, 8, 15]), this.#pick([0, 200, 3_000])];
    for (let n = 0; n < count; n++) {
      this.#later(this.#random() * forMs, this.#whom(), (to) => this.#liar.message(to, about));
    }
  }

  #repeated(): void {
    const about = this.#liar.subject();
    const to = this.#whom();
    const [first] = to;
    if (first === undefined) return;
    const lie = this.#liar.message(first, about);
    const everyMs = this.#pick([1, 100, 1_000]);
    for (let n = 0; n < 12; n++) this.#later(n * everyMs, to, () => lie);
  }

  /** A claim, or a record, as if a node had come; again and again, each above what it has led to. */
  #theft(): void {
    const about = this.#pick(this.#liar.machines);
    const to = this.#whom();
    const [everyMs, asRecords] = [this.#pick([30, 100, 1_000]), this.#random() < 0.3];
    const change = this.#random() < 0.2 ? ({ frozen: true } as const) : {};
    const more = this.#random() < 0.3 ? this.#liar.objection(about) : {};
    for (let n = 0; n < 10; n++) {
      this.#later(n * everyMs, to, () => {
        const records = this.#liar.theft(about, change);
        if (asRecords) return { type: 'records', records };
        return claim(about, records, more);
      });
    }
  }

  #tombstone(): void {
    const about = this.#pick(this.#liar.machines);
    const to = this.#whom();
    const step = this.#pick([0, 1]);
    const at = (state: 'here' | 'withdrawn', above: number): TableMessage => ({
      type: 'records',
      records: this.#liar.theft(about).map((record) => ({
        ...record,
        state,
        seq: record.seq - 1 + above,
        ...(state === 'here' && { frozen: true }),
      })),
    });
    this.#later(0, to, () => at('withdrawn', step));
    this.#later(this.#pick([0, 10, 500]), to, () => at('here', step + 1));
  }

  /** What others have said, to it or about it, as its own word. */
  #replay(): void {
    const { heard } = this.#all.mad;
    for (let n = 0; n < 12 && heard.length > 0; n++) {
      const { message } = this.#pick(heard);
      this.#later(this.#random() * 500, this.#whom(), () => message);
    }
  }

  #flood(): void {
    const [about, to] = [this.#liar.subject(), this.#whom()];
    const kind = this.#pick([
      'digest',
      'recall',
      'whoHas',
      'nodesOf',
      'stale',
      'redirect',
      'claimResult',
    ] as const);
    for (let n = 0; n < 60; n++) this.#later(n / 2, to, (router) => this.#liar.message(router, about, kind));
  }

  /** "It is at mine", and the answer to whoever asks then. */
  #hints(): void {
    const about = this.#pick(this.#liar.machines);
    const { ips } = about;
    for (const record of this.#liar.theft(about).slice(0, ips.length)) {
      const { vnet, ip, router, seq } = record;
      this.#later(0, HONEST, () => ({ type: 'redirect', vnet, ip, router, seq }));
    }
  }

  #passed(manner: (typeof MANNERS)[number], to: RouterId, message: TableMessage): TableMessage | undefined {
    if (manner === 'honest') return message;
    if (manner === 'mute') return undefined;
    if (message.type === 'claimResult') {
      if (manner === 'refuses') return refusal(message);
      return this.#liar.claimResult(message.claimId, this.#liar.subject());
    }
    // Routers that share a site say these, and there are none here.
    if (isPartnerMessage(message)) return message;
    if (manner === 'refuses' || this.#random() < 0.5) return message;
    return this.#liar.message(to, this.#liar.subject(), message.type);
  }

  /** At once, so that it comes before that of its honest part. */
  #answer({ from, message }: Heard): void {
    if (this.#random() >= this.#falseAnswers) return;
    const liar = this.#liar;
    if (message.type === 'claim') {
      for (const { mac, records } of message.moves) {
        const about = { name: 'claimed', ips: records.map(({ ip }) => ip), mac };
        this.#all.mad.tell(from, liar.claimResult(message.claimId, about));
      }
    } else if (message.type === 'whoHas') {
      const about = liar.machines.find(
        ({ ips, mac }) =>
          mac === message.mac || ips.some((ip) => message.ips.some((asked) => asked.equals(ip))),
      );
      this.#all.mad.tell(from, liar.has(message.queryId, from, about ?? liar.subject()));
    } else if (message.type === 'nodesOf') this.#all.mad.tell(from, liar.nodes(message.queryId));
    else if (message.type === 'recall') this.#all.mad.tell(from, liar.returned(from, liar.subject()));
    else if (message.type === 'records' && message.records.length > 0) {
      const ips = message.records.map(({ ip }) => ip);
      this.#all.mad.tell(from, liar.stale({ name: 'told', ips, mac: liar.subject().mac }));
    }
  }

  #whom(): readonly RouterId[] {
    return this.#random() < 0.5 ? HONEST : [this.#pick(HONEST)];
  }

  #pick<T>(from: readonly T[]): T {
    return from[Math.floor(this.#random() * from.length)] as T;
  }
}

function claim(
  { mac }: Subject,
  records: ClaimMessage['moves'][number]['records'],
  more: { objection?: true },
): TableMessage {
  const move = { vnet: 1, mac, records, trigger: 'rarp' as const, sinceDetectionUs: 100, ...more };
  return { type: 'claim', claimId: 3, moves: [move] };
}

function refusal(message: Extract<TableMessage, { type: 'claimResult' }>): TableMessage {
  const results = message.results.map((result) => ({
    ...result,
    verdict: 'refused' as const,
    reason: 'node-answers-here' as const,
  }));
  return { ...message, results };
}

function isPartnerMessage(message: TableMessage): message is PartnerMessage {
  return ['partnerRecords', 'partnerDigests', 'partnerWhole'].includes(message.type);
}
