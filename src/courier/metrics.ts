/** A courier's counters and gauges in Prometheus' text format. */
import type { Courier } from './courier.js';
import { type DiskView, isOver } from './disk/view.js';

export function metrics(courier: Courier): string {
  const store = courier.storeView();
  const counts = { ...courier.status().counters, ...store.counters };
  const gauges = {
    jobs_running: courier.status().jobsRunning,
    ...diskGauges(courier.disks()),
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
