#include "session/session_table.h"

#include <openssl/crypto.h>

#include <shared_mutex>

#include "base/clock.h"

namespace vine {

Session::Session(uint32_t peerIndex, const SessionKeys& keys, uint64_t nowMs)
    : peer(peerIndex),
      localIndex(keys.localIndex),
      remoteIndex(keys.remoteIndex),
      keys_(keys),
      installedMs_(nowMs) {}

Session::~Session() {
  OPENSSL_cleanse(keys_.sendKey.data(), keys_.sendKey.size());
  OPENSSL_cleanse(keys_.receiveKey.data(), keys_.receiveKey.size());
}

bool Session::takeCounter(uint64_t* counter) {
  // Looked at before it is taken: counting on past the limit at every attempt would one day wrap to 0.
  if (sendCounter_.load(std::memory_order_relaxed) >= kRejectAfterMessages) return false;
  *counter = sendCounter_.fetch_add(1, std::memory_order_relaxed);
  return *counter < kRejectAfterMessages;
}

bool Session::seal(uint32_t lane, uint64_t counter, uint8_t* data, size_t length) {
  AeadContext& context = sealing_[lane];
  if (!context.ready() && !context.init(keys_.cipher, Direction::seal, keys_.sendKey.data())) return false;
  return context.seal(counter, data, length);
}

bool Session::open(uint32_t lane, uint64_t counter, uint8_t* data, size_t length) {
  AeadContext& context = opening_[lane];
  if (!context.ready() && !context.init(keys_.cipher, Direction::open, keys_.receiveKey.data())) return false;
  return context.open(counter, data, length);
}

void Peer::countSent(uint64_t messages, uint64_t bytes, uint64_t nowMs) {
  bytesSent.fetch_add(bytes, std::memory_order_relaxed);
  packetsSent.fetch_add(messages, std::memory_order_relaxed);
  lastSentMs.store(nowMs, std::memory_order_relaxed);
}

void Peer::countReceived(uint64_t bytes, uint64_t nowMs) {
  bytesReceived.fetch_add(bytes, std::memory_order_relaxed);
  packetsReceived.fetch_add(1, std::memory_order_relaxed);
  lastReceivedMs.store(nowMs, std::memory_order_relaxed);
}

SessionTable::SessionTable() : peers_(new Peer[kMaxPeers]) { laneTaken_[kSharedLane] = true; }

SessionTable& SessionTable::instance() {
  // Never destroyed: a worker may still be in a batch while the process exits.
  static SessionTable* const table = new SessionTable();
  return *table;
}

Session* SessionTable::find(uint32_t localIndex) const {
  const auto found = sessions_.find(localIndex);
  return found == sessions_.end() ? nullptr : found->second.get();
}

Session* SessionTable::usable(uint32_t peer, uint64_t nowMs) const {
  Session* session = peers_[peer].current;
  return session == nullptr || session->tooOld(nowMs) ? nullptr : session;
}

bool SessionTable::install(uint32_t peer, const SessionKeys& keys) {
  auto session = std::make_unique<Session>(peer, keys, monotonicMs());
  const std::unique_lock<FairLock> guard(lock);
  return sessions_.emplace(keys.localIndex, std::move(session)).second;
}

bool SessionTable::setCurrent(uint32_t peer, uint32_t localIndex) {
  const std::unique_lock<FairLock> guard(lock);
  Session* session = find(localIndex);
  if (session == nullptr || session->peer != peer) return false;
  peers_[peer].current = session;
  return true;
}

void SessionTable::remove(uint32_t localIndex) {
  const std::unique_lock<FairLock> guard(lock);
  const auto found = sessions_.find(localIndex);
  if (found == sessions_.end()) return;
  Peer& owner = peers_[found->second->peer];
  if (owner.current == found->second.get()) owner.current = nullptr;
  sessions_.erase(found);
}

void SessionTable::removePeer(uint32_t peer) {
  const std::unique_lock<FairLock> guard(lock);
  Peer& owner = peers_[peer];
  owner.current = nullptr;
  owner.endpoint.clear();
  for (auto* stat : {&owner.bytesSent, &owner.bytesReceived, &owner.packetsSent, &owner.packetsReceived,
                     &owner.lastSentMs, &owner.lastReceivedMs}) {
    stat->store(0, std::memory_order_relaxed);
  }
  for (auto at = sessions_.begin(); at != sessions_.end();) {
    at = at->second->peer == peer ? sessions_.erase(at) : std::next(at);
  }
}

uint64_t SessionTable::currentCounter(uint32_t peer) {
  const std::shared_lock<FairLock> guard(lock);
  const Session* session = peers_[peer].current;
  return session == nullptr ? 0 : session->messagesSealed();
}

void SessionTable::forgetSocket(int fd) {
  // What is sealed from now on cannot use it. A batch sealed before may still try; its sends fail and are counted.
  const std::unique_lock<FairLock> guard(lock);
  for (uint32_t i = 0; i < kMaxPeers; i++) {
    Endpoint endpoint;
    if (peers_[i].endpoint.load(&endpoint) && endpoint.fd == fd) peers_[i].endpoint.clear();
  }
}

int SessionTable::claimLane() {
  const std::lock_guard<std::mutex> guard(laneMutex_);
  for (uint32_t lane = 0; lane < kLanes; lane++) {
    if (laneTaken_[lane]) continue;
    laneTaken_[lane] = true;
    return static_cast<int>(lane);
  }
  return -1;
}

void SessionTable::releaseLane(int lane) {
  const std::lock_guard<std::mutex> guard(laneMutex_);
  laneTaken_[static_cast<size_t>(lane)] = false;
}

}  // namespace vine
