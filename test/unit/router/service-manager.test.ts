import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Environment, ServiceManager } from '../../../src/router/life/service-manager.js';

interface Said {
  readonly path: string;
  readonly text: string;
}

function listen(
  environment: Environment,
  pid = 42,
): { manager: ServiceManager; said: Said[]; lost: string[] } {
  const said: Said[] = [];
  const lost: string[] = [];
  const manager = new ServiceManager(environment, pid, {
    send: (path, text) => {
      if (path === '/gone') throw new Error('cannot notify /gone: ENOENT');
      said.push({ path, text: new TextDecoder().decode(text) });
    },
    nowMs: () => 1234.5678,
    onLost: (reason) => lost.push(reason),
  });
  return { manager, said, lost };
}

function sayEverything(manager: ServiceManager): void {
  manager.ready('1 of 1 peer up');
  manager.reloading();
  manager.status('fine');
  manager.alive();
  manager.stopping();
}

test('without NOTIFY_SOCKET nothing is sent, and no watchdog is kept', () => {
  const { manager, said } = listen({ WATCHDOG_USEC: '10000000' });
  sayEverything(manager);
  assert.deepEqual(said, []);
  assert.equal(manager.watchdogLimitMs, undefined);
});

test('every message is a datagram of its own, in the words of sd_notify(3)', () => {
  const { manager, said } = listen({ NOTIFY_SOCKET: '/run/systemd/notify' });
  sayEverything(manager);
  assert.ok(said.every(({ path }) => path === '/run/systemd/notify'));
  assert.deepEqual(
    said.map(({ text }) => text),
    [
      'READY=1\nSTATUS=1 of 1 peer up\n',
      'RELOADING=1\nMONOTONIC_USEC=1234568\nSTATUS=reloading\n',
      'STATUS=fine\n',
      'WATCHDOG=1\n',
      'STOPPING=1\nSTATUS=stopping\n',
    ],
  );
});

test('a line end in a status cannot smuggle in another assignment', () => {
  const { manager, said } = listen({ NOTIFY_SOCKET: '@abstract' });
  manager.status('fine\nMAINPID=1');
  assert.equal(said[0]?.text, 'STATUS=fine MAINPID=1\n');
});

test('a service manager that cannot be reached is reported once and stops nothing', () => {
  const { manager, lost } = listen({ NOTIFY_SOCKET: '/gone' });
  sayEverything(manager);
  assert.deepEqual(lost, ['cannot notify /gone: ENOENT']);
});

test('the watchdog limit is in microseconds, and counts only for the process that it names', () => {
  const limit = (environment: Environment): number | undefined =>
    listen({ NOTIFY_SOCKET: '/s', ...environment }, 42).manager.watchdogLimitMs;
  assert.equal(limit({ WATCHDOG_USEC: '10000000' }), 10_000);
  assert.equal(limit({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '42' }), 10_000);
  assert.equal(limit({ WATCHDOG_USEC: '10000000', WATCHDOG_PID: '43' }), undefined);
  assert.equal(limit({ WATCHDOG_USEC: '0' }), undefined);
  assert.equal(limit({ WATCHDOG_USEC: 'ten' }), undefined);
  assert.equal(limit({}), undefined);
});
