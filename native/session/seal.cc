#include "session/seal.h"

#include <cstring>

#include "base/byte_order.h"

namespace vine {

bool sealMessage(Session* session, uint32_t lane, uint8_t* out, size_t length) {
  uint64_t count = 0;
  if (!session->takeCounter(&count)) return false;
  storeLe32(out, kTransportData);
  storeLe32(out + 4, session->remoteIndex);
  storeLe64(out + 8, count);
  return session->seal(lane, count, out + kTransportHeaderBytes, length);
}

bool wrapForRelay(uint32_t peer, uint32_t lane, uint64_t nowMs, uint8_t* out, size_t length, Endpoint* endpoint) {
  SessionTable& table = SessionTable::instance();
  const uint32_t relay = endpoint->relayPeer();
  Session* session = relay == peer ? nullptr : table.usable(relay, nowMs);
  if (session == nullptr || !table.peer(relay).endpoint.load(endpoint) || endpoint->isRelay()) return false;
  uint8_t* header = out + kTransportHeaderBytes;
  header[0] = kRelayType;
  header[1] = kRelayForward;
  header[2] = header[3] = 0;
  std::memcpy(header + 4, table.peer(peer).relayTag.data(), kRelayTagBytes);
  return sealMessage(session, lane, out, kRelayHeaderBytes + length);
}

}  // namespace vine
