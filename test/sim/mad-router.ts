/**
 * A router with a valid key that lies. Behind it is an honest site, with its tables, so that it knows the truth: to lie
 * well one must. What it says is well-formed, which is to say that it has gone through the codec and come out of it.
 */
import { ControlCodec } from '../../src/protocol/control-codec.js';
import type { ControlMessage } from '../../src/protocol/control-message.js';
import type { TableMessage } from '../../src/protocol/table-message.js';
import type { RouterId } from '../../src/tables/model.js';
import type { Wan } from '../support/sim-lan-site.js';
import type { WanEnd } from '../support/sim-lan-wan.js';
import type { SimLinkWan } from '../support/sim-link-wan.js';

/** What it remembers to say again, and of what it has said. */
const REMEMBERED = 200;

const LINK_MESSAGES: ReadonlySet<ControlMessage['type']> = new Set([
  'hello',
  'ping',
  'pong',
  'bye',
  'seek',
  'seen',
]);

const codec = new ControlCodec();

export interface Heard {
  readonly from: RouterId;
  readonly message: TableMessage;
}

export class MadRouter implements WanEnd {
  readonly id: RouterId;
  readonly heard: Heard[] = [];
  /** Told of everything that it hears, before its honest part is. */
  onHeard: (heard: Heard) => void = () => {};
  /** What becomes of a message of its honest part; undefined: it is not sent. */
  passes: (to: RouterId, message: TableMessage) => TableMessage | undefined = (_, message) => message;
  /** Lies that the decoder refuses: they reach nobody. */
  refusedByDecoder = 0;
  told = 0;
  /** The last of them, for the report of a failure. */
  readonly said: { readonly to: RouterId; readonly message: TableMessage }[] = [];
  #wan: SimLinkWan | undefined;
  #honest: WanEnd | undefined;

  constructor(id: RouterId) {
    this.id = id;
  }

  /** The WAN as its honest part sees it. */
  inFrontOf(wan: SimLinkWan): Wan {
    this.#wan = wan;
    return {
      join: (id, end) => {
        this.#honest = end;
        wan.join(id, this);
      },
      leave: (id) => wan.leave(id),
      part: (id, peer) => wan.part(id, peer),
      upPeers: (of) => wan.upPeers(of),
      send: (from, to, message) => {
        const passed = this.passes(to, message);
        // What cannot be read is never acknowledged: the channel would go on with it for ever.
        const isReadable =
          passed === message || (passed !== undefined && read(payloadOf(passed)) !== undefined);
        if (passed !== undefined && isReadable) wan.send(from, to, passed);
      },
    };
  }

  message(from: RouterId, message: TableMessage): void {
    this.heard.push({ from, message });
    if (this.heard.length > REMEMBERED) this.heard.shift();
    this.onHeard({ from, message });
    this.#honest?.message(from, message);
  }

  peerUp(peer: RouterId): void {
    this.#honest?.peerUp(peer);
  }

  peerDown(peer: RouterId): void {
    this.#honest?.peerDown(peer);
  }

  /** Says it to one router. False: its decoder will not have it. */
  tell(to: RouterId, message: TableMessage): boolean {
    return this.tellPayload(to, payloadOf(message));
  }

  tellAll(to: readonly RouterId[], message: TableMessage): void {
    const payload = payloadOf(message);
    for (const router of to) this.tellPayload(router, payload);
  }

  /** The same of what is encoded already. What is no message about the tables is said to nobody. */
  tellPayload(to: RouterId, payload: Uint8Array): boolean {
    const body = read(payload);
    if (body === undefined) {
      this.refusedByDecoder++;
      return false;
    }
    this.told++;
    this.said.push({ to, message: body });
    if (this.said.length > REMEMBERED) this.said.shift();
    this.#wan?.say(this.id, to, body);
    return true;
  }
}

export function payloadOf(message: TableMessage): Uint8Array {
  return codec.encode({ id: 1, acks: [], epoch: 1, ackEpoch: 1, oldest: 1, body: message });
}

/** As its receivers read it; undefined: they do not, or it is not about the tables. */
function read(payload: Uint8Array): TableMessage | undefined {
  const decoded = codec.decode(payload);
  const body = typeof decoded === 'string' ? undefined : decoded.envelope.body;
  return body !== undefined && isAboutTables(body) ? body : undefined;
}

function isAboutTables(body: ControlMessage): body is TableMessage {
  return !LINK_MESSAGES.has(body.type);
}
