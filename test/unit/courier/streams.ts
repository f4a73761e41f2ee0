/** Migration streams as QEMU writes them, made by hand; the layout is docs/migration.rst's and savevm.c's, not the parser's. */
import { PAGE_BYTES } from '../../../src/courier/stream/token.js';

export function be16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

export function be32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

export function be64(value: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt(value));
  return bytes;
}

export function counted(text: string): Buffer {
  return Buffer.concat([Buffer.from([text.length]), Buffer.from(text)]);
}

export const HEAD = Buffer.from('QEVM\0\0\0\x03');

export function configuration(machine = 'pc-i440fx-7.2'): Buffer {
  return Buffer.concat([Buffer.from([7]), be32(machine.length), Buffer.from(machine)]);
}

export function subsection(name: string, content: Buffer): Buffer {
  return Buffer.concat([Buffer.from([5]), counted(name), be32(1), content]);
}

export function start(id: number, name: string, version = 4): Buffer {
  return Buffer.concat([Buffer.from([1]), be32(id), counted(name), be32(0), be32(version)]);
}

export const part = (id: number): Buffer => Buffer.concat([Buffer.from([2]), be32(id)]);
export const end = (id: number): Buffer => Buffer.concat([Buffer.from([3]), be32(id)]);
export const footer = (id: number): Buffer => Buffer.concat([Buffer.from([0x7e]), be32(id)]);
export const eos = be64(0x10);
export const flush = be64(0x200);

export function blocks(sizes: Readonly<Record<string, number>>, shared = false): Buffer {
  const total = Object.values(sizes).reduce((sum, size) => sum + size, 0);
  const each = Object.entries(sizes).map(([name, size]) =>
    Buffer.concat([counted(name), be64(size), shared ? be64(0) : Buffer.alloc(0)]),
  );
  return Buffer.concat([be64(total + 0x04), ...each]);
}

/** @param block none: the same as before */
function header(address: number, flags: number, block?: string): Buffer {
  return block === undefined
    ? be64(address + flags + 0x20)
    : Buffer.concat([be64(address + flags), counted(block)]);
}

export function page(address: number, content: Uint8Array, block?: string): Buffer {
  return Buffer.concat([header(address, 0x08, block), content]);
}

export function fill(address: number, byte: number, block?: string): Buffer {
  return Buffer.concat([header(address, 0x02, block), Buffer.from([byte])]);
}

export function xbzrle(address: number, content: Uint8Array, block?: string): Buffer {
  return Buffer.concat([header(address, 0x40, block), Buffer.from([1]), be16(content.length), content]);
}

export function compressed(address: number, content: Uint8Array, block?: string): Buffer {
  return Buffer.concat([header(address, 0x100, block), be32(content.length), content]);
}

/** A channel's first word. */
export const MULTIFD_HELLO = Buffer.concat([
  be32(0x11223344),
  be32(1),
  Buffer.alloc(16, 0xab),
  Buffer.from([1]),
  Buffer.alloc(39),
]);

/** @param change of the head's be32 words, by their number */
export function packet(pages: readonly Buffer[], change: Readonly<Record<number, number>> = {}): Buffer {
  const words = [0x11223344, 1, 0, 128, pages.length, pages.length * PAGE_BYTES, 0, 7];
  for (const [word, value] of Object.entries(change)) words[Number(word)] = value;
  const name = Buffer.alloc(256);
  name.write('pc.ram');
  return Buffer.concat([...[...words.map(be32), Buffer.alloc(32), name, Buffer.alloc(128 * 8)], ...pages]);
}

/** Pages that are told apart by `number`, and the same for the same. */
export function pageOf(number: number): Buffer {
  const content = Buffer.alloc(PAGE_BYTES);
  for (let at = 0; at < PAGE_BYTES; at += 4) content.writeUInt32BE((number * 2654435761 + at) >>> 0, at);
  return content;
}

export const DEVICES = Buffer.concat([
  Buffer.from([4]),
  be32(7),
  counted('timer'),
  be32(0),
  be32(2),
  Buffer.alloc(40, 0xa5),
  footer(7),
  Buffer.from([0, 6]),
  be32(2),
  Buffer.from('{}'),
]);

/** A whole migration: two rounds of pages (`numbers`), the last one with the guest at rest, devices. */
export function migration(numbers: readonly number[]): Buffer {
  const half = numbers.length >> 1;
  const pages = numbers.map((number, index) =>
    page(index * PAGE_BYTES, pageOf(number), index === 0 ? 'pc.ram' : undefined),
  );
  return Buffer.concat([
    HEAD,
    configuration(),
    start(2, 'ram'),
    blocks({ 'pc.ram': 0x6000000, 'vga.vram': 0x1000000 }),
    eos,
    footer(2),
    part(2),
    ...pages.slice(0, half),
    fill(0x2000, 0),
    fill(0x3000, 0xff, 'vga.vram'),
    eos,
    footer(2),
    end(2),
    xbzrle(0x4000, Buffer.from([1, 2, 3]), 'pc.ram'),
    ...pages.slice(half),
    flush,
    eos,
    footer(2),
    DEVICES,
  ]);
}
