/**
 * What home servers have acknowledged to visiting nodes (DHCPv4), so that a node that asks for its address by broadcast
 * again is answered before the server of the LAN that it visits, which does not know it, can refuse it.
 *
 * A lease counts from when this router saw the node ask for it: the server's began later, so that what is left here is
 * never more than what is left there. A lease is of the address's record as it was; when the node has moved since, or has
 * given the address back, or its server has refused it, it is forgotten.
 */
import { acknowledgeAgain, type Dhcp4Message } from '../../arp/dhcp/dhcp4.js';
import { BoundedMap } from '../../net/bounded-map.js';
import type { Ip } from '../../net/ip.js';
import type { Mac } from '../../net/mac.js';
import type { VnetId } from '../../tables/model.js';
import type { Context } from '../context.js';

/** Nodes; each takes up to 1.5 KB. */
const MOST = 4_096;
const FOR_EVER = 0xffffffff;

interface Asked {
  readonly xid: number;
  readonly clientId: string | undefined;
  readonly atMs: number;
}

interface Lease {
  readonly acknowledgement: Dhcp4Message;
  readonly server: Ip;
  readonly clientId: string | undefined;
  /** Monotonic clock; infinite for one without an end. */
  readonly untilMs: number;
  /** Of the address's record. */
  readonly seq: number;
}

export interface Answer {
  readonly payload: Uint8Array;
  /** The address that the node keeps. */
  readonly ip: Ip;
  /** In whose name. */
  readonly server: Ip;
}

export class Leases {
  readonly #context: Context;
  readonly #asked = new BoundedMap<string, Asked>(MOST);
  readonly #leases = new BoundedMap<string, Lease>(MOST);

  constructor(context: Context) {
    this.#context = context;
  }

  /** A visiting node has said something to a server, by broadcast or to one alone. @param atMs when that was captured */
  asked(vnet: VnetId, message: Dhcp4Message, atMs: number): void {
    const key = keyOf(vnet, message.mac);
    if (message.kind === 'release' || message.kind === 'decline') {
      this.#leases.delete(key);
      // An answer to what it asked before may still be on its way.
      this.#asked.delete(key);
    }
    if (message.kind !== 'request') return;
    const { xid, clientId } = message;
    // Said again, it is the same question: the server may have answered the first one.
    if (this.#asked.get(key)?.xid !== xid) this.#asked.set(key, { xid, clientId, atMs });
  }

  /** The home server has answered a visiting node. */
  answered(vnet: VnetId, message: Dhcp4Message): void {
    const key = keyOf(vnet, message.mac);
    if (message.kind === 'nak') this.#leases.delete(key);
    const asked = this.#asked.get(key);
    if (message.kind !== 'ack' || asked?.xid !== message.xid) return;
    const { yiaddr, server, leaseSeconds } = message;
    const record = this.#recordOf(vnet, yiaddr, message.mac);
    if (record === undefined || server === undefined || leaseSeconds === undefined) return;
    const lastsMs = leaseSeconds === FOR_EVER ? Number.POSITIVE_INFINITY : leaseSeconds * 1_000;
    const { clientId, atMs } = asked;
    const untilMs = atMs + lastsMs;
    this.#leases.set(key, { acknowledgement: message, server, clientId, untilMs, seq: record.seq });
  }

  /**
   * The answer to a node that asks to keep its address (REBINDING, or INIT-REBOOT), with what is left of its lease.
   * Undefined: nothing is known, or it has run out.
   */
  answerTo(vnet: VnetId, request: Dhcp4Message): Answer | undefined {
    const lease = this.#leases.get(keyOf(vnet, request.mac));
    const wanted = addressKept(request);
    if (lease === undefined || wanted === undefined) return undefined;
    const { acknowledgement, server, clientId, untilMs, seq } = lease;
    if (!acknowledgement.yiaddr.equals(wanted) || clientId !== request.clientId) return undefined;
    if (this.#recordOf(vnet, wanted, request.mac)?.seq !== seq) return undefined;
    const leftSeconds = Math.floor((untilMs - this.#context.clock.nowMs()) / 1_000);
    if (leftSeconds < 1) return undefined;
    const payload = acknowledgeAgain(acknowledgement, request, Math.min(leftSeconds, FOR_EVER));
    return { payload, ip: wanted, server };
  }

  /** The address's record, if it is that of the node, here. */
  #recordOf(vnet: VnetId, ip: Ip, mac: Mac) {
    const { directory, self } = this.#context;
    const record = directory.here(vnet, ip);
    return record?.router === self && record.mac === mac ? record : undefined;
  }
}

/** RFC 2131 §4.3.2: without a server's identifier; by `ciaddr` (REBINDING) or by option 50 (INIT-REBOOT), not by both. */
function addressKept({ kind, server, ciaddr, requested }: Dhcp4Message): Ip | undefined {
  if (kind !== 'request' || server !== undefined) return undefined;
  if (ciaddr.isUnspecified) return requested;
  return requested === undefined ? ciaddr : undefined;
}

function keyOf(vnet: VnetId, mac: Mac): string {
  return `${vnet}|${mac}`;
}
