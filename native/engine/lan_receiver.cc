#include "engine/lan_receiver.h"

#include <errno.h>
#include <linux/if_ether.h>

#include <cstring>

#include "base/byte_order.h"
#include "base/virtio.h"
#include "offload/open_checksum.h"
#include "offload/packet_shape.h"

namespace vine {
namespace {

constexpr uint32_t kEthernetBytes = ETH_HLEN;

uint32_t leadOf(const LanSocket& lan) {
  return kEthernetBytes + (lan.vnetHeader ? static_cast<uint32_t>(sizeof(VirtioHeader)) : 0);
}

bool etherTypeFits(uint16_t etherType, const PacketShape& shape) {
  return (etherType == ETH_P_IP && shape.version == 4) || (etherType == ETH_P_IPV6 && shape.version == 6);
}

void writeOffload(int32_t* d, const VirtioHeader& header) {
  d[word::gsoType] = header.gsoType;
  d[word::gsoSize] = header.gsoSize;
  d[word::flags] = header.flags;
  if (!(header.flags & kVirtioNeedsChecksum)) return;
  // The kernel counts from the Ethernet header. A start inside it makes a negative word, refused when it is used.
  d[word::checksumStart] = static_cast<int32_t>(header.checksumStart) - static_cast<int32_t>(kEthernetBytes);
  d[word::checksumOffset] = header.checksumOffset;
}

void writeOpenChecksum(int32_t* d, const uint8_t* packet, size_t length, const PacketShape& shape) {
  const size_t field = openChecksumField(packet, length, shape);
  if (field == 0) return;
  d[word::flags] = kVirtioNeedsChecksum;
  d[word::checksumStart] = static_cast<int32_t>(shape.layer4);
  d[word::checksumOffset] = static_cast<int32_t>(field - shape.layer4);
}

void writeMacs(int32_t* d, const uint8_t* ethernet) {
  d[word::dstMacHigh] = loadBe16(ethernet);
  d[word::dstMacLow] = static_cast<int32_t>(loadBe32(ethernet + 2));
  d[word::srcMacHigh] = loadBe16(ethernet + 6);
  d[word::srcMacLow] = static_cast<int32_t>(loadBe32(ethernet + 8));
}

}  // namespace

LanReceiver::LanReceiver(const PacketMemory& memory, Counters& counters, const std::vector<LanSocket>& lans)
    : memory_(memory), counters_(counters), ring_(memory, false) {
  for (const LanSocket& lan : lans) {
    if (lan.receiveFd < 0) continue;
    lans_.push_back(lan);
    descriptors_.push_back(lan.receiveFd);
  }
  wentDown_.resize(lans_.size(), false);
}

Batch LanReceiver::drain() {
  Batch batch;
  for (size_t i = 0; i < lans_.size() && batch.taken < memory_.slots(); i++) {
    if (!receiveFrom((turn_ + i) % lans_.size(), &batch)) break;
  }
  // A busy LAN must not keep the others out: each is first once.
  turn_++;
  return batch;
}

bool LanReceiver::receiveFrom(size_t which, Batch* batch) {
  const LanSocket& lan = lans_[which];
  const uint32_t first = batch->taken;
  const int received = ring_.receive(lan.receiveFd, first, leadOf(lan));
  if (received < 0) {
    const int error = errno;
    // An interface that is deleted goes down first. The kernel reports that once, and the deletion not at all when the
    // report has been read by then: so from "down" on, every time that nothing comes, it is asked.
    if (error == ENETDOWN) wentDown_[which] = true;
    if (error == EBADF || error == ENOTSOCK || (wentDown_[which] && interfaceGone(lan.receiveFd))) {
      batch->broken = error == EAGAIN ? ENETDOWN : error;
      return false;
    }
    // A super-packet of a kind that a virtio-net header cannot express is taken from the queue and lost.
    if (error == EINVAL) counters_.add(counter::lanFramesMalformed);
    return true;
  }
  if (received > 0) wentDown_[which] = false;
  batch->taken += static_cast<uint32_t>(received);
  for (uint32_t slot = first; slot < batch->taken; slot++) {
    if (describe(lan, slot, memory_.descriptor(batch->filled))) {
      batch->filled++;
    } else {
      counters_.add(counter::lanFramesMalformed);
    }
  }
  return true;
}

bool LanReceiver::describe(const LanSocket& lan, uint32_t slot, int32_t* d) {
  const uint32_t lead = leadOf(lan);
  size_t length = ring_.length(slot);
  if (ring_.truncated(slot) || length < lead) return false;
  length -= lead;
  counters_.add(counter::lanFramesReceived);
  counters_.add(counter::lanBytesReceived, length + kEthernetBytes);

  const uint8_t* packet = ring_.data(slot) + lead;
  const uint8_t* ethernet = packet - kEthernetBytes;
  const uint16_t etherType = loadBe16(ethernet + 12);
  PacketShape shape;
  if (!readShape(packet, length, &shape) || !etherTypeFits(etherType, shape)) return false;

  VirtioHeader offload = {};
  if (lan.vnetHeader) std::memcpy(&offload, ring_.data(slot), sizeof offload);
  if (offload.gsoType == kGsoNone) {
    // Ethernet pads short frames to 60 bytes. In a super-packet the stated length is stale, and nothing is padded.
    if (shape.statedLength > length || shape.statedLength < kIpv4MinBytes) return false;
    length = shape.statedLength;
  }

  std::memset(d, 0, kDescriptorWords * sizeof *d);
  d[word::offset] = static_cast<int32_t>(packet - memory_.packets());
  d[word::length] = static_cast<int32_t>(length);
  d[word::kind] = kind::frame;
  d[word::from] = static_cast<int32_t>(lan.index);
  d[word::etherType] = etherType;
  writeMacs(d, ethernet);
  writeOffload(d, offload);
  if (!lan.vnetHeader) writeOpenChecksum(d, packet, length, shape);
  return true;
}

}  // namespace vine
