/** The decisions of one packet worker, and what they share. */
import type { Clock } from '../../net/clock.js';
import type { Engine } from '../engine.js';
import type { WorkerInput } from '../worker-input.js';
import { ClientForwarder } from './client-forwarder.js';
import { Delivery } from './delivery.js';
import { GatewayEcho } from './gateway-echo.js';
import { IcmpErrors } from './icmp-errors.js';
import { LanForwarder } from './lan-forwarder.js';
import { NextHop } from './next-hop.js';
import { Punter, type WorkerPorts } from './punter.js';
import { RelayForwarder } from './relay-forwarder.js';
import { RelayTable } from './relay-table.js';
import { TunnelForwarder } from './tunnel-forwarder.js';
import { WorkerContext } from './worker-context.js';

/** Decides over one descriptor: leaves Action.drop, or writes another action; always counts what became of it. */
export interface Forwarder {
  decide(i: number): void;
}

export class PacketPath {
  /** For what comes from the LANs and TUN ports. */
  readonly lan: Forwarder;
  /** For what comes from the tunnel. */
  readonly tunnel: Forwarder;
  readonly delivery: Delivery;

  constructor(engine: Engine, input: WorkerInput, ports: WorkerPorts, clock: Pick<Clock, 'nowMs'>) {
    const context = new WorkerContext(engine, input, clock);
    const punter = new Punter(context, input, ports);
    const delivery = new Delivery(context, punter);
    const nextHop = new NextHop(context, new IcmpErrors(context));
    this.delivery = delivery;
    const echo = new GatewayEcho(context);
    this.lan = new LanForwarder({ context, delivery, nextHop, punter, echo });
    this.tunnel = new TunnelForwarder({
      context,
      delivery,
      punter,
      clients: new ClientForwarder(context, delivery, nextHop, echo),
      relays: new RelayForwarder(context, RelayTable.attach(input.relays), punter),
      echo,
    });
  }
}
