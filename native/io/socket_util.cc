#include "io/socket_util.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <map>
#include <mutex>

namespace vine {
namespace {

constexpr int kSendBytes = 16 * 1024 * 1024;
// What waits here delays all that comes behind it, whoever sent it: at several Gbit/s this is some 10 ms, enough for a
// worker that lost its processor for a time slice or two. The kernel doubles it, to count its own overhead.
constexpr int kReceiveBytes = 4 * 1024 * 1024;

struct OpenDescriptors {
  std::mutex mutex;
  /** Each with its companion. */
  std::map<int, int> all;
};

OpenDescriptors& openDescriptors() {
  // Never destroyed: workers may outlive the process's static objects.
  static auto* const descriptors = new OpenDescriptors();
  return *descriptors;
}

void setBuffer(int fd, int bytes, int forced, int polite) {
  if (setsockopt(fd, SOL_SOCKET, forced, &bytes, sizeof bytes) == 0) return;
  setsockopt(fd, SOL_SOCKET, polite, &bytes, sizeof bytes);
}

}  // namespace

bool fail(Failure* failure, int fd, std::string what) {
  failure->error = errno;
  failure->what = std::move(what);
  if (fd >= 0) close(fd);
  return false;
}

const char* errorName(int error) {
  const char* name = strerrorname_np(error);
  return name == nullptr ? "EUNKNOWN" : name;
}

void enlargeBuffers(int fd) {
  setBuffer(fd, kReceiveBytes, SO_RCVBUFFORCE, SO_RCVBUF);
  setBuffer(fd, kSendBytes, SO_SNDBUFFORCE, SO_SNDBUF);
}

void adopt(int fd, int companion) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  open.all[fd] = companion;
}

bool closeAdopted(int fd) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  const auto found = open.all.find(fd);
  if (found == open.all.end()) return false;
  if (found->second >= 0) close(found->second);
  open.all.erase(found);
  close(fd);
  return true;
}

bool isAdopted(int fd) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  return open.all.count(fd) != 0;
}

int companionOf(int fd) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  const auto found = open.all.find(fd);
  return found == open.all.end() ? -1 : found->second;
}

}  // namespace vine
