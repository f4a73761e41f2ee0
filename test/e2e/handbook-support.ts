/** Who follows docs/handbook.md: runs its blocks on the machines that they are for, literally and in order. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from '../lab/daemon.js';
import type { Lab } from '../lab/lab.js';
import type { Gateways } from '../lab/machine/gateways.js';
import { type CommandBlock, commandBlocks, fillIn } from '../lab/machine/handbook.js';
import type { Machine } from '../lab/machine/machine.js';
import { waitFor } from '../lab/wait.js';

const repeatLimitMs = 30_000;
/** What a block prints that is filled in later: a token, or a public key. */
const tokenPattern = /^vine1-\S+$/;
const keyPattern = /^[A-Za-z0-9+/]{43}=$/;

/** The page's two parts; the second one begins on fresh machines. */
export function handbookParts(): { shortWay: readonly CommandBlock[]; byHand: readonly CommandBlock[] } {
  const page = readFileSync(join(projectRoot, 'docs/handbook.md'), 'utf8');
  const boundary = page.split('\n').indexOf('## By hand') + 1;
  assert.ok(boundary > 0, 'the handbook has no chapter "By hand"');
  const blocks = commandBlocks(page);
  return {
    shortWay: blocks.filter(({ line }) => line < boundary),
    byHand: blocks.filter(({ line }) => line > boundary),
  };
}

/** As the page calls a router's machine. */
export const gatewayName = (id: string): string => id.replace(/^vr-/, 'gateway-');

export class Reader {
  readonly lab: Lab;
  readonly #machines: ReadonlyMap<string, Machine>;
  readonly #noted = new Map<string, string>();
  done = 0;

  constructor(lab: Lab, gateways: Gateways) {
    this.lab = lab;
    this.#machines = new Map([...gateways.machines.values()].map((machine) => [machine.name, machine]));
  }

  async follow(block: CommandBlock): Promise<void> {
    for (const place of block.machines) {
      try {
        await this.at(place, block);
      } catch (error) {
        throw new Error(`handbook.md, line ${block.line}, on ${place}`, { cause: error });
      }
    }
    this.done++;
  }

  /** Throws for a place that is no gateway. */
  gateway(place: string): Machine {
    const machine = this.#machines.get(place);
    assert.ok(machine !== undefined, place);
    return machine;
  }

  protected async at(place: string, block: CommandBlock): Promise<void> {
    const text = fillIn(block.text, this.#noted);
    const { until, prints } = block;
    if (until !== undefined) {
      await this.#repeat(place, text, until);
      return;
    }
    const printed = (await this.run(place, text)).trim();
    if (prints === undefined) return;
    assert.match(printed, prints.startsWith('TOKEN') ? tokenPattern : keyPattern, `${prints} is none`);
    this.#noted.set(prints, printed);
  }

  protected run(place: string, text: string): Promise<string> {
    const machine = this.#machines.get(place);
    if (machine !== undefined) return machine.sh(text);
    const node = place.replace(/^host-/, '');
    return this.lab.exec(node, ['bash', '-euo', 'pipefail', '-c', text]);
  }

  async #repeat(place: string, text: string, until: RegExp): Promise<void> {
    let last = '';
    const seen = async (): Promise<boolean> => {
      last = await this.run(place, text);
      return until.test(last);
    };
    await waitFor(`${place} shows ${until}`, seen, repeatLimitMs).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${last}`);
    });
  }
}
