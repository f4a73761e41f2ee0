/** Completion in the shells themselves, and the manual page as man formats it. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { startFixture, temporaryDirectory } from '../control/fixture.js';
import { vinectl } from './harness.js';

const VERBS = [
  'status',
  'peers',
  'gndt',
  'lndt',
  'hwdt',
  'directory',
  'missing',
  'counters',
  'route',
  'migrations',
  'courier',
  'events',
  'move',
  'log-level',
  'role',
  'reload',
  'confirm',
  'ping',
  'top',
  'traffic',
  'web',
  'graph',
  'doctor',
  'genkey',
  'pubkey',
  'check',
  'completion',
  'man',
];
const STATES = ['up', 'connecting', 'down', 'refused'];
const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal'];
const BIN = dirname(fileURLToPath(new URL('../../../../bin/vinectl', import.meta.url)));

function missing(program: string): string | false {
  return spawnSync('sh', ['-c', `command -v ${program}`]).status === 0
    ? false
    : `${program} is not installed`;
}

async function scriptFile(t: TestContext, shell: string): Promise<string> {
  const { status, out } = await vinectl(['completion', shell]);
  assert.equal(status, 0);
  const file = join(await temporaryDirectory(t), `completion.${shell}`);
  writeFileSync(file, out);
  return file;
}

function run(program: string, args: readonly string[], env: Record<string, string> = {}): string[] {
  const ran = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, PATH: `${BIN}:${process.env.PATH}`, ...env },
  });
  assert.equal(ran.stderr, '');
  assert.equal(ran.status, 0);
  return ran.stdout.split('\n').filter((line) => line !== '');
}

function inBash(file: string, words: readonly string[], env: Record<string, string> = {}): string[] {
  const line = words.map((word) => `'${word}'`).join(' ');
  const script = `source ${file}; COMP_WORDS=(${line}); COMP_CWORD=${words.length - 1}; _vinectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  return run('bash', ['--norc', '-c', script], env);
}

function inFish(file: string, line: string, env: Record<string, string> = {}): string[] {
  const offered = run('fish', ['--no-config', '-c', `source ${file}; complete -C '${line}'`], env);
  return offered.map((each) => each.split('\t')[0] ?? '');
}

/** Each test is a line as it is typed, its last word being completed, and what has to be offered. */
const OFFERS: readonly (readonly [line: readonly string[], offered: readonly string[]])[] = [
  [['vinectl', 's'], ['status']],
  [
    ['vinectl', '--json', 'p'],
    ['peers', 'ping', 'pubkey'],
  ],
  [['vinectl', 'peers', '--state', ''], STATES],
  [['vinectl', 'peers', '--state', 'up', '--rou'], ['--router']],
  [['vinectl', 'log-level', ''], LEVELS],
  [
    ['vinectl', 'role', ''],
    ['active', 'standby'],
  ],
  [['vinectl', 'route', 'g'], ['get']],
  [['vinectl', 'route', 'get', '--vn'], ['--vnet']],
  [['vinectl', 'reload', '--d'], ['--dry-run']],
  [['vinectl', 'reload', '-n', '--conf'], ['--confirm']],
  [['vinectl', 'graph', '--format', 'd'], ['dot']],
  [
    ['vinectl', 'courier', 'st'],
    ['status', 'store'],
  ],
  [['vinectl', 'courier', 'send', '--vi'], ['--virsh']],
  [
    ['vinectl', 'completion', ''],
    ['bash', 'zsh', 'fish'],
  ],
];

test('bash offers verbs, options, their values, and the peers of the router', async (t) => {
  const file = await scriptFile(t, 'bash');
  const verbs = inBash(file, ['vinectl', '']);
  for (const verb of VERBS) assert.ok(verbs.includes(verb), verb);
  for (const [line, offered] of OFFERS) {
    const words = inBash(file, line).filter((word) => line.at(-1) !== '' || !word.startsWith('-'));
    assert.deepEqual(words.sort(), [...offered].sort(), line.join(' '));
  }
});

test('peers are asked for', async (t) => {
  const { socket } = await startFixture(t);
  const file = await scriptFile(t, 'bash');
  // Not spawnSync: the router that is asked lives in this process.
  const { execFile } = await import('node:child_process');
  const script = `source ${file}; COMP_WORDS=(vinectl ping ''); COMP_CWORD=2; _vinectl; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const out = await new Promise<string>((resolve, reject) => {
    const env = { ...process.env, PATH: `${BIN}:${process.env.PATH}`, VINE_SOCKET: socket };
    execFile('bash', ['--norc', '-c', script], { env }, (error, stdout) =>
      error === null ? resolve(stdout) : reject(error),
    );
  });
  assert.deepEqual(
    out.split('\n').filter((word) => word !== '' && !word.startsWith('-')),
    ['vr-b', 'vr-c'],
  );
});

test('fish offers the same', { skip: missing('fish') }, async (t) => {
  const file = await scriptFile(t, 'fish');
  const verbs = inFish(file, 'vinectl ');
  for (const verb of VERBS) assert.ok(verbs.includes(verb), verb);
  for (const [line, offered] of OFFERS) {
    const words = inFish(file, line.join(' '));
    for (const word of offered) assert.ok(words.includes(word), `${line.join(' ')}: ${words}`);
  }
  assert.ok(!inFish(file, 'vinectl peers s').includes('status'), 'a second verb is offered');
});

/** zsh completes only in an interactive shell: one on a pseudo-terminal that zsh itself makes. */
function inZsh(file: string, line: string): string {
  const script = `
    zmodload zsh/zpty
    zpty shell zsh -f -i
    zpty -w shell 'PS1=; unset zle_bracketed_paste; autoload -U compinit; compinit -u -D; setopt nolistbeep; LISTMAX=10000; stty columns 200 rows 200; source ${file}; echo READY'
    zpty -r shell out '*READY*READY*'
    zpty -n -w shell ${JSON.stringify(line)}$'\\t\\t'
    sleep 1
    while zpty -r -t shell out; do print -rn -- "$out"; done
    zpty -d shell`;
  return spawnSync('zsh', ['-f', '-c', script], { encoding: 'utf8', timeout: 20_000 }).stdout;
}

test('zsh offers the same', { skip: missing('zsh') }, async (t) => {
  const file = await scriptFile(t, 'zsh');
  assert.equal(spawnSync('zsh', ['-n', file], { encoding: 'utf8' }).stderr, '');
  const verbs = inZsh(file, 'vinectl ');
  for (const verb of VERBS) assert.ok(verbs.includes(verb), `${verb} in ${verbs}`);
  const levels = inZsh(file, 'vinectl log-level ');
  for (const level of LEVELS) assert.ok(levels.includes(level), `${level} in ${levels}`);
  assert.match(inZsh(file, 'vinectl --json peers --stat'), /--state/);
  assert.match(inZsh(file, 'vinectl route g'), /route get/);
});

test('the manual page has every verb and option, and formats without a complaint', async () => {
  const { status, out } = await vinectl(['man']);
  assert.equal(status, 0);
  if (missing('groff') === false) {
    const ran = spawnSync('groff', ['-man', '-ww', '-Tascii', '-P-cbou'], { input: out, encoding: 'utf8' });
    assert.equal(ran.stderr, '');
    const text = ran.stdout;
    for (const verb of VERBS.filter((each) => each !== 'route'))
      assert.ok(text.includes(`vinectl ${verb}`), verb);
    assert.match(text, /vinectl route get IP \[from IP\]/);
    for (const option of ['--json', '--confirm', '--dry-run', '--state', '--interval', '--config'])
      assert.ok(text.includes(option), option);
  }
  assert.match(out, /^\.TH VINECTL 8 /m);
});
