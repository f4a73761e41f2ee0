// TCP connections that carry WireGuard messages, each behind a 2-byte big-endian length. One table for the process;
// any thread may send and close, one engine receives.
#pragma once
#include <sys/uio.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "io/endpoint.h"
#include "io/socket_util.h"

namespace vine {

constexpr size_t kStreamPrefixBytes = 2;
/** The longest message that a connection may carry: more than any path's MTU, so that a lying length is found out. */
constexpr size_t kLongestStreamMessage = 16 * 1024;
/** Until its far end has proven who it is: room for handshake messages and little else. */
constexpr size_t kLongestStrangersMessage = 2'000;

/** Numbers of connections count up to here, and start again. */
constexpr uint32_t kMaxStreamId = (1u << 30) - 1;

struct TcpListener {
  int fd;
  uint16_t port;
  int family;
};

/** What has become of a connection; the numbers are `StreamEvent` in src/dataplane/engine.ts. */
struct StreamEvent {
  enum Kind : int32_t { connected = 1, accepted = 2, closed = 3 };
  Kind kind;
  uint32_t stream;
  /** errno; 0 for an orderly end, EPROTO when what came was no message. */
  int error;
  Endpoint far;
};

class Stream {
 public:
  Stream(uint32_t id, int fd, const Endpoint& far, bool connecting);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  const uint32_t id;
  const int fd;
  const Endpoint far;

  /** Larger messages and buffers from now on. */
  void trust() { trusted_.store(true, std::memory_order_relaxed); }
  void markClosed();

  // The receiving engine's thread.
  std::atomic<bool> connecting;
  /** Takes in what is there. False when it is at its end or broken; `error` says why. */
  bool fill(int* error);
  /** The next whole message: its length, and where it begins; 0 when there is none; −1 when there can never be one. */
  int next(const uint8_t** message);

  // Any thread.
  /** Takes whole messages in order, while there is room; how many. */
  uint32_t send(const iovec* messages, uint32_t count);
  /** False when it is broken. */
  bool flush();

 private:
  size_t longest() const;
  void keep(const uint8_t* bytes, size_t length);
  bool flushLocked();
  void watch(bool writable);

  std::atomic<bool> trusted_{false};
  std::vector<uint8_t> in_;
  size_t inStart_ = 0;
  size_t inEnd_ = 0;

  std::mutex sending_;
  bool closed_ = false;
  bool watched_ = false;
  /** What the socket has not taken yet, from `outAt_` on. */
  std::vector<uint8_t> out_;
  size_t outAt_ = 0;
};

class StreamTable {
 public:
  static StreamTable& instance();

  /** Readable when `poll` has something to do. */
  int pollFd() const { return pollFd_; }
  bool listen(const uint8_t* address, size_t length, uint16_t port, TcpListener* result, Failure* failure);
  /** Begins to connect; an event tells how it went. */
  bool connect(const uint8_t* address, size_t length, uint16_t port, uint32_t* id, Failure* failure);
  /** No event follows. Harmless when it is gone. */
  void close(uint32_t id) { take(id); }
  std::shared_ptr<Stream> find(uint32_t id);

  /** Accepts, finishes connecting, writes what waits; adds what can be read to `ready`, and tells. Never waits. */
  void poll(std::vector<std::shared_ptr<Stream>>* ready, std::vector<StreamEvent>* events);
  /** Forgets a connection that has ended by itself. */
  void end(const Stream& stream, int error, std::vector<StreamEvent>* events);
  /** Connections that were turned away because there are too many. */
  uint64_t refused() const { return refused_.load(std::memory_order_relaxed); }
  bool watch(int fd, uint64_t what, uint32_t events, int operation);

 private:
  StreamTable();
  std::shared_ptr<Stream> add(int fd, const Endpoint& far, bool connecting);
  std::shared_ptr<Stream> take(uint32_t id);
  void accept(int listener, std::vector<StreamEvent>* events);
  void serve(const std::shared_ptr<Stream>& stream, uint32_t happened, std::vector<std::shared_ptr<Stream>>* ready,
             std::vector<StreamEvent>* events);

  int pollFd_;
  std::atomic<bool> used_{false};
  std::atomic<uint64_t> refused_{0};
  std::mutex mutex_;
  uint32_t nextId_ = 0;
  std::unordered_map<uint32_t, std::shared_ptr<Stream>> streams_;
};

}  // namespace vine
