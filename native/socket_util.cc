#include "socket_util.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <mutex>
#include <set>

namespace vine {
namespace {

constexpr int kBufferBytes = 16 * 1024 * 1024;

struct OpenDescriptors {
  std::mutex mutex;
  std::set<int> all;
};

OpenDescriptors& openDescriptors() {
  // Never destroyed: workers may outlive the process's static objects.
  static auto* const descriptors = new OpenDescriptors();
  return *descriptors;
}

void enlarge(int fd, int forced, int polite) {
  if (setsockopt(fd, SOL_SOCKET, forced, &kBufferBytes, sizeof kBufferBytes) == 0) return;
  setsockopt(fd, SOL_SOCKET, polite, &kBufferBytes, sizeof kBufferBytes);
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
  enlarge(fd, SO_RCVBUFFORCE, SO_RCVBUF);
  enlarge(fd, SO_SNDBUFFORCE, SO_SNDBUF);
}

void adopt(int fd) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  open.all.insert(fd);
}

bool closeAdopted(int fd) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  if (open.all.erase(fd) == 0) return false;
  close(fd);
  return true;
}

bool isAdopted(int fd) {
  OpenDescriptors& open = openDescriptors();
  const std::lock_guard<std::mutex> guard(open.mutex);
  return open.all.count(fd) != 0;
}

}  // namespace vine
