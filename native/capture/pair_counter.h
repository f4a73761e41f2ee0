// Counts IP packets by their pair of addresses, in bounded memory. One thread.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace vine {

/** As JavaScript reads it (src/dataplane/pair-counter.ts): IPv4 addresses in the first four bytes. */
struct CountedPair {
  uint8_t source[16];
  uint8_t destination[16];
  double packets;
  double bytes;
  /** 4 or 6. */
  double family;
};
static_assert(sizeof(CountedPair) == 56, "JavaScript knows it");

class PairCounter {
 public:
  /** Of an Ethernet frame, two tags and an IPv6 header: what is behind it is not looked at. */
  static constexpr size_t kFrameBytes = 64;
  static constexpr size_t kMostPairs = 65'536;

  PairCounter();
  PairCounter(const PairCounter&) = delete;
  PairCounter& operator=(const PairCounter&) = delete;

  /** An Ethernet frame, or its beginning. */
  void count(const uint8_t* frame, size_t length);
  const std::vector<CountedPair>& pairs() const { return pairs_; }
  /** Of any kind. */
  uint64_t frames() const { return frames_; }
  /** Of packets whose pair there was no room for. */
  uint64_t restBytes() const { return restBytes_; }
  /** Anew, from nothing. */
  void clear();

 private:
  struct Packet;

  static bool readFrame(const uint8_t* frame, size_t length, Packet* packet);
  static bool readPacket(const uint8_t* data, size_t length, Packet* packet);
  uint64_t hashOf(const Packet& packet) const;
  /** Null: there is no room. */
  CountedPair* find(const Packet& packet);

  std::vector<CountedPair> pairs_;
  /** Open addressing: numbers in `pairs_`, from 1 on. */
  std::vector<uint32_t> slots_;
  /** Whoever is counted must not be able to choose addresses that meet in one slot. */
  std::array<uint64_t, 4> seeds_{};
  uint64_t frames_ = 0;
  uint64_t restBytes_ = 0;
};

}  // namespace vine
