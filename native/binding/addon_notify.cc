// notifySystemd: one datagram to a service manager's socket (sd_notify(3)). Node has no Unix datagram sockets.
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "binding/addon.h"
#include "binding/napi_util.h"

namespace vine {
namespace {

/** Fills `address` and returns its length; 0 when the path does not fit. A leading '@' stands for the abstract namespace. */
socklen_t makeUnixAddress(const std::string& path, sockaddr_un* address) {
  // An abstract name has no closing zero; a path has one.
  const bool abstract = path[0] == '@';
  const size_t limit = sizeof address->sun_path - (abstract ? 0 : 1);
  if (path.size() > limit) return 0;
  *address = {};
  address->sun_family = AF_UNIX;
  memcpy(address->sun_path, path.data(), path.size());
  if (abstract) address->sun_path[0] = '\0';
  return static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + (abstract ? 0 : 1));
}

napi_value notifySystemd(napi_env env, napi_callback_info info) {
  Call call(env, info);
  std::string path;
  Bytes text;
  if (!readText(env, call.arguments[0], "path", &path)) return nullptr;
  if (!readBytes(env, call.arguments[1], "text", &text)) return nullptr;
  sockaddr_un address;
  const socklen_t length = path.empty() ? 0 : makeUnixAddress(path, &address);
  if (length == 0) return throwErrno(env, path.empty() ? EINVAL : ENAMETOOLONG, "cannot notify " + path);
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return throwErrno(env, errno, "cannot open a Unix datagram socket");
  // Never waits: a service manager that does not read must not stop the router.
  const ssize_t sent = sendto(fd, text.data, text.length, MSG_DONTWAIT | MSG_NOSIGNAL,
                              reinterpret_cast<const sockaddr*>(&address), length);
  const int error = errno;
  close(fd);
  if (sent < 0) return throwErrno(env, error, "cannot notify " + path);
  return undefinedValue(env);
}

}  // namespace

void defineNotify(napi_env env, napi_value exports) { setFunction(env, exports, "notifySystemd", notifySystemd); }

}  // namespace vine
