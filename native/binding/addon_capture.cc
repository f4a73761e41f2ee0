// openCapture: libpcap in the event loop of the thread that calls it, and the methods of what it returns.
#include <memory>
#include <utility>

#include "base/clock.h"
#include "binding/addon.h"
#include "binding/loop_watch.h"
#include "binding/napi_util.h"
#include "capture/frame_capture.h"

namespace vine {
namespace {

constexpr int64_t kLeastFrameBytes = 64;
constexpr int64_t kMostFrameBytes = 256 * 1024;
constexpr int64_t kLeastRingBytes = 64 * 1024;
constexpr int64_t kMostRingBytes = 64 * 1024 * 1024;

constexpr napi_type_tag kCaptureTag = {0x5669'4e65'4361'7074, 0x7572'652d'7631'2020};

class CaptureWatch final : public LoopWatch {
 public:
  explicit CaptureWatch(std::unique_ptr<FrameCapture> capture) : capture_(std::move(capture)) {}

  /** Null when closed. */
  FrameCapture* capture() const { return capture_.get(); }

 private:
  void readable() override;
  void forgetError() override { capture_->forgetError(); }
  void release() override { capture_.reset(); }
  void deliver();

  std::unique_ptr<FrameCapture> capture_;
};

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

void CaptureWatch::readable() {
  if (!capture_->take()) stopLooking();
  if (!capture_->frames().empty()) deliver();
}

void CaptureWatch::deliver() {
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env(), &scope) != napi_ok) return;
  const std::vector<CapturedFrame>& frames = capture_->frames();
  const napi_value arguments[] = {framesValue(env(), frames), agesValue(env(), frames)};
  tell(2, arguments);
  napi_close_handle_scope(env(), scope);
}

/** Null, and thrown, when `self` is no capture. */
CaptureWatch* watchOf(napi_env env, napi_value self) {
  return static_cast<CaptureWatch*>(LoopWatch::behind(env, self, kCaptureTag, "not a capture"));
}

napi_value sendFrame(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CaptureWatch* watch = watchOf(env, call.self);
  Bytes frame;
  if (watch == nullptr || !readBytes(env, call.arguments[0], "frame", &frame)) return nullptr;
  FrameCapture* capture = watch->capture();
  const bool sent = capture != nullptr && capture->send(frame.data, frame.length);
  return booleanValue(env, sent);
}

napi_value drops(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CaptureWatch* watch = watchOf(env, call.self);
  if (watch == nullptr) return nullptr;
  return numberValue(env, watch->capture() == nullptr ? 0 : watch->capture()->drops());
}

napi_value closeCapture(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CaptureWatch* watch = watchOf(env, call.self);
  if (watch == nullptr) return nullptr;
  watch->close();
  return undefinedValue(env);
}

bool readOptions(napi_env env, napi_value object, CaptureOptions* options) {
  napi_value value = nullptr;
  return readProperty(env, object, "interface", &value) &&
         readText(env, value, "interface", &options->interfaceName) && readProperty(env, object, "filter", &value) &&
         readText(env, value, "filter", &options->filter) &&
         readSize(env, object, "frameBytes", kLeastFrameBytes, kMostFrameBytes, &options->frameBytes) &&
         readSize(env, object, "ringBytes", kLeastRingBytes, kMostRingBytes, &options->ringBytes);
}

napi_value openCapture(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CaptureOptions options;
  if (!readOptions(env, call.arguments[0], &options)) return nullptr;
  if (!checkFunction(env, call.arguments[1], "onFrames")) return nullptr;
  Failure failure;
  std::unique_ptr<FrameCapture> capture = FrameCapture::open(options, &failure);
  if (capture == nullptr) {
    return failure.error != 0 ? throwErrno(env, failure.error, failure.what) : throwError(env, failure.what);
  }
  const int descriptor = capture->descriptor();
  const auto watch = std::make_shared<CaptureWatch>(std::move(capture));
  const napi_value self = LoopWatch::makeObject(env, kCaptureTag, watch);
  if (self == nullptr || !LoopWatch::start(watch, env, descriptor, self, call.arguments[1], "vine:capture")) {
    return throwError(env, "cannot hand the capture to the event loop");
  }
  setFunction(env, self, "send", sendFrame);
  setFunction(env, self, "drops", drops);
  setFunction(env, self, "close", closeCapture);
  return self;
}

}  // namespace

void defineCapture(napi_env env, napi_value exports) { setFunction(env, exports, "openCapture", openCapture); }

}  // namespace vine
