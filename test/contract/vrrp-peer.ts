/**
 * The other router of a LAN: a socket for advertisements in another network namespace than the test's. Told what to do by
 * lines of JSON on its standard input, tells what it hears by lines on its standard output. See `vrrp-link.ts`.
 */
import { createInterface } from 'node:readline';
import { loadNative } from '../../src/dataplane/native.js';
import { Ip } from '../../src/net/ip.js';
import { systemClock } from '../../src/net/system-clock.js';
import { openAdvertisementSocket } from '../../src/router/machine/vrrp/advertisement-socket.js';
import type { PeerCommand, PeerReport } from './vrrp-link.js';

const [interfaceName = '', source = '', vrid = ''] = process.argv.slice(2);
const pcap = loadNative();
const tell = (report: PeerReport): void => {
  process.stdout.write(`${JSON.stringify(report)}\n`);
};
const socket = openAdvertisementSocket({
  interface: interfaceName,
  source: Ip.of(source),
  vrid: Number(vrid),
  pcap,
  clock: systemClock,
  onAdvertisement: ({ source: from, addresses, ...rest }) =>
    tell({ heard: { ...rest, source: from.key, addresses: addresses.map(({ key }) => key) } }),
  onCondition: (condition) => tell({ condition: condition.is }),
});
const frames = pcap.openCapture(
  { interface: interfaceName, filter: 'less 1', frameBytes: 64, ringBytes: 65_536 },
  () => {},
);
tell({ ready: true });

createInterface({ input: process.stdin }).on('line', (line) => {
  const command = JSON.parse(line) as PeerCommand;
  if ('send' in command)
    socket.send({ ...command.send, addresses: command.send.addresses.map((text) => Ip.of(text)) });
  if ('frames' in command) {
    const bytes = Buffer.from(command.frames, 'hex');
    for (let i = 0; i < command.times; i++) frames.send(bytes);
  }
  if ('close' in command) {
    frames.close();
    void socket.close().then(() => {
      tell({ counters: socket.counters() });
      process.stdin.destroy();
    });
  }
});
