/** A courier's counters and gauges in Prometheus' text format. */
import type { Courier } from './courier.js';
import { type DiskView, isOver } from './disk/view.js';
import type { VolumeView } from './volume/volumes.js';

export function metrics(courier: Courier): string {
  const store = courier.storeView();
  const counts = { ...courier.status().counters, ...store.counters };
  const gauges = {
    jobs_running: courier.status().jobsRunning,
    ...diskGauges(courier.disks()),
    ...volumeGauges(courier.volumes()),
    ...courier.moves.gauges(),
    store_pages: store.pages,
    store_pages_memory: store.pagesInMemory,
    store_pages_disk: store.pagesOnDisk,
    store_disk_refuses: store.diskProblem === null ? 0 : 1,
  };
  const lines = [
    ...Object.entries(counts).map(
      ([name, count]) => `# TYPE vine_courier_${name}_total counter\nvine_courier_${name}_total ${count}`,
    ),
    ...Object.entries(gauges).map(
      ([name, value]) => `# TYPE vine_courier_${name} gauge\nvine_courier_${name} ${value}`,
    ),
  ];
  return `${lines.join('\n')}\n`;
}

function diskGauges(disks: readonly DiskView[]): Readonly<Record<string, number>> {
  const running = disks.filter((disk) => !isOver(disk));
  return {
    disks_running: running.length,
    disks_stalled: running.filter(({ whyStalled }) => whyStalled !== '').length,
    disks_bytes_waiting: running.reduce((sum, { bytesWaiting }) => sum + bytesWaiting, 0),
  };
}

function volumeGauges(volumes: readonly VolumeView[]): Readonly<Record<string, number>> {
  const sum = (of: (volume: VolumeView) => number): number =>
    volumes.reduce((total, volume) => total + of(volume), 0);
  return {
    volumes: volumes.length,
    volumes_with_problems: sum(({ problem }) => (problem === null ? 0 : 1)),
    volume_connections: sum(({ connections }) => connections),
    volume_modified_chunks: sum(({ modifiedChunks }) => modifiedChunks),
  };
}
