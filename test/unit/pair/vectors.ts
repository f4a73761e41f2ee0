/**
 * What Debian 12's keepalived 2.2.7 sent on a link, captured with tcpdump, from the IP header on: virtual router 51, priority
 * 210, every 100 ms, from 10.1.0.3 for 10.1.0.1, and from fe80::3 for fe80::1 and fd00:1::1.
 */
import { fromHex } from '../arp/vectors.js';

export const KEEPALIVED_4 = fromHex(`45c0 0020 0001 0000 ff70 d096 0a010003 e0000012
           31 33 d2 01 000a 082c 0a010001`);

export const KEEPALIVED_6 = fromHex(`6c083551 0028 70 ff
           fe800000000000000000000000000003 ff020000000000000000000000000012
           31 33 d2 02 000a 030a fe800000000000000000000000000001 fd000001000000000000000000000001`);
