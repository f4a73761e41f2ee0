#include "engine/tunnel_sender.h"

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "base/wire.h"
#include "offload/descriptor_offload.h"
#include "offload/fragment.h"
#include "session/seal.h"

namespace vine {
namespace {

// What every IPv4 host must be able to take (RFC 791 §3.2). A smaller MTU is a mistake, not a network.
constexpr int32_t kSmallestMtu = 576;
constexpr size_t kMostIpBytes = 65'535;

/** What precedes the packet inside the seal: nothing for a WireGuard client. */
size_t innerHeaderBytes(const int32_t* d) { return d[word::action] == action::bare ? 0 : kOverlayHeaderBytes; }

size_t paddedLength(size_t plain, size_t most) {
  const size_t rounded = (plain + kPaddingMultiple - 1) / kPaddingMultiple * kPaddingMultiple;
  return std::max(plain, std::min(rounded, most));
}

bool overlayWordsValid(const int32_t* d) {
  return d[word::vnet] >= 0 && d[word::vnet] <= 0xffff && d[word::hops] >= 0 && d[word::hops] <= 0xff &&
         d[word::mtu] >= kSmallestMtu;
}

}  // namespace

TunnelSender::TunnelSender(const PacketMemory& memory, Counters& counters, uint32_t lane,
                           const std::vector<UdpLink>& sockets)
    : memory_(memory),
      counters_(counters),
      table_(SessionTable::instance()),
      lane_(lane),
      sessions_(table_.lock, std::defer_lock),
      trains_(counters, sockets) {}

void TunnelSender::send(const int32_t* d) {
  if (d[word::action] == action::message) {
    sealWhole(d);
    return;
  }
  size_t length = 0;
  const uint8_t* packet = memory_.packetOf(d, &length);
  Offload offload;
  SplitPlan plan;
  if (packet == nullptr || !overlayWordsValid(d) || !readOffload(d, &offload) ||
      !plan.make(packet, length, offload, static_cast<size_t>(d[word::mtu]))) {
    counters_.add(counter::splitErrors);
    return;
  }
  for (uint32_t segment = 0; segment < plan.count(); segment++) {
    if (!sealSegment(plan, segment, d, static_cast<size_t>(d[word::mtu]))) return;
  }
}

bool TunnelSender::sealSegment(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu) {
  const size_t length = plan.lengthOf(segment);
  bool sealed = false;
  if (length > mtu && length <= kMostIpBytes && sealFragments(plan, segment, d, mtu, &sealed)) return sealed;
  return sealPacket(d, mtu, length, [&](uint8_t* out) { plan.write(segment, out); });
}

/** False when the packet must stay whole. */
bool TunnelSender::sealFragments(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu, bool* sealed) {
  whole_.resize(plan.lengthOf(segment));
  plan.write(segment, whole_.data());
  FragmentPlan fragments;
  if (!fragments.make(whole_.data(), whole_.size(), mtu)) return false;
  *sealed = true;
  for (uint32_t i = 0; *sealed && i < fragments.count(); i++) {
    *sealed = sealPacket(d, mtu, fragments.lengthOf(i), [&](uint8_t* out) { fragments.write(i, out); });
  }
  return true;
}

template <typename Write>
bool TunnelSender::sealPacket(const int32_t* d, size_t mtu, size_t length, Write write) {
  const size_t header = innerHeaderBytes(d);
  const size_t plain = header + length;
  const size_t padded = paddedLength(plain, header + mtu);
  const auto peer = static_cast<uint32_t>(d[word::to]);
  Place place{};
  // Nobody probes the path to a WireGuard client.
  place.fragmented = length > mtu || d[word::action] == action::bare;
  if (!open(peer, padded, &place)) return false;
  uint8_t* inner = place.out + kTransportHeaderBytes;
  if (header != 0) {
    inner[0] = kOverlayType;
    inner[1] = static_cast<uint8_t>(d[word::hops]);
    storeBe16(inner + 2, static_cast<uint16_t>(d[word::vnet]));
  }
  write(inner + header);
  std::memset(inner + plain, 0, padded - plain);
  return close(peer, padded, &place);
}

void TunnelSender::sealWhole(const int32_t* d) {
  size_t length = 0;
  const uint8_t* payload = memory_.packetOf(d, &length);
  const auto peer = static_cast<uint32_t>(d[word::to]);
  Place place{};
  if (payload == nullptr) {
    counters_.add(counter::splitErrors);
  } else if (open(peer, length, &place)) {
    std::memcpy(place.out + kTransportHeaderBytes, payload, length);
    close(peer, length, &place);
  }
}

bool TunnelSender::open(uint32_t peer, size_t payload, Place* place) {
  const size_t total = kTransportHeaderBytes + payload + kTagBytes;
  if (total + kRelayOverhead > kMaxDatagramBytes) {
    counters_.add(counter::tunnelSendErrors);
    return false;
  }
  uint8_t* room = reserve(total + kRelayOverhead);
  // Looked up for each message: while a full batch was being sent the session may have gone.
  if (!sessions_.owns_lock()) sessions_.lock();
  place->session = peer < kMaxPeers ? table_.usable(peer, nowMs_) : nullptr;
  if (place->session == nullptr || !table_.peer(peer).endpoint.load(&place->endpoint)) {
    counters_.add(counter::noSession);
    return false;
  }
  place->out = room + (place->endpoint.isRelay() ? kRelayLead : 0);
  return true;
}

bool TunnelSender::close(uint32_t peer, size_t payload, Place* place) {
  size_t total = kTransportHeaderBytes + payload + kTagBytes;
  bool sealed = sealMessage(place->session, lane_, place->out, payload);
  if (sealed && place->endpoint.isRelay()) {
    sealed = wrapForRelay(peer, lane_, nowMs_, place->out - kRelayLead, total, &place->endpoint);
    total += kRelayOverhead;
  }
  if (!sealed) {
    counters_.add(counter::noSession);
    return false;
  }
  trains_.add(peer, place->endpoint, total, place->fragmented);
  return true;
}

uint8_t* TunnelSender::reserve(size_t length) {
  if (!trains_.hasRoomFor(length)) flush();
  return trains_.room();
}

void TunnelSender::flush() {
  // Whoever installs or removes a session must not wait for the network.
  if (sessions_.owns_lock()) sessions_.unlock();
  trains_.flush(nowMs_);
}

}  // namespace vine
