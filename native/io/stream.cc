#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "io/stream_table.h"

namespace vine {
namespace {

constexpr size_t kShortestMessage = 32;
constexpr size_t kTrustedBufferBytes = 256 * 1024;
constexpr size_t kStrangersBufferBytes = kStreamPrefixBytes + kLongestStrangersMessage;
/** What may wait for a slow socket: beyond it messages are dropped, as by any router. */
constexpr size_t kBacklogBytes = 256 * 1024;
constexpr uint32_t kMessagesAtOnce = 64;

}  // namespace

Stream::Stream(uint32_t streamId, int descriptor, const Endpoint& farEnd, bool isConnecting)
    : id(streamId), fd(descriptor), far(farEnd), connecting(isConnecting) {}

Stream::~Stream() { close(fd); }

void Stream::markClosed() {
  const std::lock_guard<std::mutex> guard(sending_);
  closed_ = true;
  out_.clear();
  out_.shrink_to_fit();
  shutdown(fd, SHUT_RDWR);
}

size_t Stream::longest() const {
  return trusted_.load(std::memory_order_relaxed) ? kLongestStreamMessage : kLongestStrangersMessage;
}

bool Stream::fill(int* error) {
  const bool trusted = trusted_.load(std::memory_order_relaxed);
  const size_t capacity = trusted ? kTrustedBufferBytes : kStrangersBufferBytes;
  if (in_.size() < capacity) in_.resize(capacity);
  if (inStart_ != 0) {
    std::memmove(in_.data(), in_.data() + inStart_, inEnd_ - inStart_);
    inEnd_ -= inStart_;
    inStart_ = 0;
  }
  if (inEnd_ == in_.size()) return true;
  const ssize_t got = recv(fd, in_.data() + inEnd_, in_.size() - inEnd_, MSG_DONTWAIT);
  if (got > 0) {
    inEnd_ += static_cast<size_t>(got);
    return true;
  }
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return true;
  *error = got == 0 ? 0 : errno;
  return false;
}

int Stream::next(const uint8_t** message) {
  const size_t there = inEnd_ - inStart_;
  if (there < kStreamPrefixBytes) return 0;
  const size_t length = loadBe16(in_.data() + inStart_);
  if (length < kShortestMessage || length > longest()) return -1;
  if (there < kStreamPrefixBytes + length) return 0;
  *message = in_.data() + inStart_ + kStreamPrefixBytes;
  inStart_ += kStreamPrefixBytes + length;
  return static_cast<int>(length);
}

uint32_t Stream::send(const iovec* messages, uint32_t count) {
  const std::lock_guard<std::mutex> guard(sending_);
  if (closed_ || connecting || (outAt_ != out_.size() && !flushLocked())) return 0;
  uint32_t done = 0;
  while (done < count && outAt_ == out_.size()) {
    const uint32_t part = std::min(count - done, kMessagesAtOnce);
    uint8_t prefixes[kMessagesAtOnce][kStreamPrefixBytes];
    iovec vectors[2 * kMessagesAtOnce];
    size_t total = 0;
    for (uint32_t i = 0; i < part; i++) {
      const iovec& message = messages[done + i];
      storeBe16(prefixes[i], static_cast<uint16_t>(message.iov_len));
      vectors[2 * i] = {prefixes[i], kStreamPrefixBytes};
      vectors[2 * i + 1] = message;
      total += kStreamPrefixBytes + message.iov_len;
    }
    msghdr header{};
    header.msg_iov = vectors;
    header.msg_iovlen = 2 * part;
    const ssize_t sent = sendmsg(fd, &header, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno != EAGAIN && errno != EINTR) return done;
    size_t skip = sent < 0 ? 0 : static_cast<size_t>(sent);
    if (skip < total) {
      // A message that has begun must be finished; the others wait with it.
      for (uint32_t i = 0; i < 2 * part; i++) {
        const size_t gone = std::min(skip, vectors[i].iov_len);
        skip -= gone;
        keep(static_cast<const uint8_t*>(vectors[i].iov_base) + gone, vectors[i].iov_len - gone);
      }
      watch(true);
    }
    done += part;
  }
  for (; done < count; done++) {
    if (out_.size() - outAt_ + messages[done].iov_len > kBacklogBytes) return done;
    uint8_t prefix[kStreamPrefixBytes];
    storeBe16(prefix, static_cast<uint16_t>(messages[done].iov_len));
    keep(prefix, sizeof prefix);
    keep(static_cast<const uint8_t*>(messages[done].iov_base), messages[done].iov_len);
  }
  return done;
}

void Stream::keep(const uint8_t* bytes, size_t length) { out_.insert(out_.end(), bytes, bytes + length); }

bool Stream::flush() {
  const std::lock_guard<std::mutex> guard(sending_);
  return closed_ || flushLocked();
}

bool Stream::flushLocked() {
  while (outAt_ < out_.size()) {
    const ssize_t sent = ::send(fd, out_.data() + outAt_, out_.size() - outAt_, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) {
      if (errno != EAGAIN) return false;
      break;
    }
    outAt_ += static_cast<size_t>(sent);
  }
  if (outAt_ == out_.size()) {
    out_.clear();
    outAt_ = 0;
    watch(false);
  } else if (outAt_ > kBacklogBytes) {
    out_.erase(out_.begin(), out_.begin() + static_cast<ptrdiff_t>(outAt_));
    outAt_ = 0;
  }
  return true;
}

/** Whether the receiving engine is to be told when the socket takes more. */
void Stream::watch(bool writable) {
  if (watched_ == writable) return;
  watched_ = writable;
  StreamTable::instance().watch(fd, id, EPOLLIN | (writable ? EPOLLOUT : 0u), EPOLL_CTL_MOD);
}

}  // namespace vine
