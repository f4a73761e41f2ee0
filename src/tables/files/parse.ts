/** The three files together: texts in, the configuration or every mistake out. */
import type { GndtConfig, LndtEntry, RouterConfig } from '../model.js';
import type { ConfigError, Outcome } from './error.js';
import { checkGndt } from './gndt-checks.js';
import { GNDT_FILE, type GndtFile, gndtSchema, toGndtConfig, vnetIds } from './gndt-file.js';
import { checkLndt, checkLndtAgainstGndt } from './lndt-checks.js';
import { LNDT_FILE, lndtSchema, toLndtEntries } from './lndt-file.js';
import { type Member, withMembers } from './members.js';
import { checkRouter, checkRouterAgainstGndt, checkRouterAgainstLndt } from './router-checks.js';
import { ROUTER_FILE, routerSchema, toRouterConfig } from './router-file.js';
import { parseFile } from './schema.js';

export interface FileTexts {
  readonly router: Outcome<string>;
  readonly gndt: Outcome<string>;
  readonly lndt: Outcome<string>;
}

export interface TableConfig {
  readonly router: RouterConfig;
  /** With the members. */
  readonly gndt: GndtConfig;
  readonly lndt: readonly LndtEntry[];
  /** gndt.json as it is written, without the members. */
  readonly file: GndtFile;
}

/**
 * A file that could not be read comes as its errors; what can be checked of the others still is.
 * @param directory absolute; where relative paths start
 * @param members routers that have joined with a token; those that the file contradicts are left out
 */
export function parseFiles(
  texts: FileTexts,
  directory: string,
  members: readonly Member[] = [],
): Outcome<TableConfig> {
  const errors: ConfigError[] = [];
  const keep = <T>(outcome: Outcome<T>): T | undefined => {
    if ('value' in outcome) return outcome.value;
    errors.push(...outcome.errors);
    return undefined;
  };
  const routerText = keep(texts.router);
  const gndtText = keep(texts.gndt);
  const lndtText = keep(texts.lndt);
  const router =
    routerText === undefined ? undefined : keep(parseFile(ROUTER_FILE, routerText, routerSchema));
  const file = gndtText === undefined ? undefined : keep(parseFile(GNDT_FILE, gndtText, gndtSchema));
  const fileErrors = file === undefined ? [] : checkGndt(file);
  const gndt = file === undefined || fileErrors.length > 0 ? file : withMembers(file, members).file;
  const lndt = lndtText === undefined ? undefined : keep(parseFile(LNDT_FILE, lndtText, lndtSchema));
  if (router) errors.push(...checkRouter(router));
  if (router && gndt) errors.push(...checkRouterAgainstGndt(router, gndt));
  if (router && lndt) errors.push(...checkRouterAgainstLndt(router, lndt));
  errors.push(...fileErrors);
  if (lndt) errors.push(...checkLndt(lndt));
  if (lndt && gndt) errors.push(...checkLndtAgainstGndt(lndt, gndt, router?.id));
  if (errors.length > 0 || !router || !file || !gndt || !lndt) return { errors };
  return {
    value: {
      router: toRouterConfig(router, directory),
      gndt: toGndtConfig(gndt),
      lndt: toLndtEntries(lndt, vnetIds(gndt)),
      file,
    },
  };
}
