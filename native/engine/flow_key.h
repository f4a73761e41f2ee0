// By what a packet's flow is known: the words of an entry from `flow_word::kind` up to its generation. In the header, because
// each packet passes here.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/byte_order.h"
#include "base/wire.h"
#include "engine/flow_memory.h"
#include "offload/packet_shape.h"

namespace vine {

// FlowKind (src/dataplane/flows/flow-memory.ts).
constexpr int32_t kFrame = 0;
constexpr int32_t kOverlay = 1;
constexpr int32_t kBare = 2;

/** Upper layers, not extension headers: IPv4, TCP, UDP, IPv6, GRE, ESP, ICMPv6, SCTP. */
inline bool isUpperLayer(uint8_t next) {
  switch (next) {
    case 4:
    case kProtocolTcp:
    case kProtocolUdp:
    case 41:
    case 47:
    case 50:
    case 58:
    case 132:
      return true;
    default:
      return false;
  }
}

/** In four words each; of IPv4 the last one is used. */
inline void readAddresses(const uint8_t* packet, bool isV6, int32_t* source, int32_t* destination) {
  if (!isV6) {
    source[0] = source[1] = source[2] = destination[0] = destination[1] = destination[2] = 0;
    source[3] = static_cast<int32_t>(loadBe32(packet + 12));
    destination[3] = static_cast<int32_t>(loadBe32(packet + 16));
    return;
  }
  for (size_t i = 0; i < 4; i++) {
    source[i] = static_cast<int32_t>(loadBe32(packet + 8 + 4 * i));
    destination[i] = static_cast<int32_t>(loadBe32(packet + 24 + 4 * i));
  }
}

/** All of a key but the addresses. @param d the packet's descriptor */
inline void startKey(int32_t* key, bool isV6, int32_t kind, int32_t from, int32_t vnet, const int32_t* d) {
  key[flow_word::kind - flow_word::kind] = (isV6 ? 6 : 4) | (kind << 8);
  key[flow_word::from - flow_word::kind] = from;
  key[flow_word::keyVnet - flow_word::kind] = vnet;
  const bool isFrame = kind == kFrame;
  key[flow_word::macsHigh - flow_word::kind] =
      isFrame ? static_cast<int32_t>(static_cast<uint32_t>(d[word::srcMacHigh]) << 16 |
                                     (static_cast<uint32_t>(d[word::dstMacHigh]) & 0xffff))
              : 0;
  key[flow_word::srcMacLow - flow_word::kind] = isFrame ? d[word::srcMacLow] : 0;
  key[flow_word::dstMacLow - flow_word::kind] = isFrame ? d[word::dstMacLow] : 0;
}

}  // namespace vine
