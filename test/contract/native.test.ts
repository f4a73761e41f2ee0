/**
 * The native addon keeps the contract. As root the suite runs in a network namespace of its own; without root it runs
 * here, and what needs packet sockets is skipped.
 */
import { writeFileSync } from 'node:fs';
import { loadNative } from '../../src/dataplane/native.js';
import { inNamespaceOfOwn } from './namespace.js';
import { nativeWorld } from './native-world.js';
import { contractSuite } from './suite.js';

inNamespaceOfOwn(
  'the native addon keeps the contract',
  import.meta.url,
  () => {
    // The kernel's own neighbour discovery would mix with the frames that the tests look at; ::1 stays.
    writeFileSync('/proc/sys/net/ipv6/conf/default/disable_ipv6', '1');
    contractSuite('native', nativeWorld(loadNative(), undefined));
  },
  () => contractSuite('native', nativeWorld(loadNative(), 'packet sockets and namespaces need root')),
);
