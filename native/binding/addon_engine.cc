// createEngine, and the methods of what it returns.
#include <errno.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <memory>

#include "binding/addon.h"
#include "base/byte_order.h"
#include "engine/engine.h"
#include "io/stream_table.h"
#include "binding/napi_util.h"

namespace vine {
namespace {

constexpr uint32_t kMaxSlots = 4096;
constexpr uint32_t kMinSlotBytes = 256;
constexpr uint32_t kMaxSlotBytes = 1 << 20;
// Offsets are 32-bit signed words.
constexpr uint64_t kMaxMemoryBytes = 1 << 30;
constexpr int kMaxTimeoutMs = 60'000;

// Keeps a method from being called on an object that is no engine.
constexpr napi_type_tag kEngineTag = {0x5669'4e65'456e'6769, 0x6e65'2d76'3120'2020};

/** What an engine's JavaScript object owns. */
struct Handle {
  std::unique_ptr<Engine> engine;
  /** Keeps the shared counters alive. */
  napi_ref counters = nullptr;
  napi_ref packets = nullptr;
  napi_ref descriptors = nullptr;
};

bool readLan(napi_env env, napi_value object, LanSocket* lan) {
  napi_value value = nullptr;
  uint32_t fd = 0;
  uint32_t macHigh = 0;
  uint32_t macLow = 0;
  if (!readProperty(env, object, "fd", &value) || !readUint32(env, value, "lan.fd", INT32_MAX, &fd) ||
      !readProperty(env, object, "index", &value) ||
      !readUint32(env, value, "lan.index", INT32_MAX, &lan->index) ||
      !readProperty(env, object, "macHigh", &value) || !readUint32(env, value, "lan.macHigh", 0xffff, &macHigh) ||
      !readProperty(env, object, "macLow", &value) || !readUint32(env, value, "lan.macLow", UINT32_MAX, &macLow) ||
      !readProperty(env, object, "mtuBytes", &value) ||
      !readUint32(env, value, "lan.mtuBytes", INT32_MAX, &lan->mtuBytes) ||
      !readProperty(env, object, "vnetHeader", &value) ||
      !readBoolean(env, value, "lan.vnetHeader", &lan->vnetHeader)) {
    return false;
  }
  lan->fd = static_cast<int>(fd);
  storeBe16(lan->mac.data(), static_cast<uint16_t>(macHigh));
  storeBe32(lan->mac.data() + 2, macLow);
  return true;
}

bool readTun(napi_env env, napi_value object, TunSocket* tun) {
  napi_value value = nullptr;
  uint32_t fd = 0;
  if (!readProperty(env, object, "fd", &value) || !readUint32(env, value, "tun.fd", INT32_MAX, &fd) ||
      !readProperty(env, object, "index", &value) ||
      !readUint32(env, value, "tun.index", INT32_MAX, &tun->index)) {
    return false;
  }
  tun->fd = static_cast<int>(fd);
  return true;
}

bool readRole(napi_env env, napi_value object, Role* role) {
  napi_value value = nullptr;
  std::string text;
  if (!readProperty(env, object, "role", &value) || !readText(env, value, "role", &text)) return false;
  if (text != "lan" && text != "tunnel") {
    throwRange(env, "role must be lan or tunnel");
    return false;
  }
  *role = text == "lan" ? Role::lan : Role::tunnel;
  return true;
}

bool readSockets(napi_env env, napi_value object, EngineOptions* options) {
  napi_value list = nullptr;
  napi_value item = nullptr;
  uint32_t length = 0;
  if (!readProperty(env, object, "lans", &list) || !readArrayLength(env, list, "lans", &length)) return false;
  for (uint32_t i = 0; i < length; i++) {
    LanSocket lan{};
    if (napi_get_element(env, list, i, &item) != napi_ok || !readLan(env, item, &lan)) return false;
    options->lans.push_back(lan);
  }
  if (!readProperty(env, object, "tuns", &list) || !readArrayLength(env, list, "tuns", &length)) return false;
  for (uint32_t i = 0; i < length; i++) {
    TunSocket tun{};
    if (napi_get_element(env, list, i, &item) != napi_ok || !readTun(env, item, &tun)) return false;
    options->tuns.push_back(tun);
  }
  if (!readProperty(env, object, "udp", &list) || !readArrayLength(env, list, "udp", &length)) return false;
  for (uint32_t i = 0; i < length; i++) {
    napi_value value = nullptr;
    uint32_t fd = 0;
    UdpLink udp{};
    if (napi_get_element(env, list, i, &item) != napi_ok || !readProperty(env, item, "fd", &value) ||
        !readUint32(env, value, "udp.fd", INT32_MAX, &fd) || !readProperty(env, item, "segmentation", &value) ||
        !readBoolean(env, value, "udp.segmentation", &udp.segmentation)) {
      return false;
    }
    udp.fd = static_cast<int>(fd);
    const int companion = companionOf(udp.fd);
    udp.fragmentingFd = companion < 0 ? udp.fd : companion;
    options->udp.push_back(udp);
  }
  return true;
}

bool readSizes(napi_env env, napi_value object, EngineOptions* options) {
  napi_value value = nullptr;
  uint32_t fd = 0;
  int64_t slots = 0;
  int64_t slotBytes = 0;
  if (!readProperty(env, object, "wakeupFd", &value) || !readUint32(env, value, "wakeupFd", INT32_MAX, &fd) ||
      !readProperty(env, object, "slots", &value) || !readInteger(env, value, "slots", 1, kMaxSlots, &slots) ||
      !readProperty(env, object, "slotBytes", &value) ||
      !readInteger(env, value, "slotBytes", kMinSlotBytes, kMaxSlotBytes, &slotBytes)) {
    return false;
  }
  if (static_cast<uint64_t>(slots + kScratchSlots) * static_cast<uint64_t>(slotBytes) > kMaxMemoryBytes) {
    throwRange(env, "slots × slotBytes must not exceed 1 GiB");
    return false;
  }
  bool hasStreams = false;
  if (napi_has_named_property(env, object, "streams", &hasStreams) != napi_ok) return false;
  if (hasStreams && (!readProperty(env, object, "streams", &value) ||
                     !readBoolean(env, value, "streams", &options->streams))) {
    return false;
  }
  if (options->streams && slotBytes < static_cast<int64_t>(kHeadroom + kLongestStreamMessage)) {
    throwRange(env, "slotBytes must have room for the longest message of a TCP connection");
    return false;
  }
  options->wakeupFd = static_cast<int>(fd);
  options->slots = static_cast<uint32_t>(slots);
  options->slotBytes = static_cast<uint32_t>(slotBytes);
  return true;
}

/** Other memory could be taken away while the engine counts in it. */
bool isShared(napi_env env, napi_value global, napi_value buffer) {
  napi_value constructor = nullptr;
  bool shared = false;
  return napi_get_named_property(env, global, "SharedArrayBuffer", &constructor) == napi_ok &&
         napi_instanceof(env, buffer, constructor, &shared) == napi_ok && shared;
}

/**
 * The memory of the SharedArrayBuffer. Node-API cannot look into one directly, but into a typed array over it, which
 * is made here with JavaScript's own constructor and kept in `view`.
 */
bool readCounters(napi_env env, napi_value object, uint64_t** memory, napi_value* view) {
  napi_value buffer = nullptr;
  napi_value global = nullptr;
  napi_value constructor = nullptr;
  if (!readProperty(env, object, "counters", &buffer) || napi_get_global(env, &global) != napi_ok) return false;
  if (!isShared(env, global, buffer)) {
    napi_throw_type_error(env, nullptr, "counters must be a SharedArrayBuffer");
    return false;
  }
  if (napi_get_named_property(env, global, "BigUint64Array", &constructor) != napi_ok ||
      napi_new_instance(env, constructor, 1, &buffer, view) != napi_ok) {
    return false;
  }
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_get_typedarray_info(env, *view, &type, &length, &data, nullptr, nullptr) != napi_ok ||
      length < counter::count) {
    throwRange(env, "counters must have EngineCounter.count × 8 bytes");
    return false;
  }
  *memory = static_cast<uint64_t*>(data);
  return true;
}

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
  deleteReference(env, &handle->counters);
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
  deleteReference(env, &handle->counters);
  handle->engine.reset();
  return undefinedValue(env);
}

bool furnish(napi_env env, napi_value self, napi_value counters, Handle* handle) {
  const std::shared_ptr<PacketMemory>& memory = handle->engine->memory();
  setProperty(env, self, "slots", numberValue(env, memory->slots()));
  setProperty(env, self, "slotBytes", numberValue(env, memory->slotBytes()));
  setProperty(env, self, "capacity", numberValue(env, memory->capacity()));
  setFunction(env, self, "receive", receive);
  setFunction(env, self, "send", send);
  setFunction(env, self, "openRelayed", openRelayed);
  setFunction(env, self, "scratchOffset", scratchOffset);
  setFunction(env, self, "close", closeEngine);
  return napi_create_reference(env, counters, 1, &handle->counters) == napi_ok &&
         exposeMemory(env, self, "packets", memory, memory->packets(), memory->packetBytes(), napi_uint8_array,
                      memory->packetBytes(), &handle->packets) &&
         exposeMemory(env, self, "descriptors", memory, memory->descriptors(), memory->descriptorBytes(),
                      napi_int32_array, memory->descriptorBytes() / sizeof(int32_t), &handle->descriptors);
}

/** So that `top -H` and a debugger tell the workers apart. The main thread's name is the process's: left alone. */
void nameThread(Role role) {
  if (gettid() != getpid()) prctl(PR_SET_NAME, role == Role::lan ? "lan-to-tunnel" : "tunnel-to-lan");
}

napi_value createEngine(napi_env env, napi_callback_info info) {
  Call call(env, info);
  EngineOptions options;
  napi_value counters = nullptr;
  if (!readRole(env, call.arguments[0], &options.role) || !readSockets(env, call.arguments[0], &options) ||
      !readSizes(env, call.arguments[0], &options) ||
      !readCounters(env, call.arguments[0], &options.counters, &counters)) {
    return nullptr;
  }
  std::string why;
  auto handle = std::make_unique<Handle>();
  handle->engine = Engine::create(options, &why);
  if (handle->engine == nullptr) return throwError(env, why);
  napi_value self = nullptr;
  if (napi_create_object(env, &self) != napi_ok || napi_type_tag_object(env, self, &kEngineTag) != napi_ok ||
      napi_wrap(env, self, handle.get(), destroyHandle, nullptr, nullptr) != napi_ok) {
    return throwError(env, "cannot make the engine's object");
  }
  nameThread(options.role);
  // From here the object owns it.
  if (!furnish(env, self, counters, handle.release())) return throwError(env, "cannot share the engine's memory");
  return self;
}

}  // namespace

void defineEngine(napi_env env, napi_value exports) { setFunction(env, exports, "createEngine", createEngine); }

}  // namespace vine
