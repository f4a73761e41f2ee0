// The layout shared with JavaScript: src/dataplane/engine.ts is the description, this is its mirror. The loader
// compares the sizes (`layout` in addon.cc) so that the two cannot drift apart unnoticed.
#pragma once
#include <cstdint>

namespace vine {

constexpr uint32_t kDescriptorWords = 40;
constexpr uint32_t kScratchSlots = 16;

// A slot of a tunnel engine may hold a train of datagrams, each with a descriptor of its own.
constexpr uint32_t kDescriptorsPerTunnelSlot = 8;

namespace word {
enum : uint32_t {
  offset,
  length,
  kind,
  from,
  srcMacHigh,
  srcMacLow,
  dstMacHigh,
  dstMacLow,
  etherType,
  action,
  to,
  outMacHigh,
  outMacLow,
  vnet,
  hops,
  mtu,
  gsoType,
  gsoSize,
  flags,
  checksumStart,
  checksumOffset,
  sourceFamily,
  sourcePort,
  sourceWord0,
  sourceWord1,
  sourceWord2,
  sourceWord3,
  session,
  sessionFlags,
  socket,
  sourceStream,
  sourceRelay,
  flow,
  flowGeneration,
  flowVnet,
  flowCounter,
  flowVnetCounter,
  flowHeard,
  flowSent,
};
}

namespace flow_note {
constexpr int32_t forwarded = 1;
constexpr int32_t keyed = 2;
constexpr int32_t keep = 4;
constexpr int32_t overlay = 8;
constexpr int32_t bare = 16;
constexpr int32_t spendsTtl = 32;
}

namespace kind {
enum : int32_t { frame, message, handshake, stream };
}

namespace action {
enum : int32_t { drop, tunnel, lan, bare, cookie, message };
}

namespace session_flag {
constexpr int32_t first = 1;
constexpr int32_t roamed = 2;
constexpr int32_t proven = 4;
}

namespace counter {
enum : uint32_t {
  lanFramesReceived,
  lanBytesReceived,
  lanFramesSent,
  lanBytesSent,
  lanSendErrors,
  lanFramesMalformed,
  tunnelDatagramsReceived,
  tunnelBytesReceived,
  tunnelDatagramsSent,
  tunnelBytesSent,
  tunnelSendErrors,
  messagesMalformed,
  messagesUnknownSession,
  messagesNotAuthentic,
  messagesReplayed,
  messagesExpired,
  keepalivesReceived,
  noSession,
  splitErrors,
  tunnelTrainsSent,
  tunnelTrainsReceived,
  tunnelTrainsRefused,
  lanPacketsCoalesced,
  lanBundlesRefused,
  lanQueueDrops,
  tunnelQueueDrops,
  handshakesBadMac1,
  cookieRepliesSent,
  flowHits,
  flowMisses,
  flowStale,
  flowsReplaced,
  count,
};
}

namespace peer_stat {
enum : uint32_t {
  bytesSent,
  bytesReceived,
  packetsSent,
  packetsReceived,
  lastSentMs,
  lastReceivedMs,
  currentCounter,
  count,
};
}

// Where the IP packet is put in a slot: in front of it there is room for a virtio-net header (10) and an Ethernet
// header (14), or for a WireGuard header (16) and an overlay header (4), so that both kinds of packet lie alike.
constexpr uint32_t kHeadroom = 64;

}  // namespace vine
