/** `vinectl route get`, in the manner of `ip route get`. */
import type { RouteView } from '../../control/api.js';
import { clean, type Look } from './text.js';

const SAYS = {
  peer: 'via peer',
  client: 'to the WireGuard client',
  local: 'local on',
  own: "is this router's own on",
  gateway: 'to the gateway on',
  drop: 'is dropped',
} as const;

export function showRoute(route: RouteView, { paint }: Look): string {
  const from = route.from === null ? '' : ` from ${route.from}`;
  const to = route.to === null ? '' : ` ${route.to}`;
  const mac = route.mac === null ? '' : ` mac ${route.mac}`;
  const line = clean(`${from} ${SAYS[route.action]}${to}${mac} vnet ${route.vnet}`);
  const matched = route.matched === null ? 'nothing' : clean(route.matched);
  return [
    `${paint(route.action === 'drop' ? 'red' : 'green', clean(route.ip))}${line}\n`,
    `  ${paint('bold', 'matched')}: ${matched}\n`,
    `  ${paint('bold', 'why')}: ${clean(route.why)}\n`,
  ].join('');
}
