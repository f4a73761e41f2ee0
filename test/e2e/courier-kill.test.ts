/**
 * A courier is killed at random moments of a migration, two of five times around the guest's switch: the guest goes on where it was, or
 * has moved; it never runs at both sites, nor at none.
 *
 * VINE_COURIER_MOMENTS: how many moments (default 10; 20 for the full run). VINE_SEED: replays the moments of a run.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { messageOf } from '../../src/net/system-error.js';
import type { Lab } from '../lab/lab.js';
import { Guest } from '../lab/qemu/guest.js';
import type { Migration } from '../lab/qemu/migration.js';
import { EchoStream } from '../lab/traffic/traffic.js';
import { pause } from '../lab/wait.js';
import { randomOf } from '../support/sim-lan-wan.js';
import { LabCouriers } from './courier-support.js';
import { cannotRun, round, untilKnownAt, withLab } from './support.js';

const moments = Number(process.env.VINE_COURIER_MOMENTS ?? 10);
const seed = Number(process.env.VINE_SEED ?? Math.floor(Math.random() * 1_000_000));
const bytesBetween = 10_000;
/** A guest's 50 MB are on their way for two seconds. */
const MAX_BANDWIDTH = 25e6;

/** How long a migration takes, and its last phase, from the guest's stop on. */
interface Lengths {
  readonly wholeMs: number;
  readonly switchMs: number;
}

interface Strike {
  readonly victim: 'a' | 'b';
  /** After the migration's start, or after the source was told to send its last. */
  readonly atMs: number;
  readonly atSwitch: boolean;
}

class World {
  private constructor(
    readonly lab: Lab,
    private readonly couriers: LabCouriers,
    readonly guest: Guest,
    private readonly stream: EchoStream,
  ) {}

  static async start(lab: Lab): Promise<World> {
    const couriers = await LabCouriers.start(lab, ['vm']);
    const task = Guest.task(lab);
    const guest = await Guest.boot(lab, 'a', task);
    const stream = await EchoStream.open(lab, 'a1', lab.plan.guest.ipv4, task.echoPort);
    return new World(lab, couriers, guest, stream);
  }

  get from(): 'a' | 'b' {
    return this.guest.site === 'a' ? 'a' : 'b';
  }

  /** To the other site. */
  async begin(pauseBeforeSwitchover: boolean): Promise<Migration> {
    const { from } = this;
    const through = { ...this.couriers.through('vm', from), paused: true };
    const migration = await this.guest.begin(from === 'a' ? 'b' : 'a', through);
    await migration.start({ maxBandwidth: MAX_BANDWIDTH, pauseBeforeSwitchover });
    return migration;
  }

  /** One that nobody disturbs. Both stores know the guest's pages afterwards. */
  async undisturbed(): Promise<Lengths> {
    const beganMs = performance.now();
    const migration = await this.begin(true);
    await migration.stopped();
    const stoppedMs = performance.now();
    await migration.switchOver();
    assert.equal(await migration.over(), 'completed');
    const overMs = performance.now();
    await this.settled(migration);
    return { wholeMs: overMs - beganMs, switchMs: overMs - stoppedMs };
  }

  /** Answers what the source says of the migration. */
  async struck({ victim, atMs, atSwitch }: Strike): Promise<string> {
    const migration = await this.begin(atSwitch);
    if (atSwitch) {
      await migration.stopped();
      await migration.switchOver();
    }
    await pause(atMs);
    await this.couriers.kill(victim);
    const said = await this.settled(migration);
    await this.couriers.start(victim);
    return said;
  }

  /** Looks at both ends, and lets the guest go on where it should. */
  private async settled(migration: Migration): Promise<string> {
    const over = await migration.over();
    const { source, destination } = await migration.states();
    const both = `${over}: ${source} at the source, ${destination} at the destination`;
    if (over === 'completed') {
      assert.deepEqual([source, destination], ['postmigrate', 'paused'], both);
      await migration.finish();
    } else {
      assert.equal(source, 'running', both);
      assert.ok(['gone', 'inmigrate', 'paused'].includes(destination), both);
      await migration.giveUp();
    }
    await this.stream.progress(bytesBetween);
    for (const { letter } of this.lab.plan.sites)
      await untilKnownAt(this.lab, letter, this.lab.plan.guest.ipv4, this.guest.site);
    return both;
  }

  /** Every byte of its connection has come back, once and unchanged. */
  async finish(): Promise<void> {
    await this.stream.finish();
    await this.guest.stop();
  }
}

test(
  `kill -9 of couriers at ${moments} random moments of a guest's migrations, seed ${seed}`,
  { skip: cannotRun || (Guest.missing() ?? false) },
  (t) =>
    withLab(t, { topology: 'two-site', wanDelayMs: 10 }, async (lab) => {
      const random = randomOf(seed);
      const world = await World.start(lab);
      // New pages take longer: the second one is what the others are like.
      await world.undisturbed();
      const { wholeMs, switchMs } = await world.undisturbed();
      t.diagnostic(`undisturbed: ${round(wholeMs)} ms, ${round(switchMs)} of them behind the guest's stop`);
      for (let moment = 0; moment < moments; moment++) {
        const atSwitch = moment % 5 < 2;
        const victim = moment % 2 === 0 ? 'a' : 'b';
        const atMs = random() * (atSwitch ? 1.25 * switchMs : wholeMs);
        const place = atSwitch ? 'behind the guest’s stop' : 'behind the start';
        const what = `${world.from} moves, courier ${victim} killed ${round(atMs)} ms ${place}`;
        const beganMs = performance.now();
        const said = await world.struck({ victim, atMs, atSwitch }).catch((cause: unknown) => {
          throw new Error(`${what}: ${messageOf(cause)}`, { cause });
        });
        t.diagnostic(`${what}: ${said} (${round(performance.now() - beganMs)} ms)`);
      }
      await world.undisturbed();
      await world.finish();
    }),
);
