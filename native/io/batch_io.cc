#include "io/batch_io.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include "io/socket_util.h"
#include "io/stream_table.h"

namespace vine {
namespace {

// A worker that waits here does not receive: after this much patience a full queue means loss, as in any router.
constexpr int kPatience = 5;

/** ENOBUFS comes from the interface's queue, which the socket does not announce as writable: wait a moment. */
void nap() {
  const timespec moment = {0, 100'000};
  nanosleep(&moment, nullptr);
}

void waitWritable(int fd, int timeoutMs) {
  pollfd waiting = {fd, POLLOUT, 0};
  poll(&waiting, 1, timeoutMs);
}

}  // namespace

void sendAll(int fd, mmsghdr* messages, uint32_t count, int* errors) {
  int patience = kPatience;
  uint32_t done = 0;
  while (done < count) {
    const int sent = sendmmsg(fd, messages + done, count - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
      for (int i = 0; i < sent; i++) errors[done++] = 0;
      continue;
    }
    const int error = sent < 0 ? errno : EIO;
    if (error == EINTR) continue;
    if (error == EAGAIN && patience-- > 0) {
      waitWritable(fd, 1);
      continue;
    }
    if (error == ENOBUFS && patience-- > 0) {
      nap();
      continue;
    }
    errors[done++] = error;
  }
}

bool sendOne(const Endpoint& to, const uint8_t* data, size_t length) {
  if (to.isStream()) {
    const auto stream = StreamTable::instance().find(to.stream());
    const iovec message = {const_cast<uint8_t*>(data), length};
    return stream != nullptr && length <= kLongestStreamMessage && stream->send(&message, 1) == 1;
  }
  // The number of a socket that was closed may be another file's by now.
  if (!to.isUdp() || !isAdopted(to.fd)) return false;
  const ssize_t sent =
      sendto(to.fd, data, length, MSG_DONTWAIT | MSG_NOSIGNAL, &to.address.any, to.addressLength());
  return sent == static_cast<ssize_t>(length);
}

}  // namespace vine
