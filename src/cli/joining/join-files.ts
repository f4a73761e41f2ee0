/** The files of a router that has joined. */
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { MEMBERSHIPS_FILE, writeMemberships } from '../../config/membership-file.js';
import type { Membership } from '../../membership/membership.js';
import type { TokenContent } from '../../membership/token.js';
import { messageOf } from '../../net/system-error.js';
import { formatEndpoint } from '../../tables/files/endpoint-text.js';
import { GNDT_FILE } from '../../tables/files/gndt-file.js';
import { LNDT_FILE } from '../../tables/files/lndt-file.js';
import { encodeKey } from '../../tables/files/read.js';
import { ROUTER_FILE } from '../../tables/files/router-file.js';
import { CliError, REFUSED } from '../exit.js';
import {
  checkTexts,
  type FileTexts,
  giveToService,
  jsonText,
  type RouterPlaces,
  routerText,
  writeTexts,
} from './router-files.js';

export interface JoinedRouter extends RouterPlaces {
  readonly token: TokenContent;
  readonly membership: Membership;
  /** Position in the grant of the router that has admitted this one. */
  readonly rank: number;
}

/** Throws when one cannot be written; then none is there. */
export function writeJoined(router: JoinedRouter): readonly string[] {
  const { directory, stateDir, membership, rank } = router;
  const path = join(stateDir, MEMBERSHIPS_FILE);
  try {
    writeMemberships(stateDir, [{ membership, rank }]);
    giveToService(stateDir);
    giveToService(path);
    return [path, ...writeTexts(directory, textsOf(router))];
  } catch (error) {
    rmSync(path, { force: true });
    throw new CliError(
      REFUSED,
      `the router was admitted, but its files cannot be written: ${messageOf(error)}; join again with the same token`,
    );
  }
}

/** Would the router take its files? Asked before anybody is asked to admit it. */
export function checkFiles(router: Omit<JoinedRouter, 'rank'>): void {
  checkTexts(router.directory, textsOf(router));
}

function textsOf(router: Omit<JoinedRouter, 'rank'>): FileTexts {
  const { token, membership } = router;
  return [
    [ROUTER_FILE, routerText(membership.binding.router, encodeKey(token.networkKey), router)],
    [LNDT_FILE, jsonText(lndtJson(router))],
    [GNDT_FILE, jsonText(gndtJson(router))],
  ];
}

function lndtJson({ token }: Omit<JoinedRouter, 'rank'>): object {
  const { vnets, networks } = token.grant;
  return { nodes: networks.map(({ vnet, prefix }) => ({ vnet: vnets[vnet]?.name, ip: prefix.key })) };
}

/** What is enough to reach the bootstrap routers, from whom the signed description is heard. */
function gndtJson({ token, membership }: Omit<JoinedRouter, 'rank'>): object {
  const { grant, bootstraps, cipher } = token;
  const { router, publicKey, endpoints } = membership.binding;
  return {
    vnets: grant.vnets.map(({ name, id }) => ({ name, id })),
    routers: [
      ...bootstraps.map((one) => ({
        id: one.router,
        publicKey: encodeKey(one.publicKey),
        endpoints: one.endpoints.map(formatEndpoint),
      })),
      { id: router, publicKey: encodeKey(publicKey), endpoints: endpoints.map(formatEndpoint) },
    ],
    ...(router === grant.site ? {} : { sites: [{ id: grant.site, routers: [router] }] }),
    networks: grant.networks.map(({ vnet, prefix }) => ({
      vnet: grant.vnets[vnet]?.name,
      prefix: prefix.key,
      router: grant.site,
    })),
    cipher,
  };
}
