/** A unit of the package's on a booted machine, as its own systemd and journal have it. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import type { StatusView } from '../../src/control/api.js';
import { projectRoot } from '../lab/daemon.js';
import type { Machine } from '../lab/machine/machine.js';
import { waitFor } from '../lab/wait.js';

/** Of journalctl(1)'s JSON: some of its fields. */
export interface JournalEntry {
  /** syslog(3)'s level, 0 to 7. */
  readonly PRIORITY: string;
  readonly MESSAGE: string;
  readonly SYSLOG_IDENTIFIER?: string;
  readonly __CURSOR: string;
}

const ERROR = 3;

export class Service {
  readonly machine: Machine;
  readonly unit: string;

  constructor(machine: Machine, unit = 'vined') {
    this.machine = machine;
    this.unit = unit;
  }

  /** Of systemctl(1)'s `show`. */
  async property(name: string): Promise<string> {
    return (await this.machine.sh(`systemctl show --property=${name} --value ${this.unit}`)).trim();
  }

  async pid(): Promise<number> {
    return Number(await this.property('MainPID'));
  }

  /** A property is as it should be, now or soon. */
  async until(name: string, value: string, limitMs?: number): Promise<void> {
    const seen = async (): Promise<boolean> => (await this.property(name)) === value;
    await waitFor(`${name}=${value} on ${this.machine.name}`, seen, limitMs);
  }

  async status(): Promise<StatusView> {
    return JSON.parse(await this.machine.sh('vinectl --json status')) as StatusView;
  }

  async untilPeersUp(count: number): Promise<void> {
    const seen = async (): Promise<boolean> => (await this.status()).peersUp === count;
    await waitFor(`${count} peers of ${this.machine.name} up`, seen, 20_000);
  }

  /** What the program and systemd have said of the unit, from the beginning or behind a mark. */
  async journal(after?: string): Promise<JournalEntry[]> {
    const from = after === undefined ? '' : `--after-cursor='${after}'`;
    const lines = await this.machine.sh(
      `journalctl --unit=${this.unit} --output=json --no-pager --all ${from}`,
    );
    return lines
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as JournalEntry);
  }

  /** The journal's end, now. */
  async mark(): Promise<string> {
    await this.machine.sh('journalctl --sync');
    const last = (await this.journal()).at(-1);
    assert.ok(last !== undefined, 'the journal has nothing of the unit');
    return last.__CURSOR;
  }

  async untilSaid(text: string, after: string): Promise<void> {
    const seen = async (): Promise<boolean> =>
      (await this.journal(after)).some(({ MESSAGE }) => MESSAGE.includes(text));
    await waitFor(`"${text}" in the journal of ${this.machine.name}`, seen, 20_000);
  }

  /** Errors behind a mark, and what is worse. */
  async errors(after: string): Promise<string[]> {
    await this.machine.sh('journalctl --sync');
    const entries = await this.journal(after);
    return entries.filter(({ PRIORITY }) => Number(PRIORITY) <= ERROR).map(({ MESSAGE }) => MESSAGE);
  }

  /** Holds a thread of vined where it is until the answer is killed. Resolves when it stands still. */
  async hold(thread: string): Promise<ChildProcess> {
    const tasks = `/proc/${this.machine.hostPid(await this.pid())}/task`;
    const id = readdirSync(tasks).find(
      (each) => readFileSync(`${tasks}/${each}/comm`, 'utf8').trim() === thread,
    );
    assert.ok(id !== undefined, `vined has no thread ${thread}`);
    const holder = spawn('python3', [`${projectRoot}test/lab/service/hold-thread.py`, id]);
    let said = '';
    for (const stream of [holder.stdout, holder.stderr])
      stream.on('data', (text) => {
        said += String(text);
      });
    await waitFor(`thread ${thread} held`, () => {
      assert.equal(holder.exitCode, null, said);
      return said.includes('held');
    });
    return holder;
  }
}

/** `Overall exposure level` of a unit that is loaded (systemd-analyze(1)). */
export async function exposure({ machine, unit }: Service): Promise<number> {
  const table = await machine.sh(`systemd-analyze security --no-pager ${unit}.service`);
  const level = /Overall exposure level for [\w-]+\.service: ([\d.]+)/.exec(table)?.[1];
  assert.ok(level !== undefined, table);
  return Number(level);
}

/** What vined is executed by. */
export async function programOf(machine: Machine): Promise<string> {
  return (await machine.sh('readlink /proc/$(systemctl show --property=MainPID --value vined)/exe')).trim();
}

/** It runs with the Node that the package carries. */
export async function hasOwnRuntime(machine: Machine): Promise<void> {
  const node = '/usr/lib/vine-router/bin/node';
  assert.equal(await programOf(machine), node);
  assert.match(await machine.sh(`${node} --version`), /^v24\./);
  assert.equal((await machine.sh(`${node} -p process.release.lts`)).trim(), 'Krypton');
  assert.match(await machine.sh('cat /usr/lib/vine-router/LICENSE.node'), /Node\.js is licensed/);
}

/** All paths of the machine but what every installation changes, and what its systemd and journal keep. */
export async function paths(machine: Machine): Promise<Set<string>> {
  const kept = ['/proc', '/sys', '/dev', '/run', '/media', '/tmp', '/var/tmp', '/var/log', '/var/cache'];
  const prune = [...kept, '/var/lib/dpkg', '/var/lib/apt', '/var/lib/systemd']
    .map((path) => `-path ${path}`)
    .join(' -o ');
  const found = (await machine.sh(`find / \\( ${prune} \\) -prune -o -print`)).split('\n');
  // adduser's copies of the files that it has changed
  return new Set(found.filter((path) => !/^\/etc\/(passwd|group|shadow|gshadow|subuid|subgid)-$/.test(path)));
}

/** The package is purged: none of its files, not its user, not its unit. */
export async function nothingIsLeft(machine: Machine, before: ReadonlySet<string>): Promise<void> {
  const left = [...(await paths(machine))].filter((path) => !before.has(path));
  assert.deepEqual(left, [], 'purging leaves something');
  const users = await machine.attempt('getent passwd vine vine-courier; getent group vine vine-courier');
  assert.equal(users.stdout, '', 'a user is left');
  assert.equal((await machine.sh('systemctl show --property=LoadState --value vined')).trim(), 'not-found');
  assert.notEqual(
    (await machine.attempt('pgrep --full "vine-[r]outer|[v]ined|vine-[cs]"')).status,
    0,
    'it still runs',
  );
}
