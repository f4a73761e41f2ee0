/** A machine that is switched off while somebody talks to it is shown as missing wherever nodes are shown, until it is back. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DirectoryView, MissingView, StatusView } from '../../src/control/api.js';
import type { Lab } from '../lab/lab.js';
import { waitFor } from '../lab/wait.js';
import { faultsOf } from '../unit/control/openapi.js';
import { moverAddress } from './families.js';
import { cannotRun, ping, untilKnownAt, withLab } from './support.js';

/** It hears nothing, and says nothing else. Its interface stays up: an IPv6 address would go with it. */
const OFF =
  'add table netdev off; add chain netdev off ingress { type filter hook ingress device "eth0" priority 0; policy drop; }';

async function missingAt(lab: Lab, address: string): Promise<MissingView | undefined> {
  const rows = await lab.daemon('a').get<readonly MissingView[]>(`/v1/missing?ip=${address}`);
  assert.equal(faultsOf('GET /v1/missing', 200, rows), '');
  return rows[0];
}

/** One packet from the LAN, and one from another site: at least one of them is not answered from a host's cache. */
async function want(lab: Lab, address: string): Promise<void> {
  for (const host of ['a1', 'c1']) await lab.attempt(host, ['ping', '-n', '-c', '1', '-W', '1', address]);
}

for (const family of [4, 6] as const) {
  test(
    `IPv${family}: a machine that is off and wanted is missing, and is not when it is back`,
    {
      skip: cannotRun,
    },
    (t) =>
      withLab(t, { topology: 'three-site' }, async (lab) => {
        const address = moverAddress(lab, 'vm', family);
        await untilKnownAt(lab, 'b', address, 'a');
        await ping(lab, 'a1', address);
        assert.equal(await lab.vinectl('a', ['missing']), 'no node is missing\n');
        assert.equal((await lab.daemon('a').get<StatusView>('/v1/status')).nodesMissing, 0);

        await lab.exec('vm', ['nft', OFF]);
        await waitFor('it is missing', async () => {
          await want(lab, address);
          return ((await missingAt(lab, address))?.searches ?? 0) >= 2;
        });
        const row = await missingAt(lab, address);
        assert.equal(row?.home, 'vr-a');
        assert.equal(row?.askedRouters, 2);
        assert.match(row?.why ?? '', /^(packets went to it|a host of its LAN asked|a packet for it waits)/);
        assert.match(await lab.vinectl('a', ['missing']), new RegExp(`${address}.* vr-a .*2 routers`));
        assert.match(await lab.vinectl('a', ['directory', '--ip', address]), /here, missing/);
        const elsewhere = await lab.daemon('b').get<readonly DirectoryView[]>(`/v1/directory?ip=${address}`);
        assert.deepEqual(
          elsewhere.map(({ router, state, missing }) => ({ router, state, missing })),
          [{ router: 'vr-a', state: 'here', missing: false }],
        );
        assert.ok((await lab.daemon('a').get<StatusView>('/v1/status')).nodesMissing >= 1);
        assert.match(await lab.vinectl('a', ['status']), /nodes: .* missing$/m);

        await lab.exec('vm', ['nft', 'delete table netdev off']);
        await waitFor('it is there again', async () => {
          await want(lab, address);
          return (await missingAt(lab, address)) === undefined;
        });
        assert.match(await lab.vinectl('a', ['directory', '--ip', address]), /here +/);
        assert.doesNotMatch(await lab.vinectl('a', ['directory', '--ip', address]), /missing/);
      }),
  );
}
