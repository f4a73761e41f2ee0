// Peers and sessions: endpoints, counts, keys, and single messages.
#include <openssl/crypto.h>

#include <cstring>

#include "base/layout.h"
#include "base/wire.h"
#include "binding/addon.h"
#include "binding/napi_util.h"
#include "crypto/cipher_probe.h"
#include "io/stream_table.h"
#include "session/handshake_guard.h"
#include "session/lone_message.h"
#include "session/seal.h"
#include "session/session_table.h"

namespace vine {
namespace {

bool readPeer(napi_env env, napi_value value, uint32_t* peer) {
  return readUint32(env, value, "peer", kMaxPeers - 1, peer);
}

bool readIndex(napi_env env, napi_value value, uint32_t* index) {
  return readUint32(env, value, "localIndex", UINT32_MAX, index);
}

napi_value setPeerEndpoint(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  uint32_t fd = 0;
  Bytes address;
  uint16_t port = 0;
  if (!readPeer(env, call.arguments[0], &peer)) return nullptr;
  if (!readUint32(env, call.arguments[1], "udpFd", INT32_MAX, &fd)) return nullptr;
  if (!readAddress(env, call.arguments[2], call.arguments[3], 1, &address, &port)) return nullptr;
  Endpoint endpoint;
  makeEndpoint(address.data, address.length, port, static_cast<int>(fd), &endpoint);
  SessionTable::instance().peer(peer).endpoint.store(endpoint);
  return undefinedValue(env);
}

/** A path as JavaScript writes it: `{fd, address, port}`, `{stream}` or `{relay}`. Thrown when it is none. */
bool readPath(napi_env env, napi_value value, Endpoint* endpoint) {
  bool relayed = false;
  napi_value field = nullptr;
  if (napi_has_named_property(env, value, "relay", &relayed) != napi_ok) {
    throwRange(env, "a path must be an object");
    return false;
  }
  uint32_t number = 0;
  if (relayed) {
    if (!readProperty(env, value, "relay", &field) || !readPeer(env, field, &number)) return false;
    *endpoint = relayEndpoint(number);
    return true;
  }
  bool streamed = false;
  if (napi_has_named_property(env, value, "stream", &streamed) == napi_ok && streamed) {
    if (!readProperty(env, value, "stream", &field) || !readUint32(env, field, "stream", kMaxStreamId, &number)) {
      return false;
    }
    const auto stream = StreamTable::instance().find(number);
    *endpoint = stream == nullptr ? streamEndpoint(number, relayEndpoint(0)) : stream->far;
    return true;
  }
  Bytes address;
  uint16_t port = 0;
  napi_value portValue = nullptr;
  if (!readProperty(env, value, "fd", &field) || !readUint32(env, field, "fd", INT32_MAX, &number) ||
      !readProperty(env, value, "address", &field) || !readProperty(env, value, "port", &portValue) ||
      !readAddress(env, field, portValue, 1, &address, &port)) {
    return false;
  }
  return makeEndpoint(address.data, address.length, port, static_cast<int>(number), endpoint);
}

napi_value setPeerPath(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  Endpoint endpoint;
  if (!readPeer(env, call.arguments[0], &peer) || !readPath(env, call.arguments[1], &endpoint)) return nullptr;
  SessionTable::instance().peer(peer).endpoint.store(endpoint);
  return undefinedValue(env);
}

napi_value setRelayTag(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  Bytes tag;
  if (!readPeer(env, call.arguments[0], &peer) || !readBytes(env, call.arguments[1], "tag", &tag)) return nullptr;
  if (tag.length != kRelayTagBytes) return throwRange(env, "a relay tag has 8 bytes");
  std::memcpy(SessionTable::instance().peer(peer).relayTag.data(), tag.data, tag.length);
  return undefinedValue(env);
}

napi_value peerEndpoint(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  if (!readPeer(env, call.arguments[0], &peer)) return nullptr;
  Endpoint endpoint;
  if (!SessionTable::instance().peer(peer).endpoint.load(&endpoint)) return undefinedValue(env);
  size_t length = 0;
  const uint8_t* bytes = endpointBytes(endpoint, &length);
  napi_value result = nullptr;
  napi_create_object(env, &result);
  if (endpoint.isRelay()) {
    setProperty(env, result, "relay", numberValue(env, endpoint.relayPeer()));
    length = 0;
  }
  if (endpoint.isStream()) setProperty(env, result, "stream", numberValue(env, endpoint.stream()));
  setProperty(env, result, "address", bytesValue(env, bytes, length));
  setProperty(env, result, "port", numberValue(env, endpointPort(endpoint)));
  return result;
}

napi_value peerStats(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t index = 0;
  if (!readPeer(env, call.arguments[0], &index)) return nullptr;
  bool typed = false;
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_is_typedarray(env, call.arguments[1], &typed) != napi_ok || !typed ||
      napi_get_typedarray_info(env, call.arguments[1], &type, &length, &data, nullptr, nullptr) != napi_ok ||
      type != napi_float64_array || length < peer_stat::count) {
    return throwRange(env, "out must be a Float64Array of PeerStat.count elements");
  }
  SessionTable& table = SessionTable::instance();
  const Peer& peer = table.peer(index);
  auto* out = static_cast<double*>(data);
  out[peer_stat::bytesSent] = static_cast<double>(peer.bytesSent.load(std::memory_order_relaxed));
  out[peer_stat::bytesReceived] = static_cast<double>(peer.bytesReceived.load(std::memory_order_relaxed));
  out[peer_stat::packetsSent] = static_cast<double>(peer.packetsSent.load(std::memory_order_relaxed));
  out[peer_stat::packetsReceived] = static_cast<double>(peer.packetsReceived.load(std::memory_order_relaxed));
  out[peer_stat::lastSentMs] = static_cast<double>(peer.lastSentMs.load(std::memory_order_relaxed));
  out[peer_stat::lastReceivedMs] = static_cast<double>(peer.lastReceivedMs.load(std::memory_order_relaxed));
  out[peer_stat::currentCounter] = static_cast<double>(table.currentCounter(index));
  return undefinedValue(env);
}

napi_value removePeer(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  if (!readPeer(env, call.arguments[0], &peer)) return nullptr;
  SessionTable::instance().removePeer(peer);
  return undefinedValue(env);
}

bool readKey(napi_env env, napi_value object, const char* name, std::array<uint8_t, kKeyBytes>* key) {
  napi_value value = nullptr;
  Bytes bytes;
  if (!readProperty(env, object, name, &value) || !readBytes(env, value, name, &bytes)) return false;
  if (bytes.length != kKeyBytes) {
    throwRange(env, std::string(name) + " must be 32 bytes");
    return false;
  }
  std::memcpy(key->data(), bytes.data, kKeyBytes);
  return true;
}

bool readCipher(napi_env env, napi_value object, Cipher* cipher) {
  napi_value value = nullptr;
  std::string name;
  if (!readProperty(env, object, "cipher", &value) || !readText(env, value, "cipher", &name)) return false;
  if (name == "chacha20-poly1305") {
    *cipher = Cipher::chacha20Poly1305;
  } else if (name == "aes-256-gcm") {
    *cipher = Cipher::aes256Gcm;
  } else {
    throwRange(env, "cipher must be chacha20-poly1305 or aes-256-gcm");
    return false;
  }
  return true;
}

bool readKeys(napi_env env, napi_value object, SessionKeys* keys) {
  napi_value value = nullptr;
  return readProperty(env, object, "localIndex", &value) && readIndex(env, value, &keys->localIndex) &&
         readProperty(env, object, "remoteIndex", &value) &&
         readUint32(env, value, "remoteIndex", UINT32_MAX, &keys->remoteIndex) &&
         readCipher(env, object, &keys->cipher) && readKey(env, object, "sendKey", &keys->sendKey) &&
         readKey(env, object, "receiveKey", &keys->receiveKey);
}

napi_value installSession(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  SessionKeys keys{};
  if (!readPeer(env, call.arguments[0], &peer)) return nullptr;
  const bool read = readKeys(env, call.arguments[1], &keys);
  const bool installed = read && SessionTable::instance().install(peer, keys);
  OPENSSL_cleanse(&keys, sizeof keys);
  if (read && !installed) return throwError(env, "the local session index is in use");
  return read ? undefinedValue(env) : nullptr;
}

napi_value setCurrentSession(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  uint32_t index = 0;
  if (!readPeer(env, call.arguments[0], &peer) || !readIndex(env, call.arguments[1], &index)) return nullptr;
  if (!SessionTable::instance().setCurrent(peer, index)) return throwError(env, "the peer has no such session");
  return undefinedValue(env);
}

napi_value removeSession(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t index = 0;
  if (!readIndex(env, call.arguments[0], &index)) return nullptr;
  SessionTable::instance().remove(index);
  return undefinedValue(env);
}

napi_value setHandshakeGuard(napi_env env, napi_callback_info info) {
  Call call(env, info);
  GuardKeys keys{};
  const bool read = readKey(env, call.arguments[0], "mac1Key", &keys.mac1Key) &&
                    readKey(env, call.arguments[0], "cookieKey", &keys.cookieKey) &&
                    readKey(env, call.arguments[0], "cookieSecret", &keys.cookieSecret);
  if (read) GuardRegistry::instance().set(keys);
  OPENSSL_cleanse(&keys, sizeof keys);
  return read ? undefinedValue(env) : nullptr;
}

napi_value sealAndSend(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t peer = 0;
  Bytes payload;
  Endpoint endpoint;
  napi_valuetype pathType = napi_undefined;
  if (!readPeer(env, call.arguments[0], &peer)) return nullptr;
  if (!readBytes(env, call.arguments[1], "payload", &payload)) return nullptr;
  const bool hasPath =
      napi_typeof(env, call.arguments[2], &pathType) == napi_ok && pathType != napi_undefined;
  if (hasPath && !readPath(env, call.arguments[2], &endpoint)) return nullptr;
  if (payload.length > kMaxDatagramBytes - kTransportHeaderBytes - kTagBytes - kRelayOverhead) {
    return booleanValue(env, false);
  }
  LoneMessage message(peer, payload.data, payload.length);
  return booleanValue(env, message.sealFor(hasPath ? &endpoint : nullptr) && message.send());
}

napi_value rawChaCha(napi_env env, napi_callback_info) { return booleanValue(env, ChaChaPoly::available()); }

napi_value readCipherSpeeds(napi_env env, napi_callback_info) {
  const CipherSpeeds& speeds = cipherSpeeds();
  return objectValue(env, {{"chachaGbps", numberValue(env, speeds.chachaGbps)},
                           {"aesGbps", numberValue(env, speeds.aesGbps)}});
}

}  // namespace

void definePeers(napi_env env, napi_value exports) {
  setFunction(env, exports, "rawChaCha", rawChaCha);
  setFunction(env, exports, "cipherSpeeds", readCipherSpeeds);
  setFunction(env, exports, "setPeerEndpoint", setPeerEndpoint);
  setFunction(env, exports, "setPeerPath", setPeerPath);
  setFunction(env, exports, "setRelayTag", setRelayTag);
  setFunction(env, exports, "peerEndpoint", peerEndpoint);
  setFunction(env, exports, "peerStats", peerStats);
  setFunction(env, exports, "removePeer", removePeer);
  setFunction(env, exports, "installSession", installSession);
  setFunction(env, exports, "setCurrentSession", setCurrentSession);
  setFunction(env, exports, "removeSession", removeSession);
  setFunction(env, exports, "setHandshakeGuard", setHandshakeGuard);
  setFunction(env, exports, "sealAndSend", sealAndSend);
}

}  // namespace vine
