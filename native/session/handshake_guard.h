// The cheap checks on handshake messages (WireGuard paper §5.3, §5.4.7): mac1, mac2, and cookie replies, so that a flood
// of initiations costs microseconds and not Diffie-Hellmans. BLAKE2s and ChaCha20-Poly1305 are OpenSSL's.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/wire.h"
#include "io/endpoint.h"

struct evp_mac_ctx_st;
struct evp_cipher_ctx_st;

namespace vine {

struct GuardKeys {
  /** Hash(Label-Mac1 ‖ our public key) and Hash(Label-Cookie ‖ our public key). */
  std::array<uint8_t, kKeyBytes> mac1Key;
  std::array<uint8_t, kKeyBytes> cookieKey;
  /** Changes every two minutes. */
  std::array<uint8_t, kKeyBytes> cookieSecret;
};

/** The keys of the process. While none are set every message passes. */
class GuardRegistry {
 public:
  static GuardRegistry& instance();
  void set(const GuardKeys& keys);
  uint32_t version() const { return version_.load(std::memory_order_acquire); }
  /** The keys and their version. */
  uint32_t load(GuardKeys* keys);

 private:
  std::mutex mutex_;
  GuardKeys keys_{};
  std::atomic<uint32_t> version_{0};
};

/** Keyed BLAKE2s with 16 bytes of output. */
class KeyedMac {
 public:
  KeyedMac() = default;
  ~KeyedMac();
  KeyedMac(const KeyedMac&) = delete;
  KeyedMac& operator=(const KeyedMac&) = delete;
  bool setKey(const uint8_t* key, size_t length);
  bool compute(const uint8_t* data, size_t length, uint8_t* out);

 private:
  evp_mac_ctx_st* context_ = nullptr;
};

/** For one thread. */
class HandshakeGuard {
 public:
  enum class Verdict : uint8_t { badMac1, plain, proven };

  HandshakeGuard();
  ~HandshakeGuard();
  HandshakeGuard(const HandshakeGuard&) = delete;
  HandshakeGuard& operator=(const HandshakeGuard&) = delete;

  /**
   * An initiation, response or join request. `proven`: its mac2 shows that the sender receives at `source`. A cookie reply has no
   * macs: `plain`.
   */
  Verdict check(const uint8_t* message, size_t length, const Endpoint& source);

  /** Writes a cookie reply (kCookieReplyBytes) to such a message. False: no keys, or not such a message. */
  bool reply(const uint8_t* message, size_t length, const Endpoint& source, uint8_t* out);

 private:
  /** Follows the registry; false when it has no keys. */
  bool follow();
  bool cookieOf(const Endpoint& source, uint8_t* cookie);
  bool subkey(const uint8_t* nonce, uint8_t* key);

  uint32_t version_ = 0;
  GuardKeys keys_{};
  KeyedMac mac1_;
  KeyedMac cookie_;
  KeyedMac mac2_;
  evp_cipher_ctx_st* chacha_;
  evp_cipher_ctx_st* aead_;
};

}  // namespace vine
