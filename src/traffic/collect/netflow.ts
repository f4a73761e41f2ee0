/**
 * IPFIX (RFC 7011) and NetFlow v9 (RFC 3954) in.
 *
 *   IPFIX:       version 10 (2) | length (2) | export time (4) | sequence (4) | observation domain (4) | sets
 *   NetFlow v9:  version 9 (2) | records (2) | uptime (4) | time (4) | sequence (4) | source id (4) | flowsets
 *   a set:       id (2) | length, with these four bytes (2) | templates or records
 */
import { type FlowRecord, readRecords } from './records.js';
import type { Sampling } from './sampling.js';
import { Decoded } from './seen-flow.js';
import { type Session, Sessions } from './sessions.js';
import { type Protocol, readTemplates, type Template } from './templates.js';

const SET_HEADER_BYTES = 4;
const FIRST_DATA_SET = 256;
const EGRESS = 1;

interface Framing {
  readonly protocol: Protocol;
  readonly headerBytes: number;
  readonly domainAt: number;
  readonly templateSet: number;
  readonly optionsSet: number;
}

const FRAMINGS: ReadonlyMap<number, Framing> = new Map([
  [9, { protocol: 'netflow-9', headerBytes: 20, domainAt: 16, templateSet: 0, optionsSet: 1 }],
  [10, { protocol: 'ipfix', headerBytes: 16, domainAt: 12, templateSet: 2, optionsSet: 3 }],
]);

export interface ExporterAddress {
  readonly address: string;
  readonly port: number;
}

export function isNetflow(version: number): boolean {
  return FRAMINGS.has(version);
}

export class NetflowDecoder {
  readonly #sessions = new Sessions();

  /** Of a version that `isNetflow`. */
  decode(datagram: Uint8Array, { address, port }: ExporterAddress): Decoded {
    const view = new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength);
    const framing = view.byteLength >= 2 ? FRAMINGS.get(view.getUint16(0)) : undefined;
    if (framing === undefined || view.byteLength < framing.headerBytes) return refused(address);
    const { protocol, domainAt } = framing;
    if (protocol === 'ipfix' && view.getUint16(2) !== view.byteLength) return refused(address);
    const domain = view.getUint32(domainAt);
    const decoded = new Decoded(`${address} ${domain}`);
    this.#sessions.use(address, `${protocol} ${port} ${domain}`, (session) =>
      this.#readSets(view, framing, session, decoded),
    );
    return decoded;
  }

  #readSets(view: DataView, framing: Framing, session: Session, decoded: Decoded): void {
    for (let at = framing.headerBytes; view.byteLength - at >= SET_HEADER_BYTES; ) {
      const id = view.getUint16(at);
      const length = view.getUint16(at + 2);
      if (length < SET_HEADER_BYTES || length > view.byteLength - at) {
        decoded.drop('length');
        return;
      }
      const start = view.byteOffset + at + SET_HEADER_BYTES;
      readSet(id, new DataView(view.buffer, start, length - SET_HEADER_BYTES), framing, session, decoded);
      at += length;
    }
  }
}

function refused(exporter: string): Decoded {
  const decoded = new Decoded(exporter);
  decoded.drop('length');
  return decoded;
}

function readSet(id: number, set: DataView, framing: Framing, session: Session, decoded: Decoded): void {
  const { protocol, templateSet, optionsSet } = framing;
  if (id === templateSet || id === optionsSet) {
    for (const read of readTemplates(set, protocol, id === optionsSet)) {
      if (read === undefined) decoded.drop('bad-template');
      else keep(session, read.id, read.template, framing);
    }
    return;
  }
  const template = id < FIRST_DATA_SET ? undefined : session.template(id);
  if (template === undefined) {
    decoded.drop('unknown-template');
    return;
  }
  for (const record of readRecords(set, template)) {
    if (record === undefined) decoded.drop('length');
    else if (!template.isOptions) readFlow(record, session.sampling, decoded);
    else if (!session.sampling.learn(record)) decoded.drop('sampling');
  }
}

function keep(
  session: Session,
  id: number,
  template: Template | undefined,
  { templateSet, optionsSet }: Framing,
): void {
  if (template !== undefined) session.keep(id, template);
  else if (id === templateSet || id === optionsSet) session.withdrawAll(id === optionsSet);
  else session.withdraw(id);
}

function readFlow(record: FlowRecord, sampling: Sampling, decoded: Decoded): void {
  const { addresses } = record;
  if (addresses === undefined) {
    decoded.ignore('no-addresses');
    return;
  }
  const [packets, bytes] = [record.number('packets'), record.number('bytes')];
  if (packets === undefined || bytes === undefined) {
    decoded.drop('no-counters');
    return;
  }
  const [source, destination] = addresses;
  const rate = sampling.rateOf(record);
  const isEgress = record.number('direction') === EGRESS;
  decoded.add(source, destination, { packets, bytes, isEgress }, rate);
  const [backPackets, backBytes] = [record.number('reversePackets'), record.number('reverseBytes')];
  if (backPackets !== undefined && backBytes !== undefined)
    decoded.add(destination, source, { packets: backPackets, bytes: backBytes, isEgress }, rate);
}
