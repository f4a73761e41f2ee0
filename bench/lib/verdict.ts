/** Whether one figure reached what it is to reach. */
export interface Verdict {
  readonly figure: string;
  /** Medians of the repetitions; undefined when the run has not measured it. */
  readonly measured: number | undefined;
  readonly unit: string;
  /** What it is measured against: a peer's figure in the same run. */
  readonly peer?: { readonly name: string; readonly measured: number };
  /** A ratio to the peer's figure where there is one, else in the figure's unit. */
  readonly is: number | undefined;
  readonly limit: number;
  readonly want: 'at least' | 'at most' | 'below';
  readonly verdict: 'holds' | 'FAILS' | 'not measured';
}
