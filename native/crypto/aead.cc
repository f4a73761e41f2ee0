#include "crypto/aead.h"

#include <openssl/evp.h>

#include <cstring>

#include "base/byte_order.h"
#include "base/wire.h"

namespace vine {

// Freeing the context also wipes the key schedule in it.
EvpAead::~EvpAead() { EVP_CIPHER_CTX_free(context_); }

bool EvpAead::init(Cipher cipher, Direction direction, const uint8_t* key) {
  EVP_CIPHER_CTX* context = EVP_CIPHER_CTX_new();
  if (context == nullptr) return false;
  const EVP_CIPHER* type = cipher == Cipher::aes256Gcm ? EVP_aes_256_gcm() : EVP_chacha20_poly1305();
  const int encrypt = direction == Direction::seal ? 1 : 0;
  if (EVP_CipherInit_ex(context, type, nullptr, key, nullptr, encrypt) != 1) {
    EVP_CIPHER_CTX_free(context);
    return false;
  }
  EVP_CIPHER_CTX_free(context_);
  context_ = context;
  return true;
}

bool EvpAead::seal(const uint8_t* nonce, uint8_t* data, size_t length) {
  int written = 0;
  if (EVP_EncryptInit_ex(context_, nullptr, nullptr, nullptr, nonce) != 1) return false;
  if (length != 0 && EVP_EncryptUpdate(context_, data, &written, data, static_cast<int>(length)) != 1) return false;
  if (EVP_EncryptFinal_ex(context_, data + length, &written) != 1) return false;
  return EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, kTagBytes, data + length) == 1;
}

bool EvpAead::open(const uint8_t* nonce, uint8_t* data, size_t length) {
  int written = 0;
  if (EVP_DecryptInit_ex(context_, nullptr, nullptr, nullptr, nonce) != 1) return false;
  if (EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, kTagBytes, data + length) != 1) return false;
  if (length != 0 && EVP_DecryptUpdate(context_, data, &written, data, static_cast<int>(length)) != 1) return false;
  // Compares the tag in constant time.
  return EVP_DecryptFinal_ex(context_, data + length, &written) == 1;
}

bool AeadContext::init(Cipher cipher, Direction direction, const uint8_t* key) {
  cipher_ = cipher;
  useRaw_ = cipher == Cipher::chacha20Poly1305 && ChaChaPoly::available();
  if (!useRaw_) return evp_.init(cipher, direction, key);
  raw_.setKey(key);
  return true;
}

/** 4 zero bytes, then the counter: little-endian for ChaChaPoly, big-endian for AESGCM (Noise §12.3, §12.4). */
void AeadContext::makeNonce(uint64_t counter, uint8_t* nonce) const {
  std::memset(nonce, 0, 4);
  if (cipher_ == Cipher::aes256Gcm) {
    storeBe64(nonce + 4, counter);
  } else {
    storeLe64(nonce + 4, counter);
  }
}

bool AeadContext::seal(uint64_t counter, uint8_t* data, size_t length) {
  uint8_t nonce[kNonceBytes];
  makeNonce(counter, nonce);
  if (!useRaw_) return evp_.seal(nonce, data, length);
  raw_.seal(nonce, data, length);
  return true;
}

bool AeadContext::open(uint64_t counter, uint8_t* data, size_t length) {
  uint8_t nonce[kNonceBytes];
  makeNonce(counter, nonce);
  return useRaw_ ? raw_.open(nonce, data, length) : evp_.open(nonce, data, length);
}

}  // namespace vine
