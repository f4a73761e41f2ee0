/** What operators ask a running courier, by HTTP on a Unix socket: /v1/status, /v1/jobs, /v1/disks, /v1/volumes, /v1/store, /metrics. */
import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from 'node:http';
import type { Courier } from './courier.js';
import { type DiskView, isOver } from './disk/view.js';
import { listenAt } from './listening.js';
import type { VolumeView } from './volume/volumes.js';
import { orderVolume } from './volume-orders.js';

const ANSWER_MS = 5_000;

const VIEWS = new Map<string, (courier: Courier) => unknown>([
  ['/v1/status', (courier) => courier.status()],
  ['/v1/jobs', (courier) => courier.jobs()],
  ['/v1/disks', (courier) => courier.disks()],
  ['/v1/volumes', (courier) => courier.volumes()],
  ['/v1/store', (courier) => courier.storeView()],
]);

/** Rejects with the system's error. */
export async function serveControl(courier: Courier, path: string): Promise<Server> {
  const server = createServer((call, reply) => answer(courier, call, reply));
  await listenAt(server, { kind: 'unix', path });
  // A call that cannot be accepted concerns its caller alone.
  server.on('error', () => courier.counters.count('accepts_failed'));
  return server;
}

function answer(courier: Courier, call: IncomingMessage, reply: ServerResponse): void {
  const { method, url } = call;
  if (method === 'POST') {
    void orderVolume(courier.moves, call, reply);
    return;
  }
  const view = VIEWS.get(url ?? '');
  if (method !== 'GET') reply.writeHead(405).end();
  else if (url === '/metrics')
    reply.writeHead(200, { 'content-type': 'text/plain; version=0.0.4' }).end(metrics(courier));
  else if (view === undefined) reply.writeHead(404).end();
  else reply.writeHead(200, { 'content-type': 'application/json' }).end(`${JSON.stringify(view(courier))}\n`);
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

/** Prometheus' text format. */
function metrics(courier: Courier): string {
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

/** Rejects with a reason for people. */
export function ask(socketPath: string, path: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, path, timeout: ANSWER_MS }, (reply) => {
      let text = '';
      reply.setEncoding('utf8');
      reply.on('data', (piece: string) => {
        text += piece;
      });
      reply.on('end', () =>
        reply.statusCode === 200 ? resolve(text) : reject(new Error(`answer ${reply.statusCode}`)),
      );
    });
    call.on('timeout', () => call.destroy(new Error('no answer')));
    call.on('error', (error) =>
      reject(new Error(`${socketPath}: ${error.message}: is vine-courier running?`)),
    );
    call.end();
  });
}
