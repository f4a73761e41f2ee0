/**
 * Frames as they were on a wire: QEMU's RARP and a guest's announcement of a live migration, the rest from Linux 6.18
 * (arping, ndisc_notify, address resolution) captured with tcpdump.
 */
export function fromHex(text: string): Uint8Array {
  return Uint8Array.from(text.replaceAll(/\s+/g, '').match(/../g) ?? [], (byte) => Number.parseInt(byte, 16));
}

/** Follows a shorter frame up to 60 bytes, as a wire does. */
export function padded(frame: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(Math.max(60, frame.length));
  bytes.set(frame);
  return bytes;
}

export const QEMU_RARP = padded(
  fromHex(`ffffffffffff 525400000009 8035
           0001 0800 06 04 0003  525400000009 00000000  525400000009 00000000`),
);

export const GUEST_ANNOUNCEMENT = fromHex(`ffffffffffff 525400000009 0806
           0001 0800 06 04 0001  525400000009 0a010009  000000000000 0a010009`);

export const ARPING_REPLY_FORM = fromHex(`ffffffffffff 525400000009 0806
           0001 0800 06 04 0002  525400000009 0a010009  525400000009 0a010009`);

export const ARPING_PROBE = fromHex(`ffffffffffff 525400000009 0806
           0001 0800 06 04 0001  525400000009 00000000  ffffffffffff 0a010001`);

export const ARP_QUESTION = fromHex(`ffffffffffff 525400000009 0806
           0001 0800 06 04 0001  525400000009 0a010009  000000000000 0a010001`);

export const ARP_ANSWER = fromHex(`525400000009 525400000001 0806
           0001 0800 06 04 0002  525400000001 0a010001  525400000009 0a010009`);

/** Its option is a nonce (RFC 7527), type 14. */
export const DAD_SOLICITATION = fromHex(`3333ff000009 525400000009 86dd
           60000000 0020 3a ff  00000000000000000000000000000000  ff0200000000000000000001ff000009
           87 00 ceed 00000000  fe80000000000000505400fffe000009  0e01f5dc2ced2d00`);

export const UNSOLICITED_ADVERTISEMENT = fromHex(`333300000001 525400000009 86dd
           60000000 0020 3a ff  fe80000000000000505400fffe000009  ff020000000000000000000000000001
           88 00 6886 20000000  fe80000000000000505400fffe000009  0201525400000009`);

export const SOLICITATION = fromHex(`3333ff000001 525400000009 86dd
           60000000 0020 3a ff  fd000000000000000000000000000009  ff0200000000000000000001ff000001
           87 00 2d35 00000000  fd000000000000000000000000000001  0101525400000009`);

export const SOLICITED_ADVERTISEMENT = fromHex(`525400000009 525400000001 86dd
           60000000 0020 3a ff  fd000000000000000000000000000001  fd000000000000000000000000000009
           88 00 cc40 60000000  fd000000000000000000000000000001  0201525400000001`);
