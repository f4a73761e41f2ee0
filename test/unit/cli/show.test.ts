/** What people see of each verb, letter by letter. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { showRole } from '../../../src/cli/show/role.js';
import { plain } from '../../../src/cli/show/text.js';
import type { RoleView } from '../../../src/control/role-view.js';
import { NOW, ROLE } from '../control/fake-router.js';
import { startFixture } from '../control/fixture.js';
import { vinectl } from './harness.js';

const SHOWN: Readonly<Record<string, string>> = {
  status: `\
router: vr-a
  version: 0.1.0
  state: ready
  up: 3 h 5 min, since 2026-03-01 08:55:00Z
  listening: udp://0.0.0.0:7700
  tunnel: chacha20-poly1305 by primitives, offload: segmentation and coalescing
  peers: 1 of 2 up
  nodes: 1,200 here, 1 visiting, 2 departed, 3 missing

lan: lan0
  vnet: blue
  mac: 02:00:00:00:00:0a
  mtu: 1500 bytes
  offload: vnet-header

worker: lan-to-tunnel
  state: running
  packets: 1,234,567
  load: 12.3 % of a processor
  flow memory: 1,230,000 hits, 4,567 misses (321 stale)
  flows: 1,201 entries, 12 replaced

worker: tunnel-to-lan
  state: stopped
  packets: 0
  load: 0.0 % of a processor
  flow memory: 0 hits, 0 misses (0 stale)
  flows: 0 entries, 0 replaced

warning: group "vine" does not exist
`,
  peers: `\
PEER  STATE  PATH    ENDPOINT        NAME                RESOLVED        HANDSHAKE      RTT  LOSS  RECEIVED     SENT   MTU  PATH MTU  VERSION  CIPHER                        REASON
vr-b  up     direct  192.0.2.2:7700  vr-b.example.net    30 s ago        12 s ago   40.3 ms   0 %  12.0 GiB  1.5 KiB  1420      1484  0.1.0    ChaCha20 (gndt.json says so)  -
vr-c  down   -       -               (vr-c.example.net)  never, failing  never            -     -       0 B      0 B  1280         -  -        -                             no answer \\x1b[2J
`,
  'peers --state up': `\
PEER  STATE  PATH    ENDPOINT        NAME              RESOLVED  HANDSHAKE      RTT  LOSS  RECEIVED     SENT   MTU  PATH MTU  VERSION  CIPHER
vr-b  up     direct  192.0.2.2:7700  vr-b.example.net  30 s ago  12 s ago   40.3 ms   0 %  12.0 GiB  1.5 KiB  1420      1484  0.1.0    ChaCha20 (gndt.json says so)
`,
  clients: `\
VNET  IP           STATE      ENDPOINT                   HANDSHAKE  RECEIVED     SENT  CALLS  KEY
blue  10.1.0.201   connected  udp://198.51.100.7:51820   12 s ago     1000 B  1.9 MiB      -  AwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwM=
blue  fd00:1::201  away       udp://[2001:db8::7]:51820  never           0 B      0 B      3  BAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQ=
`,
  'gndt --ip 10.1.0.9 --vnet blue': `\
VNET  PREFIX       ROUTER  KIND     GATEWAY     HOME  SEQ
blue  10.1.0.0/24  vr-a    network  10.1.0.254  -       -
blue  10.1.0.9/32  vr-b    host     -           vr-a    4
`,
  lndt: `\
VNET  NODE         MAC                STATE                      ROUTER
blue  10.1.0.0/24  -                  static                     -
blue  10.2.0.7     52:54:00:00:00:17  visiting, frozen, missing  vr-b
blue  10.1.0.9     52:54:00:00:00:09  departed                   vr-b
`,
  'lndt --state unauthorised': 'no nodes\n',
  hwdt: `\
VNET  LAN   MAC                IP          SOURCE  FIRST SEEN  LAST SEEN   STATE
blue  lan0  52:54:00:00:00:17  10.2.0.7    rarp    60 min ago  1 s ago     seen
blue  lan0  52:54:00:00:00:66  fd00:2::66  ndp     28 d ago    30 min ago  silent, unauthorised
`,
  directory: `\
VNET  IP        MAC                ROUTER  SEQ  STATE          STAMPED
blue  10.1.0.9  52:54:00:00:00:09  vr-b      4  here, frozen   90 s ago
red   10.1.0.9  52:54:00:00:00:99  vr-c      1  withdrawn      2 d ago
blue  10.2.0.7  52:54:00:00:00:17  vr-a      2  here, missing  60 min ago
`,
  missing: `\
VNET  IPS                  MAC                HOME  MISSING FOR  SEARCHES  ASKED      NEXT                     WHY
blue  10.2.0.7, fd00:2::7  52:54:00:00:00:17  vr-b  3 min               7  1 router   in 45 s at the earliest  packets went to it for 300 ms and none came from it
red   10.1.0.44            52:54:00:00:00:44  -     30 s                1  0 routers  when wanted              a packet for it waits for its MAC
`,
  'missing --ip 10.1.0.1': 'no node is missing\n',
  'directory --router vr-z': 'no records\n',
  role: `\
site: site-a
  router: vr-a1
  role: active
  since: 2026-03-01 11:00:00Z, 60 min ago
  cause: silence
  term: 7
  priority: 250
  health: 1 of 1 LANs sound, 2 peers up

partner: vr-a2
  role: standby
  term: 7
  priority: 250
  health: 1 of 1 LANs sound, 2 peers up
  heard: 12 ms ago
  advertised: never

lan: eth1
  vrid: 17
  advertises: yes
  carrier: yes
  hosts heard: 800 ms ago
  partner heard: never
  virtual MAC: passes
`,
  'route get 10.2.0.7': `\
10.2.0.7 local on lan0 mac 52:54:00:00:00:17 vnet blue
  matched: 10.2.0.7/32
  why: It visits here.
`,
  'route get 10.2.0.8 from 10.1.0.9 --vnet blue': `\
10.2.0.8 from 10.1.0.9 via peer vr-b vnet blue
  matched: 10.2.0.0/24
  why: Its home is vr-b.
`,
  'route get 192.0.2.9': `\
192.0.2.9 is dropped vnet blue
  matched: nothing
  why: No prefix holds it.
`,
  migrations: `\
10.9.0.1  unknown -> vr-c  refused: not allowed
  mac 52:54:00:00:00:91, vnet red, seq 1, trigger operator, seen as observer
  2026-03-01 10:00:00Z, 2 h ago

10.1.0.9, fd00:1::9  vr-a -> vr-b  accepted
  mac 52:54:00:00:00:09, vnet blue, seq 4, trigger rarp, seen as source
  2026-03-01 11:58:30Z, 90 s ago
   +0.000 ms  claim received
   +0.412 ms  forwarding
  +20.731 ms  acknowledged
  estimated blackout, without the hypervisor's pause: 20.800 ms
`,
  'migrations --last 1 --router vr-c': `\
10.9.0.1  unknown -> vr-c  refused: not allowed
  mac 52:54:00:00:00:91, vnet red, seq 1, trigger operator, seen as observer
  2026-03-01 10:00:00Z, 2 h ago
`,
  'move 10.9.0.1 --vnet red': `\
10.9.0.1  unknown -> vr-c  refused: not allowed
  mac 52:54:00:00:00:91, vnet red, seq 1, trigger operator, seen as observer
  2026-03-01 10:00:00Z, 2 h ago
`,
  counters: `\
COUNTER             VALUE
vine_claims_sent        3
vine_drop_no_route     12
`,
  'unfreeze 10.1.0.9': '10.1.0.9 at vr-b is no longer frozen\n',
  'log-level warn': 'log level is now warn\n',
  events: `\
2026-03-01 11:59:59.250Z  peer_down peer=vr-c reason="no answer" note=\\x1b[2J rttMs=null
2026-03-01 11:59:59.500Z  move_learned ips=10.1.0.9,fd00:1::9 seq=4 home=true
`,
};

for (const [line, expected] of Object.entries(SHOWN)) {
  test(`vinectl ${line}`, async (t) => {
    const { socket, router } = await startFixture(t);
    router.emit({
      at: '2026-03-01T11:59:59.250Z',
      event: 'peer_down',
      peer: 'vr-c',
      reason: 'no answer',
      note: '\x1b[2J',
      rttMs: null,
    });
    const ips = ['10.1.0.9', 'fd00:1::9'];
    router.emit({ at: '2026-03-01T11:59:59.500Z', event: 'move_learned', ips, seq: 4, home: true });
    const result = await vinectl(line.split(' '), { socket });
    assert.deepEqual(result, { status: 0, out: expected, err: '' });
  });
}

test('colour: on a terminal, unless the operator does not want it', async (t) => {
  const { socket } = await startFixture(t);
  const coloured = async (argv: string[], env = {}, isTerminal = true): Promise<boolean> => {
    const { status, out } = await vinectl(argv, { socket, env, isTerminal });
    assert.equal(status, 0);
    return out.includes('\x1b[');
  };
  assert.equal(await coloured(['peers']), true);
  assert.equal(await coloured(['peers'], {}, false), false);
  assert.equal(await coloured(['peers', '--no-color']), false);
  assert.equal(await coloured(['--no-color', 'peers']), false);
  assert.equal(await coloured(['peers'], { NO_COLOR: '1' }), false);
  assert.equal(await coloured(['peers'], { NO_COLOR: '' }), true);
  assert.equal(await coloured(['peers'], { TERM: 'dumb' }), false);
  assert.equal(await coloured(['peers', '--json']), false);
});

test('colour changes nothing but the colour', async (t) => {
  const { socket } = await startFixture(t);
  for (const verb of [
    'status',
    'peers',
    'gndt',
    'lndt',
    'hwdt',
    'directory',
    'missing',
    'migrations',
    'counters',
  ]) {
    const plain = await vinectl([verb], { socket });
    const coloured = await vinectl([verb], { socket, isTerminal: true });
    assert.notEqual(coloured.out, plain.out, verb);
    assert.equal(stripVTControlCharacters(coloured.out), plain.out, verb);
  }
});

test('a site with two routers: its site, role and term in status and top, and who is active where in peers', async (t) => {
  const { socket, router } = await startFixture(t);
  router.siteRole = { site: 'site-a', role: 'standby', term: 7, partner: 'vr-a2', partnerRole: 'active' };
  const [b, c] = router.peerRows;
  assert.ok(b !== undefined && c !== undefined);
  router.peerRows = [
    b,
    { ...b, id: 'vr-a2', site: 'site-a' },
    { ...b, id: 'vr-c2', site: 'c', active: false },
  ];
  const status = await vinectl(['status'], { socket });
  assert.match(
    status.out,
    /^ {2}state: ready\n {2}site: site-a, with vr-a2 \(active\)\n {2}role: standby, term 7\n {2}up: /m,
  );
  const peers = (await vinectl(['peers'], { socket })).out.split('\n').map((line) => line.slice(0, 31));
  assert.deepEqual(peers, [
    'PEER   SITE            STATE  P',
    'vr-b   -               up     d',
    'vr-a2  site-a, active  up     d',
    'vr-c2  c, standby      up     d',
    '',
  ]);
  const top = await vinectl(['top', '--count', '1'], { socket });
  assert.match(
    top.out,
    /^vr-a: ready, up 3 h 5 min; standby at site-a, term 7, with vr-a2 \(active\); 3 of 3 peers up; /,
  );
  const json = await vinectl(['top', '--count', '1', '--json'], { socket });
  assert.deepEqual(JSON.parse(json.out).role, router.siteRole);
});

test('a role of a router that has heard nothing of its partner, and of one that has none', async () => {
  const look = { paint: plain, nowMs: Date.parse(NOW) };
  const [lan] = ROLE.lans;
  const never = { role: null, term: null, priority: null, health: null, heardAgoMs: null };
  const unheard: RoleView = {
    ...ROLE,
    draining: true,
    partner: { router: 'vr-a2', ...never, advertisedAgoMs: 61_000 },
    lans:
      lan === undefined
        ? []
        : [{ ...lan, advertising: 'none', strangers: ['192.0.2.9'], virtualMacPasses: false }],
  };
  const shown = showRole(unheard, look);
  assert.match(shown, /^ {2}role: active, still forwarding$/m);
  assert.match(
    shown,
    /^partner: vr-a2\n {2}role: not heard yet\n {2}term: not heard yet\n {2}heard: never\n {2}advertised: 61 s ago$/m,
  );
  assert.match(shown, /^ {2}advertises: no: it has no address to advertise from$/m);
  assert.match(shown, /^ {2}virtual MAC: does not pass the switch\n {2}strangers: 192\.0\.2\.9$/m);
  const alone = { ...ROLE, router: 'vr-b', site: 'vr-b', term: 0, cause: 'alone', partner: null, lans: [] };
  assert.equal(
    showRole(alone, look),
    'site: vr-b\n  router: vr-b\n  role: active\n  since: 2026-03-01 11:00:00Z, 60 min ago\n  cause: alone\n  partner: none: the site has one router\n',
  );
});
