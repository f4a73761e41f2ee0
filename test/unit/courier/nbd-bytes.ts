/** What tests of NBD say: bytes as doc/proto.md has them. */
import { type ExportFacts, FLAG } from '../../../src/courier/disk/nbd/spec.js';

export const FACTS: ExportFacts = {
  sizeBytes: 0x10_0000,
  flags: FLAG.hasFlags | FLAG.sendFlush | FLAG.sendFua | FLAG.sendTrim | FLAG.sendWriteZeroes,
  minimumBytes: 1,
  preferredBytes: 65_536,
  mostPayloadBytes: 33_554_432,
};
export const hex = (text: string): Buffer => Buffer.from(text.replace(/\s/g, ''), 'hex');
export const ascii = (text: string): string => Buffer.from(text).toString('hex');
export const IHAVEOPT = '49484156454f5054';
export const REPLY = '0003e889045565a9';

export const requestHead = (flags: number, type: number, offset: bigint, length: number): Buffer => {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x25609513);
  head.writeUInt16BE(flags, 4);
  head.writeUInt16BE(type, 6);
  head.write('cookie!!', 8, 'latin1');
  head.writeBigUInt64BE(offset, 16);
  head.writeUInt32BE(length, 24);
  return head;
};
