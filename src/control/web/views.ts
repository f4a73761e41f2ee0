/** What the page is told beside the control API's answers: the JSON of `/page/about`, `/page/advice` and `/page/groups`. */

export interface AboutView {
  /** The page may have buttons that change something. */
  readonly allowChanges: boolean;
}

/** `bytes`, and the same in the objective's unit. */
export interface AmountView {
  readonly bytes: number;
  readonly value: number;
}

export interface AdvisedMoveView {
  readonly vnet: string;
  readonly ips: readonly string[];
  readonly mac: string;
  readonly from: string;
  readonly to: string;
  /** Of its migration. */
  readonly bytes: number;
  readonly seconds: number;
  readonly downtimeSeconds: number;
  readonly converges: boolean;
  /** Its memory or dirty rate is what is taken for granted. */
  readonly assumed: boolean;
}

export interface AdviceStepView {
  readonly kind: 'move' | 'swap' | 'group';
  readonly moves: readonly AdvisedMoveView[];
  /** A day. */
  readonly saves: AmountView;
  /** Once. */
  readonly costs: AmountView;
  readonly paidBackSeconds: number;
}

export interface AdviceView {
  readonly objective: 'traffic' | 'latency' | 'cost';
  readonly unit: string;
  readonly horizonSeconds: number;
  readonly traffic: { readonly from: string; readonly to: string };
  /** A day's, between sites. */
  readonly now: AmountView;
  readonly after: AmountView;
  readonly steps: readonly AdviceStepView[];
  readonly later: number;
  readonly staying: readonly { readonly why: string; readonly machines: number }[];
  readonly notes: readonly string[];
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
