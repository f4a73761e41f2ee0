// Wake-ups between threads: eventfds, waited for by engines (`receive`) or by the event loop of a thread (`watchWakeup`).
#include <errno.h>
#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "binding/addon.h"
#include "binding/loop_watch.h"
#include "binding/napi_util.h"
#include "io/socket_util.h"

namespace vine {
namespace {

constexpr napi_type_tag kWatchTag = {0x5669'4e65'5761'6b65, 0x7570'2d76'3120'2020};

class WakeupWatch final : public LoopWatch {
 public:
  /** @param descriptor is closed with it */
  explicit WakeupWatch(int descriptor) : descriptor_(descriptor) {}

 private:
  void readable() override;
  void release() override { ::close(descriptor_); }

  int descriptor_;
};

void WakeupWatch::readable() {
  uint64_t wakes = 0;
  if (read(descriptor_, &wakes, sizeof wakes) < 0) return;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env(), &scope) != napi_ok) return;
  tell(0, nullptr);
  napi_close_handle_scope(env(), scope);
}

napi_value createWakeup(napi_env env, napi_callback_info) {
  const int fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (fd < 0) return throwErrno(env, errno, "cannot create a wake-up descriptor");
  adopt(fd);
  return numberValue(env, fd);
}

napi_value wake(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  if (!readUint32(env, call.arguments[0], "fd", INT32_MAX, &fd)) return nullptr;
  if (!isAdopted(static_cast<int>(fd))) return throwErrno(env, EBADF, "cannot wake");
  const uint64_t one = 1;
  if (write(static_cast<int>(fd), &one, sizeof one) < 0 && errno != EAGAIN) return throwErrno(env, errno, "cannot wake");
  return undefinedValue(env);
}

napi_value closeWatch(napi_env env, napi_callback_info info) {
  Call call(env, info);
  LoopWatch* watch = LoopWatch::behind(env, call.self, kWatchTag, "not a watch of a wake-up");
  if (watch == nullptr) return nullptr;
  watch->close();
  return undefinedValue(env);
}

napi_value watchWakeup(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  if (!readUint32(env, call.arguments[0], "fd", INT32_MAX, &fd)) return nullptr;
  if (!checkFunction(env, call.arguments[1], "onWoken")) return nullptr;
  if (!isAdopted(static_cast<int>(fd))) return throwErrno(env, EBADF, "cannot watch for wake-ups");
  // One of its own: whoever closes the other takes nothing from libuv that it still looks at.
  const int descriptor = fcntl(static_cast<int>(fd), F_DUPFD_CLOEXEC, 0);
  if (descriptor < 0) return throwErrno(env, errno, "cannot watch for wake-ups");
  const auto watch = std::make_shared<WakeupWatch>(descriptor);
  const napi_value self = LoopWatch::makeObject(env, kWatchTag, watch);
  if (self == nullptr) {
    ::close(descriptor);
    return throwError(env, "cannot make a watch of a wake-up");
  }
  if (!LoopWatch::start(watch, env, descriptor, self, call.arguments[1], "vine:wakeup")) {
    return throwError(env, "cannot hand the wake-up to the event loop");
  }
  setFunction(env, self, "close", closeWatch);
  return self;
}

}  // namespace

void defineWakeup(napi_env env, napi_value exports) {
  setFunction(env, exports, "createWakeup", createWakeup);
  setFunction(env, exports, "wake", wake);
  setFunction(env, exports, "watchWakeup", watchWakeup);
}

}  // namespace vine
