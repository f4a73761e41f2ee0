/** `GET /v1/memberships`: routers that have joined with a token. */

export interface MembershipView {
  /** Id of the token, 64 hexadecimal digits: what gndt.json's `revoked` names. */
  readonly token: string;
  readonly router: string;
  readonly site: string;
  /** Base64. */
  readonly publicKey: string;
  readonly endpoints: readonly string[];
  readonly networks: readonly { readonly vnet: string; readonly prefix: string }[];
  /** `counts`: part of the network by it. `absorbed`: gndt.json has the router itself. `left-out`: it contradicts gndt.json. */
  readonly state: 'counts' | 'absorbed' | 'left-out';
  /** Why it is left out; empty when it is not. */
  readonly reason: string;
}
