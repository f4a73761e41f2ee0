/** Everything that this router does on its LANs by ARP and neighbour discovery, but for what mobility decides. */
import type { PcapAddon } from '../../arp/pcap.js';
import { Prober, type Standing } from '../../arp/prober.js';
import { Resolver } from '../../arp/resolver.js';
import { Scanner } from '../../arp/scanner.js';
import type { Clock } from '../../net/clock.js';
import type { Ip } from '../../net/ip.js';
import { Prefix } from '../../net/prefix.js';
import type { Gndt } from '../../tables/gndt.js';
import type { Lans } from '../../tables/lan.js';
import type { LanIndex, LndtEntry, NodeRecord, VnetId } from '../../tables/model.js';
import type { Tables } from '../tables.js';
import type { LanTopics } from '../topics.js';
import { LanCapture } from './lan-capture.js';
import type { LanCounts } from './lan-counters.js';

export interface LanSideOptions {
  readonly lans: Lans;
  readonly pcap: PcapAddon;
  readonly clock: Clock;
  readonly tables: Tables;
  readonly topics: LanTopics;
}

export class LanSide {
  readonly #options: LanSideOptions;
  readonly #resolver: Resolver;
  readonly #scanner: Scanner;
  readonly #prober: Prober;
  #captures: readonly LanCapture[] = [];
  #unsubscribe: () => void;

  constructor(options: LanSideOptions) {
    const { lans, clock, tables } = options;
    const ports = { clock, sendFrame: (lan: LanIndex, frame: Uint8Array) => this.sendFrame(lan, frame) };
    this.#options = options;
    this.#resolver = new Resolver(ports, lans);
    this.#scanner = new Scanner(ports, lans, {
      entries: () => [...tables.lndt.entries, ...homeGateways(tables.gndt)],
      known: (vnet, ip) => this.#isKnown(vnet, ip),
      elsewhere: () => nodesElsewhere(tables),
    });
    this.#prober = new Prober(
      ports,
      lans,
      {
        stale: (lan, olderThanMs) => tables.hwdt.stale(lan, olderThanMs),
        get: (vnet, ip) => tables.hwdt.get(vnet, ip),
        markSilent: (vnet, ip) => tables.hwdt.markSilent(vnet, ip),
        forget: (vnet, ip) => tables.hwdt.forget(vnet, ip),
        standing: (vnet, ip) => standing(tables, vnet, ip),
      },
      ({ vnet, ip }) => options.topics.gone.notify(vnet, ip),
    );
    this.#unsubscribe = tables.hwdt.subscribe((vnet, ip) => {
      if (tables.hwdt.get(vnet, ip) !== undefined) this.#resolver.learned(vnet, ip);
    });
  }

  /** Opens the captures; throws when an interface cannot be captured. Frames come from now on. */
  open(): void {
    const { lans, pcap, clock, topics, tables } = this.#options;
    this.#captures = lans.current().map(
      (lan) =>
        new LanCapture(
          lan,
          pcap,
          clock,
          {
            neighbour: (frame, capturedMs) => topics.frames.notify(lan.index, frame, capturedMs),
            dhcp: (frame, capturedMs) => topics.dhcp.notify(lan.index, frame, capturedMs),
            toGroup: (capturedMs) => topics.toGroup.notify(lan.index, capturedMs),
            virtualMac: (capturedMs) => topics.virtualMac.notify(lan.index, capturedMs),
          },
          (mac) => tables.directory.byMac(lan.vnet, mac).length > 0,
        ),
    );
  }

  /** Begins to ask for nodes that are not known yet, and for those that fell silent. */
  start(): void {
    this.#scanner.start();
    this.#prober.start();
  }

  /** Other nodes may take part now: asks for those that are not known. */
  rescan(): void {
    this.#scanner.stop();
    this.#scanner.start();
  }

  stop(): void {
    this.#unsubscribe();
    this.#scanner.stop();
    this.#prober.stop();
    this.#resolver.stop();
    for (const capture of this.#captures) capture.close();
  }

  /** A packet waits for this node's MAC. */
  want(vnet: VnetId, ip: Ip): void {
    this.#resolver.want(vnet, ip);
  }

  sendFrame(lan: LanIndex, frame: Uint8Array): void {
    this.#captures[lan]?.send(frame);
  }

  counters(): Readonly<Record<string, number>> {
    const own: LanCounts = {
      resolver_unanswered: this.#resolver.unanswered,
      resolver_refused: this.#resolver.refused,
      resolver_displaced: this.#resolver.displaced,
    };
    const sum: Record<string, number> = {};
    for (const counts of [own, ...this.#captures.map((capture) => capture.counters())]) {
      for (const [name, count = 0] of Object.entries(counts)) sum[name] = (sum[name] ?? 0) + count;
    }
    return sum;
  }

  /** To the other routers too. A machine that was seen before lndt.json named it has a binding and no record. */
  #isKnown(vnet: VnetId, ip: Ip): boolean {
    const { directory, gndt, hwdt } = this.#options.tables;
    const record = directory.here(vnet, ip);
    return record !== undefined && (record.router !== gndt.self || hwdt.get(vnet, ip) !== undefined);
  }
}

function standing({ directory, gndt }: Tables, vnet: VnetId, ip: Ip): Standing {
  if (gndt.isHome(vnet, ip)) return 'native';
  return directory.here(vnet, ip)?.router === gndt.self ? 'visiting' : 'strange';
}

/** Nodes that are at other routers. */
function* nodesElsewhere({ directory, gndt }: Tables): Generator<NodeRecord> {
  for (const record of directory.all()) {
    if (record.state === 'here' && record.router !== gndt.self) yield record;
  }
}

/** A home network's gateway takes part without being listed: what comes from outside is known by its MAC. */
function homeGateways(gndt: Gndt): LndtEntry[] {
  return gndt.config.networks.flatMap(({ vnet, gateway, router }) =>
    gateway === undefined || router !== gndt.self
      ? []
      : [{ vnet, prefix: Prefix.host(gateway), mac: undefined }],
  );
}
