/** What is wrong with the machine, for `vinectl doctor`: the router's view of it, or vinectl's own when none runs. */
import { accessSync, constants } from 'node:fs';
import { messageOf } from '../net/system-error.js';
import type { LanConfig } from '../tables/model.js';
import { error, type Finding, ok, warning } from './finding.js';
import type { HeldAddress } from './interfaces.js';
import type { LinkState } from './machine.js';

/** RFC 8200 §5: every IPv6 link carries that. */
const MIN_MTU_BYTES = 1280;

/** Of capabilities(7), those that the router cannot do without. */
export type NeededCapability = 'CAP_NET_ADMIN' | 'CAP_NET_RAW';

export function checkCapabilities(missing: readonly NeededCapability[]): Finding {
  const check = 'capabilities';
  if (missing.length === 0) return ok(check, 'vined', 'it may open packet sockets and set up the network');
  const uses: Readonly<Record<NeededCapability, string>> = {
    CAP_NET_RAW: 'it cannot open packet sockets',
    CAP_NET_ADMIN: 'it cannot keep the kernel off the overlay’s packets, nor have large socket buffers',
  };
  return error(
    check,
    'vined',
    `${missing.join(' and ')} ${missing.length === 1 ? 'is' : 'are'} missing: ${missing.map((name) => uses[name]).join('; ')}`,
    'run it under its systemd unit, or as root',
  );
}

/** @param largestInnerBytes largest packet that other sites send here; 0 when not known */
export function checkLans(
  lans: readonly LanConfig[],
  links: ReadonlyMap<string, LinkState> | string,
  largestInnerBytes: number,
): Finding[] {
  if (typeof links === 'string')
    return [error('lan', 'ip', links, 'install iproute2 (apt-get install iproute2)')];
  return lans.map((lan) => checkLan(lan, links.get(lan.interface), largestInnerBytes));
}

function checkLan(
  { interface: name, vnet }: LanConfig,
  link: LinkState | undefined,
  largestInnerBytes: number,
): Finding {
  if (link === undefined)
    return error(
      'lan',
      name,
      'this machine has no such interface',
      'correct router.json: lans, or make the interface',
    );
  if (!link.up) return error('lan', name, 'the interface is down', `ip link set ${name} up`);
  if (!link.carrier)
    return error(
      'lan',
      name,
      'the interface has no carrier',
      'check the cable, or the port of the virtual switch',
    );
  if (link.mtuBytes < MIN_MTU_BYTES)
    return error(
      'lan',
      name,
      `its MTU is ${link.mtuBytes}, IPv6 needs ${MIN_MTU_BYTES}`,
      `ip link set ${name} mtu 1500`,
    );
  if (link.mtuBytes < largestInnerBytes)
    return warning(
      'lan',
      name,
      `its MTU is ${link.mtuBytes}, but other sites send packets of up to ${largestInnerBytes} bytes, which it cannot carry`,
      `ip link set ${name} mtu ${Math.max(1500, largestInnerBytes)}, or the same smaller MTU on all sites' hosts`,
    );
  return ok('lan', name, `up, vnet ${vnet}, MTU ${link.mtuBytes}`);
}

/** A machine on a LAN that says that it has a gateway address; as text. */
export interface GatewayUser {
  readonly interface: string;
  readonly ip: string;
  readonly mac: string;
}

/** @param held what this machine's kernel has @param users machines that were heard on the LANs */
export function checkGateways(
  lans: readonly LanConfig[],
  held: readonly HeldAddress[],
  users: readonly GatewayUser[],
): Finding[] {
  return lans.flatMap(({ interface: name, gateway = [] }) =>
    gateway.map(({ key: ip }) => {
      const holder = held.find(({ address }) => address === ip);
      if (holder !== undefined)
        return error(
          'gateway',
          ip,
          `the kernel of this machine has this gateway address too, on ${holder.interface}, and answers for it`,
          `ip address del ${ip}/… dev ${holder.interface}`,
        );
      const user = users.find((it) => it.interface === name && it.ip === ip);
      if (user !== undefined)
        return error(
          'gateway',
          ip,
          `another machine on ${name}, ${user.mac}, says that it has this gateway address: hosts may send to either`,
          'take the address away there, or another one for lans[].gateway in router.json',
        );
      return ok('gateway', ip, `nobody else has it on ${name}`);
    }),
  );
}

/** @param forwarding LANs whose packets the kernel forwards @param guarded undefined: no router runs */
export function checkForwarding(forwarding: readonly string[], guarded: boolean | undefined): Finding {
  const check = 'kernel-forwarding';
  const names = forwarding.join(', ');
  const off = forwarding.map(
    (name) => `sysctl -w net.ipv4.conf.${name}.forwarding=0 net.ipv6.conf.${name}.forwarding=0`,
  );
  if (guarded === true) {
    const message =
      forwarding.length === 0
        ? 'off, and guarded by nftables rules'
        : `on (${names}), but guarded by nftables rules`;
    return ok(check, 'kernel', message);
  }
  if (forwarding.length > 0)
    return error(
      check,
      names,
      guarded === undefined
        ? 'the kernel forwards what arrives there: packets leave twice, unencrypted, unless nftables rules can be set'
        : 'the kernel forwards what arrives there and the nftables rules against it are missing: packets leave twice, unencrypted',
      `${off.join('; ')}; or install nftables and restart vined`,
    );
  if (guarded === undefined) return ok(check, 'kernel', 'off');
  return warning(
    check,
    'kernel',
    'the nftables rules that keep the kernel off the overlay’s packets are missing: it may answer IPv6 packets with "no route"',
    'install nftables, run vined with CAP_NET_ADMIN, and restart it',
  );
}

export function checkStateDir(path: string): Finding {
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
    return ok('state', path, 'it can be read and written');
  } catch (problem) {
    return error(
      'state',
      path,
      `the state directory cannot be used: ${messageOf(problem)}`,
      `make it, owned by vined's user, mode 0700`,
    );
  }
}
