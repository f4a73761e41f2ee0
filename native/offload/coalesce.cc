#include "offload/coalesce.h"

#include <linux/if_ether.h>

#include <cstring>

#include "base/byte_order.h"
#include "base/layout.h"
#include "offload/checksum.h"

namespace vine {
namespace {

// With the Ethernet header in front, the largest length that a virtio-net header's 16-bit fields reach.
constexpr size_t kMaxBundleBytes = 65'535 - ETH_HLEN;
// One message has 1,024 parts at most (UIO_MAXIOV), one of which is the headers.
constexpr uint32_t kMaxTcpPackets = 1000;
// UDP_MAX_SEGMENTS of the kernels that have the fewest; they refuse more.
constexpr uint32_t kMaxUdpPackets = 64;
constexpr uint32_t kNone = UINT32_MAX;

constexpr size_t kTcpFlags = 13;
constexpr uint8_t kTcpAck = 0x10;
constexpr uint8_t kTcpPush = 0x08;
constexpr uint16_t kDontFragment = 0x4000;

const uint8_t* addresses(const Bundle& bundle, size_t* length) {
  *length = bundle.version == 4 ? 8 : 32;
  return bundle.packet + (bundle.version == 4 ? 12 : 8);
}

uint32_t hashFlow(const Bundle& bundle) {
  size_t length = 0;
  const uint8_t* at = addresses(bundle, &length);
  uint64_t sum = loadRaw<uint32_t>(bundle.packet + bundle.layer4);
  for (size_t i = 0; i < length; i += 8) sum = (sum ^ loadRaw<uint64_t>(at + i)) * 0x9e3779b97f4a7c15;
  return static_cast<uint32_t>(sum >> 32);
}

bool sameFlow(const Bundle& a, const Bundle& b) {
  if (a.version != b.version || a.protocol != b.protocol || a.lan != b.lan) return false;
  size_t length = 0;
  const uint8_t* first = addresses(a, &length);
  return std::memcmp(first, addresses(b, &length), length) == 0 &&
         std::memcmp(a.packet + a.layer4, b.packet + b.layer4, 4) == 0;
}

bool sameMac(const int32_t* a, const int32_t* b) {
  return a[word::outMacHigh] == b[word::outMacHigh] && a[word::outMacLow] == b[word::outMacLow];
}

/** The parts of the IP headers that a cut repeats. `count` packets lie before `next`. */
bool sameIp(const Bundle& bundle, const Bundle& next) {
  const uint8_t* a = bundle.packet;
  const uint8_t* b = next.packet;
  // Version, traffic class, flow label; hop limit.
  if (bundle.version == 6) return std::memcmp(a, b, 4) == 0 && a[7] == b[7];
  if (a[1] != b[1] || a[8] != b[8] || std::memcmp(a + 6, b + 6, 2) != 0) return false;
  if (loadBe16(a + 6) & kDontFragment) return true;
  return loadBe16(b + 4) == static_cast<uint16_t>(loadBe16(a + 4) + bundle.packets);
}

bool sameTcp(const Bundle& bundle, const Bundle& next) {
  const uint8_t* a = bundle.packet + bundle.layer4;
  const uint8_t* b = next.packet + next.layer4;
  if (loadBe32(b + 4) != loadBe32(a + 4) + bundle.payload) return false;
  // Acknowledgement and data offset; window; urgent pointer and options. The flags were looked at in `describe`.
  return std::memcmp(a + 8, b + 8, 5) == 0 && std::memcmp(a + 14, b + 14, 2) == 0 &&
         std::memcmp(a + 18, b + 18, bundle.headers - bundle.layer4 - 18) == 0;
}

/** New checksums would turn a packet that was damaged before the tunnel into a valid one. */
bool checksumsHold(const Bundle& packet) {
  if (packet.version == 4 && checksumFinish(checksumAdd(packet.packet, packet.layer4, 0)) != 0) return false;
  const size_t length = packet.length - packet.layer4;
  return checksumFinish(checksumAdd(packet.packet + packet.layer4, length,
                                    pseudoHeaderSum(packet.packet, packet.protocol, length))) == 0;
}

}  // namespace

Coalescer::Coalescer(size_t most) : most_(most) {
  bundles_.reserve(most);
  pieces_.reserve(most);
  size_t size = 64;
  while (size < 2 * most) size *= 2;
  flows_.resize(size, {0, 0});
}

void Coalescer::add(const LanSocket* lan, const int32_t* descriptor, const uint8_t* packet, size_t length,
                    bool whole) {
  Bundle bundle{};
  bundle.lan = lan;
  bundle.descriptor = descriptor;
  bundle.packet = packet;
  bundle.length = length;
  bundle.packets = 1;
  bundle.firstPiece = bundle.lastPiece = static_cast<uint32_t>(pieces_.size());
  pieces_.push_back({packet, static_cast<uint32_t>(length), kNone});
  PacketShape shape;
  const bool readable = readShape(packet, length, &shape);
  if (!readable || !shape.complete) {
    // A fragment may belong to any flow between its hosts: none may pass it.
    generation_++;
    bundles_.push_back(bundle);
    return;
  }
  const bool ports = shape.protocol == kProtocolTcp || shape.protocol == kProtocolUdp;
  if (!ports || length - shape.layer4 < kUdpBytes) {
    bundles_.push_back(bundle);
    return;
  }
  bundle.layer4 = static_cast<uint32_t>(shape.layer4);
  bundle.version = shape.version;
  bundle.protocol = shape.protocol;
  if (!whole) describe(&bundle, shape);
  uint32_t* flow = findFlow(bundle);
  if (*flow != kNone && join(&bundles_[*flow], bundle)) return;
  *flow = static_cast<uint32_t>(bundles_.size());
  bundles_.push_back(bundle);
}

/** Finds out whether the packet can be joined by others: `headers` stays 0 when it cannot. */
void Coalescer::describe(Bundle* bundle, const PacketShape& shape) const {
  const uint8_t* packet = bundle->packet;
  const size_t plainIp = shape.version == 4 ? kIpv4MinBytes : kIpv6Bytes;
  if (shape.layer4 != plainIp || shape.statedLength != bundle->length) return;
  size_t headers = 0;
  if (shape.protocol == kProtocolTcp) {
    headers = tcpHeadersLength(packet, bundle->length, shape);
    if (headers == 0) return;
    const uint8_t flags = packet[shape.layer4 + kTcpFlags];
    if ((flags & ~kTcpPush) != kTcpAck) return;
    bundle->push = (flags & kTcpPush) != 0;
  } else {
    const uint8_t* udp = packet + shape.layer4;
    if (!udp_ || loadBe16(udp + 4) != bundle->length - shape.layer4) return;
    // Without a checksum it must stay without one.
    if (loadBe16(udp + 6) == 0) return;
    headers = shape.layer4 + kUdpBytes;
  }
  if (headers == bundle->length) return;
  bundle->headers = static_cast<uint32_t>(headers);
  bundle->each = bundle->payload = static_cast<uint32_t>(bundle->length - headers);
  bundle->open = !bundle->push;
}

/** The place in the table that holds the flow's last bundle, or an empty one (kNone) for it. */
uint32_t* Coalescer::findFlow(const Bundle& bundle) {
  const size_t mask = flows_.size() - 1;
  for (size_t i = hashFlow(bundle) & mask;; i = (i + 1) & mask) {
    Entry& entry = flows_[i];
    if (entry.generation != generation_) {
      entry = {generation_, kNone};
      return &entry.bundle;
    }
    if (sameFlow(bundles_[entry.bundle], bundle)) return &entry.bundle;
  }
}

bool Coalescer::join(Bundle* bundle, const Bundle& next) {
  if (!bundle->open || next.headers == 0 || next.headers != bundle->headers || next.payload > bundle->each ||
      bundle->packets == (bundle->protocol == kProtocolTcp ? kMaxTcpPackets : kMaxUdpPackets) ||
      bundle->headers + bundle->payload + next.payload > kMaxBundleBytes ||
      !sameMac(bundle->descriptor, next.descriptor) || !sameIp(*bundle, next)) {
    return false;
  }
  if (bundle->protocol == kProtocolTcp && !sameTcp(*bundle, next)) return false;
  if (!bundle->verified) {
    bundle->open = checksumsHold(*bundle);
    bundle->verified = true;
  }
  if (!bundle->open || !checksumsHold(next)) return false;
  append(bundle, next);
  return true;
}

void Coalescer::append(Bundle* bundle, const Bundle& next) {
  pieces_[bundle->lastPiece].next = next.firstPiece;
  bundle->lastPiece = next.firstPiece;
  bundle->packets++;
  bundle->payload += next.payload;
  bundle->push = next.push;
  // A cut makes only the last packet shorter, and gives only the last one PSH.
  bundle->open = next.payload == bundle->each && !next.push;
}

void Coalescer::clear() {
  bundles_.clear();
  pieces_.clear();
  generation_++;
}

void writeBundleHeaders(const Bundle& bundle, uint8_t* out) {
  std::memcpy(out, bundle.packet, bundle.headers);
  const size_t length = bundle.headers + bundle.payload;
  if (bundle.version == 4) {
    storeBe16(out + 2, static_cast<uint16_t>(length));
    storeBe16(out + 10, 0);
    storeRaw(out + 10, checksumFinish(checksumAdd(out, bundle.layer4, 0)));
  } else {
    storeBe16(out + 4, static_cast<uint16_t>(length - kIpv6Bytes));
  }
  uint8_t* layer4 = out + bundle.layer4;
  const size_t layer4Length = length - bundle.layer4;
  const auto sum = static_cast<uint16_t>(~checksumFinish(pseudoHeaderSum(out, bundle.protocol, layer4Length)));
  if (bundle.protocol == kProtocolTcp) {
    if (bundle.push) layer4[kTcpFlags] |= kTcpPush;
    storeRaw(layer4 + 16, sum);
  } else {
    storeBe16(layer4 + 4, static_cast<uint16_t>(layer4Length));
    storeRaw(layer4 + 6, sum);
  }
}

}  // namespace vine
