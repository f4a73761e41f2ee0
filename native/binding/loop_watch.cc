#include "binding/loop_watch.h"

#include <utility>

namespace vine {
namespace {

void forget(napi_env, void* data, void*) { delete static_cast<std::shared_ptr<LoopWatch>*>(data); }

}  // namespace

napi_value LoopWatch::makeObject(napi_env env, const napi_type_tag& tag, const std::shared_ptr<LoopWatch>& watch) {
  napi_value self = nullptr;
  auto owner = std::make_unique<std::shared_ptr<LoopWatch>>(watch);
  if (napi_create_object(env, &self) != napi_ok || napi_type_tag_object(env, self, &tag) != napi_ok ||
      napi_wrap(env, self, owner.get(), forget, nullptr, nullptr) != napi_ok) {
    return nullptr;
  }
  owner.release();
  return self;
}

LoopWatch* LoopWatch::behind(napi_env env, napi_value self, const napi_type_tag& tag, const char* complaint) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &tag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, self, &data) != napi_ok) {
    napi_throw_type_error(env, nullptr, complaint);
    return nullptr;
  }
  return static_cast<std::shared_ptr<LoopWatch>*>(data)->get();
}

bool LoopWatch::start(const std::shared_ptr<LoopWatch>& watch, napi_env env, int descriptor, napi_value self,
                      napi_value listener, const char* name) {
  uv_loop_t* loop = nullptr;
  napi_value resource = nullptr;
  if (napi_get_uv_event_loop(env, &loop) != napi_ok ||
      napi_create_string_utf8(env, name, NAPI_AUTO_LENGTH, &resource) != napi_ok ||
      uv_poll_init(loop, &watch->poll_, descriptor) != 0) {
    watch->release();
    return false;
  }
  watch->env_ = env;
  watch->open_ = true;
  watch->poll_.data = watch.get();
  watch->ofLibuv_ = watch;
  napi_create_reference(env, self, 1, &watch->self_);
  napi_create_reference(env, listener, 1, &watch->listener_);
  napi_async_init(env, self, resource, &watch->context_);
  napi_add_async_cleanup_hook(env, atTeardown, watch.get(), &watch->cleanup_);
  if (uv_poll_start(&watch->poll_, UV_READABLE, onReadable) == 0) return true;
  watch->close();
  return false;
}

void LoopWatch::close() {
  if (!open_) return;
  open_ = false;
  // Before the descriptor goes: libuv forgets its number at once, and the rest later.
  uv_close(reinterpret_cast<uv_handle_t*>(&poll_), whenLibuvIsDone);
  release();
  napi_delete_reference(env_, listener_);
  napi_delete_reference(env_, self_);
  napi_async_destroy(env_, context_);
}

void LoopWatch::stopLooking() { uv_poll_stop(&poll_); }

void LoopWatch::tell(size_t count, const napi_value* arguments) {
  napi_value self = nullptr;
  napi_value listener = nullptr;
  napi_get_reference_value(env_, self_, &self);
  napi_get_reference_value(env_, listener_, &listener);
  if (napi_make_callback(env_, context_, self, listener, count, arguments, nullptr) != napi_pending_exception) return;
  napi_value error = nullptr;
  napi_get_and_clear_last_exception(env_, &error);
  napi_fatal_exception(env_, error);
}

void LoopWatch::onReadable(uv_poll_t* poll, int status, int) {
  // JavaScript may close it.
  const std::shared_ptr<LoopWatch> watch = static_cast<LoopWatch*>(poll->data)->ofLibuv_;
  if (status < 0) {
    // libuv has stopped looking.
    watch->forgetError();
    uv_poll_start(poll, UV_READABLE, onReadable);
  }
  watch->readable();
}

void LoopWatch::whenLibuvIsDone(uv_handle_t* handle) {
  const std::shared_ptr<LoopWatch> last = std::move(static_cast<LoopWatch*>(handle->data)->ofLibuv_);
  napi_remove_async_cleanup_hook(last->cleanup_);
}

/** The thread ends with it open. */
void LoopWatch::atTeardown(napi_async_cleanup_hook_handle, void* data) { static_cast<LoopWatch*>(data)->close(); }

}  // namespace vine
