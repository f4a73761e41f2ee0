/** The router's sockets and LANs: opened together, closed together. */
import { listInterfaces } from '../../config/interfaces.js';
import type { LanSocket, NativeAddon, TcpListener, UdpSocket } from '../../dataplane/engine.js';
import { macFromHalves } from '../../net/mac.js';
import { vridOf } from '../../tables/gateway.js';
import type { Gndt } from '../../tables/gndt.js';
import { Lans } from '../../tables/lan.js';
import type { LanConfig, LndtEntry, RouterConfig } from '../../tables/model.js';
import { readInterfaces } from '../lan/interfaces.js';
import { openTunPorts, type TunPort } from './tun-ports.js';

export interface Sockets {
  readonly udp: readonly UdpSocket[];
  readonly tcp: readonly TcpListener[];
  readonly lanSockets: readonly LanSocket[];
  readonly lans: Lans;
  /** Numbered behind the LANs. */
  readonly tuns: readonly TunPort[];
  readonly warnings: readonly string[];
  close(): void;
}

/** Throws with what was being opened; nothing is left open then. */
export function openSockets(
  native: NativeAddon,
  config: RouterConfig,
  gndt: Gndt,
  entries: readonly LndtEntry[],
): Sockets {
  const open: number[] = [];
  const keep = <T extends { readonly fd: number } | undefined>(what: string, make: () => T): T => {
    try {
      const socket = make();
      if (socket !== undefined) open.push(socket.fd);
      return socket;
    } catch (error) {
      for (const fd of open) native.closeSocket(fd);
      const reason = error instanceof Error ? error.message : String(error);
      throw new Error(`cannot open ${what}: ${reason}`, { cause: error });
    }
  };
  const warnings: string[] = [];
  /** Descriptors, one for each worker that has one; undefined: there is one worker. */
  const receivers = (what: string, fd: number, share: () => number | undefined) => {
    if (config.workers === 1) return {};
    const more = Array.from({ length: config.workers - 1 }, () =>
      keep(what, () => {
        const shared = share();
        return shared === undefined ? undefined : { fd: shared };
      }),
    );
    return { receivers: [fd, ...more.flatMap((shared) => shared?.fd ?? [])] };
  };
  const udp = config.listen
    .filter(({ transport }) => transport === 'udp')
    .map(({ address, port }) => {
      const what = `udp://${address}:${port}`;
      const socket = keep(what, () => native.openUdp(address.toBytes(), port));
      return { ...socket, ...receivers(what, socket.fd, () => native.shareUdp(socket.fd)) };
    });
  const tcp = config.listen
    .filter(({ transport }) => transport === 'tcp')
    .map(({ address, port }) =>
      keep(`tcp://${address}:${port}`, () => native.listenTcp(address.toBytes(), port)),
    );
  const lanSockets = config.lans.map((lan, index) => {
    const what = `LAN ${lan.interface}`;
    const vrid = vridOfLan(lan, gndt) ?? 0;
    const socket = keep(what, () => native.openLan(lan.interface, index, vrid));
    const shared = receivers(what, socket.fd, () => unlessDown(() => native.shareLan(socket.fd, vrid)));
    if (shared.receivers !== undefined && shared.receivers.length < config.workers) {
      warnings.push(
        `${lan.interface} was down at the start: not all workers take its frames until the router is restarted`,
      );
    }
    return { ...socket, ...shared };
  });
  const lans = describeLans(config, lanSockets, gndt);
  const close = (): void => {
    for (const fd of open) native.closeSocket(fd);
  };
  let tuns: readonly TunPort[];
  try {
    tuns = openTunPorts(native, config, gndt, entries, lans);
  } catch (error) {
    close();
    throw error;
  }
  open.push(...tuns.map(({ socket }) => socket.fd));
  return {
    udp,
    tcp,
    lanSockets,
    lans,
    tuns,
    warnings,
    close,
  };
}

/** A LAN's frames cannot be shared before there can be any; undefined then. */
function unlessDown(share: () => number): number | undefined {
  try {
    return share();
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENETDOWN') return undefined;
    throw error;
  }
}

/** Both routers of a site come to the same. */
function vridOfLan(lan: LanConfig, gndt: Gndt): number | undefined {
  return vridOf(lan, gndt.vnetByName(lan.vnet)?.id ?? 0, gndt.self);
}

function describeLans(config: RouterConfig, sockets: readonly LanSocket[], gndt: Gndt): Lans {
  const states = readInterfaces(config.lans.map((lan) => lan.interface));
  return new Lans(
    config.lans.map((lan, index) => {
      const { macHigh, macLow } = sockets[index] ?? { macHigh: 0, macLow: 0 };
      const vrid = vridOfLan(lan, gndt);
      return {
        index,
        interface: lan.interface,
        vnet: gndt.vnetByName(lan.vnet)?.id ?? 0,
        mac: macFromHalves(macHigh, macLow),
        addresses: states[index]?.addresses ?? [],
        ...(lan.gateway !== undefined && lan.gateway.length > 0 ? { gateway: lan.gateway } : {}),
        ...(vrid === undefined ? {} : { vrid }),
      };
    }),
  );
}

/** What a dead packet worker may have died of, as the end of a message; empty when all interfaces are there. */
export function lostPorts({ lans, tuns }: Sockets): string {
  const there = listInterfaces();
  const lost = [...lans.current(), ...tuns]
    .map((port) => port.interface)
    .filter((name) => !there.includes(name));
  return lost.length === 0 ? '' : `; this machine no longer has ${lost.join(', ')}`;
}
