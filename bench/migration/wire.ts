/** What is really on the switches' wires, with the kernel's times: announcements, and the routers' ARP. */
import { type ChildProcessWithoutNullStreams, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Lab } from '../../test/lab/lab.js';
import { type SiteLetter, switchName } from '../../test/lab/plan.js';
import { pause, within } from '../../test/lab/wait.js';

const SETTLE_MS = 1_500;
/** Of tcpdump: to listen, to end, to print what it has kept. */
const TCPDUMP_LIMIT_MS = 60_000;

export interface Frame {
  /** Unix milliseconds with a fraction. */
  readonly atMs: number;
  readonly source: string;
  readonly destination: string;
  readonly isRarp: boolean;
  /** What tcpdump says of it. */
  readonly text: string;
}

const line = /^(\d+\.\d+) (\S+) > (\S+), ethertype (\S+) .*?: (.*)$/;

export function parseFrame(text: string): Frame | undefined {
  const [, seconds, source, destination, kind, rest] = line.exec(text) ?? [];
  if (seconds === undefined || source === undefined || destination === undefined) return undefined;
  return {
    atMs: Number(seconds) * 1000,
    source,
    destination,
    isRarp: kind === 'Reverse',
    text: rest ?? '',
  };
}

/**
 * Everything is kept in a file and read when it is over: a reader of each frame would take the processors from the
 * routers just when they are being timed.
 */
export class Wire {
  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly file: string,
  ) {}

  /**
   * Resolves when it listens.
   * @param node a MAC of which all frames are kept, not ARP and RARP alone
   */
  static open(lab: Lab, site: SiteLetter, node?: string): Promise<Wire> {
    const file = join(lab.directory, `wire-${site}.pcap`);
    const filter = node === undefined ? 'arp or rarp' : `arp or rarp or ether src ${node}`;
    // What counts of any other frame is when it was there, and from whom.
    const command = ['tcpdump', '-n', '-s', '64', '-w', file, '-Z', 'root', '-i', 'br0', filter];
    const child = lab.spawn(switchName(site), command);
    const listening = new Promise<Wire>((resolve, reject) => {
      child.once('error', reject);
      child.once('close', () => reject(new Error(`tcpdump of site ${site} ended`)));
      createInterface({ input: child.stderr }).on('line', (text) => {
        if (text.includes('listening on')) resolve(new Wire(child, file));
      });
    });
    return within(`tcpdump of site ${site} listens`, listening, TCPDUMP_LIMIT_MS);
  }

  /** Stops listening. */
  async close(): Promise<Recording> {
    // What is still in the kernel's buffer is read within tcpdump's time-out of one second.
    await pause(SETTLE_MS);
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new Error(`tcpdump ended during the run: ${child.signalCode ?? child.exitCode}`);
    }
    const closed = once(child, 'close');
    child.kill('SIGTERM');
    await within('tcpdump ends', closed, TCPDUMP_LIMIT_MS);
    const text = execFileSync('tcpdump', ['-tt', '-n', '-e', '-r', this.file], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
      maxBuffer: 1 << 28,
      timeout: TCPDUMP_LIMIT_MS,
    });
    return new Recording(
      text
        .split('\n')
        .map(parseFrame)
        .filter((frame) => frame !== undefined),
    );
  }
}

/** What was on a wire, in the order of its times. */
export class Recording {
  constructor(readonly frames: readonly Frame[]) {}

  /** The first frame from `sinceMs` on. */
  first(sinceMs: number, matches: (frame: Frame) => boolean): Frame | undefined {
    return this.frames.find((frame) => frame.atMs >= sinceMs && matches(frame));
  }
}
