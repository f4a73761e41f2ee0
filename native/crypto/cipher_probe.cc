#include "crypto/cipher_probe.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstring>

#include "base/wire.h"
#include "crypto/aead.h"

namespace vine {
namespace {

/** A full packet of a path of 1,500 bytes. */
constexpr size_t kPacketBytes = 1424;
constexpr size_t kPacketsPerRound = 48;
/** The best of so many counts: others' work on the machine only ever makes a round slower. */
constexpr int kRounds = 12;

/** McGrew, Viega, The Galois/Counter Mode of Operation, test cases 13 and 14: key, nonce and 16 bytes of text all zero. */
constexpr std::array<uint8_t, kTagBytes> kEmptyTag = {0x53, 0x0f, 0x8a, 0xfb, 0xc7, 0x45, 0x36, 0xb9,
                                                      0xa9, 0x63, 0xb4, 0xf1, 0xc4, 0xcb, 0x73, 0x8b};
constexpr std::array<uint8_t, 16 + kTagBytes> kZerosSealed = {
    0xce, 0xa7, 0x40, 0x3d, 0x4d, 0x60, 0x6b, 0x6e, 0x07, 0x4e, 0xc5, 0xd3, 0xba, 0xf3, 0x9d, 0x18,
    0xd0, 0xd1, 0xc8, 0xa7, 0x99, 0x99, 0x6b, 0xf0, 0x26, 0x5b, 0x98, 0xb5, 0xd4, 0x8a, 0xb9, 0x19};

bool sealsKnownAnswers() {
  const uint8_t key[kKeyBytes] = {};
  uint8_t sealed[16 + kTagBytes] = {};
  AeadContext aead;
  if (!aead.init(Cipher::aes256Gcm, Direction::seal, key)) return false;
  if (!aead.seal(0, sealed, 0) || std::memcmp(sealed, kEmptyTag.data(), kTagBytes) != 0) return false;
  std::memset(sealed, 0, sizeof sealed);
  return aead.seal(0, sealed, 16) && std::memcmp(sealed, kZerosSealed.data(), sizeof sealed) == 0;
}

/**
 * Counter mode turns each block by itself: a message is sealed as its beginnings are. The code for a few blocks is another than
 * that for many, so each checks the other, at every length around the boundaries of both.
 */
bool agreesWithItself() {
  constexpr size_t kMost = 1600;
  static uint8_t whole[kMost + kTagBytes];
  static uint8_t part[kMost + kTagBytes];
  uint8_t key[kKeyBytes];
  for (size_t i = 0; i < sizeof key; i++) key[i] = static_cast<uint8_t>(i * 11 + 5);
  AeadContext sealing;
  AeadContext opening;
  if (!sealing.init(Cipher::aes256Gcm, Direction::seal, key)) return false;
  if (!opening.init(Cipher::aes256Gcm, Direction::open, key)) return false;
  constexpr uint64_t counter = 0x0102030405060708;
  std::memset(whole, 0x5a, kMost);
  if (!sealing.seal(counter, whole, kMost)) return false;
  for (size_t length = 0; length <= kMost; length += length < 300 ? 1 : 13) {
    std::memset(part, 0x5a, length);
    if (!sealing.seal(counter, part, length) || std::memcmp(part, whole, length) != 0) return false;
    part[length * 5 % (length + kTagBytes)] ^= 4;
    if (opening.open(counter, part, length)) return false;
    std::memset(part, 0x5a, length);
    if (!sealing.seal(counter, part, length) || !opening.open(counter, part, length)) return false;
    if (std::any_of(part, part + length, [](uint8_t byte) { return byte != 0x5a; })) return false;
  }
  return true;
}

double gbpsOf(Cipher cipher) {
  static uint8_t packet[kPacketBytes + kTagBytes];
  const uint8_t key[kKeyBytes] = {1, 2, 3};
  AeadContext sealing;
  AeadContext opening;
  if (!sealing.init(cipher, Direction::seal, key) || !opening.init(cipher, Direction::open, key)) return 0;
  double bestSeconds = 1;
  for (int round = 0; round < kRounds; round++) {
    const auto began = std::chrono::steady_clock::now();
    for (uint64_t counter = 0; counter < kPacketsPerRound; counter++) {
      if (!sealing.seal(counter, packet, kPacketBytes) || !opening.open(counter, packet, kPacketBytes)) return 0;
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    bestSeconds = std::min(bestSeconds, std::max(took.count(), 1e-9));
  }
  return 2.0 * kPacketsPerRound * kPacketBytes * 8 / bestSeconds / 1e9;
}

CipherSpeeds probe() {
  CipherSpeeds speeds;
  speeds.chachaGbps = gbpsOf(Cipher::chacha20Poly1305);
  if (sealsKnownAnswers() && agreesWithItself()) speeds.aesGbps = gbpsOf(Cipher::aes256Gcm);
  return speeds;
}

}  // namespace

const CipherSpeeds& cipherSpeeds() {
  static const CipherSpeeds speeds = probe();
  return speeds;
}

}  // namespace vine
