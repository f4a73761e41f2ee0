// createEngine, and the methods of what it returns.
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <memory>
#include <vector>

#include "binding/addon.h"
#include "binding/engine_options.h"
#include "binding/napi_util.h"
#include "engine/engine.h"

namespace vine {
namespace {

constexpr int kMaxTimeoutMs = 60'000;

// Keeps a method from being called on an object that is no engine.
constexpr napi_type_tag kEngineTag = {0x5669'4e65'456e'6769, 0x6e65'2d76'3120'2020};

/** What an engine's JavaScript object owns. */
struct Handle {
  std::unique_ptr<Engine> engine;
  /** Keep the shared memory alive. */
  std::vector<napi_ref> shared;
  napi_ref packets = nullptr;
  napi_ref descriptors = nullptr;
};

void releaseMemory(napi_env, void*, void* hint) { delete static_cast<std::shared_ptr<PacketMemory>*>(hint); }

/** A typed array over part of the engine's memory, which lives at least as long as the array. */
bool exposeMemory(napi_env env, napi_value self, const char* name, const std::shared_ptr<PacketMemory>& memory,
                  void* data, size_t bytes, napi_typedarray_type type, size_t elements, napi_ref* reference) {
  auto* owner = new std::shared_ptr<PacketMemory>(memory);
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_external_arraybuffer(env, data, bytes, releaseMemory, owner, &buffer) != napi_ok) {
    delete owner;
    return false;
  }
  if (napi_create_typedarray(env, type, elements, buffer, 0, &array) != napi_ok ||
      napi_create_reference(env, buffer, 1, reference) != napi_ok) {
    return false;
  }
  setProperty(env, self, name, array);
  return true;
}

void deleteReference(napi_env env, napi_ref* reference) {
  if (*reference != nullptr) napi_delete_reference(env, *reference);
  *reference = nullptr;
}

/** Takes the memory away from JavaScript: its arrays become empty, so that a late access finds nothing. */
void detach(napi_env env, napi_ref* reference) {
  napi_value buffer = nullptr;
  if (*reference != nullptr && napi_get_reference_value(env, *reference, &buffer) == napi_ok && buffer != nullptr) {
    napi_detach_arraybuffer(env, buffer);
  }
  deleteReference(env, reference);
}

void destroyHandle(napi_env env, void* data, void*) {
  auto* handle = static_cast<Handle*>(data);
  deleteReference(env, &handle->packets);
  deleteReference(env, &handle->descriptors);
  for (napi_ref& reference : handle->shared) deleteReference(env, &reference);
  delete handle;
}

/** Null, and thrown, when `self` is no engine or is closed. */
Handle* openHandle(napi_env env, napi_value self) {
  bool tagged = false;
  void* data = nullptr;
  if (napi_check_object_type_tag(env, self, &kEngineTag, &tagged) != napi_ok || !tagged ||
      napi_unwrap(env, self, &data) != napi_ok) {
    napi_throw_type_error(env, nullptr, "not an engine");
    return nullptr;
  }
  auto* handle = static_cast<Handle*>(data);
  if (handle->engine == nullptr) {
    throwError(env, "the engine is closed");
    return nullptr;
  }
  return handle;
}

napi_value receive(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Handle* handle = openHandle(env, call.self);
  int64_t timeoutMs = 0;
  if (handle == nullptr || !readInteger(env, call.arguments[0], "timeoutMs", 0, kMaxTimeoutMs, &timeoutMs)) {
    return nullptr;
  }
  int error = 0;
  const int filled = handle->engine->receive(static_cast<int>(timeoutMs), &error);
  if (filled < 0) return throwErrno(env, error, "a socket of the engine is gone");
  return numberValue(env, filled);
}

napi_value send(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Handle* handle = openHandle(env, call.self);
  if (handle == nullptr) return nullptr;
  const uint32_t all = handle->engine->memory()->allDescriptors();
  uint32_t first = 0;
  uint32_t count = 0;
  if (!readUint32(env, call.arguments[0], "first", all, &first)) return nullptr;
  if (!readUint32(env, call.arguments[1], "count", all - first, &count)) return nullptr;
  handle->engine->send(first, count);
  return undefinedValue(env);
}

napi_value openRelayed(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Handle* handle = openHandle(env, call.self);
  if (handle == nullptr) return nullptr;
  uint32_t descriptor = 0;
  uint32_t skip = 0;
  if (!readUint32(env, call.arguments[0], "descriptor", handle->engine->memory()->capacity() - 1, &descriptor) ||
      !readUint32(env, call.arguments[1], "skip", INT32_MAX, &skip)) {
    return nullptr;
  }
  return booleanValue(env, handle->engine->openRelayed(descriptor, skip));
}

napi_value scratchOffset(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Handle* handle = openHandle(env, call.self);
  uint32_t i = 0;
  if (handle == nullptr || !readUint32(env, call.arguments[0], "i", kScratchSlots - 1, &i)) return nullptr;
  const PacketMemory& memory = *handle->engine->memory();
  return numberValue(env, static_cast<double>(size_t{memory.slots() + i} * memory.slotBytes() + kHeadroom));
}

napi_value closeEngine(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Handle* handle = openHandle(env, call.self);
  if (handle == nullptr) return nullptr;
  detach(env, &handle->packets);
  detach(env, &handle->descriptors);
  handle->engine.reset();
  for (napi_ref& reference : handle->shared) deleteReference(env, &reference);
  return undefinedValue(env);
}

bool furnish(napi_env env, napi_value self, const SharedViews& views, Handle* handle) {
  const std::shared_ptr<PacketMemory>& memory = handle->engine->memory();
  setProperty(env, self, "slots", numberValue(env, memory->slots()));
  setProperty(env, self, "slotBytes", numberValue(env, memory->slotBytes()));
  setProperty(env, self, "capacity", numberValue(env, memory->capacity()));
  setFunction(env, self, "receive", receive);
  setFunction(env, self, "send", send);
  setFunction(env, self, "openRelayed", openRelayed);
  setFunction(env, self, "scratchOffset", scratchOffset);
  setFunction(env, self, "close", closeEngine);
  for (const napi_value view : views) {
    handle->shared.push_back(nullptr);
    if (napi_create_reference(env, view, 1, &handle->shared.back()) != napi_ok) return false;
  }
  return exposeMemory(env, self, "packets", memory, memory->packets(), memory->packetBytes(), napi_uint8_array,
                      memory->packetBytes(), &handle->packets) &&
         exposeMemory(env, self, "descriptors", memory, memory->descriptors(), memory->descriptorBytes(),
                      napi_int32_array, memory->descriptorBytes() / sizeof(int32_t), &handle->descriptors);
}

/** So that `top -H` and a debugger tell the workers apart. The main thread's name is the process's: left alone. */
void nameThread(const EngineOptions& options) {
  if (gettid() == getpid()) return;
  std::string name = options.role == Role::lan ? "lan-to-tunnel" : "tunnel-to-lan";
  if (options.number != 0) name += "-" + std::to_string(options.number);
  prctl(PR_SET_NAME, name.c_str());
}

napi_value createEngine(napi_env env, napi_callback_info info) {
  Call call(env, info);
  EngineOptions options;
  SharedViews views;
  if (!readEngineOptions(env, call.arguments[0], &options, &views)) return nullptr;
  std::string why;
  auto handle = std::make_unique<Handle>();
  handle->engine = Engine::create(options, &why);
  if (handle->engine == nullptr) return throwError(env, why);
  napi_value self = nullptr;
  if (napi_create_object(env, &self) != napi_ok || napi_type_tag_object(env, self, &kEngineTag) != napi_ok ||
      napi_wrap(env, self, handle.get(), destroyHandle, nullptr, nullptr) != napi_ok) {
    return throwError(env, "cannot make the engine's object");
  }
  nameThread(options);
  // From here the object owns it.
  if (!furnish(env, self, views, handle.release())) return throwError(env, "cannot share the engine's memory");
  return self;
}

}  // namespace

void defineEngine(napi_env env, napi_value exports) { setFunction(env, exports, "createEngine", createEngine); }

}  // namespace vine
