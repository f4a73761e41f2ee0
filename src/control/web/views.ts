/** What the page is told beside the control API's answers: the JSON of `/page/about` and `/page/groups`; `/page/advice` has an `AdviceView`. */

/** The header with the session's key, which the page sends with every call. */
export const KEY_HEADER = 'vine-key';

export interface AboutView {
  /** The page may have buttons that change something. */
  readonly allowChanges: boolean;
}

export interface GroupsView {
  readonly from: string;
  readonly to: string;
  readonly periods: number;
  readonly partial: boolean;
  /** The largest first. */
  readonly groups: readonly { readonly vnet: string; readonly nodes: readonly string[] }[];
  /** In how many periods, to the end, something else was found. */
  readonly changingPeriods: number;
  readonly threshold: number;
}
