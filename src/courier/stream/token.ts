/** What a migration stream consists of. A parser that is given the bytes in any pieces gives the same bytes as tokens. */

/** The only page size whose pages are matched: that of x86, and what others mostly use. */
export const PAGE_BYTES = 4096;

export type TokenKind =
  | 'magic'
  | 'configuration'
  | 'section-start'
  | 'section-part'
  | 'section-end'
  | 'footer'
  | 'command'
  /** The sizes of the memory blocks. */
  | 'blocks'
  | 'page-header'
  /** The content of a page: always `PAGE_BYTES`. The only kind that may be replaced by a reference. */
  | 'page'
  /** Header and the byte that fills the page. */
  | 'fill-page'
  | 'xbzrle-page'
  | 'compressed-page'
  | 'multifd-flush'
  /** Who a channel is; and what says which pages follow. */
  | 'multifd-hello'
  | 'multifd-packet'
  /** The end of what a section says of the memory this time. */
  | 'part-end'
  /** Not understood, or not looked at. */
  | 'verbatim';

export interface Token {
  readonly kind: TokenKind;
  /** Part of what was pushed, not a copy where that can be helped: whoever pushes does not write there again. */
  readonly bytes: Uint8Array;
}

/** What speaks: `qemu` the main stream, `multifd` one of the channels beside it, `tls` what nobody can look into. */
export type Speaker = 'qemu' | 'multifd' | 'tls' | 'unknown';

/**
 * `running`: the guest still runs, as far as the stream tells; `stopped`: from the memory's last part on it stands still;
 * `passing`: the rest is not looked at.
 */
export type Phase = 'running' | 'stopped' | 'passing';
