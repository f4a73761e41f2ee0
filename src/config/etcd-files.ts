/** The files that router.json names for an etcd. They are read at each connection: what is wrong with them now is a warning. */
import { accessSync, constants, statSync } from 'node:fs';
import { codeOf, messageOf } from '../net/system-error.js';
import type { EtcdConfig } from '../tables/model.js';

/** By others than owner and group. */
const OTHERS = 0o007;

/** Undefined: it may be used as a secret with that mode. */
export function openSecret(path: string, mode: number): string | undefined {
  return (mode & OTHERS) === 0 ? undefined : `${path} is open to everybody; chmod o= ${path}`;
}

export function etcdFileWarnings(etcd: EtcdConfig | undefined): string[] {
  if (etcd === undefined) return [];
  const named = [
    ['etcdCaFile', etcd.caFile, false],
    ['etcdCertificateFile', etcd.certificateFile, false],
    ['etcdPrivateKeyFile', etcd.privateKeyFile, true],
    ['etcdPasswordFile', etcd.passwordFile, true],
  ] as const;
  return named.flatMap(([name, path, isSecret]) => {
    const problem = path === undefined ? undefined : problemOf(path, isSecret);
    return problem === undefined ? [] : [`network.${name}: ${problem}; no etcd is reached like this`];
  });
}

function problemOf(path: string, isSecret: boolean): string | undefined {
  try {
    accessSync(path, constants.R_OK);
    return isSecret ? openSecret(path, statSync(path).mode) : undefined;
  } catch (error) {
    const code = codeOf(error);
    if (code === 'ENOENT') return `there is no ${path}`;
    return code === 'EACCES' ? `${path} may not be read by this user` : `${path}: ${messageOf(error)}`;
  }
}
