// How often what decisions depend on has changed: src/tables/forwarding/generations.ts, whose mirror this is.
#pragma once
#include <cstdint>

namespace vine {

/** The one for everything, then 1,024 of addresses and MACs. */
constexpr uint32_t kGenerationWords = 1025;
/** No sum is odd. */
constexpr int32_t kNoGeneration = 1;

class Generations {
 public:
  Generations() = default;
  explicit Generations(const int32_t* words) : words_(words) {}

  /** An address of four words, IPv4 in the last. */
  uint32_t ofAddress(const int32_t* address) const {
    return of(static_cast<uint32_t>(address[0]), static_cast<uint32_t>(address[1]), static_cast<uint32_t>(address[2]),
              static_cast<uint32_t>(address[3]));
  }

  /** A MAC's first 16 bits and its last 32. */
  uint32_t ofMac(uint32_t high, int32_t low) const { return of(0, 0, high, static_cast<uint32_t>(low)); }

  uint32_t ofEverything() const { return load(0); }

 private:
  uint32_t load(uint32_t word) const { return static_cast<uint32_t>(__atomic_load_n(words_ + word, __ATOMIC_ACQUIRE)); }

  uint32_t of(uint32_t w0, uint32_t w1, uint32_t w2, uint32_t w3) const {
    uint32_t h = w3 * 0x9e3779b1u + w2 * 0xc2b2ae3du + w1 * 0x27d4eb2fu + w0 * 0x165667b1u;
    h = (h ^ (h >> 15)) * 0x85ebca6bu;
    return load(1 + ((h ^ (h >> 13)) >> 22));
  }

  const int32_t* words_ = nullptr;
};

}  // namespace vine
