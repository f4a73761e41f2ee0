/** Flushes and reads that wait for the other side's answer, by the numbers of their records. */
import { decompress } from '../../job/compression.js';
import * as message from '../message.js';
import { ERROR } from '../nbd/spec.js';
import type { DiskRecord } from '../record.js';
import type { RecordLog } from './log.js';

export interface Answer {
  /** NBD's; 0: it went well. */
  readonly error: number;
  readonly data: Buffer;
}

interface Question {
  readonly record: DiskRecord;
  answer(answer: Answer): void;
}

const NO_DATA = Buffer.alloc(0);

export class Questions {
  readonly #open = new Map<number, Question>();

  constructor(private readonly log: RecordLog) {}

  ask(record: DiskRecord): Promise<Answer> {
    return new Promise((answer) => this.#open.set(this.log.append(record), { record, answer }));
  }

  /** What the other side has taken already may have been answered to nobody: it is asked once more. */
  askAgain(taken: number): void {
    for (const [number, question] of [...this.#open]) {
      if (number > taken) continue;
      this.#open.delete(number);
      this.#open.set(this.log.append(question.record), question);
    }
  }

  /** Undefined: it is an answer. @param fail called when its content is none */
  answered(payload: Buffer, fail: (reason: string) => void): string | undefined {
    const answer = message.decodeAnswer(payload);
    if (typeof answer === 'string') return answer;
    const question = this.#open.get(answer.number);
    // It may have been asked a second time since.
    if (question === undefined)
      return answer.number > this.log.sent ? 'an answer to what was not asked' : undefined;
    const expected = answer.error === ERROR.none ? question.record.length : 0;
    if (answer.bytes !== expected) return `${answer.bytes} bytes where ${expected} were read`;
    this.#open.delete(answer.number);
    decompress(answer, answer.bytes).then(
      (data) => question.answer({ error: answer.error, data }),
      (error: unknown) => {
        question.answer({ error: ERROR.io, data: NO_DATA });
        fail(String(error));
      },
    );
    return undefined;
  }

  answerAll(error: number): void {
    for (const { answer } of this.#open.values()) answer({ error, data: NO_DATA });
    this.#open.clear();
  }
}
