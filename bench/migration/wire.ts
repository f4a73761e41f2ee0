/** What is really on the switches' wires, with the kernel's times: announcements, and the routers' ARP. */
import { createInterface } from 'node:readline';
import type { Lab } from '../../test/lab/lab.js';
import { type SiteLetter, switchName } from '../../test/lab/plan.js';

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

export class Wire {
  readonly frames: Frame[] = [];
  private readonly end: () => void;

  private constructor(lab: Lab, site: SiteLetter, listening: () => void) {
    const command = ['tcpdump', '-tt', '-n', '-e', '-l', '--immediate-mode', '-i', 'br0', 'arp or rarp'];
    const child = lab.spawn(switchName(site), command);
    createInterface({ input: child.stdout }).on('line', (text) => {
      const frame = parseFrame(text);
      if (frame !== undefined) this.frames.push(frame);
    });
    createInterface({ input: child.stderr }).on('line', (text) => {
      if (text.includes('listening on')) listening();
    });
    this.end = () => void child.kill('SIGTERM');
  }

  /** Resolves when it listens. */
  static open(lab: Lab, site: SiteLetter): Promise<Wire> {
    return new Promise((resolve) => {
      const wire: Wire = new Wire(lab, site, () => resolve(wire));
    });
  }

  /** The first frame from `sinceMs` on. */
  first(sinceMs: number, matches: (frame: Frame) => boolean): Frame | undefined {
    return this.frames.find((frame) => frame.atMs >= sinceMs && matches(frame));
  }

  close(): void {
    this.end();
  }
}
