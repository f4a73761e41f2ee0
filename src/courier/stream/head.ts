/**
 * What stands outside of the sections' content (QEMU's migration/savevm.c): the beginning, which tells who speaks, the
 * configuration and its subsections, the heads of sections, footers, commands.
 */
import { counted, latin1, MORE, printable, type Reading, Unknown, u16, u32 } from './item.js';
import { MULTIFD_MAGIC, readHello } from './multifd.js';

export const CONFIGURATION = 0x07;
export const SUBSECTION = 0x05;
export const SECTION_START = 0x01;
export const SECTION_PART = 0x02;
export const SECTION_END = 0x03;
export const COMMAND = 0x08;
export const FOOTER = 0x7e;

const MAGIC = 0x5145564d; // "QEVM"
const VERSION = 3;
const TLS_HANDSHAKE = 0x16;
const TLS_MAJOR = 0x03;
/** Longer than any machine type's name. */
const MOST_CONFIGURATION = 1024;
const MOST_CAPABILITIES = 64;
/** MIG_CMD_PACKAGED: its argument is how many bytes of device state follow. */
const PACKAGED = 6;

export function isTls(bytes: Uint8Array): boolean {
  return bytes[0] === TLS_HANDSHAKE && bytes[1] === TLS_MAJOR;
}

export function isMultifd(bytes: Uint8Array): boolean {
  return u32(bytes, 0) === MULTIFD_MAGIC;
}

export function readMagic(bytes: Uint8Array): Reading {
  if (bytes.length >= 2 && isTls(bytes)) return new Unknown('TLS');
  if (bytes.length < 4) return MORE;
  if (isMultifd(bytes)) return readHello(bytes);
  if (u32(bytes, 0) !== MAGIC) return new Unknown('no QEMU migration stream');
  if (bytes.length < 8) return MORE;
  if (u32(bytes, 4) !== VERSION) return new Unknown(`stream version ${u32(bytes, 4)}`);
  return { kind: 'magic', bytes: 8 };
}

/** Byte 7, be32 length, machine type. */
export function readConfiguration(bytes: Uint8Array): Reading {
  if (bytes.length < 5) return MORE;
  const length = u32(bytes, 1);
  if (length > MOST_CONFIGURATION) return new Unknown('configuration');
  return { kind: 'configuration', bytes: 5 + length };
}

/** What subsections of the configuration change of the memory's layout. */
export interface Subsection {
  readonly targetPageBits?: number;
  readonly capabilities?: readonly string[];
}

/** Byte 5, counted name, be32 version, content. */
export function readSubsection(bytes: Uint8Array): { reading: Reading; says: Subsection } {
  const name = counted(bytes, 1);
  if (name === undefined) return { reading: MORE, says: {} };
  const at = 1 + 1 + name.length + 4;
  switch (name) {
    case 'configuration/target-page-bits':
      if (bytes.length < at + 4) return { reading: MORE, says: {} };
      return {
        reading: { kind: 'configuration', bytes: at + 4 },
        says: { targetPageBits: u32(bytes, at) },
      };
    case 'configuration/uuid':
      return { reading: { kind: 'configuration', bytes: at + 16 }, says: {} };
    case 'configuration/capabilities':
      return readCapabilities(bytes, at);
    default:
      return { reading: new Unknown(`subsection ${shown(name)}`), says: {} };
  }
}

/** be32 count, counted names. */
function readCapabilities(bytes: Uint8Array, start: number): { reading: Reading; says: Subsection } {
  if (bytes.length < start + 4) return { reading: MORE, says: {} };
  const count = u32(bytes, start);
  if (count > MOST_CAPABILITIES) return { reading: new Unknown('capabilities'), says: {} };
  const capabilities: string[] = [];
  let at = start + 4;
  for (let number = 0; number < count; number++) {
    const name = counted(bytes, at);
    if (name === undefined) return { reading: MORE, says: {} };
    capabilities.push(name);
    at += 1 + name.length;
  }
  return { reading: { kind: 'configuration', bytes: at }, says: { capabilities } };
}

/** Byte 1, be32 section id, counted name, be32 instance, be32 version. */
export function readSectionStart(bytes: Uint8Array): Reading {
  const name = bytes.length < 6 ? undefined : counted(bytes, 5);
  if (name === undefined) return MORE;
  const length = 5 + 1 + name.length + 8;
  if (bytes.length < length) return MORE;
  const version = u32(bytes, length - 4);
  if (name !== 'ram' || version !== 4) return new Unknown(`section ${shown(name)}, version ${version}`);
  return { kind: 'section-start', bytes: length };
}

/** Byte 8, be16 command, be16 length, argument. */
export function readCommand(bytes: Uint8Array): { reading: Reading; packagedBytes: number } {
  if (bytes.length < 5) return { reading: MORE, packagedBytes: 0 };
  const length = u16(bytes, 3);
  const packaged = u16(bytes, 1) === PACKAGED && length === 4;
  if (packaged && bytes.length < 9) return { reading: MORE, packagedBytes: 0 };
  return { reading: { kind: 'command', bytes: 5 + length }, packagedBytes: packaged ? u32(bytes, 5) : 0 };
}

export function machineType(bytes: Uint8Array): string {
  return shown(latin1(bytes.subarray(5)));
}

function shown(name: string): string {
  return printable(name).slice(0, 64);
}
