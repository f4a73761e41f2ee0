/** What the control API says of the routers of a site, and of this router's part in it. */

/** What of {@link RoleView} is told in a line. */
export interface SiteRoleView {
  readonly site: string;
  readonly role: 'active' | 'standby' | 'isolated';
  readonly term: number;
  readonly partner: string;
  /** What it said last; null when it never did. */
  readonly partnerRole: SiteRoleView['role'] | null;
}

/** A site's router says of itself what it is, and what it hears of the other one. */
export interface RoleView {
  readonly site: string;
  readonly router: string;
  readonly role: SiteRoleView['role'];
  /** It still forwards what comes, and answers nothing: the other router has taken over a moment ago. */
  readonly draining: boolean;
  /** Of the site: one begins with each change of the active router. */
  readonly term: number;
  /** Since when it has this role, and why. */
  readonly since: string;
  readonly cause: string;
  /** 10 to 250, as it is advertised; the higher can serve better. Null with one router: there nothing is compared. */
  readonly priority: number | null;
  readonly health: HealthView | null;
  /** Null: the site has one router. */
  readonly partner: PartnerView | null;
  readonly lans: readonly RoleLanView[];
}

export interface HealthView {
  /** LANs with a carrier on which hosts are heard, of `lans`. */
  readonly soundLans: number;
  readonly lans: number;
  /** Routers of other sites with which there is a session. */
  readonly peersUp: number;
}

export interface PartnerView {
  readonly router: string;
  /** What it said last in the session; null when it never did. */
  readonly role: SiteRoleView['role'] | null;
  readonly term: number | null;
  readonly priority: number | null;
  readonly health: HealthView | null;
  /** Since it was heard last: in the session, and as active on a LAN; null: never. */
  readonly heardAgoMs: number | null;
  readonly advertisedAgoMs: number | null;
}

export interface RoleLanView {
  readonly interface: string;
  /** Of its advertisements. */
  readonly vrid: number;
  /** `down`, `gone`, `failing`: what its sockets say; `none`: it has no address to advertise from. */
  readonly advertising: 'up' | 'down' | 'gone' | 'failing' | 'none';
  readonly carrier: boolean;
  readonly heardHostAgoMs: number | null;
  /** When the partner's advertisements were heard here. */
  readonly partnerAgoMs: number | null;
  /** Other machines that advertise this VRID; their addresses. */
  readonly strangers: readonly string[];
  /** Gateway addresses that the partner advertises and this router has not, or the other way round. */
  readonly otherGateways: readonly string[];
  /** The port of the active router lets frames of the virtual MAC not pass; null: not known. */
  readonly virtualMacPasses: boolean | null;
}
