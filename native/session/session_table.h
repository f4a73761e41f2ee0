// The peers and their sessions: one registry for the whole process, shared by all threads.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "base/wire.h"
#include "crypto/aead.h"
#include "io/endpoint.h"
#include "session/fair_lock.h"
#include "session/replay.h"

namespace vine {

constexpr uint32_t kMaxPeers = 4096;

/**
 * Threads that seal or open at the same time each use a lane of their own: a cipher context per session. Lane 0 is
 * for callers outside an engine, one at a time; eight workers in each direction have the others.
 */
constexpr uint32_t kLanes = 17;
constexpr uint32_t kSharedLane = 0;

struct SessionKeys {
  uint32_t localIndex;
  uint32_t remoteIndex;
  Cipher cipher;
  std::array<uint8_t, kKeyBytes> sendKey;
  std::array<uint8_t, kKeyBytes> receiveKey;
};

class Session {
 public:
  Session(uint32_t peer, const SessionKeys& keys, uint64_t nowMs);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  const uint32_t peer;
  const uint32_t localIndex;
  const uint32_t remoteIndex;

  bool tooOld(uint64_t nowMs) const { return nowMs - installedMs_ >= kRejectAfterMs; }
  /** The next message's counter; false when the session has none left. Any thread. */
  bool takeCounter(uint64_t* counter);
  uint64_t messagesSealed() const { return sendCounter_.load(std::memory_order_relaxed); }

  bool seal(uint32_t lane, uint64_t counter, uint8_t* data, size_t length);

  /** Guards what follows: held while one message, or a run of them, is opened. */
  std::mutex receiving;
  bool open(uint32_t lane, uint64_t counter, uint8_t* data, size_t length);
  ReplayWindow replay;
  bool authenticatedOnce = false;

 private:
  SessionKeys keys_;
  const uint64_t installedMs_;
  std::atomic<uint64_t> sendCounter_{0};
  std::array<AeadContext, kLanes> sealing_;
  std::array<AeadContext, kLanes> opening_;
};

struct Peer {
  EndpointCell endpoint;
  /** How a relay knows this router: set once, before its first message. */
  std::array<uint8_t, kRelayTagBytes> relayTag{};
  /** Guarded by the table's lock. */
  Session* current = nullptr;
  std::atomic<uint64_t> bytesSent{0};
  std::atomic<uint64_t> bytesReceived{0};
  std::atomic<uint64_t> packetsSent{0};
  std::atomic<uint64_t> packetsReceived{0};
  std::atomic<uint64_t> lastSentMs{0};
  std::atomic<uint64_t> lastReceivedMs{0};

  void countSent(uint64_t messages, uint64_t bytes, uint64_t nowMs);
  void countReceived(uint64_t bytes, uint64_t nowMs);
};

/**
 * The packet threads hold `lock` shared while they use sessions, for a batch and never across a system call; the
 * methods below that change something take it alone. Peer numbers are the caller's to check (`kMaxPeers`).
 */
class SessionTable {
 public:
  static SessionTable& instance();

  FairLock lock;

  // With `lock` held shared.
  Session* find(uint32_t localIndex) const;
  /** The session that seals for `peer`, if it may still be used. */
  Session* usable(uint32_t peer, uint64_t nowMs) const;

  /** Peers live as long as the process; their atomics and endpoint cell need no lock. */
  Peer& peer(uint32_t index) { return peers_[index]; }

  /** False when the local index is taken. */
  bool install(uint32_t peer, const SessionKeys& keys);
  /** False when there is no such session of that peer. */
  bool setCurrent(uint32_t peer, uint32_t localIndex);
  void remove(uint32_t localIndex);
  void removePeer(uint32_t peer);
  uint64_t currentCounter(uint32_t peer);
  /** A closed socket's number may come back as another file: no endpoint may keep it. */
  void forgetSocket(int fd);

  /** Serialises users of the shared lane. Taken before `lock`. */
  std::mutex sharedLane;
  /** Returns a lane for an engine, or −1 when all are taken. */
  int claimLane();
  void releaseLane(int lane);

 private:
  SessionTable();

  std::unique_ptr<Peer[]> peers_;
  std::unordered_map<uint32_t, std::unique_ptr<Session>> sessions_;
  std::mutex laneMutex_;
  std::array<bool, kLanes> laneTaken_{};
};

}  // namespace vine
