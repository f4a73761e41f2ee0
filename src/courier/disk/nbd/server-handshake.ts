/**
 * The server's side of the fixed newstyle handshake. Pure: bytes in, actions out. After `transmit` or `close` nothing more
 * is taken; the bytes behind it are in `rest`.
 */
import { ByteQueue } from './byte-queue.js';
import { decodeMetaQueries } from './meta-queries.js';
import * as spec from './spec.js';

export type HandshakeAction =
  | { readonly is: 'say'; readonly bytes: Buffer }
  /** The export is wanted, or told of: the answer is `chosen`. No more bytes are looked at before. */
  | { readonly is: 'choose'; readonly name: string }
  | { readonly is: 'transmit' }
  /** Empty: the client has given up, as it may. */
  | { readonly is: 'close'; readonly why: string };

/** Longer options are refused; none that is answered has more. */
const MOST_OPTION_BYTES = 16 * 1024;
const OPTION_HEAD_BYTES = 16;
const CLIENT_FLAGS_BYTES = 4;
/** A client that haggles without end has no business here. */
const MOST_OPTIONS = 64;

type State = 'flags' | 'options' | 'choosing' | 'over';

export class ServerHandshake {
  readonly #queue = new ByteQueue();
  #state: State = 'flags';
  #noZeroes = false;
  /** What is left of the data of an option that was refused for its length. */
  #skipBytes = 0;
  #options = 0;
  #choosing: number = spec.OPT.go;
  #chosen = '';
  #isStructured = false;
  /** The export for which the client has chosen `base:allocation`. */
  #allocationOf: string | undefined;

  /**
   * @param names of exports; the empty one, too, when it is the default
   * @param canStructure structured replies and block status may be agreed on
   */
  constructor(
    private readonly names: readonly string[],
    private readonly canStructure = false,
  ) {}

  /** What holds from `transmit` on. */
  get agreed(): spec.Agreed {
    return { isStructured: this.#isStructured, hasAllocation: this.#allocationOf === this.#chosen };
  }

  /** What the server says first. */
  static greeting(): Buffer {
    const greeting = Buffer.alloc(18);
    greeting.writeBigUInt64BE(spec.INIT_PASSWD);
    greeting.writeBigUInt64BE(spec.IHAVEOPT, 8);
    greeting.writeUInt16BE(spec.FIXED_NEWSTYLE | spec.NO_ZEROES, 16);
    return greeting;
  }

  /** What came behind the handshake. */
  get rest(): ByteQueue {
    return this.#queue;
  }

  push(piece: Buffer): HandshakeAction[] {
    this.#queue.push(piece);
    return this.#go();
  }

  /** The answer to `choose`: the export, or a text for people why there is none now. */
  chosen(facts: spec.ExportFacts | string): HandshakeAction[] {
    if (this.#state !== 'choosing') return [];
    this.#state = 'options';
    const option = this.#choosing;
    if (option === spec.OPT.exportName) return this.#chosenByName(facts);
    if (typeof facts === 'string') return [error(option, spec.REP.errUnknown, facts), ...this.#go()];
    const told = [
      say(optionReply(option, spec.REP.info, infoExport(facts))),
      say(optionReply(option, spec.REP.info, infoBlockSize(facts))),
      say(optionReply(option, spec.REP.ack)),
    ];
    return option === spec.OPT.go ? [...told, this.#transmit()] : [...told, ...this.#go()];
  }

  #chosenByName(facts: spec.ExportFacts | string): HandshakeAction[] {
    // There is no way to say no but this.
    if (typeof facts === 'string') return [this.#close(facts)];
    const reserved = Buffer.alloc(this.#noZeroes ? 0 : spec.RESERVED_BYTES);
    return [say(Buffer.concat([sizeAndFlags(facts), reserved])), this.#transmit()];
  }

  #transmit(): HandshakeAction {
    this.#state = 'over';
    return { is: 'transmit' };
  }

  #close(why: string): HandshakeAction {
    this.#state = 'over';
    return { is: 'close', why };
  }

  #go(): HandshakeAction[] {
    const actions: HandshakeAction[] = [];
    for (;;) {
      this.#skipBytes -= this.#queue.drop(this.#skipBytes);
      const next = this.#state === 'flags' ? this.#flags() : this.#option();
      if (next === undefined) return actions;
      actions.push(...next);
    }
  }

  #flags(): HandshakeAction[] | undefined {
    const flags = this.#queue.take(CLIENT_FLAGS_BYTES)?.readUInt32BE(0);
    if (flags === undefined) return undefined;
    if ((flags & ~(spec.FIXED_NEWSTYLE | spec.NO_ZEROES)) !== 0)
      return [this.#close(`unknown client flags ${flags}`)];
    this.#noZeroes = (flags & spec.NO_ZEROES) !== 0;
    this.#state = 'options';
    return [];
  }

  #option(): HandshakeAction[] | undefined {
    if (this.#state !== 'options' || this.#skipBytes > 0) return undefined;
    const head = this.#queue.peek(OPTION_HEAD_BYTES);
    if (head === undefined) return undefined;
    if (head.readBigUInt64BE(0) !== spec.IHAVEOPT) return [this.#close('no option where one should be')];
    const [option, length] = [head.readUInt32BE(8), head.readUInt32BE(12)];
    const tooLong = length > MOST_OPTION_BYTES;
    if (!tooLong && this.#queue.length < OPTION_HEAD_BYTES + length) return undefined;
    if (++this.#options > MOST_OPTIONS) return [this.#close('too many options')];
    this.#queue.drop(OPTION_HEAD_BYTES);
    if (!tooLong) return this.#answer(option, this.#queue.take(length) ?? Buffer.alloc(0));
    this.#skipBytes = length;
    return option === spec.OPT.exportName
      ? [this.#close('a name that is too long')]
      : [error(option, spec.REP.errTooBig, 'too long')];
  }

  #answer(option: number, data: Buffer): HandshakeAction[] {
    switch (option) {
      case spec.OPT.exportName:
        return this.#choose(option, data.toString());
      case spec.OPT.abort:
        return [say(optionReply(option, spec.REP.ack)), this.#close('')];
      case spec.OPT.list:
        return data.length > 0 ? [error(option, spec.REP.errInvalid, 'data')] : this.#list(option);
      case spec.OPT.info:
      case spec.OPT.go: {
        const name = nameOf(data);
        return name === undefined
          ? [error(option, spec.REP.errInvalid, 'lengths do not fit')]
          : this.#choose(option, name);
      }
      default:
        return this.canStructure
          ? this.#answerStructured(option, data)
          : [error(option, spec.REP.errUnsup, 'unknown here')];
    }
  }

  #answerStructured(option: number, data: Buffer): HandshakeAction[] {
    switch (option) {
      case spec.OPT.structuredReply:
        if (data.length > 0) return [error(option, spec.REP.errInvalid, 'data')];
        this.#isStructured = true;
        return [say(optionReply(option, spec.REP.ack))];
      case spec.OPT.listMetaContext:
      case spec.OPT.setMetaContext:
        return this.#metaContexts(option, data);
      default:
        return [error(option, spec.REP.errUnsup, 'unknown here')];
    }
  }

  #metaContexts(option: number, data: Buffer): HandshakeAction[] {
    const asked = decodeMetaQueries(data);
    const isSet = option === spec.OPT.setMetaContext;
    // Whatever becomes of it: what was set before is not any more.
    if (isSet) this.#allocationOf = undefined;
    if (asked === undefined) return [error(option, spec.REP.errInvalid, 'lengths do not fit')];
    if (!this.#isStructured) return [error(option, spec.REP.errInvalid, 'structured replies come first')];
    if (!this.names.includes(asked.name))
      return [error(option, spec.REP.errUnknown, 'there is no such export')];
    const lists = !isSet && (asked.queries.length === 0 || asked.queries.includes('base:'));
    if (!lists && !asked.queries.includes(spec.ALLOCATION)) return [say(optionReply(option, spec.REP.ack))];
    if (isSet) this.#allocationOf = asked.name;
    const id = Buffer.alloc(4);
    id.writeUInt32BE(isSet ? spec.ALLOCATION_ID : 0);
    const context = optionReply(option, spec.REP.metaContext, id, Buffer.from(spec.ALLOCATION));
    return [say(context), say(optionReply(option, spec.REP.ack))];
  }

  #choose(option: number, name: string): HandshakeAction[] {
    if (this.names.includes(name)) {
      this.#state = 'choosing';
      this.#choosing = option;
      this.#chosen = name;
      return [{ is: 'choose', name }];
    }
    return option === spec.OPT.exportName
      ? [this.#close('there is no such export')]
      : [error(option, spec.REP.errUnknown, 'there is no such export')];
  }

  #list(option: number): HandshakeAction[] {
    const servers = this.names.map((name) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(Buffer.byteLength(name));
      return say(optionReply(option, spec.REP.server, length, Buffer.from(name)));
    });
    return [...servers, say(optionReply(option, spec.REP.ack))];
  }
}

function say(bytes: Buffer): HandshakeAction {
  return { is: 'say', bytes };
}

function error(option: number, type: number, text: string): HandshakeAction {
  return say(optionReply(option, type, Buffer.from(text).subarray(0, spec.MOST_STRING_BYTES)));
}

function optionReply(option: number, type: number, ...data: readonly Uint8Array[]): Buffer {
  const head = Buffer.alloc(20);
  head.writeBigUInt64BE(spec.OPTION_REPLY_MAGIC);
  head.writeUInt32BE(option, 8);
  head.writeUInt32BE(type, 12);
  head.writeUInt32BE(
    data.reduce((sum, part) => sum + part.length, 0),
    16,
  );
  return Buffer.concat([head, ...data]);
}

function sizeAndFlags({ sizeBytes, flags }: spec.ExportFacts): Buffer {
  const bytes = Buffer.alloc(10);
  bytes.writeBigUInt64BE(BigInt(sizeBytes));
  bytes.writeUInt16BE(flags, 8);
  return bytes;
}

function infoExport(facts: spec.ExportFacts): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(spec.INFO.export);
  return Buffer.concat([type, sizeAndFlags(facts)]);
}

function infoBlockSize({ minimumBytes, preferredBytes, mostPayloadBytes }: spec.ExportFacts): Buffer {
  const info = Buffer.alloc(14);
  info.writeUInt16BE(spec.INFO.blockSize);
  info.writeUInt32BE(minimumBytes, 2);
  info.writeUInt32BE(preferredBytes, 6);
  info.writeUInt32BE(mostPayloadBytes, 10);
  return info;
}

/** be32 length, name, be16 count, that many be16: what is asked for does not matter, all is told. */
function nameOf(data: Buffer): string | undefined {
  if (data.length < 6) return undefined;
  const length = data.readUInt32BE(0);
  if (length > data.length - 6 || length > spec.MOST_STRING_BYTES) return undefined;
  const requests = data.readUInt16BE(4 + length);
  return data.length === 6 + length + 2 * requests ? data.toString('utf8', 4, 4 + length) : undefined;
}
