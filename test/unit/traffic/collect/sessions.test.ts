import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Sessions } from '../../../../src/traffic/collect/sessions.js';
import type { Template } from '../../../../src/traffic/collect/templates.js';

const LARGE: Template = {
  isOptions: false,
  fields: Array.from({ length: 128 }, () => ({ role: undefined, bytes: 0xffff })),
  leastBytes: 128,
};

function knows(sessions: Sessions, exporter: string, domain = 'x'): boolean {
  let isKnown = false;
  sessions.use(exporter, domain, (session) => {
    isKnown = session.template(256) !== undefined;
  });
  return isKnown;
}

test('as many templates as Open vSwitch has, of each bridge', () => {
  const sessions = new Sessions();
  for (const bridge of ['one', 'two'])
    sessions.use('host', bridge, (session) => {
      for (let id = 256; id < 256 + 88; id++) session.keep(id, LARGE);
    });
  assert.ok(knows(sessions, 'host', 'one') && knows(sessions, 'host', 'two'));
});

test('all exporters together have room for so many fields: who has been silent longest goes', () => {
  const sessions = new Sessions();
  const fill = (exporter: string): void =>
    sessions.use(exporter, 'x', (session) => {
      for (let id = 256; id < 512; id++) session.keep(id, LARGE);
    });
  for (let i = 0; i < 16; i++) fill(`host-${i}`);
  assert.ok(knows(sessions, 'host-1'));
  // The same again is no more.
  fill('host-15');
  assert.ok(knows(sessions, 'host-2'));
  fill('host-16');
  assert.equal(knows(sessions, 'host-0'), false);
  assert.ok(knows(sessions, 'host-1'));
  sessions.use('host-1', 'x', (session) => session.withdrawAll(false));
  fill('host-17');
  assert.ok(knows(sessions, 'host-3') && knows(sessions, 'host-17'));
});

test('of more exporters than there is room for, the one that has been silent longest goes', () => {
  const sessions = new Sessions();
  for (let i = 0; i < 256; i++) sessions.use(`host-${i}`, 'x', (session) => session.keep(256, LARGE));
  assert.ok(knows(sessions, 'host-0'));
  sessions.use('one more', 'x', () => {});
  assert.equal(knows(sessions, 'host-1'), false);
  assert.ok(knows(sessions, 'host-0'));
});
