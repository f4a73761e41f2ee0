/** Makes a plan real: namespaces, bridges, veth pairs, addresses, routes; and takes them away. */
import { existsSync, readdirSync } from 'node:fs';
import { removeGroups } from './machine/groups.js';
import { type LinkEnd, lanBridge, type NodePlan, type Plan } from './plan.js';
import { inNamespace, ipBatch, runSync, sleepSync } from './shell.js';

const namespaceDirectory = '/var/run/netns';

export const namespacePrefix = (lab: string): string => `v${lab}-`;
export const namespaceOf = (lab: string, node: string): string => namespacePrefix(lab) + node;

/** Namespaces of a lab that exist now. */
export function namespacesOf(lab: string): string[] {
  if (!existsSync(namespaceDirectory)) return [];
  return readdirSync(namespaceDirectory).filter((name) => name.startsWith(namespacePrefix(lab)));
}

function sysctlsOf(node: NodePlan): string[] {
  const settings = [
    'net.ipv6.conf.all.accept_dad=0',
    'net.ipv6.conf.default.accept_dad=0',
    'net.ipv6.conf.default.accept_ra=0',
    'net.ipv6.conf.default.autoconf=0',
    'net.ipv6.conf.default.router_solicitations=0',
    'net.ipv4.conf.all.rp_filter=0',
    'net.ipv4.conf.default.rp_filter=0',
    'net.ipv4.conf.all.send_redirects=0',
    'net.ipv4.conf.default.send_redirects=0',
    `net.ipv4.ip_forward=${node.forwards ? 1 : 0}`,
    `net.ipv6.conf.all.forwarding=${node.forwards ? 1 : 0}`,
  ];
  if (node.layer === 'switch')
    settings.push('net.ipv6.conf.all.disable_ipv6=1', 'net.ipv6.conf.default.disable_ipv6=1');
  return settings;
}

/** What some kernels lack; and filtering of bridged frames by the IP tables, which is no switch's business. */
const optionalSysctls = ['net.bridge.bridge-nf-call-iptables=0', 'net.bridge.bridge-nf-call-ip6tables=0'];

function addNamespace(name: string, node: NodePlan): void {
  runSync(['ip', 'netns', 'add', name]);
  runSync(inNamespace(name, ['sysctl', '-q', '-w', ...sysctlsOf(node)]));
  if (node.layer === 'switch') runSync(inNamespace(name, ['sysctl', '-q', '-e', '-w', ...optionalSysctls]));
}

/** One more host, on the bridge of a switch or of the WAN. It goes with the lab. */
export function addHost(lab: string, end: LinkEnd, at: string): void {
  const namespace = namespaceOf(lab, end.node);
  addNamespace(namespace, { name: end.node, layer: 'host', forwards: false, routes: [] });
  const port = { node: at, interface: `w-${end.node}`, bridge: lanBridge };
  ipBatch(undefined, [
    `link add ${end.interface} netns ${namespace} type veth peer name ${port.interface} netns ${namespaceOf(lab, at)}`,
  ]);
  ipBatch(namespace, ['link set lo up', ...endCommands(end)]);
  ipBatch(namespaceOf(lab, at), endCommands(port));
}

function endCommands(end: LinkEnd): string[] {
  const commands: string[] = [];
  if (end.mac !== undefined) commands.push(`link set ${end.interface} address ${end.mac}`);
  if (end.bridge !== undefined) commands.push(`link set ${end.interface} master ${end.bridge}`);
  for (const address of end.addresses ?? [])
    commands.push(`addr add ${address} dev ${end.interface}${address.includes(':') ? ' nodad' : ''}`);
  commands.push(`link set ${end.interface} up`);
  return commands;
}

function bridgeCommands(plan: Plan, node: string): string[] {
  return plan.bridges
    .filter((bridge) => bridge.node === node)
    .flatMap(({ name, hub }) => [
      `link add ${name} type bridge stp_state 0 forward_delay 0 mcast_snooping 0${hub ? ' ageing_time 0' : ''}`,
      `link set ${name} up`,
    ]);
}

function endsOf(plan: Plan, node: string): LinkEnd[] {
  return plan.links.flat().filter((end) => end.node === node);
}

const settleMs = 5_000;

/** Does every interface know that its other end is up? The kernel tells them late, up to a second. */
function settled(namespace: string): boolean {
  return !/state (LOWERLAYERDOWN|DOWN)/.test(runSync(['ip', '-n', namespace, '-o', 'link', 'show', 'up']));
}

/**
 * `easy`: a port is kept towards everyone, as most home routers do, so that two sites can find each other; `hard`:
 * another one for each destination.
 */
export type NatKind = 'easy' | 'hard';

function natRules(kind: NatKind): string {
  return `table ip vine-nat {
  chain out { type nat hook postrouting priority 100; oifname "out0" masquerade ${kind === 'hard' ? 'fully-random' : ''}; }
  chain input { type filter hook input priority 0; iifname "out0" ct state != { established, related } drop; }
  chain forward { type filter hook forward priority 0; iifname "out0" ct state != { established, related } drop; }
}
`;
}

function waitUntilSettled(lab: string, plan: Plan): void {
  let waiting = plan.nodes.map((node) => namespaceOf(lab, node.name));
  const deadline = performance.now() + settleMs;
  while (waiting.length > 0) {
    waiting = waiting.filter((namespace) => !settled(namespace));
    if (performance.now() > deadline) throw new Error(`interfaces do not come up in ${waiting.join(', ')}`);
    if (waiting.length > 0) sleepSync(20);
  }
}

/** Throws `CommandError`; what was made until then is taken away by `demolish`. */
export function construct(lab: string, plan: Plan, nat: NatKind): void {
  for (const node of plan.nodes) addNamespace(namespaceOf(lab, node.name), node);
  ipBatch(
    undefined,
    plan.links.map(
      ([left, right]) =>
        `link add ${left.interface} netns ${namespaceOf(lab, left.node)} type veth ` +
        `peer name ${right.interface} netns ${namespaceOf(lab, right.node)}`,
    ),
  );
  for (const { name } of plan.nodes)
    ipBatch(namespaceOf(lab, name), [
      'link set lo up',
      ...bridgeCommands(plan, name),
      ...endsOf(plan, name).flatMap(endCommands),
    ]);
  // Both ends of every pair are up only now, and routes need that.
  for (const { name, routes } of plan.nodes)
    ipBatch(
      namespaceOf(lab, name),
      routes.map((route) => `route add ${route}`),
    );
  for (const node of plan.nodes)
    if (node.nat === true)
      runSync(inNamespace(namespaceOf(lab, node.name), ['nft', '-f', '-']), natRules(nat));
  waitUntilSettled(lab, plan);
}

/** Removes the lab's namespaces and with them all that is in them, and control groups. Processes must be gone before. */
export function demolish(lab: string): void {
  removeGroups(namespacePrefix(lab));
  for (const name of namespacesOf(lab)) runSync(['ip', 'netns', 'del', name]);
}
