/** What a courier says of itself, for people. */
import { bytes } from '../net/sizes.js';
import type { Commands } from './commands.js';
import type { CourierView } from './courier.js';
import type { DiskView } from './disk/view.js';
import type { JobView } from './job/job.js';
import type { StoreView } from './store/page-store.js';
import { type MoveView, moveLine } from './volume/move/view.js';
import type { VolumeView } from './volume/volumes.js';

export function showStatus(view: CourierView): string {
  return pairs(view);
}

export function showStore(view: StoreView): string {
  return pairs(view);
}

/** Disks behind them, where there are some. */
export function showJobs(jobs: readonly JobView[], disks: readonly DiskView[]): string {
  const shown = table(
    ['JOB', 'ROLE', 'DESTINATION', 'STATE', 'STREAM', 'WAN', 'SAVED', 'SECONDS', 'IDENTICAL', 'WHY'],
    jobs.map((job) => [
      ...[job.job, job.role, job.destination, job.state, String(job.streamBytes)],
      ...[String(job.wanBytesSent + job.wanBytesReceived), `${job.savedPercent} %`, job.seconds.toFixed(1)],
      ...[job.identical === null ? '-' : job.identical ? 'yes' : 'NO', job.reason],
    ]),
  );
  return disks.length === 0 ? shown : `${shown}\n${showDisks(disks)}`;
}

export function showDisks(disks: readonly DiskView[]): string {
  return table(
    ['DISK', 'ROLE', 'STATE', 'SIZE', 'WRITTEN', 'ZEROES', 'WAITING', 'WAN', 'AGAIN', 'SECONDS', 'WHY'],
    disks.map((disk) => [
      ...[disk.destination, disk.role, disk.state, disk.sizeBytes === null ? '-' : String(disk.sizeBytes)],
      ...[disk.bytesWritten, disk.bytesZeroed, disk.bytesWaiting].map(String),
      ...[String(disk.wanBytesSent + disk.wanBytesReceived), String(disk.bytesSentAgain)],
      ...[disk.seconds.toFixed(1), disk.reason || disk.whyStalled],
    ]),
  );
}

type Volume = VolumeView & { readonly move: MoveView | null };

export function showVolumes(volumes: readonly Volume[]): string {
  const moves = volumes.flatMap(({ name, move }) => (move === null ? [] : `\n${moveLine(name, move)}`));
  return `${volumeTable(volumes)}${moves.join('')}${moves.length > 0 ? '\n' : ''}`;
}

function volumeTable(volumes: readonly Volume[]): string {
  return table(
    ['VOLUME', 'OWNER', 'SIZE', 'MODIFIED', 'CHUNKS', 'CLIENTS', 'BASE', 'PROBLEM'],
    volumes.map((volume) => [
      ...[volume.name, volume.owner || '-', volume.sizeBytes === null ? '-' : bytes(volume.sizeBytes)],
      ...[bytes(volume.modifiedBytes), String(volume.modifiedChunks), String(volume.connections)],
      ...[volume.base?.slice(0, 16) ?? '-', volume.problem ?? '-'],
    ]),
  );
}

const BY = { arguments: '', qmp: ', by QMP', shell: '' } as const;

export function showCommands({ steps }: Commands): string {
  return steps
    .map(({ at, what, by, commands, until }, number) => {
      const head = `${number + 1}. At ${at}${BY[by]}: ${what}\n`;
      const lines = commands.map((command) => `     ${command}\n`).join('');
      return `${head}${lines}${until && `   Then wait: ${until}\n`}`;
    })
    .join('');
}

function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [heads, ...rows];
  const widths = heads.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  return all
    .map(
      (row) =>
        `${row
          .map((cell, column) => cell.padEnd(widths[column] ?? 0))
          .join('  ')
          .trimEnd()}\n`,
    )
    .join('');
}

function pairs(view: object): string {
  const flat = Object.entries(view).flatMap(([name, value]) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.entries(value as object)
      : [[name, value] as const],
  );
  return table(
    ['', ''],
    flat.map(([name, value]) => [String(name), value === null ? '-' : String(value)]),
  ).trimStart();
}
