/** Puts the parts of mobility together, in one direction: each knows only those that are made before it. */
import { AddressProbe } from './address-probe.js';
import { Authority } from './authority.js';
import type { Context } from './context.js';
import { Arrival } from './destination/arrival.js';
import { Claims } from './destination/claims.js';
import { DeferredClaims } from './destination/deferred-claims.js';
import { Migration } from './destination/migration.js';
import { Obstacles } from './destination/obstacles.js';
import { Taking } from './destination/taking.js';
import { DhcpCarriage } from './dhcp/carriage.js';
import { Learning } from './learning.js';
import { NetworkNodes } from './neighbours.js';
import { Pacer } from './pacer.js';
import type { ActivityView } from './ports.js';
import { Reports } from './reports.js';
import { Rounds } from './rounds.js';
import { Doubt } from './search/doubt.js';
import { Search } from './search/search.js';
import { SoughtNodes } from './search/sought.js';
import { Unheard } from './search/unheard.js';
import { Acceptance } from './source/acceptance.js';
import { Departure } from './source/departure.js';
import { Judge } from './source/judge.js';
import { Reassertion } from './source/reassertion.js';
import { Verification } from './source/verification.js';
import { DuplicateSuppression } from './suppression/duplicate-suppression.js';
import { AntiEntropy } from './sync/anti-entropy.js';
import { Confirmation } from './sync/confirmation.js';
import { Queries } from './sync/queries.js';
import { Recovery } from './sync/recovery.js';
import { Removal } from './sync/removal.js';
import { Restart } from './sync/restart.js';
import { UpdateBatcher } from './sync/update-batcher.js';

/** Those that `Mobility` speaks to. */
export interface MobilityParts {
  readonly nodes: NetworkNodes;
  readonly updates: UpdateBatcher;
  readonly queries: Queries;
  readonly antiEntropy: AntiEntropy;
  readonly addressProbe: AddressProbe;
  readonly suppression: DuplicateSuppression;
  readonly deferred: DeferredClaims;
  readonly obstacles: Obstacles;
  readonly arrival: Arrival;
  readonly taking: Taking;
  readonly migration: Migration;
  readonly verification: Verification;
  readonly authority: Authority;
  readonly judge: Judge;
  readonly acceptance: Acceptance;
  readonly reassertion: Reassertion;
  readonly removal: Removal;
  readonly recovery: Recovery;
  readonly restart: Restart;
  readonly learning: Learning;
  readonly search: Search;
  readonly sought: SoughtNodes;
  readonly doubt: Doubt;
  readonly unheard: Unheard;
  readonly dhcp: DhcpCarriage;
}

/** @param startsLater the LANs are opened later, and nothing is asked on them before */
export function partsOf(
  context: Context,
  startsLater: boolean,
  activity: ActivityView | undefined,
): MobilityParts {
  const nodes = new NetworkNodes(context.gndt, context.directory);
  context.atEnd(nodes.stop);
  const rounds = new Rounds(context.timers);
  const pacer = new Pacer(context);
  const departure = new Departure(context, nodes, rounds, pacer);
  const updates = new UpdateBatcher(context);
  const queries = new Queries(context, updates);
  const arrival = new Arrival(context, nodes, rounds, pacer, queries);
  const addressProbe = new AddressProbe(context, startsLater);
  const search = new Search(context, nodes);
  const sought = new SoughtNodes(context, addressProbe);
  const unheard = new Unheard(context);
  const doubt = new Doubt(context, addressProbe, search, activity);
  const suppression = new DuplicateSuppression(context, updates);
  const deferred = new DeferredClaims(context, addressProbe);
  const obstacles = new Obstacles(context, suppression, deferred);
  const claims = new Claims(context);
  const reports = new Reports(context);
  const antiEntropy = new AntiEntropy(context, updates);
  const verification = new Verification(context, addressProbe, queries, suppression);
  const authority = new Authority(context, { claims, queries, antiEntropy, updates }, suppression);
  const confirmation = new Confirmation(context, queries);
  const reassertion = new Reassertion(context, authority, updates);
  const taking = new Taking(context, { arrival, departure, updates, suppression, claims, unheard });
  const parts = {
    ...{ nodes, updates, queries, antiEntropy, addressProbe, suppression, deferred, obstacles, arrival },
    ...{ departure, claims, reports, verification, authority, confirmation, reassertion, taking },
    ...{ search, sought, unheard, doubt },
  };
  const judge = new Judge(context, parts);
  const acceptance = new Acceptance(context, { ...parts, judge });
  const migration = new Migration(context, parts);
  const removal = new Removal(context, parts);
  const recovery = new Recovery(context, parts);
  const restart = new Restart(context, parts);
  const learning = new Learning(context, { ...parts, migration });
  const dhcp = new DhcpCarriage(context);
  return { ...parts, judge, acceptance, migration, removal, recovery, restart, learning, dhcp };
}
