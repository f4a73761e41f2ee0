#include "engine/engine.h"

#include <unistd.h>

#include "base/clock.h"
#include "engine/lan_receiver.h"
#include "engine/tun_receiver.h"
#include "engine/tunnel_receiver.h"
#include "session/session_table.h"

namespace vine {

std::unique_ptr<Engine> Engine::create(const EngineOptions& options, std::string* why) {
  std::shared_ptr<PacketMemory> memory = PacketMemory::allocate(
      options.slots, options.slotBytes,
      options.role == Role::tunnel ? options.slots * kDescriptorsPerTunnelSlot : options.slots);
  if (memory == nullptr) {
    *why = "not enough memory for the packet slots";
    return nullptr;
  }
  const int lane = SessionTable::instance().claimLane();
  if (lane < 0) {
    *why = "too many engines in this process";
    return nullptr;
  }
  return std::unique_ptr<Engine>(new Engine(options, std::move(memory), static_cast<uint32_t>(lane)));
}

Engine::Engine(const EngineOptions& options, std::shared_ptr<PacketMemory> memory, uint32_t lane)
    : memory_(std::move(memory)),
      lane_(lane),
      wakeupFd_(options.wakeupFd),
      counters_(options.counters),
      lanSender_(*memory_, counters_, options.lans),
      tunSender_(*memory_, counters_, options.tuns),
      tunnelSender_(*memory_, counters_, lane, options.udp),
      cookieSender_(*memory_, counters_) {
  if (options.role == Role::lan) {
    receiver_ = std::make_unique<LanReceiver>(*memory_, counters_, options.lans);
    if (!options.tuns.empty()) tunReceiver_ = std::make_unique<TunReceiver>(*memory_, counters_, options.tuns);
  } else {
    std::vector<int> sockets;
    for (const UdpLink& udp : options.udp) sockets.push_back(udp.fd);
    auto receiver = std::make_unique<TunnelReceiver>(*memory_, counters_, lane, sockets, options.streams);
    tunnelReceiver_ = receiver.get();
    receiver_ = std::move(receiver);
  }
  queueDrops_ = std::make_unique<QueueDrops>(
      counters_, options.role == Role::lan ? counter::lanQueueDrops : counter::tunnelQueueDrops,
      receiver_->descriptors());
  waiting_.push_back({wakeupFd_, POLLIN, 0});
  for (const int fd : receiver_->descriptors()) waiting_.push_back({fd, POLLIN, 0});
  if (tunReceiver_ == nullptr) return;
  for (const int fd : tunReceiver_->descriptors()) waiting_.push_back({fd, POLLIN, 0});
}

Engine::~Engine() { SessionTable::instance().releaseLane(static_cast<int>(lane_)); }

/** A batch is from the LANs or from the TUN devices, each first by turns. */
Batch Engine::drain() {
  if (tunReceiver_ == nullptr) return receiver_->drain();
  tunFirst_ = !tunFirst_;
  const Batch batch = tunFirst_ ? tunReceiver_->drain() : receiver_->drain();
  if (batch.taken != 0 || batch.broken != 0) return batch;
  return tunFirst_ ? receiver_->drain() : tunReceiver_->drain();
}

int Engine::receive(int timeoutMs, int* error) {
  queueDrops_->sample(monotonicMs());
  // Under load there is always something: the wait costs a system call only when there is not.
  Batch batch = drain();
  if (batch.taken == 0 && batch.broken == 0) {
    if (poll(waiting_.data(), waiting_.size(), timeoutMs) <= 0) return 0;
    clearWakeup();
    batch = drain();
  }
  if (batch.broken != 0 && batch.filled == 0) {
    *error = batch.broken;
    return -1;
  }
  return static_cast<int>(batch.filled);
}

bool Engine::openRelayed(uint32_t descriptor, uint32_t skip) {
  int32_t* d = memory_->descriptor(descriptor);
  size_t length = 0;
  const uint8_t* payload = memory_->packetOf(d, &length);
  const int32_t relay = d[word::from];
  if (tunnelReceiver_ == nullptr || payload == nullptr || length < skip || relay < 0 ||
      relay >= static_cast<int32_t>(kMaxPeers)) {
    return false;
  }
  const auto offset = static_cast<size_t>(payload - memory_->packets()) + skip;
  return tunnelReceiver_->openRelayed(offset, length - skip, static_cast<uint32_t>(relay), d);
}

/** One wake-up is one early return: the next `receive` waits again. */
void Engine::clearWakeup() {
  if (!(waiting_[0].revents & POLLIN)) return;
  uint64_t wakeups = 0;
  // The descriptor does not block; another thread may have read it first.
  if (read(wakeupFd_, &wakeups, sizeof wakeups) < 0) return;
}

void Engine::send(uint32_t first, uint32_t count) {
  tunnelSender_.begin(monotonicMs());
  // Tunnel first, then LANs: the session lock is not held while frames are written. A flow goes only one way.
  for (uint32_t i = first; i < first + count; i++) {
    const int32_t* d = memory_->descriptor(i);
    const int32_t kind = d[word::action];
    if (kind == action::tunnel || kind == action::bare || kind == action::message) tunnelSender_.send(d);
  }
  tunnelSender_.flush();
  for (uint32_t i = first; i < first + count; i++) {
    const int32_t* d = memory_->descriptor(i);
    if (d[word::action] == action::cookie) cookieSender_.send(d);
    if (d[word::action] != action::lan) continue;
    if (tunSender_.has(d[word::to])) {
      tunSender_.send(d);
    } else {
      lanSender_.send(d);
    }
  }
  lanSender_.flush();
  cookieSender_.flush();
}

}  // namespace vine
