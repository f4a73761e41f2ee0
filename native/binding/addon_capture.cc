// openCapture: libpcap in the event loop of the thread that calls it, and the methods of what it returns.
#include <uv.h>

#include <memory>
#include <utility>

#include "base/clock.h"
#include "binding/addon.h"
#include "binding/napi_util.h"
#include "io/frame_capture.h"

namespace vine {
namespace {

constexpr int64_t kLeastFrameBytes = 64;
constexpr int64_t kMostFrameBytes = 256 * 1024;
constexpr int64_t kLeastRingBytes = 64 * 1024;
constexpr int64_t kMostRingBytes = 64 * 1024 * 1024;

// Keeps a method from being called on an object that is no capture.
constexpr napi_type_tag kCaptureTag = {0x5669'4e65'4361'7074, 0x7572'652d'7631'2020};

/** Belongs to its JavaScript object, and to libuv as long as that has `poll`. */
struct Capturing {
  napi_env env = nullptr;
  /** Null when closed. */
  std::unique_ptr<FrameCapture> capture;
  uv_poll_t poll{};
  /** Until it is closed the object is not garbage, whoever has forgotten it. */
  napi_ref self = nullptr;
  napi_ref onFrames = nullptr;
  napi_async_context context = nullptr;
  napi_async_cleanup_hook_handle cleanup = nullptr;
  std::shared_ptr<Capturing> ofLibuv;
};

Capturing* behind(uv_poll_t* poll) { return static_cast<Capturing*>(poll->data); }

void whenLibuvIsDone(uv_handle_t* handle) {
  auto* capturing = static_cast<Capturing*>(handle->data);
  const std::shared_ptr<Capturing> last = std::move(capturing->ofLibuv);
  napi_remove_async_cleanup_hook(last->cleanup);
}

void closeCapturing(Capturing* capturing) {
  if (capturing->capture == nullptr) return;
  // Before the descriptor goes: libuv forgets its number at once, and the rest later.
  uv_close(reinterpret_cast<uv_handle_t*>(&capturing->poll), whenLibuvIsDone);
  capturing->capture.reset();
  napi_delete_reference(capturing->env, capturing->onFrames);
  napi_delete_reference(capturing->env, capturing->self);
  napi_async_destroy(capturing->env, capturing->context);
}

/** The thread ends with the capture open. */
void atTeardown(napi_async_cleanup_hook_handle, void* data) { closeCapturing(static_cast<Capturing*>(data)); }

napi_value framesValue(napi_env env, const std::vector<CapturedFrame>& frames) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, frames.size(), &array) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < frames.size(); i++) {
    napi_set_element(env, array, i, bytesValue(env, frames[i].data, frames[i].length));
  }
  return array;
}

/** The last thing before JavaScript reads its own clock: what lies between the two readings makes frames younger. */
napi_value agesValue(napi_env env, const std::vector<CapturedFrame>& frames) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, frames.size() * sizeof(double), &data, &buffer) != napi_ok ||
      napi_create_typedarray(env, napi_float64_array, frames.size(), buffer, 0, &array) != napi_ok) {
    return nullptr;
  }
  auto* ages = static_cast<double*>(data);
  const int64_t nowNs = realtimeNs();
  for (const CapturedFrame& frame : frames) *ages++ = static_cast<double>(nowNs - frame.capturedNs) / 1e6;
  return array;
}

void deliver(Capturing* capturing) {
  napi_env env = capturing->env;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value self = nullptr;
  napi_value onFrames = nullptr;
  napi_get_reference_value(env, capturing->self, &self);
  napi_get_reference_value(env, capturing->onFrames, &onFrames);
  const std::vector<CapturedFrame>& frames = capturing->capture->frames();
  napi_value arguments[] = {framesValue(env, frames), agesValue(env, frames)};
  if (napi_make_callback(env, capturing->context, self, onFrames, 2, arguments, nullptr) == napi_pending_exception) {
    napi_value error = nullptr;
    napi_get_and_clear_last_exception(env, &error);
    napi_fatal_exception(env, error);
  }
  napi_close_handle_scope(env, scope);
}

void onReadable(uv_poll_t* poll, int status, int) {
  // JavaScript may close it.
  const std::shared_ptr<Capturing> capturing = behind(poll)->ofLibuv;
  if (status < 0) {
    // libuv has stopped looking.
    capturing->capture->forgetError();
    uv_poll_start(poll, UV_READABLE, onReadable);
  }
  if (!capturing->capture->take()) uv_poll_stop(poll);
  if (!capturing->capture->frames().empty()) deliver(capturing.get());
}

/** Null, and thrown, when `self` is no capture. */
Capturing* capturingOf(napi_env env, napi_value self) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &kCaptureTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, self, &data) != napi_ok) {
    napi_throw_type_error(env, nullptr, "not a capture");
    return nullptr;
  }
  return static_cast<std::shared_ptr<Capturing>*>(data)->get();
}

napi_value sendFrame(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Capturing* capturing = capturingOf(env, call.self);
  Bytes frame;
  if (capturing == nullptr || !readBytes(env, call.arguments[0], "frame", &frame)) return nullptr;
  const bool sent = capturing->capture != nullptr && capturing->capture->send(frame.data, frame.length);
  return booleanValue(env, sent);
}

napi_value drops(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Capturing* capturing = capturingOf(env, call.self);
  if (capturing == nullptr) return nullptr;
  return numberValue(env, capturing->capture == nullptr ? 0 : capturing->capture->drops());
}

napi_value closeCapture(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Capturing* capturing = capturingOf(env, call.self);
  if (capturing == nullptr) return nullptr;
  closeCapturing(capturing);
  return undefinedValue(env);
}

bool readSize(napi_env env, napi_value object, const char* name, int64_t low, int64_t high, uint32_t* out) {
  napi_value value = nullptr;
  int64_t number = 0;
  if (!readProperty(env, object, name, &value) || !readInteger(env, value, name, low, high, &number)) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

bool readOptions(napi_env env, napi_value object, CaptureOptions* options) {
  napi_value value = nullptr;
  return readProperty(env, object, "interface", &value) &&
         readText(env, value, "interface", &options->interfaceName) && readProperty(env, object, "filter", &value) &&
         readText(env, value, "filter", &options->filter) &&
         readSize(env, object, "frameBytes", kLeastFrameBytes, kMostFrameBytes, &options->frameBytes) &&
         readSize(env, object, "ringBytes", kLeastRingBytes, kMostRingBytes, &options->ringBytes);
}

void forget(napi_env, void* data, void*) { delete static_cast<std::shared_ptr<Capturing>*>(data); }

/** The object of JavaScript, which owns `capturing` from then on. */
napi_value makeObject(napi_env env, const std::shared_ptr<Capturing>& capturing) {
  napi_value self = nullptr;
  auto owner = std::make_unique<std::shared_ptr<Capturing>>(capturing);
  if (napi_create_object(env, &self) != napi_ok || napi_type_tag_object(env, self, &kCaptureTag) != napi_ok ||
      napi_wrap(env, self, owner.get(), forget, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  owner.release();
  setFunction(env, self, "send", sendFrame);
  setFunction(env, self, "drops", drops);
  setFunction(env, self, "close", closeCapture);
  return self;
}

/** Hands it to the event loop. */
bool start(const std::shared_ptr<Capturing>& capturing, napi_value self, napi_value onFrames) {
  napi_env env = capturing->env;
  uv_loop_t* loop = nullptr;
  napi_value name = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_create_string_utf8(env, "vine:capture", NAPI_AUTO_LENGTH, &name) != napi_ok ||
      uv_poll_init(loop, &capturing->poll, capturing->capture->descriptor()) != 0) {
    return false;
  }
  capturing->poll.data = capturing.get();
  capturing->ofLibuv = capturing;
  napi_create_reference(env, self, 1, &capturing->self);
  napi_create_reference(env, onFrames, 1, &capturing->onFrames);
  napi_async_init(env, self, name, &capturing->context);
  napi_add_async_cleanup_hook(env, atTeardown, capturing.get(), &capturing->cleanup);
  if (uv_poll_start(&capturing->poll, UV_READABLE, onReadable) == 0) return true;
  closeCapturing(capturing.get());
  return false;
}

napi_value openCapture(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CaptureOptions options;
  napi_valuetype type = napi_undefined;
  if (!readOptions(env, call.arguments[0], &options)) return nullptr;
  if (napi_typeof(env, call.arguments[1], &type) != napi_ok || type != napi_function) {
    napi_throw_type_error(env, nullptr, "onFrames must be a function");
    return nullptr;
  }
  Failure failure;
  const auto capturing = std::make_shared<Capturing>();
  capturing->env = env;
  capturing->capture = FrameCapture::open(options, &failure);
  if (capturing->capture == nullptr) {
    return failure.error != 0 ? throwErrno(env, failure.error, failure.what) : throwError(env, failure.what);
  }
  const napi_value self = makeObject(env, capturing);
  if (self == nullptr || !start(capturing, self, call.arguments[1])) {
    return throwError(env, "cannot hand the capture to the event loop");
  }
  return self;
}

}  // namespace

void defineCapture(napi_env env, napi_value exports) { setFunction(env, exports, "openCapture", openCapture); }

}  // namespace vine
