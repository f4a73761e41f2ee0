/**
 * The same as `Leases` for DHCPv6: what home servers have granted to visiting nodes, so that a REBIND or a CONFIRM is
 * answered before a server of the LAN that is visited can say that the addresses are wrong there.
 */
import {
  asksForTheSame,
  confirmation,
  isGrant,
  replyAgain,
  shortestLifetime,
} from '../../arp/dhcp/again6.js';
import type { Dhcp6Message } from '../../arp/dhcp/dhcp6.js';
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';
import type { Visit } from './relation.js';

/** Nodes; each takes up to 1 KB. */
const MOST = 4_096;
const GRANTING: ReadonlySet<Dhcp6Message['kind']> = new Set(['request', 'renew', 'rebind']);

interface Asked {
  readonly xid: number;
  readonly clientId: string | undefined;
  readonly atMs: number;
}

interface Lease {
  readonly reply: Dhcp6Message;
  /** When the node asked for it; monotonic clock. */
  readonly sinceMs: number;
  /** The record by which the node is visiting, as it was. */
  readonly ip: Ip;
  readonly seq: number;
}

export interface Answer6 {
  readonly payload: Uint8Array;
  readonly ip: Ip;
}

export class Leases6 {
  readonly #context: Context;
  readonly #asked = new BoundedMap<string, Asked>(MOST);
  readonly #leases = new BoundedMap<string, Lease>(MOST);

  constructor(context: Context) {
    this.#context = context;
  }

  /** A visiting node has said something to all servers. @param atMs when that was captured */
  asked(vnet: VnetId, mac: Mac, { kind, xid, clientId }: Dhcp6Message, atMs: number): void {
    const key = keyOf(vnet, mac);
    if (kind === 'release' || kind === 'decline') {
      this.#leases.delete(key);
      // An answer to what it asked before may still be on its way.
      this.#asked.delete(key);
    }
    // Said again, it is the same question: the server may have answered the first one.
    if (GRANTING.has(kind) && this.#asked.get(key)?.xid !== xid)
      this.#asked.set(key, { xid, clientId, atMs });
  }

  /** The home server has answered a visiting node. What grants nothing ends what was granted before. */
  answered(vnet: VnetId, mac: Mac, message: Dhcp6Message, { record }: Visit): void {
    const key = keyOf(vnet, mac);
    const asked = this.#asked.get(key);
    if (message.kind !== 'reply' || asked?.xid !== message.xid || asked.clientId !== message.clientId) return;
    if (!isGrant(message)) {
      this.#leases.delete(key);
      return;
    }
    this.#leases.set(key, { reply: message, sinceMs: asked.atMs, ip: record.ip, seq: record.seq });
  }

  /** Undefined: it is no such question, nothing is known, or some of it has run out. */
  answerTo(vnet: VnetId, mac: Mac, request: Dhcp6Message): Answer6 | undefined {
    const lease = this.#leases.get(keyOf(vnet, mac));
    const [ip] = request.addresses;
    if (lease === undefined || ip === undefined || !this.#isWhereItWas(vnet, mac, lease)) return undefined;
    const { reply, sinceMs } = lease;
    const isKnown = request.addresses.every((asked) => reply.addresses.some((one) => one.equals(asked)));
    if (!isKnown || request.clientId !== reply.clientId) return undefined;
    // Rounded up, so that never more is told than is left.
    const passedSeconds = Math.ceil((this.#context.clock.nowMs() - sinceMs) / 1_000);
    if (passedSeconds >= shortestLifetime(reply)) return undefined;
    if (request.kind === 'confirm') return { payload: confirmation(reply, request), ip };
    if (request.kind !== 'rebind' || !asksForTheSame(request, reply)) return undefined;
    return { payload: replyAgain(reply, request, passedSeconds), ip };
  }

  #isWhereItWas(vnet: VnetId, mac: Mac, { ip, seq }: Lease): boolean {
    const { directory, self } = this.#context;
    const record = directory.here(vnet, ip);
    return record?.router === self && record.mac === mac && record.seq === seq;
  }
}

function keyOf(vnet: VnetId, mac: Mac): string {
  return `${vnet}|${mac}`;
}
