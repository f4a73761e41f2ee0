#include "session/handshake_guard.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include <cstring>

#include "base/byte_order.h"

namespace vine {
namespace {

constexpr size_t kMacBytes = 16;
constexpr size_t kCookieBytes = 16;
constexpr size_t kCookieNonceBytes = 24;
constexpr size_t kBlockBytes = 64;
// "expand 32-byte k", the first four words of every ChaCha20 state (RFC 8439 §2.3).
constexpr uint32_t kChaChaConstants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

bool hasMacs(const uint8_t* message, size_t length) {
  const uint32_t type = loadLe32(message);
  return (type == kHandshakeInitiation && length == kHandshakeInitiationBytes) ||
         (type == kHandshakeResponse && length == kHandshakeResponseBytes) ||
         (type == kJoinRequest && length >= kLeastJoinRequestBytes && length <= kMostJoinRequestBytes);
}

bool isZero(const uint8_t* bytes, size_t length) {
  uint8_t any = 0;
  for (size_t i = 0; i < length; i++) any = static_cast<uint8_t>(any | bytes[i]);
  return any == 0;
}

}  // namespace

GuardRegistry& GuardRegistry::instance() {
  static GuardRegistry* const registry = new GuardRegistry();
  return *registry;
}

void GuardRegistry::set(const GuardKeys& keys) {
  const std::lock_guard<std::mutex> guard(mutex_);
  keys_ = keys;
  version_.fetch_add(1, std::memory_order_release);
}

uint32_t GuardRegistry::load(GuardKeys* keys) {
  const std::lock_guard<std::mutex> guard(mutex_);
  *keys = keys_;
  return version_.load(std::memory_order_relaxed);
}

KeyedMac::~KeyedMac() { EVP_MAC_CTX_free(context_); }

bool KeyedMac::setKey(const uint8_t* key, size_t length) {
  if (context_ == nullptr) {
    // Fetched once for the process; it is the process's until its end.
    static EVP_MAC* const algorithm = EVP_MAC_fetch(nullptr, "BLAKE2SMAC", nullptr);
    if (algorithm == nullptr) return false;
    context_ = EVP_MAC_CTX_new(algorithm);
    if (context_ == nullptr) return false;
    size_t size = kMacBytes;
    const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_size_t(OSSL_MAC_PARAM_SIZE, &size), OSSL_PARAM_END};
    if (EVP_MAC_CTX_set_params(context_, parameters) != 1) return false;
  }
  return EVP_MAC_init(context_, key, length, nullptr) == 1;
}

bool KeyedMac::compute(const uint8_t* data, size_t length, uint8_t* out) {
  size_t written = 0;
  // Without a key it starts again with the one that it has.
  return context_ != nullptr && EVP_MAC_init(context_, nullptr, 0, nullptr) == 1 &&
         EVP_MAC_update(context_, data, length) == 1 && EVP_MAC_final(context_, out, &written, kMacBytes) == 1 &&
         written == kMacBytes;
}

HandshakeGuard::HandshakeGuard() : chacha_(EVP_CIPHER_CTX_new()), aead_(EVP_CIPHER_CTX_new()) {}

HandshakeGuard::~HandshakeGuard() {
  EVP_CIPHER_CTX_free(chacha_);
  EVP_CIPHER_CTX_free(aead_);
  OPENSSL_cleanse(&keys_, sizeof keys_);
}

bool HandshakeGuard::follow() {
  GuardRegistry& registry = GuardRegistry::instance();
  if (registry.version() == version_) return version_ != 0;
  version_ = registry.load(&keys_);
  if (!mac1_.setKey(keys_.mac1Key.data(), kKeyBytes) || !cookie_.setKey(keys_.cookieSecret.data(), kKeyBytes)) {
    version_ = 0;
  }
  return version_ != 0;
}

HandshakeGuard::Verdict HandshakeGuard::check(const uint8_t* message, size_t length, const Endpoint& source) {
  if (!hasMacs(message, length) || !follow()) return Verdict::plain;
  uint8_t expected[kMacBytes];
  const uint8_t* mac1 = message + length - 2 * kMacBytes;
  const uint8_t* mac2 = mac1 + kMacBytes;
  if (!mac1_.compute(message, length - 2 * kMacBytes, expected) || CRYPTO_memcmp(expected, mac1, kMacBytes) != 0) {
    return Verdict::badMac1;
  }
  if (isZero(mac2, kMacBytes)) return Verdict::plain;
  uint8_t cookie[kCookieBytes];
  const bool proven = cookieOf(source, cookie) && mac2_.setKey(cookie, kCookieBytes) &&
                      mac2_.compute(message, length - kMacBytes, expected) &&
                      CRYPTO_memcmp(expected, mac2, kMacBytes) == 0;
  return proven ? Verdict::proven : Verdict::plain;
}

/** Mac(secret, address ‖ port). */
bool HandshakeGuard::cookieOf(const Endpoint& source, uint8_t* cookie) {
  uint8_t text[18];
  size_t length = 0;
  const uint8_t* address = endpointBytes(source, &length);
  std::memcpy(text, address, length);
  storeBe16(text + length, endpointPort(source));
  return cookie_.compute(text, length + 2, cookie);
}

/**
 * HChaCha20 (draft-irtf-cfrg-xchacha-03 §2.2) of the cookie key and the nonce's first 16 bytes: the ChaCha20 state after
 * its rounds, words 0 to 3 and 12 to 15. OpenSSL gives that state with the initial one added to it; both are known here.
 */
bool HandshakeGuard::subkey(const uint8_t* nonce, uint8_t* key) {
  static const uint8_t zeros[kBlockBytes] = {};
  uint8_t block[kBlockBytes];
  int written = 0;
  if (EVP_EncryptInit_ex(chacha_, EVP_chacha20(), nullptr, keys_.cookieKey.data(), nonce) != 1 ||
      EVP_EncryptUpdate(chacha_, block, &written, zeros, kBlockBytes) != 1 || written != kBlockBytes) {
    return false;
  }
  for (size_t i = 0; i < 4; i++) {
    storeLe32(key + 4 * i, loadLe32(block + 4 * i) - kChaChaConstants[i]);
    storeLe32(key + 16 + 4 * i, loadLe32(block + 48 + 4 * i) - loadLe32(nonce + 4 * i));
  }
  OPENSSL_cleanse(block, sizeof block);
  return true;
}

bool HandshakeGuard::reply(const uint8_t* message, size_t length, const Endpoint& source, uint8_t* out) {
  if (!hasMacs(message, length) || !follow()) return false;
  uint8_t cookie[kCookieBytes];
  uint8_t key[kKeyBytes];
  uint8_t* nonce = out + 8;
  uint8_t* sealed = nonce + kCookieNonceBytes;
  storeLe32(out, kCookieReply);
  std::memcpy(out + 4, message + 4, 4);  // whose index it is: the sender's
  if (RAND_bytes(nonce, kCookieNonceBytes) != 1 || !cookieOf(source, cookie) || !subkey(nonce, key)) return false;
  uint8_t rest[12] = {};
  std::memcpy(rest + 4, nonce + 16, 8);
  int written = 0;
  const uint8_t* mac1 = message + length - 2 * kMacBytes;
  const bool done = EVP_EncryptInit_ex(aead_, EVP_chacha20_poly1305(), nullptr, key, rest) == 1 &&
                    EVP_EncryptUpdate(aead_, nullptr, &written, mac1, kMacBytes) == 1 &&
                    EVP_EncryptUpdate(aead_, sealed, &written, cookie, kCookieBytes) == 1 &&
                    EVP_EncryptFinal_ex(aead_, sealed + kCookieBytes, &written) == 1 &&
                    EVP_CIPHER_CTX_ctrl(aead_, EVP_CTRL_AEAD_GET_TAG, kTagBytes, sealed + kCookieBytes) == 1;
  OPENSSL_cleanse(key, sizeof key);
  return done;
}

}  // namespace vine
