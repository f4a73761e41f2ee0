/** Asks a bootstrap router over UDP or TCP whether it takes the membership: sockets and waiting; the words are `JoinCaller`'s. */
import { randomBytes } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { createConnection } from 'node:net';
import { JoinCaller } from '../../membership/join-caller.js';
import type { JoinAnswer } from '../../membership/join-exchange.js';
import type { BootstrapRouter } from '../../membership/token.js';
import { systemClock } from '../../net/system-clock.js';
import { formatEndpoint, isNamed } from '../../tables/files/endpoint-text.js';
import type { RouterEndpoint } from '../../tables/model.js';

/** A request that is not answered is sent again; taking a router in takes one a tenth of a second. */
const AGAIN_MS = 700;
const PATIENCE_MS = 4_000;
const RESOLVE_MS = 3_000;
/** Messages in a TCP connection stand behind their length (docs/wire-notes.md). */
const LENGTH_BYTES = 2;

export interface AskOptions {
  readonly privateKey: Uint8Array;
  readonly membership: Uint8Array;
  /** What happens, for people. */
  readonly tell: (line: string) => void;
}

export type AskOutcome = JoinAnswer | { readonly unanswered: string };

interface Target {
  readonly transport: 'udp' | 'tcp';
  readonly address: string;
  readonly port: number;
}

/** One endpoint after the other until the router answers. */
export async function ask(router: BootstrapRouter, options: AskOptions): Promise<AskOutcome> {
  const caller = JoinCaller.create(options.privateKey, router.publicKey, options.membership, {
    random: (length) => new Uint8Array(randomBytes(length)),
    nowMs: () => systemClock.nowMs(),
    unixS: () => Math.floor(systemClock.wallMs() / 1000),
  });
  if (caller === undefined) return { unanswered: 'its key in the token is none' };
  const reasons: string[] = [];
  for (const endpoint of router.endpoints) {
    const targets = await resolve(endpoint);
    if (typeof targets === 'string') reasons.push(targets);
    for (const target of typeof targets === 'string' ? [] : targets) {
      options.tell(`asking ${router.router} at ${formatEndpoint(endpoint)}`);
      const outcome = await (target.transport === 'udp'
        ? askByUdp(caller, target)
        : askByTcp(caller, target));
      if (!('unanswered' in outcome)) return outcome;
      reasons.push(`${formatEndpoint(endpoint)}: ${outcome.unanswered}`);
    }
  }
  return { unanswered: reasons.join('; ') };
}

async function resolve(endpoint: RouterEndpoint): Promise<Target[] | string> {
  const { transport, port } = endpoint;
  if (!isNamed(endpoint)) return [{ transport, port, address: endpoint.address.key }];
  const late = new Promise<never>((_, reject) => {
    systemClock.after('resolve', RESOLVE_MS, () => reject(new Error(`no answer in ${RESOLVE_MS / 1000} s`)));
  });
  try {
    const found = await Promise.race([lookup(endpoint.name.replace(/\.$/, ''), { all: true }), late]);
    return found.map(({ address }) => ({ transport, port, address }));
  } catch (error) {
    return `${endpoint.name} does not resolve: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** What a conversation is carried by. */
interface Wire {
  send(bytes: Uint8Array): void;
  close(): void;
}

/** @param open begins; calls `received` for each message and `failed` at most once */
function converse(
  caller: JoinCaller,
  open: (received: (bytes: Uint8Array) => void, failed: (why: string) => void, ready: () => void) => Wire,
): Promise<AskOutcome> {
  return new Promise((resolve) => {
    let isDone = false;
    let again: { cancel(): void } | undefined;
    const end = (outcome: AskOutcome): void => {
      if (isDone) return;
      isDone = true;
      again?.cancel();
      limit.cancel();
      wire.close();
      resolve(outcome);
    };
    const request = (): void => {
      if (isDone) return;
      again?.cancel();
      wire.send(caller.request());
      again = systemClock.after('ask again', AGAIN_MS, request);
    };
    const limit = systemClock.after('patience', PATIENCE_MS, () =>
      end({ unanswered: `no answer in ${PATIENCE_MS / 1000} s` }),
    );
    const wire = open(
      (bytes) => {
        const answer = caller.received(bytes);
        if (answer === 'busy') request();
        else if (answer !== undefined) end(answer);
      },
      (why) => end({ unanswered: why }),
      request,
    );
  });
}

function askByUdp(caller: JoinCaller, { address, port }: Target): Promise<AskOutcome> {
  return converse(caller, (received, failed, ready) => {
    const socket = createSocket(address.includes(':') ? 'udp6' : 'udp4');
    socket.on('message', received);
    socket.on('error', (error) => failed(error.message));
    socket.connect(port, address, ready);
    return {
      // What cannot be sent now may be later, or another way is tried: `error` says so.
      send: (bytes) => socket.send(bytes, () => {}),
      close: () => socket.close(),
    };
  });
}

function askByTcp(caller: JoinCaller, { address, port }: Target): Promise<AskOutcome> {
  return converse(caller, (received, failed, ready) => {
    const socket = createConnection({ host: address, port });
    let waiting = Buffer.alloc(0);
    socket.on('connect', ready);
    socket.on('error', (error) => failed(error.message));
    socket.on('close', () => failed('the connection was closed'));
    socket.on('data', (part) => {
      waiting = Buffer.concat([waiting, part]);
      while (waiting.length >= LENGTH_BYTES) {
        const end = LENGTH_BYTES + waiting.readUInt16BE(0);
        if (waiting.length < end) return;
        received(new Uint8Array(waiting.subarray(LENGTH_BYTES, end)));
        waiting = waiting.subarray(end);
      }
    });
    return {
      send: (bytes) => {
        const head = Buffer.alloc(LENGTH_BYTES);
        head.writeUInt16BE(bytes.length);
        socket.write(Buffer.concat([head, bytes]));
      },
      close: () => socket.destroy(),
    };
  });
}
