/** Files of the machine where a network is administered: its key, the description and its signature. */
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { replaceFile } from '../config/append-node.js';
import { readNetworkKey } from '../config/keys.js';
import { decodeText, versionOf } from '../membership/description.js';
import { MAX_DOCUMENT_BYTES, readSignature, signatureLine } from '../membership/document.js';
import { setMember } from '../membership/member-text.js';
import { generateNetworkKey, publicKeyOf, sign } from '../membership/signature.js';
import { messageOf } from '../net/system-error.js';
import { formatConfigError } from '../tables/files/error.js';
import { checkGndt } from '../tables/files/gndt-checks.js';
import { GNDT_FILE, type GndtFile, gndtSchema, MAX_VERSION } from '../tables/files/gndt-file.js';
import { decodeKey, encodeKey } from '../tables/files/read.js';
import { parseFile } from '../tables/files/schema.js';
import { CliError, REFUSED } from './exit.js';

export const KEY_FILE = 'network.key';
export const PUBLIC_KEY_FILE = 'network.pub';

/** A description as it lies there. */
export interface ReadDescription {
  readonly path: string;
  readonly bytes: Uint8Array;
  readonly text: string;
  readonly file: GndtFile;
}

/** Makes a key in the directory. @returns the public one, base64 */
export function makeNetworkKey(directory: string): { path: string; publicKey: string } {
  const path = join(directory, KEY_FILE);
  const { seed, publicKey } = generateNetworkKey();
  try {
    mkdirSync(directory, { recursive: true });
    writeNew(path, `${encodeKey(seed)}\n`);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST')
      throw new CliError(REFUSED, `${path} is there already: a network has one key, and this may be it`);
    throw new CliError(REFUSED, `cannot write ${path}: ${messageOf(error)}`);
  } finally {
    seed.fill(0);
  }
  const publicText = encodeKey(publicKey);
  write(join(directory, PUBLIC_KEY_FILE), `${publicText}\n`);
  return { path, publicKey: publicText };
}

/** @returns the seed, 32 bytes */
export function readSeed(path: string): Uint8Array {
  const key = readNetworkKey(path);
  if ('problem' in key) throw new CliError(REFUSED, key.problem);
  return key.value;
}

/** Refuses what a router would refuse. */
export function readGndtFile(path: string): ReadDescription {
  const bytes = readBytes(path);
  const text = decodeText(bytes, GNDT_FILE);
  if ('errors' in text)
    throw new CliError(REFUSED, `${path}: ${text.errors.map(formatConfigError).join('\n')}`);
  return { path, bytes, text: text.value, file: parseGndt(path, text.value) };
}

export function signaturePath(path: string): string {
  return `${path}.sig`;
}

/** Undefined: there is none. */
export function readSignatureOf(path: string): Uint8Array | undefined {
  const file = signaturePath(path);
  if (!existsSync(file)) return undefined;
  const signature = readSignature(Buffer.from(readBytes(file)).toString('latin1'));
  if (signature === undefined) throw new CliError(REFUSED, `${file} is not one line with a signature`);
  return signature;
}

export interface Signed {
  readonly version: number;
  readonly publicKey: string;
}

/**
 * Raises the version by one and signs; every other byte of the file stays.
 * @param removes routers that are taken away on purpose; undefined: as the file says
 */
export function signGndt(path: string, keyFile: string, removes: readonly string[] | undefined): Signed {
  const { text, file } = readGndtFile(path);
  const version = (file.version ?? 0) + 1;
  if (version > MAX_VERSION) throw new CliError(REFUSED, `${path}: its version cannot rise any more`);
  const listed = removes === undefined ? text : setMember(text, 'removes', JSON.stringify(removes));
  const signed = setMember(listed, 'version', String(version));
  if (parseGndt(path, signed).version !== version || versionOf(signed) !== version)
    throw new CliError(
      REFUSED,
      `${path}: its version could not be set; write "version": ${version} into it by hand`,
    );
  const content = Buffer.from(signed, 'utf8');
  if (content.length > MAX_DOCUMENT_BYTES - 100)
    throw new CliError(
      REFUSED,
      `${path} is larger than the ${MAX_DOCUMENT_BYTES / 1024 / 1024} MiB that routers pass on`,
    );
  const seed = readSeed(keyFile);
  const signature = sign('description', content, seed);
  const publicKey = encodeKey(publicKeyOf(seed));
  seed.fill(0);
  try {
    replaceFile(path, signed);
  } catch (error) {
    throw new CliError(REFUSED, `cannot write ${path}: ${messageOf(error)}`);
  }
  write(signaturePath(path), signatureLine(signature));
  return { version, publicKey };
}

/** As base64 on the command line, or a file with it. */
export function readPublicKey(given: string): Uint8Array {
  const text = existsSync(given) ? Buffer.from(readBytes(given)).toString('latin1').trim() : given.trim();
  const key = decodeKey(text);
  if (key === undefined)
    throw new CliError(REFUSED, `"${given}" is neither a public key of 44 characters nor a file with one`);
  return key;
}

export function readBytes(path: string): Uint8Array {
  try {
    return new Uint8Array(readFileSync(path));
  } catch (error) {
    throw new CliError(REFUSED, `cannot read ${path}: ${messageOf(error)}`);
  }
}

/** In one step; for others to read. */
export function write(path: string, text: string | Uint8Array): void {
  const temporary = join(dirname(path), `.${process.pid}.new`);
  try {
    writeWhole(temporary, text, 'w', 0o644);
    renameSync(temporary, path);
  } catch (error) {
    rmSync(temporary, { force: true });
    throw new CliError(REFUSED, `cannot write ${path}: ${messageOf(error)}`);
  }
}

/** A secret: its owner's alone, and nothing there is replaced. */
export function writeNew(path: string, text: string): void {
  writeWhole(path, text, 'wx', 0o600);
}

function writeWhole(path: string, content: string | Uint8Array, flags: 'w' | 'wx', mode: number): void {
  const file = openSync(path, flags, mode);
  try {
    writeSync(file, typeof content === 'string' ? Buffer.from(content, 'utf8') : content);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
}

function parseGndt(path: string, text: string): GndtFile {
  const outcome = parseFile(GNDT_FILE, text, gndtSchema);
  const errors = 'errors' in outcome ? outcome.errors : checkGndt(outcome.value);
  if ('errors' in outcome || errors.length > 0)
    throw new CliError(REFUSED, `${path}:\n${errors.map(formatConfigError).join('\n')}`);
  return outcome.value;
}
