// createPairCounter: captures of libpcap whose frames are counted where they lie, and what was counted. JavaScript is entered by nothing
// of it: it asks.
#include <net/if.h>

#include <cstring>
#include <memory>
#include <string>
#include <utility>

#include "binding/addon.h"
#include "binding/loop_watch.h"
#include "binding/napi_util.h"
#include "capture/frame_capture.h"
#include "capture/pair_counter.h"

namespace vine {
namespace {

/** Four of libpcap's blocks. */
constexpr int64_t kLeastRingBytes = 1024 * 1024;
constexpr int64_t kMostRingBytes = 64 * 1024 * 1024;
constexpr int64_t kMostCollectMs = 1'000;

constexpr napi_type_tag kCounterTag = {0x5669'4e65'5061'6972, 0x436f'756e'742d'3120};
constexpr napi_type_tag kCaptureTag = {0x5669'4e65'5061'6972, 0x4361'7074'2d76'3120};

using Counter = std::shared_ptr<PairCounter>;

class CountWatch final : public LoopWatch {
 public:
  CountWatch(std::unique_ptr<FrameCapture> capture, Counter counter)
      : capture_(std::move(capture)), counter_(std::move(counter)) {}

  /** Null when closed. */
  FrameCapture* capture() const { return capture_.get(); }

 private:
  void readable() override {
    if (!capture_->count(*counter_)) stopLooking();
  }
  void forgetError() override { capture_->forgetError(); }
  void release() override { capture_.reset(); }

  std::unique_ptr<FrameCapture> capture_;
  const Counter counter_;
};

void forgetCounter(napi_env, void* data, void*) { delete static_cast<Counter*>(data); }

/** Null, and thrown, when `self` is none. */
Counter* counterOf(napi_env env, napi_value self) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &kCounterTag, &tagged) == napi_ok && tagged &&
      napi_unwrap(env, self, &data) == napi_ok) {
    return static_cast<Counter*>(data);
  }
  napi_throw_type_error(env, nullptr, "not a counter of pairs");
  return nullptr;
}

CountWatch* watchOf(napi_env env, napi_value self) {
  return static_cast<CountWatch*>(LoopWatch::behind(env, self, kCaptureTag, "not a capture for pairs"));
}

napi_value pairsValue(napi_env env, const std::vector<CountedPair>& pairs) {
  void* data = nullptr;
  napi_value buffer = nullptr;
  if (napi_create_arraybuffer(env, pairs.size() * sizeof(CountedPair), &data, &buffer) != napi_ok) return nullptr;
  if (!pairs.empty()) std::memcpy(data, pairs.data(), pairs.size() * sizeof(CountedPair));
  return buffer;
}

napi_value takePairs(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Counter* counter = counterOf(env, call.self);
  if (counter == nullptr) return nullptr;
  PairCounter& counted = **counter;
  const napi_value pairs = pairsValue(env, counted.pairs());
  if (pairs == nullptr) return throwError(env, "no memory for the pairs");
  const napi_value taken = objectValue(env, {{"pairs", pairs},
                                             {"frames", numberValue(env, static_cast<double>(counted.frames()))},
                                             {"restBytes", numberValue(env, static_cast<double>(counted.restBytes()))}});
  counted.clear();
  return taken;
}

napi_value captureDrops(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CountWatch* watch = watchOf(env, call.self);
  if (watch == nullptr) return nullptr;
  return numberValue(env, watch->capture() == nullptr ? 0 : watch->capture()->drops());
}

napi_value closeCapture(napi_env env, napi_callback_info info) {
  Call call(env, info);
  CountWatch* watch = watchOf(env, call.self);
  if (watch == nullptr) return nullptr;
  watch->close();
  return undefinedValue(env);
}

bool readOptions(napi_env env, napi_value object, CaptureOptions* options) {
  options->frameBytes = PairCounter::kFrameBytes;
  napi_value value = nullptr;
  return readProperty(env, object, "interface", &value) &&
         readText(env, value, "interface", &options->interfaceName) && readProperty(env, object, "filter", &value) &&
         readText(env, value, "filter", &options->filter) && readProperty(env, object, "inboundOnly", &value) &&
         readBoolean(env, value, "inboundOnly", &options->inboundOnly) &&
         readSize(env, object, "collectMs", 1, kMostCollectMs, &options->collectMs) &&
         readSize(env, object, "ringBytes", kLeastRingBytes, kMostRingBytes, &options->ringBytes);
}

napi_value openCapture(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Counter* counter = counterOf(env, call.self);
  CaptureOptions options;
  if (counter == nullptr || !readOptions(env, call.arguments[0], &options)) return nullptr;
  Failure failure;
  std::unique_ptr<FrameCapture> capture = FrameCapture::open(options, &failure);
  if (capture == nullptr) {
    return failure.error != 0 ? throwErrno(env, failure.error, failure.what) : throwError(env, failure.what);
  }
  const int descriptor = capture->descriptor();
  const auto watch = std::make_shared<CountWatch>(std::move(capture), *counter);
  const napi_value self = LoopWatch::makeObject(env, kCaptureTag, watch);
  // Nothing is told, so nobody listens.
  if (self == nullptr || !LoopWatch::start(watch, env, descriptor, self, self, "vine:pairs")) {
    return throwError(env, "cannot hand the capture to the event loop");
  }
  setFunction(env, self, "drops", captureDrops);
  setFunction(env, self, "close", closeCapture);
  return self;
}

napi_value interfaceIndex(napi_env env, napi_callback_info info) {
  Call call(env, info);
  std::string name;
  if (!readText(env, call.arguments[0], "name", &name)) return nullptr;
  return numberValue(env, if_nametoindex(name.c_str()));
}

napi_value createPairCounter(napi_env env, napi_callback_info) {
  napi_value self = nullptr;
  auto counter = std::make_unique<Counter>(std::make_shared<PairCounter>());
  if (napi_create_object(env, &self) != napi_ok || napi_type_tag_object(env, self, &kCounterTag) != napi_ok ||
      napi_wrap(env, self, counter.get(), forgetCounter, nullptr, nullptr) != napi_ok) {
    return throwError(env, "cannot make a counter of pairs");
  }
  counter.release();
  setFunction(env, self, "openCapture", openCapture);
  setFunction(env, self, "interfaceIndex", interfaceIndex);
  setFunction(env, self, "take", takePairs);
  return self;
}

}  // namespace

void definePairs(napi_env env, napi_value exports) { setFunction(env, exports, "createPairCounter", createPairCounter); }

}  // namespace vine
