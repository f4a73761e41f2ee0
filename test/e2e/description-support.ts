/** Who administers a network of the lab: the key, the description, and routers that pin the key. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Daemon, projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import { type GndtText, readConfig, writeConfig } from './reload-support.js';

export interface Admin {
  readonly gndt: string;
  /** Runs `vinectl network …` on the administrator's machine. */
  network(...argv: string[]): Promise<string>;
  refused(...argv: string[]): Promise<string>;
  /** Makes the network's key. @returns the public one, base64 */
  init(): Promise<string>;
  /** Writes and signs it. */
  sign(gndt: GndtText, ...more: string[]): Promise<void>;
}

const run = promisify(execFile);

export function administrator(lab: Lab): Admin {
  const directory = join(lab.daemon('a').directory, 'administrator');
  const gndt = join(directory, 'gndt.json');
  const key = join(directory, 'network.key');
  const network = async (...argv: string[]): Promise<string> =>
    (await run(`${projectRoot}bin/vinectl`, ['--socket', lab.daemon('a').socket, 'network', ...argv])).stdout;
  let version = 0;
  return {
    gndt,
    network,
    init: async () =>
      (JSON.parse(await network('init', directory, '--json')) as { publicKey: string }).publicKey,
    refused: async (...argv) => {
      const failed: { code?: number; stderr?: string } = await network(...argv).then(
        () => assert.fail(`${argv.join(' ')} was not refused`),
        (error: unknown) => error as object,
      );
      assert.equal(failed.code, 1, failed.stderr);
      return failed.stderr ?? '';
    },
    sign: async (text, ...more) => {
      writeFileSync(gndt, JSON.stringify({ ...text, version: version++ || undefined }, undefined, 2));
      await network('sign', gndt, '--key', key, ...more);
    },
  };
}

/** Restarts them with `network` in router.json. */
export async function restartWithNetwork(daemons: readonly Daemon[], network: object): Promise<void> {
  for (const daemon of daemons) {
    await daemon.kill();
    writeConfig(daemon, 'router', { ...readConfig(daemon, 'router'), network });
    daemon.start();
  }
}
