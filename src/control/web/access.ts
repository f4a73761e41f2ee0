/**
 * Who may ask the page's server: the page itself, in the one browser that has shown the token. A judgement over a request's
 * head, without I/O; the secrets are handed in.
 */
import { createHash, timingSafeEqual } from 'node:crypto';

/** What of a request is judged; undefined: it has no such header. */
export interface Head {
  readonly method: string;
  readonly url: URL;
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** Sec-Fetch-Site, which every browser of today sends to 127.0.0.1 and no page can forge. */
  readonly fetchSite: string | undefined;
  readonly cookie: string | undefined;
  /** What the page shows beside the cookie: browsers send cookies to every port of 127.0.0.1. */
  readonly key: string | undefined;
}

export interface Secrets {
  /** Of the address that is printed: opens one session. */
  readonly token: string;
  /** Of the session: in a cookie, and in the page's own storage. Both open calls, the cookie alone only the page's files. */
  readonly session: string;
  readonly key: string;
}

export type Verdict =
  | { readonly kind: 'admitted' }
  /** The token was right: the browser gets the session's cookie and its key, and asks again without the token. */
  | { readonly kind: 'begun'; readonly cookie: string; readonly location: string }
  | { readonly kind: 'refused'; readonly status: 401 | 403; readonly error: string };

const ASK_AGAIN = 'start "vinectl web" again for another address';

export class Access {
  readonly #hosts: readonly string[];
  readonly #cookieName: string;
  readonly #secrets: Secrets;
  readonly #files: Pick<ReadonlySet<string>, 'has'>;
  #tokenIsUsed = false;

  /** Of a server on 127.0.0.1 and `port`. @param files paths of the page's own files, which tell nothing */
  constructor(port: number, secrets: Secrets, files: Pick<ReadonlySet<string>, 'has'>) {
    this.#hosts = [`127.0.0.1:${port}`, `localhost:${port}`];
    // Browsers keep cookies by host and not by port: two servers on one machine must not take each other's away.
    this.#cookieName = `vine-session-${port}`;
    this.#secrets = secrets;
    this.#files = files;
  }

  /** Takes the token away when it is used. */
  judge(head: Head): Verdict {
    const stranger = this.#strangerIn(head);
    if (stranger !== undefined) return { kind: 'refused', status: 403, error: stranger };
    const hasSession = this.#hasSession(head.cookie);
    const token = head.url.searchParams.get('token');
    if (head.method === 'GET' && head.url.pathname === '/' && token !== null)
      return this.#begin(token, hasSession);
    const mayAsk = this.#files.has(head.url.pathname) || isSame(head.key ?? '', this.#secrets.key);
    if (hasSession && mayAsk) return { kind: 'admitted' };
    const error = `no session: open the address that "vinectl web" has printed, or ${ASK_AGAIN}`;
    return { kind: 'refused', status: 401, error };
  }

  /** A name that resolves to 127.0.0.1 is not this server (DNS rebinding), and no other page may ask it, or be its way in. */
  #strangerIn({ method, host, origin, fetchSite, url }: Head): string | undefined {
    if (host === undefined || !this.#hosts.includes(host.toLowerCase()))
      return `Host ${JSON.stringify(host ?? '')} is not this server: it answers as ${this.#hosts.join(' and ')}`;
    if (origin === undefined && method !== 'GET') return `${method} without Origin: not from this page`;
    if (origin !== undefined && origin !== `http://${host.toLowerCase()}`)
      return `Origin ${JSON.stringify(origin)} is not this page`;
    const isOwn = fetchSite === undefined || fetchSite === 'same-origin' || fetchSite === 'none';
    // Following a link to the page is harmless; asking for anything else from another page is not.
    if (!isOwn && url.pathname !== '/') return 'asked by another page';
    return undefined;
  }

  #begin(token: string, hasSession: boolean): Verdict {
    const { session, key } = this.#secrets;
    const cookie = `${this.#cookieName}=${session}; HttpOnly; SameSite=Strict; Path=/`;
    // The address that was printed, opened again where it was opened first: the page has the key already.
    if (hasSession) return { kind: 'begun', cookie, location: '/' };
    if (!isSame(token, this.#secrets.token))
      return { kind: 'refused', status: 403, error: `the token is wrong: ${ASK_AGAIN}` };
    if (this.#tokenIsUsed)
      return { kind: 'refused', status: 403, error: `the token has been used: ${ASK_AGAIN}` };
    this.#tokenIsUsed = true;
    // A fragment is never sent anywhere: only the page that is opened sees it.
    return { kind: 'begun', cookie, location: `/#key=${key}` };
  }

  #hasSession(cookie: string | undefined): boolean {
    const pairs = (cookie ?? '').split(';').map((pair) => pair.trim().split('='));
    return pairs.some(
      ([name, value = '']) => name === this.#cookieName && isSame(value, this.#secrets.session),
    );
  }
}

/** In a time that says nothing of where they differ, nor of how long they are. */
function isSame(one: string, other: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(one), digest(other));
}
