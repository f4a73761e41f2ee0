/** The part of router.json that says which etcd has the network's description. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { Ip } from '../../net/ip.js';
import { type EtcdConfig, MOST_ETCD_ENDPOINTS } from '../model.js';
import type { ErrorList } from './check-support.js';
import { filePath, publicKey } from './fields.js';
import { HOST_NAME, readHostName } from './host-name.js';
import type { Read } from './read.js';
import { strict, text } from './schema.js';
import { quoted } from './suggest.js';

export const DEFAULT_ETCD_KEY = '/vine/description';

const MOST_KEY_BYTES = 512;
const LOOPBACK = /^http:\/\/(127\.[\d.]+|\[::1\]|localhost):/;
const URL_PATTERN = `^https?://([0-9.]+|\\[[0-9A-Fa-f:.]+\\]|${HOST_NAME}):[0-9]{1,5}/?$`;

const endpoint = text(readEtcdUrl, {
  description: 'address of an etcd that clients use',
  examples: ['https://127.0.0.1:2379', 'https://etcd-1.example.net:2379'],
  pattern: URL_PATTERN,
});

export const networkSection = strict(
  {
    publicKey: publicKey('the network\'s public key, as "vinectl network init" prints it'),
    etcd: z.array(endpoint).min(1).max(MOST_ETCD_ENDPOINTS).optional().meta({
      description:
        'an etcd (3.4 or later) that has the signed description too, under "etcdKey"; several addresses are those of one cluster',
    }),
    etcdKey: text(readEtcdKey, {
      description: `the key in etcd under which the description is; ${DEFAULT_ETCD_KEY} when left out`,
      examples: [DEFAULT_ETCD_KEY],
    }).optional(),
    etcdCaFile: filePath(
      "file with the certificates that sign the etcd's, PEM; those of the system when left out",
    ).optional(),
    etcdCertificateFile: filePath('file with the certificate that is shown to the etcd, PEM').optional(),
    etcdPrivateKeyFile: filePath('file with the private key of that certificate, PEM, mode 0600').optional(),
    etcdUser: text(readEtcdUser, {
      description: 'who the router is there, if the etcd asks for a password',
    }).optional(),
    etcdPasswordFile: filePath('file with the password, mode 0600').optional(),
  },
  'the key that signs gndt.json; without it the file is believed as it is, and must be carried to each router',
);

type NetworkSection = z.output<typeof networkSection>;

/** @param directory absolute; relative paths in the file start there */
export function toNetworkConfig(
  section: NetworkSection,
  directory: string,
): { readonly publicKey: Uint8Array; readonly etcd?: EtcdConfig } {
  const { publicKey, etcd, etcdKey, etcdCaFile, etcdCertificateFile, etcdPrivateKeyFile } = section;
  const { etcdUser, etcdPasswordFile } = section;
  if (etcd === undefined) return { publicKey };
  const path = (file: string | undefined): string | undefined => file && resolve(directory, file);
  return {
    publicKey,
    etcd: {
      endpoints: etcd,
      key: etcdKey ?? DEFAULT_ETCD_KEY,
      caFile: path(etcdCaFile),
      certificateFile: path(etcdCertificateFile),
      privateKeyFile: path(etcdPrivateKeyFile),
      ...(etcdUser !== undefined && { user: etcdUser, passwordFile: path(etcdPasswordFile) }),
    },
  };
}

/** What the schema cannot say of it. */
export function checkNetworkSection(section: NetworkSection, list: ErrorList): void {
  const { etcd, etcdKey, etcdCaFile, etcdCertificateFile, etcdPrivateKeyFile, etcdUser } = section;
  const files = { etcdCaFile, etcdCertificateFile, etcdPrivateKeyFile };
  const others = { etcdKey, etcdUser, etcdPasswordFile: section.etcdPasswordFile };
  const isTls = etcd?.some((url) => url.startsWith('https:')) === true;
  for (const [name, value] of Object.entries({ ...others, ...files })) {
    if (value !== undefined && etcd === undefined)
      list.add(`network.${name}`, 'there is no "etcd" beside it that says where the etcd is');
    else if (value !== undefined && name in files && !isTls)
      list.add(`network.${name}`, 'none of the addresses in "etcd" begins with https://: it is never used');
  }
  if ((etcdCertificateFile === undefined) !== (etcdPrivateKeyFile === undefined))
    list.add(
      `network.${etcdCertificateFile === undefined ? 'etcdPrivateKeyFile' : 'etcdCertificateFile'}`,
      '"etcdCertificateFile" and "etcdPrivateKeyFile" are needed together',
    );
  if ((etcdUser === undefined) !== (section.etcdPasswordFile === undefined))
    list.add(
      `network.${etcdUser === undefined ? 'etcdPasswordFile' : 'etcdUser'}`,
      '"etcdUser" and "etcdPasswordFile" are needed together',
    );
  for (const [i, url] of (etcd ?? []).entries()) {
    const first = etcd?.indexOf(url) ?? i;
    if (etcdUser !== undefined && url.startsWith('http:') && !LOOPBACK.test(url))
      list.add(
        `network.etcd[${i}]`,
        'the password of "etcdUser" could be read on the way there; expected https://',
      );
    if (first < i) list.add(`network.etcd[${i}]`, `${quoted(url)} is network.etcd[${first}] already`);
  }
}

/** Without a slash at the end. */
export function readEtcdUrl(url: string): Read<string> {
  const expected = 'expected for example https://127.0.0.1:2379';
  const match = /^(https?):\/\/(\[[^\]]*\]|[^:/[\]@?#%]+)(?::(\d{1,5}))?\/?$/.exec(url);
  const [, scheme, host = '', portText] = match ?? [];
  if (scheme === undefined) return { problem: `${quoted(url)} is no address of an etcd; ${expected}` };
  if (portText === undefined) return { problem: `${quoted(url)} has no port; ${expected}` };
  const port = Number(portText);
  if (port < 1 || port > 65_535) return { problem: `${quoted(url)}: expected a port from 1 to 65535` };
  const problem = hostProblem(host);
  if (problem !== undefined) return { problem: `${quoted(url)}: ${problem}` };
  return { value: `${scheme}://${host.toLowerCase()}:${port}` };
}

function hostProblem(host: string): string | undefined {
  if (!/^[\d.]*$/.test(host) && !host.startsWith('[')) {
    const name = readHostName(host);
    return 'problem' in name ? name.problem : undefined;
  }
  const ip = Ip.parse(host.replace(/^\[|\]$/g, ''));
  if (ip === undefined) return `${quoted(host)} is no IP address`;
  return ip.isUnspecified || ip.isGroup ? `${quoted(host)} is no machine's address` : undefined;
}

export function readEtcdUser(user: string): Read<string> {
  return /^[\x21-\x7e]{1,255}$/.test(user)
    ? { value: user }
    : { problem: 'expected a name of 1 to 255 printable ASCII characters' };
}

export function readEtcdKey(key: string): Read<string> {
  const bytes = Buffer.byteLength(key);
  if (bytes === 0 || bytes > MOST_KEY_BYTES)
    return { problem: `expected a key of 1 to ${MOST_KEY_BYTES} bytes, got ${bytes}` };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: those are what is refused
  if (/[\u0000-\u001f\u007f]/.test(key)) return { problem: 'expected a key without control characters' };
  return { value: key };
}
