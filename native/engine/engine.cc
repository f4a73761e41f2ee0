#include "engine/engine.h"

#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/clock.h"
#include "engine/lan_receiver.h"
#include "engine/tun_receiver.h"
#include "engine/tunnel_receiver.h"
#include "session/session_table.h"

namespace vine {
namespace {

/** So that the stop word is seen, and turns are counted, while nothing comes. */
constexpr uint64_t kTurnMs = 200;

}  // namespace

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
    auto receiver = std::make_unique<TunnelReceiver>(*memory_, counters_, lane, options.udp, options.streams);
    tunnelReceiver_ = receiver.get();
    receiver_ = std::move(receiver);
  }
  queueDrops_ = std::make_unique<QueueDrops>(
      counters_, options.role == Role::lan ? counter::lanQueueDrops : counter::tunnelQueueDrops,
      receiver_->descriptors());
  if (options.flows.memory != nullptr) flows_ = std::make_unique<FlowMemory>(options.flows, *memory_, counters_);
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
  return flows_ == nullptr ? receiveOnce(timeoutMs, error) : receiveUnknown(timeoutMs, error);
}

int Engine::receiveOnce(int timeoutMs, int* error) {
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

int Engine::receiveUnknown(int timeoutMs, int* error) {
  const uint64_t startMs = monotonicMs();
  const uint64_t deadlineMs = startMs + static_cast<uint64_t>(timeoutMs);
  // A wait looks at the wake-up as well. Where packets never cease there is none: then it is asked for between batches.
  bool waited = false;
  for (bool isFirst = true;; isFirst = false) {
    flows_->countTurn();
    const uint64_t nowMs = isFirst ? startMs : monotonicMs();
    queueDrops_->sample(nowMs);
    bool woken = !isFirst && !waited && isWoken();
    Batch batch = drain();
    waited = false;
    if (batch.taken == 0 && batch.broken == 0 && !woken) {
      waited = true;
      if (wait(deadlineMs, &woken)) batch = drain();
    }
    if (batch.broken != 0 && batch.filled == 0) {
      *error = batch.broken;
      return -1;
    }
    const uint32_t unknown = batch.filled == 0 ? 0 : forwardKnown(batch.filled);
    if (unknown != 0 || woken || flows_->stopped()) return static_cast<int>(unknown);
    if (monotonicMs() >= deadlineMs) return 0;
  }
}

bool Engine::wait(uint64_t deadlineMs, bool* woken) {
  const uint64_t nowMs = monotonicMs();
  const uint64_t leftMs = deadlineMs > nowMs ? deadlineMs - nowMs : 0;
  if (poll(waiting_.data(), waiting_.size(), static_cast<int>(std::min(leftMs, kTurnMs))) <= 0) return false;
  *woken = clearWakeup();
  return true;
}

bool Engine::isWoken() { return poll(waiting_.data(), 1, 0) > 0 && clearWakeup(); }

uint32_t Engine::forwardKnown(uint32_t filled) {
  const uint32_t left = flows_->forward(filled);
  if (left == filled) return left;
  // Those that are left have the action `drop`: nothing is done for them here.
  carryOut(0, filled);
  uint32_t kept = 0;
  for (uint32_t i = 0; i < filled && kept < left; i++) {
    const int32_t* d = memory_->descriptor(i);
    if (d[word::action] != action::drop) continue;
    if (i != kept) std::memcpy(memory_->descriptor(kept), d, kDescriptorWords * sizeof *d);
    kept++;
  }
  return left;
}

/** One wake-up is one early return: the next `receive` waits again. */
bool Engine::clearWakeup() {
  if (!(waiting_[0].revents & POLLIN)) return false;
  uint64_t wakeups = 0;
  // The descriptor does not block; another thread may have read it first.
  return read(wakeupFd_, &wakeups, sizeof wakeups) >= 0;
}

void Engine::send(uint32_t first, uint32_t count) {
  carryOut(first, count);
  if (flows_ == nullptr) return;
  for (uint32_t i = first; i < first + count; i++) flows_->note(memory_->descriptor(i));
}

void Engine::carryOut(uint32_t first, uint32_t count) {
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
