/** One suite for every packet engine: what src/dataplane/engine.ts promises. */
import { describe } from 'node:test';
import { coalesceSuite } from './coalesce-suite.js';
import { deviceSuite } from './device-suite.js';
import { flowSuite } from './flow-suite.js';
import { guardSuite } from './guard-suite.js';
import { lanSuite } from './lan-suite.js';
import { relaySuite } from './relay-suite.js';
import { roleSuite } from './role-suite.js';
import { shareSuite } from './share-suite.js';
import { splitSuite } from './split-suite.js';
import { streamSuite } from './stream-suite.js';
import { tunSuite } from './tun-suite.js';
import { tunnelSuite } from './tunnel-suite.js';
import { wakeupSuite } from './wakeup-suite.js';
import type { World } from './world.js';

export function contractSuite(name: string, world: World): void {
  describe(`${name}: tunnel`, () => tunnelSuite(world));
  describe(`${name}: TCP`, () => streamSuite(world));
  describe(`${name}: relays`, () => relaySuite(world));
  describe(`${name}: splitting`, () => splitSuite(world));
  describe(`${name}: LAN`, () => lanSuite(world));
  describe(`${name}: shared ports`, () => shareSuite(world));
  describe(`${name}: roles on a LAN`, () => roleSuite(world));
  describe(`${name}: TUN`, () => tunSuite(world));
  describe(`${name}: coalescing`, () => coalesceSuite(world));
  describe(`${name}: device`, () => deviceSuite(world));
  describe(`${name}: wake-ups`, () => wakeupSuite(world));
  describe(`${name}: flow memory`, () => flowSuite(world));
  describe(`${name}: handshakes`, () => guardSuite(world));
}
