import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { DESCRIPTION_FILE, SUCCESSION_FILE } from '../../../src/config/description.js';
import { generatePrivateKey, publicKeyOf as routerKeyOf } from '../../../src/config/keys.js';
import { loadConfigDirectory } from '../../../src/config/load.js';
import { TRIAL_FILE } from '../../../src/config/trial-file.js';
import { digestOf, joinDocument, signatureLine } from '../../../src/membership/document.js';
import { publicKeyOf, sign } from '../../../src/membership/signature.js';
import { signSuccession, successionDocument } from '../../../src/membership/succession.js';
import { formatConfigError } from '../../../src/tables/files/error.js';
import { encodeKey } from '../../../src/tables/files/read.js';
import { type JsonObject, sample } from './sample.js';

const root = mkdtempSync(join(tmpdir(), 'vine-description-'));
after(() => rmSync(root, { recursive: true }));

const SEED = new Uint8Array(32).fill(1);
const OTHER = new Uint8Array(32).fill(2);

interface Place {
  readonly directory: string;
  readonly state: string;
  /** @param version undefined: none */
  gndtText(version: number | undefined, more?: JsonObject): Buffer;
}

let count = 0;
function place(pinned: Uint8Array | undefined): Place {
  const directory = join(root, String(count++));
  const state = join(directory, 'state');
  mkdirSync(state, { recursive: true });
  const privateKey = generatePrivateKey();
  writeFileSync(join(directory, 'router.key'), privateKey);
  chmodSync(join(directory, 'router.key'), 0o600);
  const { router, gndt, lndt } = sample();
  const network = pinned === undefined ? {} : { network: { publicKey: encodeKey(publicKeyOf(pinned)) } };
  writeFileSync(join(directory, 'router.json'), JSON.stringify({ ...router, stateDir: 'state', ...network }));
  writeFileSync(join(directory, 'lndt.json'), JSON.stringify(lndt));
  const routers = gndt.routers as JsonObject[];
  const own = { ...routers[0], publicKey: routerKeyOf(privateKey) ?? '' };
  return {
    directory,
    state,
    gndtText: (version, more = {}) =>
      Buffer.from(
        JSON.stringify({
          ...(version === undefined ? {} : { version }),
          ...gndt,
          routers: [own, ...routers.slice(1)],
          ...more,
        }),
      ),
  };
}

function configure({ directory }: Place, text: Buffer, seed?: Uint8Array): void {
  writeFileSync(join(directory, 'gndt.json'), text);
  if (seed === undefined) rmSync(join(directory, 'gndt.json.sig'), { force: true });
  else writeFileSync(join(directory, 'gndt.json.sig'), signatureLine(sign('description', text, seed)));
}

function signed(text: Buffer, seed = SEED): Uint8Array {
  return joinDocument({ signature: sign('description', text, seed), content: text });
}

function outcome({ directory }: Place): { version?: number | undefined; errors: string; warnings: string } {
  const loaded = loadConfigDirectory(directory);
  if ('errors' in loaded) return { errors: loaded.errors.map(formatConfigError).join('\n'), warnings: '' };
  const { config, warnings } = loaded;
  assert.equal(config.gndt.version, config.description?.version);
  return { version: config.description?.version, errors: '', warnings: warnings.join('\n') };
}

test('without a pinned key everything is as ever; a signature then counts for nothing, and that is said', () => {
  const here = place(undefined);
  configure(here, here.gndtText(undefined));
  assert.deepEqual(outcome(here), { version: undefined, errors: '', warnings: '' });
  const loaded = (() => {
    configure(here, here.gndtText(3), OTHER);
    return loadConfigDirectory(here.directory);
  })();
  assert.ok('config' in loaded && loaded.config.description === undefined);
  assert.match(loaded.warnings.join(), /counts for nothing while router.json pins no network key/);
});

test('with one, the signature over the exact bytes must hold', () => {
  const here = place(SEED);
  configure(here, here.gndtText(3), SEED);
  assert.deepEqual(outcome(here), { version: 3, errors: '', warnings: '' });
  configure(here, here.gndtText(3), OTHER);
  assert.match(outcome(here).errors, /gndt.json: the signature in gndt.json.sig does not hold.*network sign/);
  configure(here, here.gndtText(3), SEED);
  writeFileSync(join(here.directory, 'gndt.json'), `${here.gndtText(3)}\n`);
  assert.match(outcome(here).errors, /does not hold/);
  configure(here, here.gndtText(3));
  assert.match(outcome(here).errors, /gndt.json.sig: there is no such file/);
  configure(here, here.gndtText(undefined), SEED);
  assert.match(outcome(here).errors, /it has no "version"/);
  writeFileSync(join(here.directory, 'gndt.json.sig'), 'nonsense\n');
  assert.match(outcome(here).errors, /gndt.json.sig: not one line with a signature/);
});

test('one that is not signed is believed from this disk until there is one that is', () => {
  const here = place(SEED);
  configure(here, here.gndtText(undefined));
  assert.match(outcome(here).warnings, /not signed yet/);
  writeFileSync(join(here.state, DESCRIPTION_FILE), signed(here.gndtText(1)));
  assert.deepEqual(outcome(here), { version: 1, errors: '', warnings: '' });
});

test('the higher version of the two places counts', () => {
  const here = place(SEED);
  configure(here, here.gndtText(3), SEED);
  writeFileSync(join(here.state, DESCRIPTION_FILE), signed(here.gndtText(5)));
  assert.equal(outcome(here).version, 5);
  assert.match(outcome(here).warnings, /is version 3; the network has version 5/);
  configure(here, here.gndtText(6), SEED);
  assert.deepEqual(outcome(here), { version: 6, errors: '', warnings: '' });
});

test('what was heard and does not hold is as if it were not there', () => {
  const here = place(SEED);
  configure(here, here.gndtText(3), SEED);
  for (const heard of [signed(here.gndtText(5), OTHER), Buffer.from('x'), signed(here.gndtText(undefined))]) {
    writeFileSync(join(here.state, DESCRIPTION_FILE), heard);
    assert.equal(outcome(here).version, 3);
    assert.match(outcome(here).warnings, /description is not used/);
  }
});

test('a version that was undone does not count, wherever it lies', () => {
  const here = place(SEED);
  const undo = (...documents: Uint8Array[]): void =>
    writeFileSync(
      join(here.state, TRIAL_FILE),
      JSON.stringify({
        trial: null,
        undone: documents.map((document) => ({ version: 1, digest: digestOf(document), reason: 'x' })),
      }),
    );
  configure(here, here.gndtText(6), SEED);
  writeFileSync(join(here.state, DESCRIPTION_FILE), signed(here.gndtText(5)));
  undo(signed(here.gndtText(6)));
  assert.equal(outcome(here).version, 5);
  undo(signed(here.gndtText(6)), signed(here.gndtText(5)));
  assert.match(
    outcome(here).errors,
    /gndt.json: version: this version was undone here, and there is no other/,
  );
  writeFileSync(join(here.state, TRIAL_FILE), '{"trial": 1}');
  assert.equal(outcome(here).version, 6);
});

test('after a change of keys what either has signed is good on this disk', () => {
  const here = place(SEED);
  configure(here, here.gndtText(3), OTHER);
  assert.match(outcome(here).errors, /does not hold/);
  writeFileSync(
    join(here.state, SUCCESSION_FILE),
    successionDocument([signSuccession(SEED, publicKeyOf(OTHER), 0)]),
  );
  assert.equal(outcome(here).version, 3);
  configure(here, here.gndtText(4), SEED);
  assert.equal(outcome(here).version, 4);
});

test('who is taken away on purpose is not named among the routers', () => {
  const here = place(SEED);
  configure(here, here.gndtText(3, { removes: ['vr-b'] }), SEED);
  assert.match(outcome(here).errors, /gndt.json: removes\[0\]: "vr-b" is routers\[1\]/);
  configure(here, here.gndtText(3, { removes: ['vr-x'] }), SEED);
  assert.equal(outcome(here).version, 3);
});
