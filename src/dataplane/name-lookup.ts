/** The part of the addon that asks the system's resolver. */

export interface NameLookupAddon {
  /**
   * Looks a host name (1 … 254 bytes) up by getaddrinfo(3), so as nsswitch.conf says: /etc/hosts, DNS with search domains …,
   * in a thread that neither the event loop's pool nor the end of the process waits for. `done` is called once, in the event
   * loop of the calling thread: with an empty code and at most 64 addresses of 4 or 16 bytes, in the resolver's order, or
   * with the error's name (EAI_AGAIN …) and none. At most 32 are under way. Throws with the reason (EAGAIN: too many).
   */
  lookUpName(name: string, done: (code: string, addresses: readonly Uint8Array[]) => void): NameLookup;
}

export interface NameLookup {
  /** Nobody wants the answer any more. Harmless when it has come. */
  close(): void;
}
