#include "crypto/chacha_poly.h"

#include <dlfcn.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "crypto/aead.h"

namespace vine {
namespace {

constexpr size_t kBlockBytes = 64;
// The vector code for AVX-512 takes 100 ns for up to 256 bytes, 220 ns for up to 512, and 135 ns for each 1,024 of
// what is longer: the block that makes the Poly1305 key goes with the message's beginning, in a call for up to 1,024
// bytes, and neither that call nor the one for the rest should fall into the middle range.
constexpr size_t kShortCall = 256;
constexpr size_t kMediumCall = 512;
constexpr size_t kLongCall = 1024;
constexpr size_t kMostHead = kLongCall - kBlockBytes;
constexpr size_t kPolyContextBytes = 512;

/** OpenSSL's include/crypto/chacha.h and include/crypto/poly1305.h. */
struct Primitives {
  void (*chacha)(uint8_t* out, const uint8_t* in, size_t length, const uint32_t* key, const uint32_t* counter);
  size_t (*polySize)();
  void (*polyInit)(void* context, const uint8_t* key);
  void (*polyUpdate)(void* context, const uint8_t* data, size_t length);
  void (*polyFinal)(void* context, uint8_t* tag);
};

Primitives primitives{};

template <typename Function>
bool find(const char* name, Function* function) {
  *function = reinterpret_cast<Function>(dlsym(RTLD_DEFAULT, name));
  return *function != nullptr;
}

bool findPrimitives() {
  return find("ChaCha20_ctr32", &primitives.chacha) && find("Poly1305_ctx_size", &primitives.polySize) &&
         find("Poly1305_Init", &primitives.polyInit) && find("Poly1305_Update", &primitives.polyUpdate) &&
         find("Poly1305_Final", &primitives.polyFinal) && primitives.polySize() <= kPolyContextBytes;
}

/** A key stream from block `first` on; the counter is the state's word 12, the nonce words 13 to 15. */
void chacha(const uint32_t* key, const uint8_t* nonce, uint32_t first, const uint8_t* in, uint8_t* out,
            size_t length) {
  const uint32_t counter[4] = {first, loadLe32(nonce), loadLe32(nonce + 4), loadLe32(nonce + 8)};
  primitives.chacha(out, in, length, key, counter);
}

void authenticate(const uint8_t* key, const uint8_t* data, size_t length, uint8_t* tag) {
  alignas(64) uint8_t context[kPolyContextBytes];
  // Padding of the message to 16 bytes, then the lengths of associated data (none) and message.
  uint8_t tail[15 + 16] = {};
  const size_t padding = (16 - length % 16) % 16;
  storeLe64(tail + padding + 8, length);
  primitives.polyInit(context, key);
  primitives.polyUpdate(context, data, length);
  primitives.polyUpdate(context, tail, padding + 16);
  primitives.polyFinal(context, tag);
}

/** Both ways through both implementations, over lengths around every boundary of the vector code. */
bool agreesWithEvp() {
  constexpr size_t kMost = 4200;
  static uint8_t plain[kMost];
  static uint8_t ours[kMost + kTagBytes];
  static uint8_t theirs[kMost + kTagBytes];
  uint8_t key[kKeyBytes];
  for (size_t i = 0; i < sizeof key; i++) key[i] = static_cast<uint8_t>(i * 7 + 3);
  for (size_t i = 0; i < kMost; i++) plain[i] = static_cast<uint8_t>(i * 31 + i / 251);
  ChaChaPoly raw;
  raw.setKey(key);
  EvpAead evp;
  EvpAead evpOpen;
  if (!evp.init(Cipher::chacha20Poly1305, Direction::seal, key)) return false;
  if (!evpOpen.init(Cipher::chacha20Poly1305, Direction::open, key)) return false;
  for (size_t length = 0; length <= kMost; length += length < 1200 ? 1 : 37) {
    uint8_t nonce[kNonceBytes] = {0, 0, 0, 0, 0xfe, 0xff, 0xff, 0xff, 1, 0, 0, 0x80};
    storeLe32(nonce + 4, static_cast<uint32_t>(length * 0x9e3779b1u));
    std::memcpy(ours, plain, length);
    std::memcpy(theirs, plain, length);
    raw.seal(nonce, ours, length);
    if (!evp.seal(nonce, theirs, length) || std::memcmp(ours, theirs, length + kTagBytes) != 0) return false;
    if (!raw.open(nonce, theirs, length) || std::memcmp(theirs, plain, length) != 0) return false;
    if (!evpOpen.open(nonce, ours, length)) return false;
    raw.seal(nonce, theirs, length);
    theirs[length * 5 % (length + kTagBytes)] ^= 4;
    if (raw.open(nonce, theirs, length)) return false;
  }
  return true;
}

}  // namespace

bool ChaChaPoly::available() {
  static const bool found = findPrimitives() && agreesWithEvp();
  return found;
}

void ChaChaPoly::setKey(const uint8_t* key) {
  for (size_t i = 0; i < kKeyBytes / 4; i++) key_[i] = loadLe32(key + 4 * i);
}

void ChaChaPoly::wipe() { OPENSSL_cleanse(key_, sizeof key_); }

namespace {

/** The key block and the message's first `bytes`, turned; the message itself is as it was. */
struct Head {
  Head(const uint32_t* key, const uint8_t* nonce, const uint8_t* data, size_t length) {
    bytes = std::min(length, kMostHead);
    const size_t rest = length - bytes;
    if (rest > kShortCall && rest <= kMediumCall) bytes -= kLongCall - kMediumCall - kShortCall;
    std::memset(turned, 0, kBlockBytes);
    std::memcpy(turned + kBlockBytes, data, bytes);
    const size_t call = kBlockBytes + bytes;
    // What lies behind is turned too, and not used.
    chacha(key, nonce, 0, turned, turned, call > kShortCall && call <= kMediumCall ? kMediumCall + 1 : call);
  }
  const uint8_t* polyKey() const { return turned; }

  /** Puts the head in its place and turns the rest of the message. */
  void finish(const uint32_t* key, const uint8_t* nonce, uint8_t* data, size_t length) const {
    std::memcpy(data, turned + kBlockBytes, bytes);
    if (length == bytes) return;
    const auto next = static_cast<uint32_t>(1 + bytes / kBlockBytes);
    chacha(key, nonce, next, data + bytes, data + bytes, length - bytes);
  }

  size_t bytes;
  alignas(64) uint8_t turned[kLongCall];
};

}  // namespace

void ChaChaPoly::seal(const uint8_t* nonce, uint8_t* data, size_t length) const {
  const Head head(key_, nonce, data, length);
  head.finish(key_, nonce, data, length);
  authenticate(head.polyKey(), data, length, data + length);
}

bool ChaChaPoly::open(const uint8_t* nonce, uint8_t* data, size_t length) const {
  uint8_t tag[kTagBytes];
  const Head head(key_, nonce, data, length);
  authenticate(head.polyKey(), data, length, tag);
  if (CRYPTO_memcmp(tag, data + length, kTagBytes) != 0) return false;
  head.finish(key_, nonce, data, length);
  return true;
}

}  // namespace vine
