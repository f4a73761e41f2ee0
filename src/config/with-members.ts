/** A configuration with other members beside its gndt.json. */
import { toGndtConfig } from '../tables/files/gndt-file.js';
import { type Member, withMembers } from '../tables/files/members.js';
import type { VineConfig } from './load.js';

/** A string says why it cannot be. */
export function configWithMembers(config: VineConfig, members: readonly Member[]): VineConfig | string {
  const gndt = toGndtConfig(withMembers(config.file, members).file);
  if (!gndt.routers.some(({ id }) => id === config.router.id))
    return `"${config.router.id}" would be no router of this network any more`;
  return { ...config, gndt };
}
