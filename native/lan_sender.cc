#include "lan_sender.h"

#include <linux/if_ether.h>

#include <algorithm>
#include <cstring>

#include "batch_io.h"
#include "byte_order.h"
#include "descriptor_offload.h"
#include "packet_shape.h"
#include "virtio.h"

namespace vine {
namespace {

constexpr uint32_t kBatch = 64;
constexpr size_t kArenaBytes = 256 * 1024;
// With the Ethernet header in front, the largest length that a virtio-net header's 16-bit fields reach.
constexpr size_t kMaxIpBytes = 65'535 - ETH_HLEN;
constexpr size_t kEthernet = sizeof(VirtioHeader);  // where the Ethernet header starts in a FrameHeader

/** Bytes of all headers up to the payload that a GSO type cuts; 0 when the packet is not of that type. */
size_t gsoHeaders(const uint8_t* packet, size_t length, uint8_t gsoType) {
  PacketShape shape;
  if (!readShape(packet, length, &shape) || !shape.complete) return 0;
  const bool tcp = shape.protocol == kProtocolTcp;
  switch (gsoType & ~kGsoEcn) {
    case kGsoTcp4:
      return tcp && shape.version == 4 ? tcpHeadersLength(packet, length, shape) : 0;
    case kGsoTcp6:
      return tcp && shape.version == 6 ? tcpHeadersLength(packet, length, shape) : 0;
    case kGsoUdpL4:
      return shape.protocol == kProtocolUdp && length - shape.layer4 >= kUdpBytes ? shape.layer4 + kUdpBytes : 0;
    default:
      return 0;
  }
}

bool sendable(const uint8_t* packet, size_t length) {
  if (length < kIpv4MinBytes || length > kMaxIpBytes) return false;
  return packet[0] >> 4 == 4 || packet[0] >> 4 == 6;
}

}  // namespace

LanSender::LanSender(const PacketMemory& memory, Counters& counters, const std::vector<LanSocket>& lans)
    : memory_(memory),
      counters_(counters),
      lans_(lans),
      arena_(new uint8_t[kArenaBytes]),
      headers_(kBatch),
      messages_(kBatch),
      vectors_(kBatch) {}

const LanSocket* LanSender::find(uint32_t index) const {
  for (const LanSocket& lan : lans_) {
    if (lan.index == index) return &lan;
  }
  return nullptr;
}

void LanSender::send(const int32_t* d) {
  size_t length = 0;
  const uint8_t* packet = memory_.packetOf(d, &length);
  const LanSocket* lan = find(static_cast<uint32_t>(d[word::to]));
  if (packet == nullptr || lan == nullptr || !sendable(packet, length)) {
    counters_.add(counter::lanSendErrors);
    return;
  }
  Offload offload;
  if (!readOffload(d, &offload)) {
    counters_.add(counter::splitErrors);
    return;
  }
  const bool plain = offload.gsoType == kGsoNone && !(offload.flags & kVirtioNeedsChecksum);
  if (plain) {
    sendWhole(*lan, d, packet, length);
  } else if (lan->vnetHeader) {
    sendOffloaded(*lan, d, packet, length, offload);
  } else {
    sendSplit(*lan, d, packet, length, offload);
  }
}

void LanSender::sendWhole(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length) {
  if (length > lan.mtuBytes) {
    counters_.add(counter::lanSendErrors);
    return;
  }
  startFrame(lan, d, packet);
  queue(lan, packet, length);
}

/** Leaves splitting and checksums to the interface, as they were left to us. */
void LanSender::sendOffloaded(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length,
                              const Offload& offload) {
  VirtioHeader virtio = {};
  virtio.flags = offload.flags & kVirtioNeedsChecksum;
  if (virtio.flags != 0) {
    if (offload.checksumStart + offload.checksumOffset + 2 > length) {
      counters_.add(counter::splitErrors);
      return;
    }
    virtio.checksumStart = static_cast<uint16_t>(offload.checksumStart + ETH_HLEN);
    virtio.checksumOffset = static_cast<uint16_t>(offload.checksumOffset);
  }
  if (offload.gsoType != kGsoNone) {
    const size_t headers = gsoHeaders(packet, length, offload.gsoType);
    if (headers == 0 || offload.gsoSize == 0 || headers >= lan.mtuBytes) {
      counters_.add(counter::splitErrors);
      return;
    }
    const size_t fits = lan.mtuBytes - headers;
    if (offload.gsoSize > fits && (offload.gsoType & ~kGsoEcn) == kGsoUdpL4) {
      counters_.add(counter::lanSendErrors);
      return;
    }
    virtio.gsoType = offload.gsoType;
    // From a LAN with a larger MTU: TCP does not mind being cut smaller.
    virtio.gsoSize = static_cast<uint16_t>(std::min({offload.gsoSize, fits, size_t{0xffff}}));
    virtio.headerLength = static_cast<uint16_t>(headers + ETH_HLEN);
  } else if (length > lan.mtuBytes) {
    counters_.add(counter::lanSendErrors);
    return;
  }
  FrameHeader& header = startFrame(lan, d, packet);
  std::memcpy(header.data(), &virtio, sizeof virtio);
  queue(lan, packet, length);
}

void LanSender::sendSplit(const LanSocket& lan, const int32_t* d, const uint8_t* packet, size_t length,
                          const Offload& offload) {
  SplitPlan plan;
  if (!plan.make(packet, length, offload, lan.mtuBytes)) {
    counters_.add(counter::splitErrors);
    return;
  }
  for (uint32_t segment = 0; segment < plan.count(); segment++) {
    const size_t bytes = plan.lengthOf(segment);
    if (bytes > lan.mtuBytes) {
      counters_.add(counter::lanSendErrors);
      return;
    }
    if (used_ + bytes > kArenaBytes) flush();
    startFrame(lan, d, packet);
    uint8_t* out = arena_.get() + used_;
    plan.write(segment, out);
    used_ += bytes;
    queue(lan, out, bytes);
  }
}

LanSender::FrameHeader& LanSender::startFrame(const LanSocket& lan, const int32_t* d, const uint8_t* packet) {
  if (count_ == kBatch || fd_ != lan.fd) flush();
  fd_ = lan.fd;
  FrameHeader& header = headers_[count_];
  header.fill(0);
  uint8_t* ethernet = header.data() + kEthernet;
  storeBe16(ethernet, static_cast<uint16_t>(d[word::outMacHigh]));
  storeBe32(ethernet + 2, static_cast<uint32_t>(d[word::outMacLow]));
  std::memcpy(ethernet + 6, lan.mac.data(), lan.mac.size());
  storeBe16(ethernet + 12, packet[0] >> 4 == 4 ? ETH_P_IP : ETH_P_IPV6);
  return header;
}

void LanSender::queue(const LanSocket& lan, const uint8_t* packet, size_t length) {
  uint8_t* header = headers_[count_].data();
  std::array<iovec, 2>& parts = vectors_[count_];
  parts[0] = lan.vnetHeader ? iovec{header, headers_[count_].size()} : iovec{header + kEthernet, ETH_HLEN};
  parts[1] = {const_cast<uint8_t*>(packet), length};
  msghdr& message = messages_[count_].msg_hdr;
  message = {};
  message.msg_iov = parts.data();
  message.msg_iovlen = parts.size();
  count_++;
}

void LanSender::flush() {
  if (count_ != 0) {
    bool delivered[kBatch];
    sendAll(fd_, messages_.data(), count_, delivered);
    for (uint32_t i = 0; i < count_; i++) {
      if (!delivered[i]) {
        counters_.add(counter::lanSendErrors);
        continue;
      }
      counters_.add(counter::lanFramesSent);
      counters_.add(counter::lanBytesSent, ETH_HLEN + vectors_[i][1].iov_len);
    }
  }
  count_ = 0;
  used_ = 0;
}

}  // namespace vine
