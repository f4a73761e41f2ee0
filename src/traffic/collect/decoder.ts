/** Bytes of an exporter in, flows out, whichever of the three protocols they are. */
import { type ExporterAddress, isNetflow, NetflowDecoder } from './netflow.js';
import { Decoded, type FlowDropReason } from './seen-flow.js';
import { decodeSflow, SFLOW_VERSION } from './sflow.js';

/** What fits the largest usual frame. Exporters keep to a path's MTU (RFC 7011 §10.3.3), and a longer message takes its time to read. */
const MOST_BYTES = 9_216;

export class FlowDecoder {
  readonly #netflow = new NetflowDecoder();

  decode(datagram: Uint8Array, from: ExporterAddress): Decoded {
    if (datagram.length > MOST_BYTES) return refused(from, 'length');
    const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = datagram;
    const version = datagram.length < 4 ? 0 : b0 * 256 + b1;
    if (isNetflow(version)) return this.#netflow.decode(datagram, from);
    if (datagram.length >= 4 && version === 0 && b2 * 256 + b3 === SFLOW_VERSION)
      return decodeSflow(datagram, from.address);
    return refused(from, 'version');
  }
}

function refused({ address }: ExporterAddress, reason: FlowDropReason): Decoded {
  const decoded = new Decoded(address);
  decoded.drop(reason);
  return decoded;
}

/** What reading a message costs, in such as fit an Ethernet frame. */
export const costOf = ({ length }: Uint8Array): number => Math.max(1, Math.ceil(length / 1_500));
