/** On what, with what, and when something was measured: without it a figure says nothing. */
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { projectRoot } from '../../test/lab/daemon.js';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly kernel: string;
  readonly distribution: string;
  readonly node: string;
  /** Load average of the last minute before the run: above about 0.3, somebody else was at work. */
  readonly loadBefore: number;
  /** Of this checkout; "+changes" when files differ from it. */
  readonly commit: string;
}

function output(command: string, args: readonly string[]): string {
  const { stdout } = spawnSync(command, args, { cwd: projectRoot, encoding: 'utf8' });
  return stdout?.trim() ?? '';
}

export function describeMachine(): Machine {
  const all = cpus();
  const changed = output('git', ['status', '--porcelain', '--untracked-files=no']) === '' ? '' : '+changes';
  return {
    cpu: all[0]?.model ?? 'unknown',
    cores: all.length,
    memoryGb: Math.round(totalmem() / 1e9),
    kernel: release(),
    distribution: distribution(),
    node: process.version,
    loadBefore: loadavg()[0] ?? 0,
    commit: (output('git', ['rev-parse', '--short', 'HEAD']) || 'unknown') + changed,
  };
}

function distribution(): string {
  try {
    return /^PRETTY_NAME="?([^"\n]*)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'unknown';
  } catch {
    return 'unknown';
  }
}

export function machineLine({
  cpu,
  cores,
  kernel,
  distribution: name,
  node,
  commit,
  loadBefore,
}: Machine): string {
  return `${cores} × ${cpu}, ${name}, Linux ${kernel}, Node ${node}, commit ${commit}, load before ${loadBefore.toFixed(2)}`;
}
