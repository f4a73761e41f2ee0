/**
 * The machines that a DHCP server should leave alone, in the form that the servers read: those that visit this site, whose
 * leases are from home. Each form is a whole file.
 *
 *   dnsmasq  a file in `dhcp-hostsdir`, or the one of `dhcp-hostsfile`
 *   kea      the value of `reservations`, global ones looked up early (`early-global-reservations-lookup`)
 *   dhcpd    a file for `include`
 */
import { formatMac, type Mac, macHigh, macLow } from '../net/mac.js';

export const IGNORE_FORMATS = ['dnsmasq', 'kea', 'dhcpd'] as const;
export type IgnoreFormat = (typeof IGNORE_FORMATS)[number];

const HEAD =
  'Machines that visit this site and have their leases from home. Written by ViNe: changes are lost.';

/** In the order of the MACs, each once, so that the same machines always give the same text. */
export function ignoreList(macs: Iterable<Mac>, format: IgnoreFormat): string {
  const sorted = [...new Set(macs)].sort((a, b) => a - b);
  switch (format) {
    case 'dnsmasq':
      return lines(`# ${HEAD}`, ...sorted.map((mac) => `${formatMac(mac)},ignore`));
    case 'kea':
      return keaList(sorted);
    case 'dhcpd':
      return lines(
        `# ${HEAD}`,
        ...sorted.map(
          (mac) => `host vine-${plain(mac)} { hardware ethernet ${formatMac(mac)}; ignore booting; }`,
        ),
      );
  }
}

/** Messages of class DROP are dropped. Its JSON may have comments. */
function keaList(macs: readonly Mac[]): string {
  const entries = macs.map((mac) => `  { "hw-address": "${formatMac(mac)}", "client-classes": [ "DROP" ] }`);
  return lines(`// ${HEAD}`, '[', ...(entries.length === 0 ? [] : [entries.join(',\n')]), ']');
}

function plain(mac: Mac): string {
  return `${macHigh(mac).toString(16).padStart(4, '0')}${macLow(mac).toString(16).padStart(8, '0')}`;
}

function lines(...all: readonly string[]): string {
  return `${all.join('\n')}\n`;
}
