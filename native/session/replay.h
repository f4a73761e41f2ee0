// The replay window of one session: RFC 6479, a ring of words in which moving the window clears whole words instead
// of shifting bits.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>

namespace vine {

class ReplayWindow {
 public:
  /** Whether `counter` was not accepted before and is not too old to know. Changes nothing: call before opening. */
  bool fresh(uint64_t counter) const {
    if (counter >= next_) return true;
    if (next_ - counter > kWindow) return false;
    return (ring_[wordOf(counter)] & bitOf(counter)) == 0;
  }

  /** Marks `counter` as accepted. Only after authentication, and only when `fresh` said yes. */
  void accept(uint64_t counter) {
    if (counter >= next_) {
      clearUpTo(counter);
      next_ = counter + 1;
    }
    ring_[wordOf(counter)] |= bitOf(counter);
  }

 private:
  // Four times WireGuard's: where several threads seal for one session, one that loses its processor between sealing and
  // sending is behind by what the others send meanwhile.
  static constexpr uint64_t kWords = 512;
  // One word less than the ring: the newest word is only partly ahead of the window's end (RFC 6479 §2).
  static constexpr uint64_t kWindow = (kWords - 1) * 64;

  static size_t wordOf(uint64_t counter) { return (counter / 64) % kWords; }
  static uint64_t bitOf(uint64_t counter) { return uint64_t{1} << (counter % 64); }

  void clearUpTo(uint64_t counter) {
    // The word that holds the newest accepted counter stays; with none accepted yet the whole ring is zero anyway.
    const uint64_t newest = next_ == 0 ? 0 : (next_ - 1) / 64;
    uint64_t ahead = counter / 64 - newest;
    if (ahead > kWords) ahead = kWords;
    for (uint64_t i = 1; i <= ahead; i++) ring_[(newest + i) % kWords] = 0;
  }

  /** One above the highest accepted counter; counters near 2^64 are refused before they come here. */
  uint64_t next_ = 0;
  std::array<uint64_t, kWords> ring_{};
};

}  // namespace vine
