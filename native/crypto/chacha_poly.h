// ChaCha20-Poly1305 (RFC 8439 §2.8, without associated data) from OpenSSL's raw primitives, which node exports without
// declaring them. EVP spends twice the time of the arithmetic itself on a packet; this is used where the primitives
// are found and agree with EVP.
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/wire.h"

namespace vine {

class ChaChaPoly {
 public:
  /** Whether the primitives are there and agree with EVP over many lengths: tried once, at the first call. */
  static bool available();

  void setKey(const uint8_t* key);
  void wipe();

  /** As AeadContext::seal and ::open; `nonce` is 12 bytes. Several threads may use one object at once. */
  void seal(const uint8_t* nonce, uint8_t* data, size_t length) const;
  bool open(const uint8_t* nonce, uint8_t* data, size_t length) const;

 private:
  uint32_t key_[kKeyBytes / 4] = {};
};

}  // namespace vine
