/**
 * How routers pass on what the network's key has signed: each says what it has; who lacks something asks for it, part by
 * part. A part is worth something only as an answer.
 */

/** What is passed on, by its number on the wire. Numbers that are not here are ignored. */
export const DOCUMENT_KINDS = { description: 1, succession: 2 } as const;
export type DocumentKind = keyof typeof DOCUMENT_KINDS;

/** Of a document of that kind; the description of a thousand sites has a few hundred kilobytes. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
/** With all that is around it a part fits in one control message. */
export const PART_BYTES = 880;
export const MAX_PARTS = Math.ceil(MAX_DOCUMENT_BYTES / PART_BYTES);
/** That may be asked for at once. */
export const MAX_ASKED_PARTS = 32;
export const MAX_VERDICT_REASON = 200;

export interface TellDocument {
  readonly kind: DocumentKind;
  readonly version: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly totalBytes: number;
}

export interface TellVerdict {
  readonly outcome: 'refused' | 'undone';
  readonly version: number;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  /** For people. */
  readonly reason: string;
}

/** "This is what I have." Until acknowledged; the others are sent once. */
export interface NetworkStateMessage {
  readonly type: 'networkState';
  readonly documents: readonly TellDocument[];
  /** The description is applied and not yet confirmed. */
  readonly trial: boolean;
  /** Of the highest description that it did not keep. */
  readonly verdict: TellVerdict | undefined;
}

/** "Send me these parts." */
export interface NetworkAskMessage {
  readonly type: 'networkAsk';
  readonly kind: DocumentKind;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly first: number;
  /** 1 … MAX_ASKED_PARTS. */
  readonly count: number;
}

export interface NetworkPartMessage {
  readonly type: 'networkPart';
  readonly kind: DocumentKind;
  /** SHA-256, hexadecimal. */
  readonly digest: string;
  readonly part: number;
  /** 1 … PART_BYTES bytes. */
  readonly content: Uint8Array;
}

export type NetworkMessage = NetworkStateMessage | NetworkAskMessage | NetworkPartMessage;
