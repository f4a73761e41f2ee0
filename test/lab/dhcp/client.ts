/** A DHCP client on a node of the lab that says one message and writes down the answers. */
import { type DhcpMessage, decodeDhcp } from '../../../src/arp/dhcp/frame.js';
import { BROADCAST_MAC, udpFrame } from '../../support/dhcp-messages.js';
import { projectRoot } from '../daemon.js';
import type { Lab } from '../lab.js';

const EXCHANGE = `${projectRoot}test/lab/dhcp/exchange.py`;

export interface Answer {
  readonly us: number;
  /** Undefined: the socket does not tell. */
  readonly from: string | undefined;
  readonly server: string;
  readonly message: DhcpMessage;
}

function answersIn(output: string, family: 4 | 6): Answer[] {
  return output
    .trim()
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [us = '', from = '', server = '', hex = ''] = line.split(' ');
      const message = decodeDhcp(family, Buffer.from(hex, 'hex'));
      if (typeof message === 'string') throw new Error(`an answer that is no DHCP: ${message}, ${hex}`);
      return { us: Number(us), from: from === '-' ? undefined : from, server, message };
    });
}

const toHex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

/** Speaks for a node of the lab. @param seconds how long it listens */
export class DhcpClient {
  readonly #lab: Lab;
  readonly #node: string;
  readonly #mac: string;

  constructor(lab: Lab, node: string, mac: string) {
    this.#lab = lab;
    this.#node = node;
    this.#mac = mac;
  }

  /** By broadcast, from a raw socket. */
  async broadcast(payload: Uint8Array, source = '0.0.0.0', seconds = 1): Promise<Answer[]> {
    const addresses = { source, destination: '255.255.255.255', ports: [68, 67] as const };
    const frame = udpFrame({ from: this.#mac, to: BROADCAST_MAC, ...addresses, payload });
    return answersIn(await this.#exchange('frame', seconds, frame), 4);
  }

  /** To one server, as an ordinary packet of the node. */
  async alone(payload: Uint8Array, server: string, seconds = 1): Promise<Answer[]> {
    return answersIn(await this.#exchange('udp', seconds, payload, server), 4);
  }

  async all6(payload: Uint8Array, seconds = 2): Promise<Answer[]> {
    return answersIn(await this.#exchange('udp6', seconds, payload), 6);
  }

  #exchange(kind: string, seconds: number, bytes: Uint8Array, ...more: string[]): Promise<string> {
    const command = ['python3', EXCHANGE, kind, 'eth0', String(seconds), toHex(bytes), ...more];
    return this.#lab.exec(this.#node, command);
  }
}
