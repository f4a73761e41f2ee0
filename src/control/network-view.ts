/** `GET /v1/network`: the signed description, as this router and the others see it. */

export interface NetworkRouterView {
  readonly id: string;
  /** The site of gndt.json's `sites` that it stands in; null: it is a site by itself. */
  readonly site: string | null;
  /** This router itself, or one whose control link is up. */
  readonly reachable: boolean;
  /** The version that it runs with; null: it has not said, or has none that is signed. */
  readonly version: number | null;
  /**
   * `current`: it has this router's description. `trial`: that too, on trial. `older`, `newer`: another version. `differs`:
   * another one of the same version. `unknown`: it is not reached, or takes no part.
   */
  readonly state: 'current' | 'trial' | 'older' | 'newer' | 'differs' | 'unknown';
  /** Of the highest version that it did not keep. */
  readonly verdict: NetworkVerdictView | null;
}

export interface NetworkVerdictView {
  readonly outcome: 'refused' | 'undone';
  readonly version: number;
  readonly reason: string;
}

/** The etcd that has the description too. */
export interface EtcdView {
  readonly endpoints: readonly string[];
  readonly key: string;
  /** The one that answers, or is asked next. */
  readonly endpoint: string;
  readonly reached: boolean;
  /** Since when it is so; null: none of them has been tried to the end yet. */
  readonly since: string | null;
  /** Of the store, at the last answer; a decimal number. */
  readonly revision: string | null;
  /** Why what is under the key does not count here; null: it does. */
  readonly refusal: string | null;
  /** The last time that one did not answer as it should; null: never. */
  readonly lastProblem: {
    readonly at: string;
    readonly endpoint: string;
    /** A stable name. */
    readonly problem: string;
    readonly reason: string;
  } | null;
}

export interface NetworkView {
  /** Null: router.json pins no key, and everything else here is empty. */
  readonly publicKey: string | null;
  /** The one that follows it, and until when the old one counts; null: none. */
  readonly newestKey: string | null;
  readonly newestKeyUntil: string | null;
  /** All statements about the keys, as a document in base64; null: none. */
  readonly successions: string | null;
  /** What this router runs with; null: it is not signed. */
  readonly version: number | null;
  readonly digest: string | null;
  readonly trial: {
    /** Of those that were reached before it. */
    readonly lost: readonly string[];
    readonly of: number;
    readonly remainingSeconds: number;
  } | null;
  readonly undone: readonly { readonly version: number; readonly reason: string }[];
  /** Null: router.json names none. */
  readonly etcd: EtcdView | null;
  readonly routers: readonly NetworkRouterView[];
  readonly networks: readonly { readonly vnet: string; readonly prefix: string; readonly router: string }[];
}

/** What `POST /v1/network` may be given; at least one of the two. Base64. */
export interface PublishRequest {
  readonly description: Uint8Array | undefined;
  readonly succession: Uint8Array | undefined;
}

export interface PublishView {
  /** Of the description; null: only a key was published. */
  readonly version: number | null;
  readonly warnings: readonly string[];
}
