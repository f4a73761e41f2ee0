import type { VineConfig } from '../../config/load.js';
import { readMemberships } from '../../config/membership-file.js';
import type { NativeAddon } from '../../dataplane/engine.js';
import type { Clock } from '../../net/clock.js';
import type { Conduct } from '../../protocol/conduct.js';
import type { Tunnel } from '../../tunnel/tunnel.js';
import type { Sockets } from '../machine/sockets.js';
import type { Relays } from '../relays.js';
import type { Reloader } from '../reload/reloader.js';
import { tunnelPorts } from '../tunnel-ports.js';
import type { CounterBoard } from '../view/counter-board.js';
import type { EventHub } from '../view/event-hub.js';
import { JoinDesk } from './join-desk.js';
import { Memberships, membershipMessenger } from './memberships.js';

export interface MembershipParts {
  readonly clock: Clock;
  readonly hub: EventHub;
  readonly conduct: Conduct;
  readonly board: CounterBoard;
  readonly native: NativeAddon;
  readonly sockets: Sockets;
  readonly relays: Relays;
  readonly tunnel: Tunnel;
  readonly reloader: Reloader;
  readonly config: VineConfig;
}

/** Who has joined with a token, and who answers those that want to. */
export function makeMemberships(parts: MembershipParts): {
  readonly memberships: Memberships;
  readonly joinDesk: JoinDesk;
} {
  const { clock, config, native, sockets, relays, reloader } = parts;
  const memberships = new Memberships({
    ...parts,
    held: readMemberships(config.router.stateDir).held,
    messenger: membershipMessenger(parts.tunnel),
  });
  parts.board.add(memberships);
  reloader.subscribe(() => memberships.reconfigured());
  const joinDesk = new JoinDesk({
    clock,
    privateKey: config.privateKey,
    ports: tunnelPorts(native, sockets.udp, (peer) => relays.tagOf(peer)),
    memberships,
  });
  return { memberships, joinDesk };
}
