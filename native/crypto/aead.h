// ChaCha20-Poly1305 and AES-256-GCM with the nonces of the Noise protocol (revision 34, §12), through the OpenSSL
// that node itself carries and exports.
#pragma once
#include <cstddef>
#include <cstdint>

#include "crypto/chacha_poly.h"

struct evp_cipher_ctx_st;

namespace vine {

enum class Cipher : uint8_t { chacha20Poly1305, aes256Gcm };
enum class Direction : uint8_t { seal, open };

constexpr size_t kNonceBytes = 12;

/** One key in one direction through OpenSSL's EVP. */
class EvpAead {
 public:
  EvpAead() = default;
  ~EvpAead();
  EvpAead(const EvpAead&) = delete;
  EvpAead& operator=(const EvpAead&) = delete;

  bool ready() const { return context_ != nullptr; }
  bool init(Cipher cipher, Direction direction, const uint8_t* key);
  bool seal(const uint8_t* nonce, uint8_t* data, size_t length);
  bool open(const uint8_t* nonce, uint8_t* data, size_t length);

 private:
  evp_cipher_ctx_st* context_ = nullptr;
};

/** One key in one direction, for one thread at a time. Both operations work in place and without associated data. */
class AeadContext {
 public:
  AeadContext() = default;
  ~AeadContext() { raw_.wipe(); }
  AeadContext(const AeadContext&) = delete;
  AeadContext& operator=(const AeadContext&) = delete;

  bool ready() const { return useRaw_ || evp_.ready(); }
  bool init(Cipher cipher, Direction direction, const uint8_t* key);

  /** Encrypts `length` bytes and writes the tag behind them. */
  bool seal(uint64_t counter, uint8_t* data, size_t length);

  /** Decrypts `length` bytes that are followed by their tag. On false the bytes are rubbish and must not be used. */
  bool open(uint64_t counter, uint8_t* data, size_t length);

 private:
  void makeNonce(uint64_t counter, uint8_t* nonce) const;

  Cipher cipher_ = Cipher::chacha20Poly1305;
  bool useRaw_ = false;
  ChaChaPoly raw_;
  EvpAead evp_;
};

}  // namespace vine
