// What the event loop of a thread looks at for JavaScript: a descriptor, an object to close it by, a listener.
#pragma once
#include <node_api.h>
#include <uv.h>

#include <cstddef>
#include <memory>

namespace vine {

/** Belongs to its JavaScript object, and to libuv as long as that has `poll_`. All of it is one thread's. */
class LoopWatch {
 public:
  LoopWatch() = default;
  LoopWatch(const LoopWatch&) = delete;
  LoopWatch& operator=(const LoopWatch&) = delete;
  virtual ~LoopWatch() = default;

  /** A new object, which owns `watch` from then on; null when there can be none. The tag keeps methods from other objects. */
  static napi_value makeObject(napi_env env, const napi_type_tag& tag, const std::shared_ptr<LoopWatch>& watch);

  /** What is behind an object with that tag; null, and `complaint` thrown, for any other. */
  static LoopWatch* behind(napi_env env, napi_value self, const napi_type_tag& tag, const char* complaint);

  /**
   * Hands it to the event loop, which goes on as long as it is open; `self` is no garbage so long, whoever has forgotten
   * it. `name` is for who traces callbacks. When it cannot be, false, and `watch` is closed.
   */
  static bool start(const std::shared_ptr<LoopWatch>& watch, napi_env env, int descriptor, napi_value self,
                    napi_value listener, const char* name);

  /** Harmless when done already; done when the thread ends. */
  void close();

 protected:
  /** There is something to read, and somebody to `tell`; JavaScript may close this meanwhile. */
  virtual void readable() = 0;
  /** libuv says no more than that there is an error, and is about to look again. */
  virtual void forgetError() {}
  /** libuv has let go of the descriptor. */
  virtual void release() = 0;

  napi_env env() const { return env_; }
  /** Nothing comes any more, though it is open. */
  void stopLooking();
  /** Calls the listener. An exception of it is nobody's to swallow. To be called within a handle scope. */
  void tell(size_t count, const napi_value* arguments);

 private:
  static void onReadable(uv_poll_t* poll, int status, int events);
  static void whenLibuvIsDone(uv_handle_t* handle);
  static void atTeardown(napi_async_cleanup_hook_handle handle, void* data);

  napi_env env_ = nullptr;
  bool open_ = false;
  uv_poll_t poll_{};
  napi_ref self_ = nullptr;
  napi_ref listener_ = nullptr;
  napi_async_context context_ = nullptr;
  napi_async_cleanup_hook_handle cleanup_ = nullptr;
  std::shared_ptr<LoopWatch> ofLibuv_;
};

}  // namespace vine
