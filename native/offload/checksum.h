// The Internet checksum (RFC 1071).
#pragma once
#include <cstddef>
#include <cstdint>

namespace vine {

/**
 * Adds `length` bytes to a running sum. Only the last of several pieces may have an odd length. Sums are in the
 * machine's byte order, which RFC 1071 §2(B) allows as long as the result is stored without swapping.
 */
uint64_t checksumAdd(const uint8_t* data, size_t length, uint64_t sum);

/** The complemented 16-bit checksum, ready to be stored with storeRaw. */
uint16_t checksumFinish(uint64_t sum);

/** The IPv4 or IPv6 pseudo-header's sum (RFC 9293 §3.1, RFC 8200 §8.1): `ip` is the packet, `length` that of layer 4. */
uint64_t pseudoHeaderSum(const uint8_t* ip, uint8_t protocol, size_t length);

}  // namespace vine
