/** router.json: this router. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { MAX_VRID, MOST_GATEWAYS } from '../gateway.js';
import { LIMITS } from '../limits.js';
import type { RouterConfig } from '../model.js';
import { networkSection, toNetworkConfig } from './etcd-fields.js';
import {
  collectorUrl,
  filePath,
  flowListenUrl,
  interfaceName,
  listenUrl,
  nodeIp,
  nodePrefix,
  routerId,
  schemaReference,
  sensorListenUrl,
  socketAddress,
  vnetName,
} from './fields.js';
import { oneOf, strict, text, wholeNumber } from './schema.js';

export const ROUTER_FILE = 'router.json';

export const DEFAULTS = {
  socket: '/run/vine/control.sock',
  group: 'vine',
  stateDir: '/var/lib/vine',
  level: 'info',
  verify: 'optimistic',
  maxMoves: 100,
  moveWindowSeconds: 60,
  ignoreFormat: 'dnsmasq',
  deadMs: 250,
  workers: 1,
  trafficKeepSeconds: 86_400,
} as const;

/** The addon has room for as many engines. */
const MOST_WORKERS = 8;

const port = {
  interface: interfaceName('the network interface'),
  vnet: vnetName('name of the vnet that it carries, from gndt.json'),
};

const gateway = z
  .array(nodeIp('an address in a network of the vnet, that no machine has'))
  .max(MOST_GATEWAYS, {
    error: ({ input }) =>
      `expected at most ${MOST_GATEWAYS} addresses, got ${Array.isArray(input) ? input.length : 0}`,
  })
  .optional()
  .meta({
    description:
      "addresses that the router itself answers for, for hosts to use as their gateway; both routers of a site have the same (gndt.json's networks[].gateway is a machine)",
  });

const lan = strict(
  {
    ...port,
    gateway,
    mac: oneOf(
      ['virtual', 'own'],
      "with which MAC address the LAN is served: one that a site's routers share, or the interface's own; virtual when there are gateway addresses",
    ).optional(),
    vrid: wholeNumber(
      1,
      MAX_VRID,
      "number of the virtual MAC address, 00:00:5e:00:01:VRID and 00:00:5e:00:02:VRID (RFC 9568); derived from the site's id and the vnet when left out",
    ).optional(),
  },
  "one of this site's LANs",
);

const groupName = text(
  (written) =>
    /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$/.test(written)
      ? { value: written }
      : { problem: `${JSON.stringify(written)} is no name of a Unix group` },
  {
    description: 'Unix group that may use the control socket',
    pattern: '^[A-Za-z0-9_][A-Za-z0-9_.-]{0,31}$',
  },
);

const control = strict(
  {
    socket: filePath('path of the control socket').default(DEFAULTS.socket),
    group: groupName.default(DEFAULTS.group),
  },
  'the control API, which vinectl uses',
);

const dhcp = strict(
  {
    ignoreFile: filePath(
      "file that lists the machines visiting this site, kept up to date for the site's DHCP server to leave them alone",
    ).optional(),
    ignoreFormat: oneOf(['dnsmasq', 'kea', 'dhcpd'], 'for which DHCP server that file is').default(
      DEFAULTS.ignoreFormat,
    ),
  },
  'DHCP of machines that visit this site',
);

const mobility = strict(
  {
    verify: oneOf(['optimistic', 'strict', 'off'], 'how a move is verified before it is believed').default(
      DEFAULTS.verify,
    ),
    maxMoves: wholeNumber(1, 1000, 'moves of one node within the window before it is frozen').default(
      DEFAULTS.maxMoves,
    ),
    moveWindowSeconds: wholeNumber(1, 86_400, 'length of that window in seconds').default(
      DEFAULTS.moveWindowSeconds,
    ),
    dhcp: dhcp.prefault({}),
  },
  'how moves of nodes are treated',
);

const failover = strict(
  {
    deadMs: wholeNumber(
      100,
      10_000,
      'for how long, in milliseconds, nothing is heard of the active router before the other one takes over; heartbeats come every 50',
    ).default(DEFAULTS.deadMs),
  },
  "how the routers of a site with two watch each other; gndt.json's sites names them",
);

const MOST_COLLECTORS = 4;
const MOST_LISTENERS = 4;
const MOST_EXPORTERS = 64;

const atMost = (most: number, what: string) => ({
  error: ({ input }: { readonly input?: unknown }) =>
    `expected at most ${most} ${what}, got ${Array.isArray(input) ? input.length : 0}`,
});

const traffic = strict(
  {
    keep: wholeNumber(
      60,
      604_800,
      'for how long, in seconds, it is remembered who has talked to whom, in periods of 30 seconds',
    ).default(DEFAULTS.trafficKeepSeconds),
    export: z
      .array(collectorUrl('where an IPFIX collector (RFC 7011) listens: address and UDP port'))
      .max(MOST_COLLECTORS, atMost(MOST_COLLECTORS, 'collectors'))
      .default([])
      .meta({ description: 'IPFIX collectors that are sent the pairs of each period when it has ended' }),
    listen: z
      .array(
        flowListenUrl(
          'where IPFIX, NetFlow v9 and sFlow v5 are heard: an address of this machine and a UDP port',
        ),
      )
      .max(MOST_LISTENERS, atMost(MOST_LISTENERS, 'addresses'))
      .default([])
      .meta({
        description:
          'where switches and hypervisors of this site tell what they see between its nodes, which the router does not see itself',
      }),
    sensors: strict(
      {
        listen: sensorListenUrl(
          'where sensors connect: an address of this machine and a TCP port, or a Unix socket',
        ),
        tokenFile: filePath(
          'file with the key that "vinectl genpsk" prints, the same at the sensors, mode 0600',
        ),
      },
      'vine-sensor on hypervisors of this site; off when left out',
    ).optional(),
    exporters: z
      .array(nodePrefix('an address, or a prefix, from which that is taken'))
      .min(1)
      .max(MOST_EXPORTERS, atMost(MOST_EXPORTERS, 'exporters'))
      .optional()
      .meta({
        description:
          "who may tell; when left out, whoever has an address of this site's networks, and this machine itself",
      }),
  },
  'what is remembered of who talks to whom; in memory, and of the oldest only the largest pairs when there is no room',
);

const limit = (name: keyof typeof LIMITS, description: string) =>
  wholeNumber(1, LIMITS[name].most, description).default(LIMITS[name].default);

const limits = strict(
  {
    nodesPerLan: limit('nodesPerLan', 'nodes that one LAN may make known; what is beyond does not move'),
    nodesPerRouter: limit('nodesPerRouter', 'records that one other router may have here'),
    nodes: limit('nodes', 'records in all'),
  },
  'how far the tables may grow',
);

export const routerSchema = strict(
  {
    $schema: schemaReference,
    id: routerId("this router's id, one of gndt.json's routers"),
    privateKeyFile: filePath('file with the private key that "vinectl genkey" prints, mode 0600'),
    presharedKeys: z
      .record(
        z.string(),
        filePath('file with the key that "vinectl genpsk" prints, the same at both routers, mode 0600'),
      )
      .default({})
      .meta({ description: 'additional secrets that this router has with others, by router id' }),
    listen: z
      .array(listenUrl('address and port to listen on'))
      .min(1)
      .meta({ description: 'where to listen for other routers' }),
    lans: z.array(lan).meta({ description: 'the LANs whose nodes this router serves' }),
    control: control.prefault({}),
    metrics: strict(
      { listen: socketAddress('address and port that Prometheus scrapes') },
      'Prometheus metrics; off when left out',
    ).optional(),
    stateDir: filePath('directory where the state is kept over restarts').default(DEFAULTS.stateDir),
    log: strict(
      {
        level: oneOf(
          ['trace', 'debug', 'info', 'warn', 'error', 'fatal'],
          'least severe level that is logged',
        ).default(DEFAULTS.level),
      },
      'the log on stderr',
    ).prefault({}),
    mobility: mobility.prefault({}),
    limits: limits.prefault({}),
    failover: failover.prefault({}),
    traffic: traffic.prefault({}),
    network: networkSection.optional(),
    tun: z
      .array(strict(port, "a TUN port for the gateway machine's own addresses"))
      .default([])
      .meta({ description: "TUN ports for the gateway machine's own addresses" }),
    workers: wholeNumber(
      1,
      MOST_WORKERS,
      'packet workers of each direction, for gateways with more than two processors; needs a restart',
    ).default(DEFAULTS.workers),
  },
  'router.json: this ViNe router',
);

/** router.json as it is written, its texts read into values. */
export type RouterFile = z.output<typeof routerSchema>;

/** @param directory absolute; relative paths in the file start there */
export function toRouterConfig(file: RouterFile, directory: string): RouterConfig {
  const { dhcp, ...mobility } = file.mobility;
  return {
    id: file.id,
    privateKeyFile: resolve(directory, file.privateKeyFile),
    presharedKeyFiles: new Map(
      Object.entries(file.presharedKeys).map(([id, path]) => [id, resolve(directory, path)]),
    ),
    listen: file.listen,
    lans: file.lans,
    control: { socket: resolve(directory, file.control.socket), group: file.control.group },
    metrics: file.metrics?.listen,
    stateDir: resolve(directory, file.stateDir),
    log: file.log,
    mobility,
    limits: file.limits,
    failover: file.failover,
    traffic: {
      keepSeconds: file.traffic.keep,
      export: file.traffic.export,
      listen: file.traffic.listen,
      exporters: file.traffic.exporters,
      sensors:
        file.traffic.sensors === undefined
          ? undefined
          : {
              listen: file.traffic.sensors.listen,
              tokenFile: resolve(directory, file.traffic.sensors.tokenFile),
            },
    },
    ...(file.network === undefined ? {} : { network: toNetworkConfig(file.network, directory) }),
    tun: file.tun,
    workers: file.workers,
    dhcpIgnore:
      dhcp.ignoreFile === undefined
        ? undefined
        : { file: resolve(directory, dhcp.ignoreFile), format: dhcp.ignoreFormat },
  };
}
