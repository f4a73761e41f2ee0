/**
 * A thief has vr-c's key and joins with it. It tells the other routers, which run as they are shipped, what no member may
 * say: afterwards they run, the nodes are where they were and reach each other, and a true move works.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DirectoryView, MigrationView } from '../../src/control/api.js';
import { Ip } from '../../src/net/ip.js';
import { type Mac, parseMac } from '../../src/net/mac.js';
import type { ClaimReason, ClaimVerdict, MoveClaim, TableMessage } from '../../src/protocol/table-message.js';
import { LIMITS } from '../../src/tables/limits.js';
import type { NodeRecord } from '../../src/tables/model.js';
import type { Lab } from '../lab/lab.js';
import { Member } from '../lab/member/member.js';
import type { SiteLetter } from '../lab/plan.js';
import { pause, waitFor } from '../lab/wait.js';
import { type Family, families, moverAddress } from './families.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

const THIEF = 'vr-c';
const OTHERS: readonly SiteLetter[] = ['a', 'b'];
const VNET = 1;
const BOUNDARIES = [2 ** 32, 2 ** 52 - 1, 2 ** 52, Number.MAX_SAFE_INTEGER];
/** Of the size that a path carries. */
const SEARCH_MS = 3_000;
/** trust.md: what one router may have in the tables of others, and all that there is in the lab. */
const MOST_RECORDS = LIMITS.nodesPerRouter.default + 100;
/** A false claim may be believed for a moment where claims are believed; then all is well for good. */
const UNDONE_MS = 5_000;

/** One of the nodes, as all know it. */
interface Victim {
  readonly ip: Ip;
  readonly mac: Mac;
  readonly seq: number;
  readonly router: string;
}

interface Attack {
  readonly lab: Lab;
  readonly member: Member;
  readonly victims: readonly Victim[];
}

async function victimsOf(lab: Lab): Promise<Victim[]> {
  const rows = await lab.daemon('a').get<readonly DirectoryView[]>('/v1/directory');
  const ips = ['vm', 'vmb'].flatMap((name) => families.map((family) => moverAddress(lab, name, family)));
  return ips.map((key) => {
    const row = rows.find(({ ip, state }) => ip === key && state === 'here');
    assert(row, `nobody knows ${key}`);
    return { ip: Ip.of(key), mac: macOf(row.mac), seq: row.seq, router: row.router };
  });
}

function macOf(text: string): Mac {
  const mac = parseMac(text);
  assert(mac !== undefined);
  return mac;
}

/** As if the node had come to the thief. */
function theft(victim: Victim, change: Partial<NodeRecord> = {}): NodeRecord {
  const { ip, mac, seq } = victim;
  const record = { vnet: VNET, ip, mac, router: THIEF, seq: seq + 1, stamp: Date.now() * 1_000 };
  return { ...record, state: 'here', ...change };
}

function claim(records: readonly NodeRecord[], more: Partial<MoveClaim> = {}): TableMessage {
  const moves = records.map(
    (record): MoveClaim => ({
      vnet: VNET,
      mac: record.mac,
      records: [record],
      trigger: 'rarp',
      sinceDetectionUs: 1,
      ...more,
    }),
  );
  return { type: 'claim', claimId: 1, moves };
}

function result(victims: readonly Victim[], verdict: ClaimVerdict, reason: ClaimReason): TableMessage {
  const results = victims.map(({ ip, seq }) => ({ vnet: VNET, ip, verdict, reason, seq }));
  return { type: 'claimResult', claimId: 1, results };
}

function tellAll({ member }: Attack, message: TableMessage): void {
  for (const to of OTHERS) member.tell(to, message);
}

/** Of the thief's own network, or of somebody's. */
function madeUp(number: number, n: number): NodeRecord {
  const ip = Ip.v6(0xfd000000 + number, 0, 7, n);
  const [mac, stamp] = [(0x525400aa0000 + n) as Mac, Date.now() * 1_000 + n];
  return { vnet: VNET, ip, mac, router: THIEF, seq: 1, state: 'here', stamp };
}

const LIES: readonly [what: string, tell: (attack: Attack) => Promise<void> | void][] = [
  ['claims', (attack) => tellAll(attack, claim(attack.victims.map((victim) => theft(victim))))],
  [
    'claims that say they are objections',
    (attack) =>
      tellAll(
        attack,
        claim(
          attack.victims.map((victim) => theft(victim)),
          { objection: true },
        ),
      ),
  ],
  [
    'records',
    (attack) => tellAll(attack, { type: 'records', records: attack.victims.map((victim) => theft(victim)) }),
  ],
  [
    'tombstones, then frozen records',
    (attack) => {
      const withdrawn = attack.victims.map((victim) => theft(victim, { state: 'withdrawn' }));
      const frozen = withdrawn.map(
        (record): NodeRecord => ({ ...record, state: 'here', seq: record.seq + 1, frozen: true }),
      );
      tellAll(attack, { type: 'records', records: withdrawn });
      tellAll(attack, { type: 'records', records: frozen });
    },
  ],
  [
    'objections that nobody has caused',
    (attack) => tellAll(attack, result(attack.victims, 'objection', 'node-answers-here')),
  ],
  [
    'numbers at the ends of their ranges: stale, returned, has, claims',
    (attack) => {
      for (const seq of BOUNDARIES) {
        const { victims, member } = attack;
        const stale = victims.map(({ ip, router }) => ({ vnet: VNET, ip, seq, router }));
        tellAll(attack, { type: 'stale', records: stale });
        for (const to of OTHERS) {
          const own = victims.map((victim) => theft(victim, { seq, stamp: seq, router: `vr-${to}` }));
          member.tell(to, { type: 'returned', records: own });
        }
        const records = victims.map((victim) => theft(victim, { seq, stamp: seq }));
        for (let queryId = 1; queryId < 10; queryId++) tellAll(attack, { type: 'has', queryId, records });
        tellAll(attack, claim(records));
      }
    },
  ],
  [
    'hints, and false answers to the questions that follow',
    (attack) => {
      attack.member.onHeard = (from, message) => {
        if (message.type !== 'whoHas') return;
        const to = from === 'vr-a' ? 'a' : 'b';
        const records = attack.victims.map((victim) => theft(victim));
        attack.member.tell(to, { type: 'has', queryId: message.queryId, records });
      };
      for (const { ip, seq } of attack.victims) {
        tellAll(attack, { type: 'redirect', vnet: VNET, ip, router: THIEF, seq: seq + 1 });
      }
    },
  ],
  [
    'the same claims every 100 ms',
    async (attack) => {
      for (let n = 0; n < 50; n++) {
        const records = attack.victims.map((victim) => theft(victim, { seq: victim.seq + 1 + n }));
        tellAll(attack, claim(records));
        await pause(100);
      }
    },
  ],
  [
    'twenty thousand nodes that do not exist',
    async (attack) => {
      for (let n = 0; n < 20_000; n += 10) {
        const records = Array.from({ length: 10 }, (_, i) => madeUp(3, n + i));
        tellAll(attack, { type: 'records', records });
      }
      await attack.member.saidAll();
      for (const letter of OTHERS) {
        const size = await settledSize(attack.lab, letter);
        assert(size <= MOST_RECORDS, `vr-${letter} has ${size} records`);
      }
    },
  ],
  [
    'as many questions and digests as it can send, while nodes move',
    async ({ lab, member, victims: [victim] }) => {
      assert(victim);
      const { ip } = victim;
      let isOver = false;
      const flooding = (async (): Promise<void> => {
        for (let n = 0; !isOver; n++) {
          const to = OTHERS[n % 2] ?? 'a';
          await member.flood(
            to,
            { type: 'whoHas', queryId: 1, vnet: VNET, mac: undefined, ips: [ip] },
            10_000,
          );
          await member.flood(to, { type: 'digest', highestStamp: 1, count: 1, hash: 1 }, 10_000);
        }
      })();
      try {
        await movesTruly(lab, 'vm', 'b');
        await movesTruly(lab, 'vm', 'a');
      } finally {
        isOver = true;
        await flooding;
      }
    },
  ],
];

/** Of the directory, when it does not grow any more. */
async function settledSize(lab: Lab, letter: SiteLetter): Promise<number> {
  let size = -1;
  return waitFor(
    `what vr-${letter} knows does not change any more`,
    async () => {
      const before = size;
      await pause(500);
      const { length } = await lab.daemon(letter).get<readonly DirectoryView[]>('/v1/directory');
      size = length;
      return size === before && size;
    },
    60_000,
  );
}

/** Every node is where it was, for all, and reaches the others. */
async function unharmed(lab: Lab, places: Readonly<Record<string, SiteLetter>>): Promise<void> {
  for (const letter of OTHERS) assert(lab.daemon(letter).running, `vined of site ${letter} has ended`);
  for (const [name, at] of Object.entries(places)) {
    for (const family of families) await waitKnownAt(lab, moverAddress(lab, name, family), at);
  }
  for (const family of families) {
    await ping(lab, 'a1', moverAddress(lab, 'vmb', family));
    await ping(lab, 'b1', moverAddress(lab, 'vm', family));
  }
}

/** No router has ever believed that a node is at the thief's. */
async function neverDiverted(lab: Lab): Promise<void> {
  for (const letter of OTHERS) {
    const moves = await lab.daemon(letter).get<readonly MigrationView[]>('/v1/migrations');
    const believed = moves.filter(({ to, verdict }) => to === THIEF && verdict === 'accepted');
    assert.deepEqual(believed, [], `vr-${letter} believed the thief`);
  }
}

async function waitKnownAt(lab: Lab, ip: string, at: SiteLetter): Promise<void> {
  for (const letter of OTHERS) {
    await waitFor(
      `vr-${letter} has ${ip} at vr-${at}, not frozen`,
      async () => {
        const rows = await lab.daemon(letter).get<readonly DirectoryView[]>('/v1/directory');
        return rows.some(
          (row) => row.ip === ip && row.router === `vr-${at}` && row.state === 'here' && !row.frozen,
        );
      },
      UNDONE_MS,
    );
  }
}

async function movesTruly(lab: Lab, name: string, to: SiteLetter): Promise<void> {
  await lab.move(name, to);
  for (const family of [4, 6] as readonly Family[]) {
    for (const letter of OTHERS) await untilKnownAt(lab, letter, moverAddress(lab, name, family), to);
    await ping(lab, 'a1', moverAddress(lab, name, family));
    await ping(lab, 'b1', moverAddress(lab, name, family));
  }
}

for (const verify of ['optimistic', 'strict'] as const) {
  test(
    `${verify}: whatever a thief of a key says, the other routers and nodes are not harmed`,
    {
      skip: cannotRun,
    },
    (t) =>
      withLab(t, { topology: 'three-site', verify }, async (lab) => {
        const places = { vm: 'a', vmb: 'b' } as const;
        await unharmed(lab, places);
        await lab.daemon('c').kill();
        const member = Member.start(lab, 'c');
        await member.waitUp(OTHERS);
        for (const [what, tell] of LIES) {
          t.diagnostic(what);
          await tell({ lab, member, victims: await victimsOf(lab) });
          await member.saidAll();
          await unharmed(lab, places);
          if (verify === 'strict') await neverDiverted(lab);
          assert.match(await lab.vinectl('a', ['peers']), /vr-c/);
        }
        await movesTruly(lab, 'vm', 'b');
        await movesTruly(lab, 'vmb', 'a');
        await movesTruly(lab, 'vm', 'a');
        await member.leave();
      }),
  );
}

test('a Hello of a size that no packet has ends no router', { skip: cannotRun }, (t) =>
  withLab(t, { topology: 'three-site' }, async (lab) => {
    const greetings = async (letter: SiteLetter): Promise<number> =>
      (await lab.daemon(letter).counters()).control_received_hello ?? 0;
    await lab.daemon('c').kill();
    for (const innerMtuBytes of [0, 2 ** 16, 2 ** 32 - 1]) {
      const before = await Promise.all(OTHERS.map(greetings));
      const member = Member.start(lab, 'c', innerMtuBytes);
      for (const [i, letter] of OTHERS.entries()) {
        await waitFor('it is greeted', async () => (await greetings(letter)) > (before[i] ?? 0));
      }
      // The sizes that the path carries are looked for in steps, each of some round trips.
      await pause(SEARCH_MS);
      await unharmed(lab, { vm: 'a', vmb: 'b' });
      await member.leave();
    }
  }),
);
