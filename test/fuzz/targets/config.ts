/** What an operator writes: the configuration files, the clients in them, and a client's entry put into the text. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { appendNode } from '../../../src/config/append-node.js';
import { newClient } from '../../../src/config/client-file.js';
import { Ip } from '../../../src/net/ip.js';
import { checkGndt } from '../../../src/tables/files/gndt-checks.js';
import { GNDT_FILE, gndtSchema } from '../../../src/tables/files/gndt-file.js';
import { parseFiles } from '../../../src/tables/files/parse.js';
import { parseFile } from '../../../src/tables/files/schema.js';
import { projectRoot } from '../../lab/daemon.js';
import { mutated } from '../mutate.js';
import type { Random } from '../random.js';
import type { Target } from '../target.js';

const KEYS = [
  'nodes',
  'routers',
  'id',
  'publicKey',
  'endpoints',
  'vnet',
  'ip',
  'via',
  'prefix',
  'gateway',
  'relay',
  'x',
  '__proto__',
  '',
];
const TEXTS = [
  'vr-a',
  'blue',
  '10.1.0.201',
  '10.1.0.0/24',
  'udp://192.0.2.1:7700',
  'tcp://[::1]:0',
  'fd00::/129',
  '\u0000',
  '{"]}',
  '1e999',
];

type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

function value(random: Random, depth: number): Json {
  const kind = random.below(depth > 3 ? 4 : 7);
  if (kind === 0) return random.pick<Json>([null, true, false, 0, -1, 1.5, 1e300, 65_536, 1]);
  if (kind < 4)
    return random.chance(70)
      ? random.pick(TEXTS)
      : Buffer.from(random.bytes(random.pick([32, 31, 5]))).toString('base64');
  if (kind < 5) return Array.from({ length: random.below(4) }, () => value(random, depth + 1));
  return Object.fromEntries(
    Array.from({ length: random.below(5) }, () => [random.pick(KEYS), value(random, depth + 1)]),
  );
}

/** One place of a tree replaced, removed or doubled. */
function changed(tree: Json, random: Random): Json {
  if (random.chance(15) || tree === null || typeof tree !== 'object') return value(random, 1);
  if (Array.isArray(tree)) {
    const at = random.below(tree.length + 1);
    if (random.chance(30)) return [...tree, ...tree.slice(at, at + 1)];
    if (random.chance(20)) return tree.filter((_, i) => i !== at);
    return tree.map((item, i) => (i === at ? changed(item, random) : item));
  }
  const entries = Object.entries(tree);
  const at = random.below(entries.length + 1);
  if (at === entries.length) return { ...tree, [random.pick(KEYS)]: value(random, 1) };
  return Object.fromEntries(entries.map(([key, item], i) => [key, i === at ? changed(item, random) : item]));
}

class Config {
  readonly #texts = Object.fromEntries(
    (['gndt', 'router', 'lndt'] as const).map((name) => [
      name,
      readFileSync(join(projectRoot, 'config', `${name}.json`), 'utf8'),
    ]),
  ) as Record<'gndt' | 'router' | 'lndt', string>;

  work(random: Random): string {
    const which = random.pick(['gndt', 'gndt', 'router', 'lndt'] as const);
    const text = this.#changedText(this.#texts[which], random);
    const given = { ...this.#texts, [which]: text };
    const parsed = parseFiles(
      { router: { value: given.router }, gndt: { value: given.gndt }, lndt: { value: given.lndt } },
      '/etc/vine',
    );
    if (which === 'gndt') this.#addClient(text, random);
    if ('value' in parsed) return `${which} taken`;
    assert.ok(
      parsed.errors.length > 0 && parsed.errors.every(({ message }) => message.length > 0),
      'refused without a reason',
    );
    return `${which} refused`;
  }

  #changedText(text: string, random: Random): string {
    if (random.chance(30)) return Buffer.from(mutated(Buffer.from(text), random)).toString('utf8');
    let tree = JSON.parse(text) as Json;
    for (let changes = random.below(3); changes > 0; changes--) tree = changed(tree, random);
    return JSON.stringify(tree, undefined, random.below(3));
  }

  /** As `vinectl node add` does: what was a good file is one again, and says nothing else besides. */
  #addClient(text: string, random: Random): void {
    const outcome = parseFile(GNDT_FILE, text, gndtSchema);
    if ('errors' in outcome || checkGndt(outcome.value).length > 0) return;
    const ip = Ip.of(random.pick(['10.1.0.201', '10.2.0.202', 'fd00:1::9', '198.51.100.1']));
    const made = newClient({
      gndt: outcome.value,
      vnet: 'blue',
      ip,
      via: random.pick([undefined, 'vr-a', 'x']),
    });
    if (typeof made === 'string') return;
    const before = JSON.parse(text) as { nodes?: Json[] };
    const after = JSON.parse(appendNode(text, made.node)) as Json;
    assert.deepEqual(after, { ...before, nodes: [...(before.nodes ?? []), made.node] });
  }
}

export const config: Target = {
  name: 'config',
  outcomes: ['gndt taken', 'gndt refused', 'router taken', 'router refused', 'lndt taken', 'lndt refused'],
  open: () => {
    const state = new Config();
    return (random) => state.work(random);
  },
};
