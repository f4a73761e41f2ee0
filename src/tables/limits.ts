/**
 * How far a router's tables may grow, and what of it an operator may set (router.json, `limits`). The forwarding table has
 * room for 196,608 routes. Four sixths are for nodes of the directory, each of which has at most one host route; one sixth
 * is for what the configuration says, and one for newcomers: bindings of this site's LANs without a record.
 */

interface Limit {
  readonly default: number;
  readonly most: number;
}

export const LIMITS = {
  /** Nodes that one LAN may have records for. */
  nodesPerLan: { default: 4_096, most: 65_536 },
  /** Records of one other router, tombstones included. */
  nodesPerRouter: { default: 16_384, most: 131_072 },
  /** Records in all, tombstones included. */
  nodes: { default: 131_072, most: 131_072 },
} as const satisfies Record<string, Limit>;

/** Entries of lndt.json. */
export const MAX_LNDT_ENTRIES = 16_384;

/**
 * The longest DHCP message of a node that is carried between routers: with what is around it, it fits in one control
 * message on any path. Clients' and servers' messages take 250 to 600 bytes.
 */
export const MAX_DHCP_BYTES = 900;

/** Of a forwarding table's capacity, the part that newcomers' host routes may take. */
export const NEWCOMERS_SHARE = 1 / 6;
