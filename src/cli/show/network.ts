/** The signed description as people read it. */
import type { EtcdView, NetworkRouterView, NetworkView } from '../../control/network-view.js';
import { type Column, clean, type Look, table } from './text.js';

export interface Progress {
  readonly version: number;
  /** `stands`: on all that are reached. `left`: somebody stopped watching. `late`: it has taken too long. */
  readonly outcome: 'under way' | 'stands' | 'undone' | 'refused' | 'left' | 'late';
  /** Of the routers that are reached, this one too. */
  readonly has: number;
  readonly reached: number;
  readonly routers: number;
  readonly trialSeconds: number;
  /** Who has it not, and why. */
  readonly without: readonly { readonly router: string; readonly why: string }[];
}

/** How far a version that was published here has come. */
export function progressOf(view: NetworkView, version: number): Progress {
  const undone = view.undone.find((one) => one.version === version);
  const reached = view.routers.filter(({ reachable }) => reachable);
  const has = reached.filter((router) => hasIt(router, version));
  const without = view.routers
    .filter((router) => !hasIt(router, version))
    .map((router) => ({ router: router.id, why: whyNot(router, version) }));
  const isOver = reached.every((router) => router.state === 'current' || isJudged(router, version));
  const allHave = has.length === reached.length;
  const base = {
    version,
    has: has.length,
    reached: reached.length,
    routers: view.routers.length,
    trialSeconds: view.trial?.remainingSeconds ?? 0,
    without,
  };
  if (undone !== undefined)
    return {
      ...base,
      outcome: 'undone',
      without: [...without, { router: 'this router', why: undone.reason }],
    };
  if (!isOver || view.version !== version) return { ...base, outcome: 'under way' };
  return { ...base, outcome: allHave ? 'stands' : 'refused' };
}

function hasIt({ version, state }: NetworkRouterView, wanted: number): boolean {
  return version === wanted && (state === 'current' || state === 'trial');
}

function isJudged({ verdict }: NetworkRouterView, version: number): boolean {
  return verdict?.version === version;
}

function whyNot(router: NetworkRouterView, version: number): string {
  const { reachable, verdict, state } = router;
  if (verdict?.version === version) return `${verdict.outcome}: ${verdict.reason}`;
  if (!reachable) return 'not reached';
  if (state === 'unknown') return 'takes no part: it pins no network key, or its version is too old';
  return router.version === null ? 'has none yet' : `has version ${router.version} yet`;
}

export function progressLine(progress: Progress): string {
  const { version, outcome, has, reached, routers, trialSeconds, without } = progress;
  const head = `version ${version}: ${has} of ${reached} reached routers have it`;
  const beyond = reached < routers ? `, ${routers - reached} not reached` : '';
  const trial = trialSeconds > 0 ? `, on trial for ${trialSeconds} s yet` : '';
  const words: Readonly<Record<Progress['outcome'], string>> = {
    'under way': trial,
    stands: '; it stands',
    undone: '; undone',
    refused: '; not everywhere',
    left: `${trial}; it goes on without being watched`,
    late: '; it takes longer than was waited for',
  };
  const lines = without.map(({ router, why }) => `\n  ${clean(router)}: ${clean(why)}`);
  return `${head}${beyond}${words[outcome]}${outcome === 'under way' ? '' : lines.join('')}`;
}

export function showNetwork(view: NetworkView, look: Look): string {
  if (view.publicKey === null)
    return 'router.json pins no network key: gndt.json is not signed, and is carried to each router by hand\n';
  const lines = [
    `description: ${view.version === null ? 'not signed yet' : `version ${view.version}`}${trialText(view)}`,
    `network key: ${view.publicKey}`,
  ];
  if (view.newestKey !== null)
    lines.push(`followed by: ${view.newestKey} (the one before it counts until ${view.newestKeyUntil})`);
  for (const { version, reason } of view.undone)
    lines.push(`undone here: version ${version}: ${clean(reason)}`);
  if (view.etcd) lines.push(...etcdLines(view.etcd));
  const homes = new Map<string, string[]>();
  for (const { vnet, prefix, router } of view.networks)
    homes.set(router, [...(homes.get(router) ?? []), `${vnet} ${prefix}`]);
  const columns: Column<NetworkRouterView>[] = [
    { title: 'ROUTER', text: ({ id }) => id },
    { title: 'SITE', text: ({ site }) => site },
    { title: 'VERSION', text: ({ version }) => (version === null ? null : String(version)) },
    {
      title: 'STATE',
      text: ({ reachable, state }) => (reachable ? state : 'not reached'),
      style: ({ reachable, state }) => (reachable ? STATE_STYLES[state] : 'red'),
    },
    { title: 'NETWORKS', text: ({ id, site }) => (homes.get(site ?? id) ?? []).join(', ') || null },
    {
      title: 'REMARK',
      text: ({ verdict }) => verdict && `version ${verdict.version} ${verdict.outcome}: ${verdict.reason}`,
    },
  ];
  return `${lines.join('\n')}\n\n${table(view.routers, columns, look.paint, 'no routers')}`;
}

/** A router of an older version says nothing of it. */
function etcdLines(etcd: EtcdView): string[] {
  const { endpoint, key, reached, since, revision, refusal, lastProblem } = etcd;
  const state = since === null ? 'being asked' : `${reached ? 'reached' : 'not reached'} since ${since}`;
  const lines = [
    `etcd:        ${clean(endpoint)} ${clean(key)}, ${state}${revision === null ? '' : `, revision ${revision}`}`,
  ];
  if (refusal !== null) lines.push(`  not taken:    ${clean(refusal)}`);
  if (lastProblem !== null)
    lines.push(
      `  last problem: ${lastProblem.at}: ${clean(lastProblem.endpoint)}: ${clean(lastProblem.reason)}`,
    );
  return lines;
}

const STATE_STYLES = {
  current: 'green',
  trial: 'yellow',
  older: 'yellow',
  newer: 'yellow',
  differs: 'red',
  unknown: 'red',
} as const;

function trialText({ trial }: NetworkView): string {
  if (trial === null) return '';
  return `, on trial for ${trial.remainingSeconds} s yet, ${trial.lost.length} of ${trial.of} peers lost`;
}
