#include "io/stream_table.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

namespace vine {
namespace {

constexpr size_t kMaxStreams = 1024;
constexpr int kEvents = 64;
constexpr int kAcceptsAtOnce = 32;
constexpr int kBacklog = 128;
/** Marks listeners among what epoll reports. */
constexpr uint64_t kListener = uint64_t{1} << 63;

void tune(int fd) {
  const int on = 1;
  // What waits unsent in the kernel delays what comes after: little of it.
  const int unsentBytes = 128 * 1024;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsentBytes, sizeof unsentBytes);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  // A far end that takes nothing for so long is gone.
  const unsigned int timeoutMs = 20'000;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &timeoutMs, sizeof timeoutMs);
}

}  // namespace

StreamTable::StreamTable() : pollFd_(epoll_create1(EPOLL_CLOEXEC)) {}

StreamTable& StreamTable::instance() {
  // Never destroyed: a worker may still be in a batch while the process exits.
  static StreamTable* const table = new StreamTable();
  return *table;
}

bool StreamTable::watch(int fd, uint64_t what, uint32_t events, int operation) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = what;
  return epoll_ctl(pollFd_, operation, fd, &event) == 0;
}

bool StreamTable::listen(const uint8_t* address, size_t length, uint16_t port, TcpListener* result, Failure* failure) {
  const bool v6 = length == 16;
  const int fd = socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(failure, -1, "cannot open a TCP socket");
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (v6) setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  Endpoint local;
  makeEndpoint(address, length, port, fd, &local);
  if (bind(fd, &local.address.any, local.addressLength()) != 0 || ::listen(fd, kBacklog) != 0) {
    return fail(failure, fd, "cannot listen on TCP port " + std::to_string(port));
  }
  socklen_t size = sizeof local.address;
  if (getsockname(fd, &local.address.any, &size) != 0) return fail(failure, fd, "cannot read the bound port");
  if (!watch(fd, kListener | static_cast<uint32_t>(fd), EPOLLIN, EPOLL_CTL_ADD)) {
    return fail(failure, fd, "cannot watch a TCP socket");
  }
  used_.store(true);
  adopt(fd);
  *result = {fd, endpointPort(local), v6 ? 6 : 4};
  return true;
}

bool StreamTable::connect(const uint8_t* address, size_t length, uint16_t port, uint32_t* id, Failure* failure) {
  const int fd = socket(length == 16 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return fail(failure, -1, "cannot open a TCP socket");
  tune(fd);
  Endpoint far;
  makeEndpoint(address, length, port, 0, &far);
  if (::connect(fd, &far.address.any, far.addressLength()) != 0 && errno != EINPROGRESS) {
    return fail(failure, fd, "cannot connect");
  }
  used_.store(true);
  const std::shared_ptr<Stream> stream = add(fd, far, true);
  if (stream == nullptr) {
    errno = EMFILE;
    return fail(failure, -1, "too many TCP connections");
  }
  *id = stream->id;
  return true;
}

/** Owns the descriptor from now on. Null, and closed, when there are too many. */
std::shared_ptr<Stream> StreamTable::add(int fd, const Endpoint& far, bool connecting) {
  const std::lock_guard<std::mutex> guard(mutex_);
  if (streams_.size() >= kMaxStreams) {
    refused_.fetch_add(1, std::memory_order_relaxed);
    ::close(fd);
    return nullptr;
  }
  while (streams_.count(nextId_) != 0) nextId_ = (nextId_ + 1) & kMaxStreamId;
  const uint32_t id = nextId_;
  // Not given out again soon: a path may still name one that has ended.
  nextId_ = (nextId_ + 1) & kMaxStreamId;
  auto stream = std::make_shared<Stream>(id, fd, streamEndpoint(id, far), connecting);
  streams_.emplace(id, stream);
  watch(fd, id, connecting ? EPOLLOUT : EPOLLIN, EPOLL_CTL_ADD);
  return stream;
}

std::shared_ptr<Stream> StreamTable::take(uint32_t id) {
  std::shared_ptr<Stream> stream;
  {
    const std::lock_guard<std::mutex> guard(mutex_);
    const auto found = streams_.find(id);
    if (found == streams_.end()) return nullptr;
    stream = std::move(found->second);
    streams_.erase(found);
  }
  epoll_ctl(pollFd_, EPOLL_CTL_DEL, stream->fd, nullptr);
  stream->markClosed();
  return stream;
}

std::shared_ptr<Stream> StreamTable::find(uint32_t id) {
  const std::lock_guard<std::mutex> guard(mutex_);
  const auto found = streams_.find(id);
  return found == streams_.end() ? nullptr : found->second;
}

void StreamTable::end(const Stream& stream, int error, std::vector<StreamEvent>* events) {
  const Endpoint far = stream.far;
  const uint32_t id = stream.id;
  if (take(id) != nullptr) events->push_back({StreamEvent::closed, id, error, far});
}

void StreamTable::poll(std::vector<std::shared_ptr<Stream>>* ready, std::vector<StreamEvent>* events) {
  if (!used_.load(std::memory_order_relaxed)) return;
  epoll_event happened[kEvents];
  const int count = epoll_wait(pollFd_, happened, kEvents, 0);
  for (int i = 0; i < count; i++) {
    const uint64_t what = happened[i].data.u64;
    if ((what & kListener) != 0) {
      accept(static_cast<int>(what & INT32_MAX), events);
    } else if (const auto stream = find(static_cast<uint32_t>(what))) {
      serve(stream, happened[i].events, ready, events);
    }
  }
}

void StreamTable::accept(int listener, std::vector<StreamEvent>* events) {
  for (int i = 0; i < kAcceptsAtOnce; i++) {
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int fd = accept4(listener, reinterpret_cast<sockaddr*>(&from), &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    Endpoint far;
    if (!receivedEndpoint(from, 0, &far)) {
      ::close(fd);
      continue;
    }
    tune(fd);
    const auto stream = add(fd, far, false);
    if (stream != nullptr) events->push_back({StreamEvent::accepted, stream->id, 0, stream->far});
  }
}

void StreamTable::serve(const std::shared_ptr<Stream>& stream, uint32_t happened,
                        std::vector<std::shared_ptr<Stream>>* ready, std::vector<StreamEvent>* events) {
  if (stream->connecting) {
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
    if (error == 0 && (happened & EPOLLHUP)) error = ECONNRESET;
    if (error != 0) {
      end(*stream, error, events);
      return;
    }
    // First: from then on senders may send, and ask to be told when there is room again.
    watch(stream->fd, stream->id, EPOLLIN, EPOLL_CTL_MOD);
    stream->connecting = false;
    events->push_back({StreamEvent::connected, stream->id, 0, stream->far});
    return;
  }
  if ((happened & EPOLLOUT) && !stream->flush()) {
    end(*stream, ECONNRESET, events);
    return;
  }
  if (happened & (EPOLLIN | EPOLLHUP | EPOLLERR)) ready->push_back(stream);
}

}  // namespace vine
