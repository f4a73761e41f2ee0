#include "capture/pair_counter.h"

#include <sys/random.h>

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"

namespace vine {
namespace {

constexpr size_t kMacsBytes = 12;
constexpr size_t kTagBytes = 4;
constexpr uint16_t kIpv4 = 0x0800;
constexpr uint16_t kIpv6 = 0x86dd;
constexpr size_t kIpv4HeaderBytes = 20;
constexpr size_t kIpv6HeaderBytes = 40;
/** Half of them stay empty. */
constexpr size_t kSlots = 2 * PairCounter::kMostPairs;
/** Further away nobody looks, however full it is. */
constexpr size_t kMostProbes = 64;

/** IEEE 802.1Q, 802.1ad, and what was used before it. */
bool isTag(uint16_t type) { return type == 0x8100 || type == 0x88a8 || type == 0x9100; }

uint64_t mix(uint64_t a, uint64_t b) {
  const auto product = static_cast<unsigned __int128>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

}  // namespace

struct PairCounter::Packet {
  /** As in `CountedPair`. */
  uint8_t addresses[32];
  uint32_t bytes;
  int family;
};

PairCounter::PairCounter() : slots_(kSlots) {
  // So few bytes come whole. Should there be none, it counts all the same.
  if (getrandom(seeds_.data(), sizeof seeds_, 0) < 0) seeds_.fill(0x9e37'79b9'7f4a'7c15);
}

void PairCounter::count(const uint8_t* frame, size_t length) {
  frames_++;
  Packet packet{};
  if (!readFrame(frame, length, &packet)) return;
  CountedPair* pair = find(packet);
  if (pair == nullptr) {
    restBytes_ += packet.bytes;
    return;
  }
  pair->packets += 1;
  pair->bytes += packet.bytes;
}

void PairCounter::clear() {
  frames_ = 0;
  restBytes_ = 0;
  if (pairs_.empty()) return;
  pairs_.clear();
  std::fill(slots_.begin(), slots_.end(), 0);
}

bool PairCounter::readFrame(const uint8_t* frame, size_t length, Packet* packet) {
  size_t at = kMacsBytes;
  while (length >= at + 2 && isTag(loadBe16(frame + at))) at += kTagBytes;
  if (length < at + 2) return false;
  const uint16_t type = loadBe16(frame + at);
  return (type == kIpv4 || type == kIpv6) && readPacket(frame + at + 2, length - at - 2, packet);
}

bool PairCounter::readPacket(const uint8_t* data, size_t length, Packet* packet) {
  if (length < kIpv4HeaderBytes) return false;
  packet->family = data[0] >> 4;
  if (packet->family == 4) {
    packet->bytes = loadBe16(data + 2);
    std::memcpy(packet->addresses, data + 12, 4);
    std::memcpy(packet->addresses + 16, data + 16, 4);
    return (data[0] & 15) >= 5 && packet->bytes >= kIpv4HeaderBytes;
  }
  if (packet->family != 6 || length < kIpv6HeaderBytes) return false;
  packet->bytes = kIpv6HeaderBytes + loadBe16(data + 4);
  std::memcpy(packet->addresses, data + 8, 32);
  return true;
}

uint64_t PairCounter::hashOf(const Packet& packet) const {
  uint64_t words[4];
  std::memcpy(words, packet.addresses, sizeof words);
  const uint64_t source = mix(words[0] ^ seeds_[0], words[1] ^ seeds_[1]);
  const uint64_t destination = mix(words[2] ^ seeds_[2], words[3] ^ seeds_[3]);
  return mix(source ^ seeds_[2], destination ^ seeds_[0] ^ static_cast<uint64_t>(packet.family));
}

CountedPair* PairCounter::find(const Packet& packet) {
  const uint64_t hash = hashOf(packet);
  for (size_t probe = 0; probe < kMostProbes; probe++) {
    uint32_t& slot = slots_[(hash + probe) & (kSlots - 1)];
    if (slot == 0) {
      if (pairs_.size() == kMostPairs) return nullptr;
      CountedPair pair{{}, {}, 0, 0, static_cast<double>(packet.family)};
      std::memcpy(pair.source, packet.addresses, 16);
      std::memcpy(pair.destination, packet.addresses + 16, 16);
      pairs_.push_back(pair);
      slot = static_cast<uint32_t>(pairs_.size());
      return &pairs_.back();
    }
    CountedPair* pair = &pairs_[slot - 1];
    if (pair->family == packet.family && std::memcmp(pair->source, packet.addresses, 16) == 0 &&
        std::memcmp(pair->destination, packet.addresses + 16, 16) == 0) {
      return pair;
    }
  }
  return nullptr;
}

}  // namespace vine
