// Constants of the tunnel: the WireGuard paper's (§5.4, §6) and our overlay header's.
#pragma once
#include <cstddef>
#include <cstdint>

namespace vine {

// WireGuard messages: 1 byte type, 3 bytes zero, read together as a little-endian word (§5.4).
constexpr uint32_t kHandshakeInitiation = 1;
constexpr uint32_t kHandshakeResponse = 2;
constexpr uint32_t kCookieReply = 3;
constexpr uint32_t kTransportData = 4;
// Ours: a machine with a token hands in its membership (src/membership/join-exchange.ts). The answer goes to no router.
constexpr uint32_t kJoinRequest = 0x76;
constexpr size_t kLeastJoinRequestBytes = 8 + 32 + 48 + 16 + 32;
constexpr size_t kMostJoinRequestBytes = 1'232;
constexpr size_t kHandshakeInitiationBytes = 148;
constexpr size_t kHandshakeResponseBytes = 92;
constexpr size_t kCookieReplyBytes = 64;

// Type 4: type (4), receiver index (4), counter (8), sealed payload, tag (16) (§5.4.6).
constexpr size_t kTransportHeaderBytes = 16;
constexpr size_t kTagBytes = 16;
constexpr size_t kKeyBytes = 32;
constexpr size_t kPaddingMultiple = 16;

// §6.1: a key is refused after 180 s, and after 2^64 − 2^13 − 1 messages.
constexpr uint64_t kRejectAfterMs = 180'000;
constexpr uint64_t kRejectAfterMessages = UINT64_MAX - (1u << 13);

// Overlay header: type/version, hops left, vnet (2, big-endian).
constexpr size_t kOverlayHeaderBytes = 4;
constexpr uint8_t kOverlayType = 0x10;

// Relay header, before a whole WireGuard message: type/version, direction, 2 zero bytes, tag of the other router.
constexpr size_t kRelayHeaderBytes = 12;
constexpr uint8_t kRelayType = 0x30;
constexpr uint8_t kRelayForward = 0;
constexpr size_t kRelayTagBytes = 8;

// The largest UDP payload over IPv6 without extension headers; over IPv4 it is 20 less, which the kernel enforces.
constexpr size_t kMaxDatagramBytes = 65'527;

}  // namespace vine
