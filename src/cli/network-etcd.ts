/** `vinectl network publish --etcd`: puts a description into the etcd that router.json names. */
import { EtcdGateway } from '../config/etcd-gateway.js';
import { loadConfigDirectory, type VineConfig } from '../config/load.js';
import type { Call } from '../membership/etcd/follower.js';
import { type EtcdFailure, failure } from '../membership/etcd/messages.js';
import { swapIn } from '../membership/etcd/swap.js';
import { acceptedKeys } from '../membership/succession.js';
import { formatConfigError } from '../tables/files/error.js';
import type { EtcdConfig } from '../tables/model.js';
import { CliError, REFUSED, UNREACHABLE } from './exit.js';
import type { Io } from './io.js';

/** For a document of 4 MiB to another site. */
const ANSWER_MS = 10_000;

export interface PutDescription {
  readonly version: number;
  readonly endpoint: string;
  readonly key: string;
  readonly changed: boolean;
  /** The version that was there; null: none. */
  readonly before: number | null;
}

/** @param directory of the router's configuration */
export async function putDescription(
  directory: string,
  document: Uint8Array,
  { nowMs, sleep }: Pick<Io, 'nowMs' | 'sleep'>,
): Promise<PutDescription> {
  const loaded = loadConfigDirectory(directory);
  if ('errors' in loaded) throw new CliError(REFUSED, loaded.errors.map(formatConfigError).join('\n'));
  const { etcd, keys } = settingsOf(loaded.config, directory, nowMs());
  const gateway = new EtcdGateway(etcd);
  const problems: string[] = [];
  for (const endpoint of etcd.endpoints) {
    const outcome = await swapIn(
      {
        range: () => answered((heard) => gateway.range(endpoint, false, heard), sleep),
        swap: (modRevision, bytes) =>
          answered((heard) => gateway.swap(endpoint, modRevision, bytes, heard), sleep),
      },
      document,
      keys,
    );
    if (outcome.is === 'refused') throw new CliError(REFUSED, outcome.reason);
    if (outcome.is !== 'failed') {
      const { version, before = null } = outcome;
      return { version, endpoint, key: etcd.key, changed: outcome.is === 'written', before };
    }
    problems.push(`${endpoint}: ${outcome.failure.detail}`);
  }
  throw new CliError(
    UNREACHABLE,
    `no etcd takes it, and whether the last one that was asked has it shows "vinectl network list":\n  ${problems.join('\n  ')}`,
  );
}

function settingsOf(
  { router, successions = [] }: VineConfig,
  directory: string,
  nowMs: number,
): { etcd: EtcdConfig; keys: readonly Uint8Array[] } {
  const { network } = router;
  if (network?.etcd === undefined)
    throw new CliError(
      REFUSED,
      `router.json in ${directory} names no etcd: put "etcd": ["https://127.0.0.1:2379"] beside "publicKey" into its "network"`,
    );
  return { etcd: network.etcd, keys: acceptedKeys(network.publicKey, successions, nowMs / 1_000) };
}

function answered<Answer extends object | boolean>(
  ask: (heard: (answer: Answer | EtcdFailure) => void) => Call,
  sleep: Io['sleep'],
): Promise<Answer | EtcdFailure> {
  return new Promise((resolve) => {
    const heard = new AbortController();
    const call = ask((answer) => {
      heard.abort();
      resolve(answer);
    });
    void sleep(ANSWER_MS, heard.signal).then(() => {
      call.cancel();
      resolve(failure('silent', `no answer within ${ANSWER_MS / 1_000} s`));
    });
  });
}
