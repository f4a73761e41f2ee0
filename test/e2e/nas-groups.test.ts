/**
 * Traffic of the shapes of NAS' parallel programs (nas-patterns.ts), sent by eight nodes at three sites: the groups that are found
 * of what the routers have counted are those of the patterns. Each shape has a period of its own.
 */
import assert from 'node:assert/strict';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { GroupsReport } from '../../src/cli/show/groups.js';
import type { TrafficPartView, TrafficView } from '../../src/control/traffic-view.js';
import { groupsOf } from '../../src/traffic/groups/groups.js';
import type { Measure } from '../../src/traffic/groups/weights.js';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { RankTask } from '../lab/traffic/ranks.js';
import { waitFor, within } from '../lab/wait.js';
import { bt4, cg8, ep8, ft8, lu8, type Message, mg8 } from '../unit/traffic/nas-patterns.js';
import { type Family, families, hostAddress, moverAddress } from './families.js';
import { cannotRun, ping, withLab } from './support.js';

/** By rank: processes that talk most are at different sites. */
const NODES = ['a1', 'b1', 'c1', 'vm', 'a2', 'b2', 'c2', 'vmb'] as const;
const SITE_OF = { vm: 'a', vmb: 'b' } as const;
const PORT = 9_999;
const PERIOD_MS = 30_000;
/** Of a period, in which a program may begin, and how long it takes. */
const [EARLIEST_MS, LATEST_MS, DURATION_MS] = [1_000, 6_000, 17_000];
/** What a message becomes at most: it is one packet, as where messages are counted before they are cut into segments. */
const MOST_BYTES = 1_400;

interface Shape {
  readonly name: string;
  readonly messages: () => Iterable<Message>;
  /** Of the real program's messages that are sent; their sizes are as in it, or in proportion. */
  readonly share: number;
  readonly measure: Measure;
  /** By rank. */
  readonly groups: readonly (readonly number[])[];
  readonly family: Family;
}

const HALVES = [
  [0, 1, 2, 3],
  [4, 5, 6, 7],
];
const ALL = [[0, 1, 2, 3, 4, 5, 6, 7]];
const lu = { name: 'LU.A.8', messages: lu8, share: 1 / 50, measure: 'bytes', groups: HALVES } as const;
/** The last three are alike: what `vinectl` reports has to be found in three periods. */
const SHAPES: readonly Shape[] = [
  { name: 'CG.A.8', messages: cg8, share: 1, measure: 'packets', groups: HALVES, family: 4 },
  { name: 'MG.A.8', messages: mg8, share: 1, measure: 'bytes', groups: ALL, family: 4 },
  { name: 'EP.A.8', messages: ep8, share: 1, measure: 'bytes', groups: [], family: 4 },
  { name: 'FT.A.8', messages: ft8, share: 15, measure: 'bytes', groups: ALL, family: 4 },
  { name: 'BT.A.4', messages: bt4, share: 1 / 10, measure: 'bytes', groups: [[0, 1, 2, 3]], family: 4 },
  { ...lu, family: 4 },
  { ...lu, family: 6 },
  { ...lu, family: 4 },
];

const addressOf = (lab: Lab, rank: number, family: Family): string => {
  const node = NODES[rank] ?? '';
  return node.startsWith('vm') ? moverAddress(lab, node, family) : hostAddress(lab, node, family);
};
const siteOf = (node: (typeof NODES)[number]): string =>
  (node.startsWith('vm') ? SITE_OF[node as 'vm'] : node[0]) ?? '';

/** As datagrams, with the sizes' proportions. */
function scaled({ messages, share }: Shape): Message[] {
  const all = [...messages()];
  const most = Math.max(...all.map(({ bytes }) => bytes));
  const by = Math.min(1, MOST_BYTES / most);
  return all.map(({ bytes, times, ...ends }) => ({
    ...ends,
    bytes: Math.max(1, Math.round(bytes * by)),
    times: Math.max(1, Math.round(times * share)),
  }));
}

/** A process of the programs, on its node. */
class Rank {
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #lines: AsyncIterator<string>;

  constructor(lab: Lab, node: string) {
    const program = `${projectRoot}dist/test/lab/traffic/ranks.js`;
    this.#process = lab.spawn(node, [process.execPath, program, String(PORT)]);
    this.#lines = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async says(start: string): Promise<void> {
    const { value } = await within(`a process says ${start}`, this.#lines.next(), PERIOD_MS);
    assert.ok(String(value).startsWith(start), String(value));
  }

  begin(task: RankTask): Promise<void> {
    this.#process.stdin.write(`${JSON.stringify(task)}\n`);
    return this.says('done');
  }
}

/** What two nodes of one LAN say to each other goes by the router too, or nobody counts it. */
async function routeByRouters(lab: Lab): Promise<void> {
  for (const [rank, node] of NODES.entries()) {
    const site = lab.plan.sites.find(({ letter }) => letter === siteOf(node));
    for (const [other, beside] of NODES.entries()) {
      if (other === rank || siteOf(beside) !== siteOf(node)) continue;
      for (const family of families) {
        const router = family === 4 ? `10.${site?.number}.0.1` : `fd00:${site?.number}::1`;
        const to = addressOf(lab, other, family);
        await lab.exec(node, ['ip', `-${family}`, 'route', 'add', to, 'via', router]);
      }
    }
  }
}

/** Of one program, in a period of its own. Answers when that began, in Unix milliseconds. */
async function run(lab: Lab, ranks: readonly Rank[], shape: Shape): Promise<number> {
  const phase = Date.now() % PERIOD_MS;
  if (phase < EARLIEST_MS || phase > LATEST_MS)
    await sleep((phase < EARLIEST_MS ? 0 : PERIOD_MS) + EARLIEST_MS - phase);
  const beganMs = Date.now();
  const messages = scaled(shape);
  const tasks = ranks.map((rank, from) => {
    const own = messages.filter((message) => message.from === from);
    const sent = own.map(({ to, bytes, times }) => ({
      to: addressOf(lab, to, shape.family),
      bytes,
      times,
    }));
    return rank.begin({ durationMs: DURATION_MS, messages: sent });
  });
  await Promise.all(tasks);
  const startMs = Math.floor(beganMs / PERIOD_MS) * PERIOD_MS;
  assert.ok(Date.now() < startMs + PERIOD_MS, 'it did not end within its period');
  return startMs;
}

/** Every pair of the program has been counted, nearly all of it: what comes before a neighbour is known may be lost. */
function isCounted(lab: Lab, shape: Shape, { rows }: TrafficPartView): void {
  const sent = new Map<string, number>();
  for (const { from, to, times } of scaled(shape)) {
    const pair = `${addressOf(lab, from, 4)} ${addressOf(lab, to, 4)}`;
    sent.set(pair, (sent.get(pair) ?? 0) + times);
  }
  for (const [pair, times] of sent) {
    const counted = rows
      .filter(({ source, destination }) => `${source} ${destination}` === pair)
      .reduce((sum, { packets }) => sum + packets, 0);
    assert.ok(counted > 0.9 * times - 5 && counted < 1.1 * times + 30, `${pair}: ${counted} of ${times}`);
  }
}

function groupsIn(part: TrafficPartView, measure: Measure): string[][] {
  const pairs = part.rows.flatMap((row) => {
    const { source, destination } = row;
    return source === null || destination === null ? [] : [{ ...row, vnet: 1, source, destination }];
  });
  const { groups } = groupsOf({ seconds: part.seconds, pairs }, { measure });
  return groups.map((group) => group.map(({ address }) => address)).sort();
}

test('traffic of the shape of NAS’ programs has their groups', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site', wanDelayMs: 2 }, async (lab) => {
    await routeByRouters(lab);
    const ranks = NODES.map((node) => new Rank(lab, node));
    for (const [i, rank] of ranks.entries()) {
      await rank.says('ready');
      for (const family of families)
        await ping(lab, NODES[i] ?? '', addressOf(lab, (i + 1) % NODES.length, family));
    }
    const beganMs: number[] = [];
    for (const shape of SHAPES) beganMs.push(await run(lab, ranks, shape));
    const lastMs = beganMs.at(-1) ?? 0;
    await sleep(lastMs + PERIOD_MS + 1_000 - Date.now());
    const seconds = (lastMs + PERIOD_MS - (beganMs[0] ?? 0)) / 1_000;
    const path = `/v1/traffic?last=${seconds}&detail=1&top=1024`;
    const view = await waitFor('all routers tell', async () => {
      const answer = await lab.daemon('b').get<TrafficView>(path);
      return answer.partial ? undefined : answer;
    });
    for (const [i, shape] of SHAPES.entries()) {
      const part = view.parts.find(({ startedAt }) => Date.parse(startedAt) === beganMs[i]);
      assert.ok(part !== undefined, shape.name);
      const expected = shape.groups
        .map((group) => group.map((rank) => addressOf(lab, rank, 4)).sort())
        .sort();
      const found = groupsIn(part, shape.measure);
      t.diagnostic(`${shape.name} by IPv${shape.family}: ${part.packets} packets, ${JSON.stringify(found)}`);
      isCounted(lab, shape, part);
      assert.deepEqual(found, expected, `${shape.name} by IPv${shape.family}`);
    }
    const args = ['traffic', '--by', 'group', '--last', '90s', '--json'];
    const report = JSON.parse(await lab.vinectl('c', args)) as GroupsReport;
    const reported = report.groups.map(({ nodes }) => [...nodes].sort()).sort();
    assert.deepEqual(
      reported,
      HALVES.map((group) => group.map((rank) => addressOf(lab, rank, 4)).sort()).sort(),
    );
  }),
);
