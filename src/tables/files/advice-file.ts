/** advice.json: what `vinectl advice` cannot know by itself; where it runs, and nowhere else. All of it may be left out. */
import { z } from 'zod';
import { nodeIp, nodePrefix, routerId, schemaReference, vnetName } from './fields.js';
import { amount, strict, wholeNumber } from './schema.js';

export const ADVICE_FILE = 'advice.json';

const MOST_MIB = 64 * 1024 * 1024;
const MOST_MBIT = 1_000_000;
const MOST_PRICE = 1_000_000;
const MOST_RTT_MS = 10_000;

export const ADVICE_DEFAULTS = {
  memoryMib: 4096,
  dirtyMibPerSecond: 10,
  diskMib: 0,
  mbitPerSecond: 1000,
  rttMs: 50,
  pricePerGb: 0,
  most: 10,
  restMinutes: 60,
} as const;

const memory = (what: string) => wholeNumber(1, MOST_MIB, `${what}, in MiB`);
const dirty = amount(0, MOST_MIB, 'how much of its memory is written to, MiB a second');
const disk = amount(0, MOST_MIB, 'of its disk, MiB that move with it; 0: it stays, or is shared');
const bandwidth = amount(1, MOST_MBIT, 'what one migration has of the path, Mbit/s');
const rtt = amount(0, MOST_RTT_MS, 'round trip in milliseconds');
const price = amount(0, MOST_PRICE, 'of a gigabyte (10^9 bytes), in any currency');

const site = strict(
  {
    id: routerId("the site's id: one of gndt.json's sites, or a router that is in none"),
    machines: wholeNumber(0, 1_000_000, 'how many machines may be there').optional(),
    memoryMib: memory('how much memory all machines there may have').optional(),
  },
  'how much a site can carry',
);

const link = strict(
  {
    from: routerId("a site's id"),
    to: routerId("another site's id"),
    pricePerGb: price.optional(),
    rttMs: rtt.optional(),
    mbitPerSecond: bandwidth.optional(),
  },
  'what is known of the way between two sites; it counts for both directions unless the other one is listed too',
);

const vnet = vnetName('the vnet; needed when gndt.json has several').optional();

const machine = strict(
  {
    vnet,
    ip: nodePrefix('an address, or a prefix of addresses; the longest one that holds an address counts'),
    memoryMib: memory('its memory').optional(),
    dirtyMibPerSecond: dirty.optional(),
    diskMib: disk.optional(),
    pinned: z.boolean().default(false).meta({ description: 'it stays where it is' }),
    sites: z
      .array(routerId("a site's id"))
      .min(1)
      .optional()
      .meta({ description: 'where it may be; anywhere, when left out' }),
  },
  'what is known of a machine',
);

const group = strict(
  { vnet, ips: z.array(nodeIp("a machine's address")).min(2).meta({ description: 'the machines' }) },
  'machines that belong together, or apart',
);

const list = <Item extends z.ZodType>(item: Item, description: string) =>
  z.array(item).default([]).meta({ description });

export const adviceSchema = strict(
  {
    $schema: schemaReference,
    sites: list(site, 'sites with limits'),
    links: list(link, 'ways between sites of which more is known than routers measure'),
    pricePerGb: price.default(ADVICE_DEFAULTS.pricePerGb).meta({
      description: 'of a gigabyte (10^9 bytes) between two sites of which "links" has no price',
    }),
    machines: list(machine, 'machines of which more is known than what is assumed'),
    together: list(group, 'machines that stay at one site; they are moved only together'),
    apart: list(group, 'machines of which no two may be at one site'),
    assume: strict(
      {
        memoryMib: memory("a machine's memory").default(ADVICE_DEFAULTS.memoryMib),
        dirtyMibPerSecond: dirty.default(ADVICE_DEFAULTS.dirtyMibPerSecond),
        diskMib: disk.default(ADVICE_DEFAULTS.diskMib),
        mbitPerSecond: bandwidth.default(ADVICE_DEFAULTS.mbitPerSecond),
        rttMs: rtt.default(ADVICE_DEFAULTS.rttMs),
      },
      'what is taken for what nobody has said or measured',
    ).prefault({}),
    most: wholeNumber(1, 1000, 'machines in one advice, at most').default(ADVICE_DEFAULTS.most),
    restMinutes: wholeNumber(0, 10_080, 'for how long a machine stays where it has moved to').default(
      ADVICE_DEFAULTS.restMinutes,
    ),
  },
  'advice.json: what "vinectl advice" goes by',
);

/** advice.json as it is written, its texts read into values. */
export type AdviceFile = z.output<typeof adviceSchema>;
