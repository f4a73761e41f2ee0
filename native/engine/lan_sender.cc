#include "engine/lan_sender.h"

#include <errno.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "base/virtio.h"
#include "io/batch_io.h"
#include "offload/descriptor_offload.h"
#include "offload/packet_shape.h"

namespace vine {
namespace {

constexpr uint32_t kBatch = 64;
constexpr size_t kArenaBytes = 256 * 1024;
// With the Ethernet header in front, the largest length that a virtio-net header's 16-bit fields reach.
constexpr size_t kMaxIpBytes = 65'535 - ETH_HLEN;
constexpr uint16_t kTcpChecksumOffset = 16;
constexpr uint16_t kUdpChecksumOffset = 6;
// Parts of all frames of a batch; one frame has 1,001 at most.
constexpr size_t kParts = 2048;
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

/** Asked for each frame: it may change at any time, and who has become the active one wants to be found at once. */
bool servedByVirtualMac(const LanSocket& lan) {
  return lan.vrid != 0 && __atomic_load_n(lan.role, __ATOMIC_RELAXED) == 0;
}

}  // namespace

LanSender::LanSender(const PacketMemory& memory, Counters& counters, const std::vector<LanSocket>& lans)
    : memory_(memory),
      counters_(counters),
      lans_(lans),
      coalescer_(memory.allDescriptors()),
      arena_(new uint8_t[kArenaBytes]),
      headers_(kBatch),
      messages_(kBatch),
      carried_(kBatch),
      parts_(kParts) {}

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
  // Without a virtio-net header nothing larger than a frame can leave; with one, other offloads go along untouched.
  const bool plain = d[word::gsoType] == kGsoNone && !(d[word::flags] & kVirtioNeedsChecksum);
  if (coalescer_.full()) flush();
  coalescer_.add(lan, d, packet, length, !lan->vnetHeader || !plain || length > lan->mtuBytes);
}

void LanSender::flush() {
  for (const Bundle& bundle : coalescer_.bundles()) sendBundle(bundle);
  // More than once only when the packets of a refused bundle were queued again.
  while (count_ != 0) flushFrames();
  used_ = 0;
  coalescer_.clear();
}

void LanSender::sendBundle(const Bundle& bundle) {
  const LanSocket& lan = *bundle.lan;
  const int32_t* d = bundle.descriptor;
  if (bundle.packets > 1) {
    sendSuperPacket(bundle);
    return;
  }
  Offload offload;
  if (!readOffload(d, &offload)) {
    counters_.add(counter::splitErrors);
    return;
  }
  const bool plain = offload.gsoType == kGsoNone && !(offload.flags & kVirtioNeedsChecksum);
  if (plain) {
    sendWhole(lan, d, bundle.packet, bundle.length);
  } else if (lan.vnetHeader) {
    sendOffloaded(lan, d, bundle.packet, bundle.length, offload);
  } else {
    sendSplit(lan, d, bundle.packet, bundle.length, offload);
  }
}

/** One frame: the headers made for the whole, then every packet's payload from where it lies. */
void LanSender::sendSuperPacket(const Bundle& bundle) {
  VirtioHeader virtio = {};
  virtio.flags = kVirtioNeedsChecksum;
  const bool tcp = bundle.protocol == kProtocolTcp;
  virtio.gsoType = !tcp ? kGsoUdpL4 : bundle.version == 4 ? kGsoTcp4 : kGsoTcp6;
  virtio.gsoSize = static_cast<uint16_t>(bundle.each);
  virtio.headerLength = static_cast<uint16_t>(ETH_HLEN + bundle.headers);
  virtio.checksumStart = static_cast<uint16_t>(ETH_HLEN + bundle.layer4);
  virtio.checksumOffset = tcp ? kTcpChecksumOffset : kUdpChecksumOffset;
  FrameHeader& header = startFrame(*bundle.lan, bundle.descriptor, bundle.packet, bundle.packets);
  std::memcpy(header.data(), &virtio, sizeof virtio);
  writeBundleHeaders(bundle, header.data() + kEthernet + ETH_HLEN);
  beginParts(*bundle.lan, bundle.headers);
  for (uint32_t i = 0, at = bundle.firstPiece; i < bundle.packets; i++) {
    const Piece& piece = coalescer_.piece(at);
    addPart(piece.packet + bundle.headers, piece.length - bundle.headers);
    at = piece.next;
  }
  carried_[count_++] = &bundle;
}

/** The packets of a bundle that the kernel refused, one by one. */
void LanSender::sendPieces(const Bundle& bundle) {
  for (uint32_t i = 0, at = bundle.firstPiece; i < bundle.packets; i++) {
    const Piece& piece = coalescer_.piece(at);
    sendWhole(*bundle.lan, bundle.descriptor, piece.packet, piece.length);
    at = piece.next;
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
    if (used_ + bytes > kArenaBytes) flushFrames();
    startFrame(lan, d, packet);
    uint8_t* out = arena_.get() + used_;
    plan.write(segment, out);
    used_ += bytes;
    queue(lan, out, bytes);
  }
}

LanSender::FrameHeader& LanSender::startFrame(const LanSocket& lan, const int32_t* d, const uint8_t* packet,
                                              size_t parts) {
  if (count_ == kBatch || fd_ != lan.fd || partsUsed_ + 1 + parts > kParts) flushFrames();
  fd_ = lan.fd;
  FrameHeader& header = headers_[count_];
  std::memset(header.data(), 0, sizeof(VirtioHeader));
  uint8_t* ethernet = header.data() + kEthernet;
  storeBe16(ethernet, static_cast<uint16_t>(d[word::outMacHigh]));
  storeBe32(ethernet + 2, static_cast<uint32_t>(d[word::outMacLow]));
  const bool ipv6 = packet[0] >> 4 != 4;
  const auto source = servedByVirtualMac(lan) ? virtualMac(lan.vrid, ipv6) : lan.mac;
  std::memcpy(ethernet + 6, source.data(), source.size());
  storeBe16(ethernet + 12, ipv6 ? ETH_P_IPV6 : ETH_P_IP);
  return header;
}

void LanSender::beginParts(const LanSocket& lan, size_t ipHeaderBytes) {
  msghdr& message = messages_[count_].msg_hdr;
  message = {};
  message.msg_iov = &parts_[partsUsed_];
  uint8_t* header = headers_[count_].data();
  const size_t skipped = lan.vnetHeader ? 0 : kEthernet;
  addPart(header + skipped, kEthernet + ETH_HLEN - skipped + ipHeaderBytes);
}

void LanSender::addPart(const uint8_t* data, size_t length) {
  parts_[partsUsed_++] = {const_cast<uint8_t*>(data), length};
  messages_[count_].msg_hdr.msg_iovlen++;
}

void LanSender::queue(const LanSocket& lan, const uint8_t* packet, size_t length) {
  beginParts(lan, 0);
  addPart(packet, length);
  carried_[count_++] = nullptr;
}

void LanSender::flushFrames() {
  const uint32_t count = count_;
  int errors[kBatch];
  if (count != 0) sendAll(fd_, messages_.data(), count, errors);
  // Empty from here on: the packets of a refused bundle are queued again.
  count_ = 0;
  used_ = 0;
  partsUsed_ = 0;
  std::vector<const Bundle*> refused;
  for (uint32_t i = 0; i < count; i++) {
    if (errors[i] == EINVAL && carried_[i] != nullptr) {
      refused.push_back(carried_[i]);
    } else {
      account(i, errors[i]);
    }
  }
  for (const Bundle* bundle : refused) {
    counters_.add(counter::lanBundlesRefused);
    if (bundle->protocol == kProtocolUdp) coalescer_.leaveUdpAlone();
    sendPieces(*bundle);
  }
}

void LanSender::account(uint32_t i, int error) {
  const Bundle* bundle = carried_[i];
  if (error != 0) {
    counters_.add(counter::lanSendErrors, bundle == nullptr ? 1 : bundle->packets);
    return;
  }
  const msghdr& message = messages_[i].msg_hdr;
  size_t bytes = 0;
  for (size_t part = 0; part < message.msg_iovlen; part++) bytes += message.msg_iov[part].iov_len;
  const bool virtio = message.msg_iov[0].iov_base == headers_[i].data();
  counters_.add(counter::lanFramesSent);
  counters_.add(counter::lanBytesSent, bytes - (virtio ? sizeof(VirtioHeader) : 0));
  if (bundle != nullptr) counters_.add(counter::lanPacketsCoalesced, bundle->packets);
}

}  // namespace vine
