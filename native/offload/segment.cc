#include "offload/segment.h"

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "base/virtio.h"
#include "offload/checksum.h"

namespace vine {
namespace {

// 65,535 bytes in segments of the smallest sensible size (Linux: TCP_MIN_MSS, 48): more would be amplification.
constexpr size_t kMaxSegments = 1400;

constexpr size_t kTcpSequence = 4;
constexpr size_t kTcpFlags = 13;
constexpr size_t kTcpChecksum = 16;
constexpr size_t kUdpLength = 4;
constexpr size_t kUdpChecksum = 6;
constexpr uint8_t kTcpFin = 0x01;
constexpr uint8_t kTcpPush = 0x08;
constexpr uint8_t kTcpCwr = 0x80;

/** 0 means "no checksum" to a UDP receiver, so the equivalent 0xffff is sent (RFC 768). */
uint16_t udpChecksum(uint16_t sum) { return sum == 0 ? 0xffff : sum; }

}  // namespace

bool SplitPlan::make(const uint8_t* packet, size_t length, const Offload& offload, size_t mtu) {
  packet_ = packet;
  length_ = length;
  offload_ = offload;
  if (!readShape(packet, length, &shape_)) return false;
  const bool tcp = shape_.complete && shape_.protocol == kProtocolTcp;
  const bool udp = shape_.complete && shape_.protocol == kProtocolUdp;
  switch (offload.gsoType & ~kGsoEcn) {
    case kGsoNone:
      if (!tcp || length <= mtu) return planWhole();
      // New checksums would turn a packet that was damaged on the LAN into a valid one.
      if (!(offload.flags & (kVirtioNeedsChecksum | kVirtioDataValid)) && !tcpChecksumHolds()) return false;
      return planTcp(length, mtu);
    case kGsoTcp4:
      return tcp && shape_.version == 4 && planTcp(offload.gsoSize, mtu);
    case kGsoTcp6:
      return tcp && shape_.version == 6 && planTcp(offload.gsoSize, mtu);
    case kGsoUdpL4:
      return udp && planUdp();
    default:
      return false;
  }
}

bool SplitPlan::planWhole() {
  if (offload_.flags & kVirtioNeedsChecksum) {
    const size_t field = offload_.checksumStart + offload_.checksumOffset;
    if (offload_.checksumStart < kIpv4MinBytes || field + 2 > length_) return false;
  }
  cut_ = Cut::none;
  count_ = 1;
  return true;
}

bool SplitPlan::planTcp(size_t largestPayload, size_t mtu) {
  const size_t headers = tcpHeadersLength(packet_, length_, shape_);
  if (headers == 0 || mtu <= headers) return false;
  return setSegments(Cut::tcp, headers, std::min(largestPayload, mtu - headers));
}

bool SplitPlan::planUdp() {
  const size_t headers = shape_.layer4 + kUdpBytes;
  return headers <= length_ && setSegments(Cut::udp, headers, offload_.gsoSize);
}

bool SplitPlan::setSegments(Cut cut, size_t headers, size_t payloadEach) {
  if (payloadEach == 0) return false;
  const size_t payload = length_ - headers;
  const size_t count = std::max<size_t>(1, (payload + payloadEach - 1) / payloadEach);
  // Also what a 16-bit IP length can state: a segment never exceeds the packet it is cut from.
  if (count > kMaxSegments || headers + std::min(payload, payloadEach) > 65'535) return false;
  cut_ = cut;
  headers_ = headers;
  payloadEach_ = payloadEach;
  count_ = static_cast<uint32_t>(count);
  return true;
}

size_t SplitPlan::lengthOf(uint32_t segment) const {
  if (cut_ == Cut::none) return length_;
  const size_t payload = length_ - headers_;
  return headers_ + std::min(payloadEach_, payload - segment * payloadEach_);
}

void SplitPlan::write(uint32_t segment, uint8_t* out) const {
  const size_t length = lengthOf(segment);
  if (cut_ == Cut::none) {
    std::memcpy(out, packet_, length);
    if (offload_.flags & kVirtioNeedsChecksum) completeChecksum(out);
    return;
  }
  std::memcpy(out, packet_, headers_);
  std::memcpy(out + headers_, packet_ + headers_ + segment * payloadEach_, length - headers_);
  fixIp(segment, out, length);
  if (cut_ == Cut::tcp) {
    fixTcp(segment, out, length);
  } else {
    fixUdp(out, length);
  }
}

bool SplitPlan::tcpChecksumHolds() const {
  const size_t length = length_ - shape_.layer4;
  return checksumFinish(checksumAdd(packet_ + shape_.layer4, length,
                                    pseudoHeaderSum(packet_, kProtocolTcp, length))) == 0;
}

/** The field already holds the pseudo-header's sum (virtio 1.1 §5.1.6.2), so the sum from there to the end is all. */
void SplitPlan::completeChecksum(uint8_t* out) const {
  const size_t start = offload_.checksumStart;
  const uint16_t sum = checksumFinish(checksumAdd(out + start, length_ - start, 0));
  storeRaw(out + start + offload_.checksumOffset, offload_.checksumOffset == kUdpChecksum ? udpChecksum(sum) : sum);
}

void SplitPlan::fixIp(uint32_t segment, uint8_t* out, size_t length) const {
  if (shape_.version == 6) {
    storeBe16(out + 4, static_cast<uint16_t>(length - kIpv6Bytes));
    return;
  }
  storeBe16(out + 2, static_cast<uint16_t>(length));
  storeBe16(out + 4, static_cast<uint16_t>(loadBe16(packet_ + 4) + segment));
  const size_t headerLength = size_t{out[0] & 0x0fu} * 4;
  storeBe16(out + 10, 0);
  storeRaw(out + 10, checksumFinish(checksumAdd(out, headerLength, 0)));
}

void SplitPlan::fixTcp(uint32_t segment, uint8_t* out, size_t length) const {
  uint8_t* tcp = out + shape_.layer4;
  const auto advance = static_cast<uint32_t>(segment * payloadEach_);
  storeBe32(tcp + kTcpSequence, loadBe32(tcp + kTcpSequence) + advance);
  if (segment + 1 != count_) tcp[kTcpFlags] &= static_cast<uint8_t>(~(kTcpFin | kTcpPush));
  if (segment != 0) tcp[kTcpFlags] &= static_cast<uint8_t>(~kTcpCwr);
  storeBe16(tcp + kTcpChecksum, 0);
  const size_t tcpLength = length - shape_.layer4;
  storeRaw(tcp + kTcpChecksum,
           checksumFinish(checksumAdd(tcp, tcpLength, pseudoHeaderSum(out, kProtocolTcp, tcpLength))));
}

void SplitPlan::fixUdp(uint8_t* out, size_t length) const {
  uint8_t* udp = out + shape_.layer4;
  const size_t udpLength = length - shape_.layer4;
  storeBe16(udp + kUdpLength, static_cast<uint16_t>(udpLength));
  storeBe16(udp + kUdpChecksum, 0);
  storeRaw(udp + kUdpChecksum, udpChecksum(checksumFinish(checksumAdd(
                                   udp, udpLength, pseudoHeaderSum(out, kProtocolUdp, udpLength)))));
}

}  // namespace vine
