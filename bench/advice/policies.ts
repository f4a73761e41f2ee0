/** What decides who moves where: the advice, and what it is compared with. Each is asked every half hour. */
import { advise } from '../../src/traffic/advice/advise.js';
import { buildProblem } from '../../src/traffic/advice/build.js';
import type { AdviceInput, AdviceOptions } from '../../src/traffic/advice/input.js';
import { Placement } from '../../src/traffic/advice/placement.js';
import { weightsOf } from '../../src/traffic/groups/weights.js';
import type { Federation } from './federation.js';
import { lots } from './lots.js';
import { passToken } from './score-rule.js';
import { HOST_CPUS, HOST_MEMORY_BYTES, NODES_PER_HOST } from './world.js';

/** A node, and the host or the site where it is to go. */
export type Order = { readonly node: number } & ({ readonly host: number } | { readonly site: number });

export type Policy = (federation: Federation, nowMs: number) => Order[];

export const POLICIES: Readonly<Record<string, () => Policy>> = {
  nothing: () => () => [],
  random: () => randomly(lots(99)),
  'first fit': () => firstFit,
  consolidation: () => consolidate,
  affinity: () => affinity,
  's-core': () => score,
  advice: () => advised,
};

/** Machines in one advice; what can be carried over in half an hour. */
export const MOST = 20;
const HOUR_MS = 3_600_000;
/** Between any two sites. */
export const LINK = { rttMs: 20, pricePerGb: 0.02, bytesPerSecond: 125e6 };

const OPTIONS: Omit<AdviceOptions, 'nowMs'> = {
  objective: 'traffic',
  horizonMs: 24 * HOUR_MS,
  most: MOST,
  restMs: HOUR_MS,
};

function inputOf(federation: Federation): AdviceInput {
  const { world } = federation;
  const { sites, hostsPerSite } = world.size;
  return {
    sites: Array.from({ length: sites }, (_, site) => ({
      id: String(site),
      nodes: hostsPerSite * NODES_PER_HOST,
      // No host is filled to the last byte by machines of 8 GiB.
      memoryBytes: hostsPerSite * (HOST_MEMORY_BYTES - 8 * 2 ** 30),
    })),
    machines: world.loads.map((load, node) => ({
      vnet: 1,
      addresses: [String(node)],
      site: String(federation.siteOf(node)),
      load,
      isAssumed: false,
      pastMoves: federation.moves.get(node)?.map(({ atMs, from }) => ({ atMs, from: String(from) })),
    })),
    matrix: federation.matrix(),
    link: () => LINK,
    together: [],
    apart: [],
  };
}

function advised(federation: Federation, nowMs: number): Order[] {
  const { steps } = advise(inputOf(federation), { ...OPTIONS, nowMs });
  return steps.flatMap(({ moves }) => moves.map(({ machine, to }) => ({ node: machine, site: Number(to) })));
}

/** S-CORE's rule by the same costs: one round of the token. It knows no rest and no return, so it is told of no past. */
function score(federation: Federation, nowMs: number): Order[] {
  const input = inputOf(federation);
  const machines = input.machines.map((machine) => ({ ...machine, pastMoves: undefined }));
  const { problem, members } = buildProblem({ ...input, machines }, { ...OPTIONS, nowMs });
  const placement = new Placement(problem);
  passToken(placement);
  return [...placement.sites().entries()].flatMap(([unit, site]) => {
    const [node = 0] = members[unit] ?? [];
    return federation.siteOf(node) === site ? [] : [{ node, site }];
  });
}

/** The heaviest pairs first: whoever of the two has less talk where it is goes to the other one. */
function affinity(federation: Federation): Order[] {
  const matrix = federation.matrix();
  const talk = new Map<string, number>();
  const weights = weightsOf(matrix.pairs, matrix.seconds, 'bytes');
  const at = new Map([...federation.hosts.keys()].map((node) => [node, federation.siteOf(node)]));
  const add = (node: number, site: number, weight: number): void => {
    talk.set(`${node} ${site}`, (talk.get(`${node} ${site}`) ?? 0) + weight);
  };
  for (const { a, b, weight } of weights) {
    add(Number(a.address), at.get(Number(b.address)) ?? 0, weight);
    add(Number(b.address), at.get(Number(a.address)) ?? 0, weight);
  }
  const orders = new Map<number, Order>();
  for (const { a, b } of weights) {
    if (orders.size >= MOST) break;
    const [one, other] = [Number(a.address), Number(b.address)];
    const [p, q] = [at.get(one) ?? 0, at.get(other) ?? 0];
    if (p === q || orders.has(one) || orders.has(other)) continue;
    const gain = (node: number, from: number, to: number): number =>
      (talk.get(`${node} ${to}`) ?? 0) - (talk.get(`${node} ${from}`) ?? 0);
    const [node, site] = gain(one, p, q) >= gain(other, q, p) ? [one, q] : [other, p];
    if (federation.roomiest(site, node) < 0 || gain(node, at.get(node) ?? 0, site) <= 0) continue;
    orders.set(node, { node, site });
    at.set(node, site);
  }
  return [...orders.values()];
}

function randomly(random: () => number): Policy {
  return (federation) => {
    const { sites, nodes } = federation.world.size;
    const draw = (below: number): number => Math.floor(random() * below);
    return Array.from({ length: MOST / 4 }, () => ({ node: draw(nodes), site: draw(sites) }));
  };
}

/** VMPlaceS' simplest: from each host that is asked for more than it has, one node to the first host that has it. */
function firstFit(federation: Federation): Order[] {
  const cpu = Array.from({ length: federation.hostCount }, (_, host) => federation.cpuOf(host));
  const orders: Order[] = [];
  for (const [host, used] of cpu.entries()) {
    if (used <= HOST_CPUS) continue;
    const over = used - HOST_CPUS;
    const node = federation.nodesOn(host).find((one) => (federation.world.cpu[one] ?? 0) >= over);
    if (node === undefined) continue;
    const needs = federation.world.cpu[node] ?? 0;
    const target = cpu.findIndex(
      (taken, other) => other !== host && taken + needs <= HOST_CPUS && federation.fits(node, other),
    );
    if (target < 0) continue;
    (cpu[target] as number) += needs;
    orders.push({ node, host: target });
  }
  return orders;
}

/** In the manner of Entropy (Hermenier et al., VEE 2009): as few hosts as carry the load, the fullest ones, first fit decreasing. */
function consolidate(federation: Federation): Order[] {
  const { world } = federation;
  const cpu = Array.from({ length: federation.hostCount }, (_, host) => federation.cpuOf(host));
  const taken = [...cpu];
  const places = cpu.map((_, host) => federation.nodesOn(host).length);
  const byLoad = [...cpu.keys()]
    .filter((host) => (cpu[host] as number) > 0)
    .sort((a, b) => (cpu[a] ?? 0) - (cpu[b] ?? 0));
  const orders: Order[] = [];
  const emptied = new Set<number>();
  for (const host of byLoad) {
    const plan = federation
      .nodesOn(host)
      .sort((a, b) => (world.cpu[b] ?? 0) - (world.cpu[a] ?? 0))
      .map((node) => {
        const needs = world.cpu[node] ?? 0;
        const target = byLoad.findLast((other) => {
          const free =
            (taken[other] as number) + needs <= HOST_CPUS && (places[other] as number) < NODES_PER_HOST;
          return other !== host && !emptied.has(other) && free && federation.fits(node, other);
        });
        if (target !== undefined) {
          (taken[target] as number) += needs;
          (places[target] as number)++;
        }
        return { node, host: target };
      });
    const whole = plan.flatMap(({ node, host: to }) => (to === undefined ? [] : [{ node, host: to }]));
    if (whole.length < plan.length || orders.length + whole.length > MOST) {
      // Not all of it fits elsewhere: it stays as it is.
      for (const { node, host: to } of whole) {
        (taken[to] as number) -= world.cpu[node] ?? 0;
        (places[to] as number)--;
      }
      continue;
    }
    emptied.add(host);
    orders.push(...whole);
  }
  return orders;
}
