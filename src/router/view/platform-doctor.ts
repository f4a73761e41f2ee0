/** What the platform keeps from this machine, or drops of what it says: as far as that can be noticed from inside. */
import { type Finding, ok, warning } from '../../config/finding.js';
import { formatMac } from '../../net/mac.js';
import type { HearingView, PortWatch, StrayView } from '../lan/port/port-watch.js';

export type PortParts = Pick<PortWatch, 'hearing' | 'unheeded' | 'strays'>;

/** Hosts that know each other may have nothing to ask for minutes; none does for so long where there are some. */
const SILENT_LIMIT_MS = 600_000;
/** One alone talks to this machine only, which asks it. */
const FEWEST_MACHINES = 2;
const MOST_EXAMPLES = 3;
const PAGE = 'docs/platforms.md';

export async function checkPorts(ports: PortParts): Promise<Finding[]> {
  return [
    ...ports.hearing().map(checkHearing),
    checkUnheeded(ports.unheeded()),
    ...(await ports.strays()).map(checkStray),
  ];
}

export function checkHearing({ interface: name, silentMs, hasHeard, machines }: HearingView): Finding {
  const check = 'broadcasts';
  if (silentMs < SILENT_LIMIT_MS)
    return ok(
      check,
      name,
      hasHeard ? 'questions to all are heard there' : 'nothing to all was heard there yet',
    );
  const since = `nothing that is for all (ARP, neighbour discovery, DHCP) was heard there for ${minutes(silentMs)}`;
  if (machines < FEWEST_MACHINES) return ok(check, name, `${since}; nor more than one machine`);
  return warning(
    check,
    name,
    `${since}, and ${machines} machines are there: the platform may keep it from this machine`,
    `see ${PAGE}, "Broadcasts do not arrive": does the platform answer ARP itself (OVN, l2population), has it broadcasts at all (clouds have none)?`,
  );
}

function minutes(ms: number): string {
  return `${Math.floor(ms / 60_000)} min`;
}

/** One finding, however many askers. */
export function checkUnheeded(series: ReturnType<PortParts['unheeded']>): Finding {
  const check = 'answers';
  if (series.length === 0) return ok(check, 'lans', 'no host asks again for what this router has answered');
  const latest = [...series].reverse();
  const examples = latest
    .slice(0, MOST_EXAMPLES)
    .map(
      ({ interface: name, asker, target, questions }) =>
        `${formatMac(asker)} on ${name} has asked for ${target} ${questions} times`,
    );
  const more = latest.length > MOST_EXAMPLES ? '; …' : '';
  return warning(
    check,
    'lans',
    `hosts go on asking for what this router has answered each time: ${examples.join('; ')}${more}`,
    `see ${PAGE}, "Answers do not arrive": does this machine's port let ARP and neighbour advertisements pass that name others' addresses?`,
  );
}

export function checkStray({ interface: name, verdict }: StrayView): Finding {
  const check = 'other-macs';
  switch (verdict) {
    case 'seen':
      return ok(check, name, 'frames to other MACs come');
    case 'passes':
      return ok(check, name, 'a frame to a MAC that nobody has came');
    case 'silent':
      return ok(check, name, 'not checked: no machine there answers');
    case 'kept':
      return warning(
        check,
        name,
        'a node is elsewhere, and frames to MACs that the switch does not know do not come to this machine: hosts that have not heard of the move lose packets until they ask again',
        `see ${PAGE}, "Frames to other MACs do not arrive": promiscuous mode, MAC learning and flooding of the port`,
      );
  }
}
