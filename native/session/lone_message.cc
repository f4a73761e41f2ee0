#include "session/lone_message.h"

#include <cstring>
#include <mutex>
#include <shared_mutex>

#include "base/clock.h"
#include "io/batch_io.h"
#include "session/seal.h"
#include "session/session_table.h"

namespace vine {

bool LoneMessage::sealFor(const Endpoint* endpoint) {
  SessionTable& table = SessionTable::instance();
  const std::lock_guard<std::mutex> lane(table.sharedLane);
  const std::shared_lock<FairLock> sessions(table.lock);
  const uint64_t nowMs = monotonicMs();
  Session* session = table.usable(peer_, nowMs);
  if (endpoint != nullptr) endpoint_ = *endpoint;
  if (session == nullptr || (endpoint == nullptr && !table.peer(peer_).endpoint.load(&endpoint_))) return false;
  const size_t lead = endpoint_.isRelay() ? kRelayLead : 0;
  const size_t total = kTransportHeaderBytes + length_ + kTagBytes;
  bytes_.resize(total + (lead == 0 ? 0 : kRelayOverhead));
  uint8_t* message = bytes_.data() + lead;
  if (length_ != 0) std::memcpy(message + kTransportHeaderBytes, payload_, length_);
  if (!sealMessage(session, kSharedLane, message, length_)) return false;
  return lead == 0 || wrapForRelay(peer_, kSharedLane, nowMs, bytes_.data(), total, &endpoint_);
}

bool LoneMessage::send() const {
  if (!sendOne(endpoint_, bytes_.data(), bytes_.size())) return false;
  SessionTable::instance().peer(peer_).countSent(1, bytes_.size(), monotonicMs());
  return true;
}

}  // namespace vine
