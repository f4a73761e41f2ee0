/** Protocol numbers of the IP header (IANA "Assigned Internet Protocol Numbers"). */
export const ICMP = 1;
export const TCP = 6;
export const UDP = 17;
export const ICMPV6 = 58;
export const VRRP = 112;
