/** Bytes of an exporter in, flows out, whichever of the three protocols they are. */
import { type ExporterAddress, isNetflow, NetflowDecoder } from './netflow.js';
import { Decoded } from './seen-flow.js';
import { decodeSflow, SFLOW_VERSION } from './sflow.js';

export class FlowDecoder {
  readonly #netflow = new NetflowDecoder();

  decode(datagram: Uint8Array, from: ExporterAddress): Decoded {
    const [b0 = 0, b1 = 0, b2 = 0, b3 = 0] = datagram;
    const version = datagram.length < 4 ? 0 : b0 * 256 + b1;
    if (isNetflow(version)) return this.#netflow.decode(datagram, from);
    if (datagram.length >= 4 && version === 0 && b2 * 256 + b3 === SFLOW_VERSION)
      return decodeSflow(datagram, from.address);
    const decoded = new Decoded(from.address);
    decoded.drop('version');
    return decoded;
  }
}
