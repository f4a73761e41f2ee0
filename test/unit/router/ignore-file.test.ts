/** The list of visiting machines on disk: when it is written, how, and what becomes of a write that fails. */
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { ignoreList } from '../../../src/config/ignore-list.js';
import { Ip } from '../../../src/net/ip.js';
import { type Mac, mac } from '../../../src/net/mac.js';
import { IgnoreFile } from '../../../src/router/state/ignore-file.js';
import { Subscribers } from '../../../src/tables/subscribers.js';
import { waitFor } from '../../lab/wait.js';
import { SimClock } from '../../support/sim-clock.js';
import { temporaryDirectory } from '../control/fixture.js';

const [ONE, TWO] = [mac('52:54:00:00:00:01'), mac('52:54:00:00:00:02')];

async function setUp(t: TestContext) {
  const directory = join(await temporaryDirectory(t), 'hosts');
  mkdirSync(directory);
  const clock = new SimClock();
  const changed = new Subscribers<[]>();
  const macs: Mac[] = [];
  const events: object[] = [];
  const visiting = () =>
    macs.map((node) => ({
      ...({
        vnet: 1,
        ip: Ip.of('10.2.0.9'),
        mac: node,
        router: 'vr-a',
        seq: 1,
        state: 'here',
        stamp: 1,
      } as const),
    }));
  const file = new IgnoreFile({
    clock,
    local: { visiting, subscribe: (listener) => changed.subscribe(listener) },
    hub: { emit: (level, event, _message, fields) => events.push({ level, event, ...fields }) },
  });
  const path = join(directory, 'vine');
  const visit = (...now: readonly Mac[]): void => {
    macs.splice(0, macs.length, ...now);
    changed.notify();
  };
  const until = (text: string): Promise<unknown> =>
    waitFor(`the file to be ${JSON.stringify(text)}`, () => {
      clock.advance(20);
      return readdirSync(directory).includes('vine') && readFileSync(path, 'utf8') === text;
    });
  return { directory, path, clock, file, events, visit, until };
}

test('the list is there from the start, follows the visitors, and is for all to read', async (t) => {
  const { directory, path, file, visit, until, clock } = await setUp(t);
  file.configure({ file: path, format: 'dnsmasq' });
  await until(ignoreList([], 'dnsmasq'));
  visit(TWO, ONE, ONE);
  await until(ignoreList([ONE, TWO], 'dnsmasq'));
  visit(TWO);
  await until(ignoreList([TWO], 'dnsmasq'));
  assert.equal(statSync(path).mode & 0o777, 0o644);
  const { ino } = statSync(path);
  // A change that changes no line writes nothing.
  visit(TWO, TWO);
  clock.advance(1_000);
  await file.stop();
  assert.equal(statSync(path).ino, ino);
  assert.deepEqual(readdirSync(directory), ['vine']);
});

test('another form or another file takes effect at once; without one nothing is written', async (t) => {
  const { directory, path, file, visit, until } = await setUp(t);
  visit(ONE);
  file.configure({ file: path, format: 'dnsmasq' });
  await until(ignoreList([ONE], 'dnsmasq'));
  file.configure({ file: path, format: 'kea' });
  await until(ignoreList([ONE], 'kea'));
  file.configure(undefined);
  visit(ONE, TWO);
  await file.stop();
  assert.equal(readFileSync(path, 'utf8'), ignoreList([ONE], 'kea'));
  assert.deepEqual(readdirSync(directory), ['vine']);
});

test('what has changed just before the end is written', async (t) => {
  const { path, file, visit } = await setUp(t);
  file.configure({ file: path, format: 'dhcpd' });
  visit(ONE);
  await file.stop();
  assert.equal(readFileSync(path, 'utf8'), ignoreList([ONE], 'dhcpd'));
});

test('a write that fails is told once, warned of, and tried again until it succeeds', async (t) => {
  const { directory, path, file, visit, until, events, clock } = await setUp(t);
  rmSync(directory, { recursive: true });
  file.configure({ file: path, format: 'dnsmasq' });
  visit(ONE);
  await waitFor('a warning', () => {
    clock.advance(20);
    return file.warnings().length > 0;
  });
  assert.match(file.warnings()[0] ?? '', /vine could not be written: .*ENOENT/);
  clock.advance(20_000);
  await waitFor('the event', () => events.length > 0);
  assert.equal(events.length, 1);
  mkdirSync(directory);
  await waitFor('the next try', () => {
    clock.advance(5_000);
    return file.warnings().length === 0;
  });
  await until(ignoreList([ONE], 'dnsmasq'));
  await file.stop();
});
