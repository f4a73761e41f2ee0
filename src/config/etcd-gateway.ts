/**
 * Speaks with an etcd by its JSON gateway (src/membership/etcd/messages). A connection for each call: there is one in 15 s, and
 * none is ever found dead. Node's HTTP client is loaded at the first call only.
 */
import { readFile, stat } from 'node:fs/promises';
import type { ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import type { LookupFunction } from 'node:net';
import type { Call, EtcdPort } from '../membership/etcd/follower.js';
import {
  type EtcdFailure,
  errorIn,
  failure,
  isFailure,
  LOGIN_PATH,
  loginRequest,
  MAX_ANSWER_BYTES,
  RANGE_PATH,
  type RangeAnswer,
  rangeRequest,
  readLogin,
  readObject,
  readRange,
  readSwap,
  readWatch,
  swapRequest,
  TXN_PATH,
  WATCH_PATH,
  type WatchAnswer,
  watchRequest,
} from '../membership/etcd/messages.js';
import { codeOf, messageOf } from '../net/system-error.js';
import type { EtcdConfig } from '../tables/model.js';
import { openSecret } from './etcd-files.js';

const MAX_ERROR_BYTES = 8 * 1024;

/** What is heard of one call: `text` for each line, or for the whole answer; then nothing or one failure. */
interface Hearing {
  readonly isLines: boolean;
  text(text: string): void;
  failed(failure: EtcdFailure): void;
}

export class EtcdGateway implements EtcdPort {
  readonly #config: EtcdConfig;
  readonly #lookup: LookupFunction | undefined;
  /** What the user has been given, by endpoint; dropped with each failure there. */
  readonly #tokens = new Map<string, string>();

  /** @param lookup of host names; undefined: the system's */
  constructor(config: EtcdConfig, lookup?: LookupFunction) {
    this.#config = config;
    this.#lookup = lookup;
  }

  range(endpoint: string, keysOnly: boolean, heard: (answer: RangeAnswer | EtcdFailure) => void): Call {
    const { key } = this.#config;
    return this.#post(endpoint, RANGE_PATH, rangeRequest(key, keysOnly), {
      isLines: false,
      text: (text) => heard(readRange(text, key)),
      failed: heard,
    });
  }

  watch(endpoint: string, from: bigint, heard: (answer: WatchAnswer | EtcdFailure) => void): Call {
    const { key } = this.#config;
    const call = this.#post(endpoint, WATCH_PATH, watchRequest(key, from), {
      isLines: true,
      text: (text) => {
        const answer = readWatch(text, key);
        if (isFailure(answer)) call.cancel(); // the last thing heard
        heard(answer);
      },
      failed: heard,
    });
    return call;
  }

  /** Writes the document if the key was last written at that revision; 0: if there is no such key. */
  swap(
    endpoint: string,
    modRevision: bigint,
    document: Uint8Array,
    heard: (answer: boolean | EtcdFailure) => void,
  ): Call {
    return this.#post(endpoint, TXN_PATH, swapRequest(this.#config.key, modRevision, document), {
      isLines: false,
      text: (text) => heard(readSwap(text)),
      failed: heard,
    });
  }

  #post(endpoint: string, path: string, body: string, hearing: Hearing): Call {
    let isOver = false;
    let current: Call | undefined;
    const step = (call: Call): void => {
      current = call;
      if (isOver) call.cancel();
    };
    const failed = (found: EtcdFailure): void => {
      this.#tokens.delete(endpoint);
      if (!isOver) hearing.failed(found);
    };
    const withToken = (token: string | undefined): void => {
      if (!isOver) step(this.#exchange(new URL(path, endpoint), body, { ...hearing, failed }, token));
    };
    const known = this.#tokens.get(endpoint);
    if (this.#config.user === undefined || known !== undefined) withToken(known);
    else
      void this.#credentials(this.#config.user).then(
        (credentials) => {
          if (!isOver) step(this.#logIn(endpoint, credentials, withToken, failed));
        },
        (error: unknown) => failed(failure('files', messageOf(error))),
      );
    return {
      cancel: () => {
        isOver = true;
        current?.cancel();
      },
    };
  }

  async #credentials(user: string): Promise<string> {
    const { passwordFile = '' } = this.#config;
    const password = (await readSecret(passwordFile)).toString('utf8').replace(/\r?\n$/, '');
    return loginRequest(user, password);
  }

  #logIn(
    endpoint: string,
    credentials: string,
    done: (token: string) => void,
    failed: (found: EtcdFailure) => void,
  ): Call {
    return this.#exchange(new URL(LOGIN_PATH, endpoint), credentials, {
      isLines: false,
      text: (text) => {
        const token = readLogin(text);
        if (typeof token !== 'string') return failed(token);
        this.#tokens.set(endpoint, token);
        done(token);
      },
      failed,
    });
  }

  /** One request and what comes of it. */
  #exchange(url: URL, body: string, hearing: Hearing, token?: string): Call {
    let request: ClientRequest | undefined;
    let isOver = false;
    const cancel = (): void => {
      isOver = true;
      request?.destroy();
    };
    const guarded: Hearing = {
      isLines: hearing.isLines,
      text: (text) => {
        if (isOver) return;
        if (!hearing.isLines) isOver = true;
        hearing.text(text);
      },
      failed: (found) => {
        if (isOver) return;
        cancel();
        hearing.failed(found);
      },
    };
    void this.#open(url, token).then(
      (opened) => {
        request = opened;
        opened.on('error', (error) => guarded.failed(connectionFailure(error)));
        opened.on('response', (response) => listen(response, guarded));
        if (isOver) opened.destroy();
        else opened.end(body);
      },
      (error: unknown) => guarded.failed(failure('files', messageOf(error))),
    );
    return { cancel };
  }

  /** Rejects when a file cannot be used. The files are read each time: certificates are replaced while the router runs. */
  async #open(url: URL, token: string | undefined): Promise<ClientRequest> {
    const options: RequestOptions = {
      method: 'POST',
      agent: false,
      headers: { 'content-type': 'application/json', ...(token && { authorization: token }) },
      ...(this.#lookup === undefined ? {} : { lookup: this.#lookup }),
    };
    if (url.protocol === 'http:') return (await import('node:http')).request(url, options);
    const { caFile, certificateFile, privateKeyFile } = this.#config;
    const [ca, cert] = await Promise.all([caFile, certificateFile].map(readPem));
    const key = privateKeyFile === undefined ? undefined : await readSecret(privateKeyFile);
    const { request } = await import('node:https');
    return request(url, { ...options, ...(ca && { ca }), ...(cert && { cert }), ...(key && { key }) });
  }
}

async function readPem(path: string | undefined): Promise<Buffer | undefined> {
  return path === undefined ? undefined : readFile(path);
}

/** Rejects when everybody may read it. */
async function readSecret(path: string): Promise<Buffer> {
  const problem = openSecret(path, (await stat(path)).mode);
  if (problem !== undefined) throw new Error(problem);
  return readFile(path);
}

function listen(response: IncomingMessage, hearing: Hearing): void {
  const isGood = response.statusCode === 200;
  const isLines = isGood && hearing.isLines;
  const mostBytes = isGood ? MAX_ANSWER_BYTES : MAX_ERROR_BYTES;
  let parts: Buffer[] = [];
  let bytes = 0;
  const take = (): string => {
    const text = Buffer.concat(parts).toString('utf8');
    parts = [];
    bytes = 0;
    return text;
  };
  const keep = (part: Buffer): boolean => {
    bytes += part.length;
    if (bytes <= mostBytes) parts.push(part);
    return bytes <= mostBytes;
  };
  const tooLarge = (): void =>
    isGood
      ? hearing.failed(failure('too-large', 'it answers with more than a description can have, 4 MiB'))
      : hearing.failed(refused(response, take()));
  response.on('data', (chunk: Buffer) => {
    let rest = chunk;
    for (let end = isLines ? rest.indexOf(0x0a) : -1; end >= 0; end = rest.indexOf(0x0a)) {
      if (!keep(rest.subarray(0, end))) return tooLarge();
      hearing.text(take());
      rest = rest.subarray(end + 1);
    }
    if (!keep(rest)) tooLarge();
  });
  response.on('error', (error) => hearing.failed(connectionFailure(error)));
  response.on('aborted', () => hearing.failed(failure('ended', 'it has closed the connection')));
  response.on('end', () => {
    if (!isGood) hearing.failed(refused(response, take()));
    else if (isLines) hearing.failed(failure('ended', 'it has ended the watch'));
    else hearing.text(take());
  });
}

function refused({ statusCode }: IncomingMessage, text: string): EtcdFailure {
  const said = errorIn(readObject(text));
  const hint = said === undefined && statusCode === 404 ? ': is it an etcd, of version 3.4 or later?' : '';
  return failure('refused', `it answers with HTTP ${statusCode}${said === undefined ? hint : `: ${said}`}`);
}

/** In an operator's words. */
const REASONS: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it has closed the connection',
  EHOSTUNREACH: 'there is no way to it',
  ENETUNREACH: 'there is no way to it',
  ETIMEDOUT: 'it does not answer',
  ENOTFOUND: 'there is no such name',
  EAI_AGAIN: 'no name server answers',
  EPROTO: 'it speaks no TLS there, or wants a certificate that is not shown',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'its certificate is signed by nobody known here; "etcdCaFile" names who may',
  UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    'its certificate is signed by nobody known here; "etcdCaFile" names who may',
  SELF_SIGNED_CERT_IN_CHAIN: 'its certificate is signed by nobody known here; "etcdCaFile" names who may',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    'its certificate is signed by nobody known here; "etcdCaFile" names who may',
  ERR_TLS_CERT_ALTNAME_INVALID: 'its certificate is for another name or address',
  CERT_HAS_EXPIRED: 'its certificate has expired',
};

function connectionFailure(error: Error): EtcdFailure {
  const code = codeOf(error) ?? '';
  const isEnd = code === 'ECONNRESET';
  return failure(isEnd ? 'ended' : 'unreachable', REASONS[code] ?? messageOf(error));
}
