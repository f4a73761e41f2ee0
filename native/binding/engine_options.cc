#include "binding/engine_options.h"

#include "base/byte_order.h"
#include "binding/napi_util.h"
#include "io/stream_table.h"

namespace vine {
namespace {

constexpr uint32_t kMaxSlots = 4096;
// Numbers of one digit: a thread's name has 15 characters.
constexpr uint32_t kMostEngines = 9;
constexpr uint32_t kMinSlotBytes = 256;
constexpr uint32_t kMaxSlotBytes = 1 << 20;
// Offsets are 32-bit signed words.
constexpr uint64_t kMaxMemoryBytes = 1 << 30;

/** Of a socket's description: absent, it is `fd`; −1 stands for none. */
bool readReceiveFd(napi_env env, napi_value object, int fd, int* receiveFd) {
  napi_value value = nullptr;
  napi_valuetype type = napi_undefined;
  int64_t number = fd;
  if (napi_get_named_property(env, object, "receiveFd", &value) != napi_ok ||
      napi_typeof(env, value, &type) != napi_ok ||
      (type != napi_undefined && !readInteger(env, value, "receiveFd", -1, INT32_MAX, &number))) {
    return false;
  }
  *receiveFd = static_cast<int>(number);
  return true;
}

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
      !readBoolean(env, value, "lan.vnetHeader", &lan->vnetHeader) ||
      napi_get_named_property(env, object, "vrid", &value) != napi_ok ||
      !readOptionalUint32(env, value, "lan.vrid", kMaxVrid, &lan->vrid)) {
    return false;
  }
  lan->fd = static_cast<int>(fd);
  if (!readReceiveFd(env, object, lan->fd, &lan->receiveFd)) return false;
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
  return readReceiveFd(env, object, tun->fd, &tun->receiveFd);
}

bool readUdp(napi_env env, napi_value object, UdpLink* udp) {
  napi_value value = nullptr;
  uint32_t fd = 0;
  int receiveFd = -1;
  bool segmentation = false;
  if (!readProperty(env, object, "fd", &value) || !readUint32(env, value, "udp.fd", INT32_MAX, &fd) ||
      !readProperty(env, object, "segmentation", &value) ||
      !readBoolean(env, value, "udp.segmentation", &segmentation) ||
      !readReceiveFd(env, object, static_cast<int>(fd), &receiveFd)) {
    return false;
  }
  *udp = udpLink(static_cast<int>(fd), receiveFd, segmentation);
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
    UdpLink udp{};
    if (napi_get_element(env, list, i, &item) != napi_ok || !readUdp(env, item, &udp)) return false;
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
  if (napi_get_named_property(env, object, "number", &value) != napi_ok ||
      !readOptionalUint32(env, value, "number", kMostEngines, &options->number)) {
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

/** Other memory could be taken away while the engine uses it. */
bool isShared(napi_env env, napi_value global, napi_value buffer) {
  napi_value constructor = nullptr;
  bool shared = false;
  return napi_get_named_property(env, global, "SharedArrayBuffer", &constructor) == napi_ok &&
         napi_instanceof(env, buffer, constructor, &shared) == napi_ok && shared;
}

struct SharedMemory {
  void* data = nullptr;
  /** Of the view's elements. */
  size_t length = 0;
  napi_value view = nullptr;
};

/**
 * The memory of the SharedArrayBuffer. Node-API cannot look into one directly, but into a typed array over it, which
 * is made here with JavaScript's own constructor, of the name `type`.
 */
bool readShared(napi_env env, napi_value object, const char* name, const char* type, SharedMemory* memory) {
  napi_value buffer = nullptr;
  napi_value global = nullptr;
  napi_value constructor = nullptr;
  if (!readProperty(env, object, name, &buffer) || napi_get_global(env, &global) != napi_ok) return false;
  if (!isShared(env, global, buffer)) {
    napi_throw_type_error(env, nullptr, (std::string(name) + " must be a SharedArrayBuffer").c_str());
    return false;
  }
  napi_typedarray_type kind = napi_int8_array;
  return napi_get_named_property(env, global, type, &constructor) == napi_ok &&
         napi_new_instance(env, constructor, 1, &buffer, &memory->view) == napi_ok &&
         napi_get_typedarray_info(env, memory->view, &kind, &memory->length, &memory->data, nullptr, nullptr) ==
             napi_ok;
}

bool readCounters(napi_env env, napi_value object, EngineOptions* options, SharedViews* views) {
  SharedMemory memory;
  if (!readShared(env, object, "counters", "BigUint64Array", &memory)) return false;
  if (memory.length < counter::count) {
    throwRange(env, "counters must have EngineCounter.count × 8 bytes");
    return false;
  }
  options->counters = static_cast<uint64_t*>(memory.data);
  views->push_back(memory.view);
  return true;
}

bool readLanRoles(napi_env env, napi_value object, EngineOptions* options, SharedViews* views) {
  SharedMemory memory;
  if (!readShared(env, object, "lanRoles", "Int32Array", &memory)) return false;
  for (LanSocket& lan : options->lans) {
    if (lan.index >= memory.length) {
      throwRange(env, "lanRoles must have a word for each LAN");
      return false;
    }
    lan.role = static_cast<const int32_t*>(memory.data) + lan.index;
  }
  views->push_back(memory.view);
  return true;
}

/** A word of shared memory that is an Int32Array. */
/** `count` words from `index` on. */
bool readSharedWords(napi_env env, napi_value object, const char* name, uint32_t index, uint32_t count, int32_t** word,
                     SharedViews* views) {
  SharedMemory memory;
  if (!readShared(env, object, name, "Int32Array", &memory)) return false;
  if (count > memory.length || index > memory.length - count) {
    throwRange(env, std::string(name) + " is too short");
    return false;
  }
  *word = static_cast<int32_t*>(memory.data) + index;
  views->push_back(memory.view);
  return true;
}

bool readCounts(napi_env env, napi_value object, const char* name, double** counts, size_t* length,
                SharedViews* views) {
  SharedMemory memory;
  if (!readShared(env, object, name, "Float64Array", &memory)) return false;
  *counts = static_cast<double*>(memory.data);
  *length = memory.length;
  views->push_back(memory.view);
  return true;
}

bool readFlowMemory(napi_env env, napi_value object, FlowOptions* flows, SharedViews* views) {
  SharedMemory memory;
  if (!readShared(env, object, "memory", "Int32Array", &memory)) return false;
  flows->memory = static_cast<int32_t*>(memory.data);
  views->push_back(memory.view);
  if (isFlowMemory(flows->memory, memory.length)) return true;
  throwRange(env, "memory must be of createFlowMemory");
  return false;
}

bool readFlows(napi_env env, napi_value options, FlowOptions* flows, SharedViews* views) {
  napi_value object = nullptr;
  napi_value value = nullptr;
  napi_valuetype type = napi_undefined;
  if (napi_get_named_property(env, options, "flows", &object) != napi_ok ||
      napi_typeof(env, object, &type) != napi_ok) {
    return false;
  }
  if (type == napi_undefined) return true;
  if (type != napi_object) {
    napi_throw_type_error(env, nullptr, "flows must be an object");
    return false;
  }
  uint32_t generationsWord = 0;
  int32_t* generations = nullptr;
  int32_t* stop = nullptr;
  SharedMemory activity;
  if (!readFlowMemory(env, object, flows, views) || !readProperty(env, object, "generationsWord", &value) ||
      !readUint32(env, value, "generationsWord", INT32_MAX, &generationsWord) ||
      !readSharedWords(env, object, "generations", generationsWord, kGenerationWords, &generations, views) ||
      !readCounts(env, object, "packetCounters", &flows->packetCounters, &flows->packetCounterCount, views) ||
      !readCounts(env, object, "vnetCounters", &flows->vnetCounters, &flows->vnetCounterCount, views) ||
      !readShared(env, object, "activity", "Int32Array", &activity) ||
      !readSharedWords(env, object, "stop", 0, 1, &stop, views) ||
      !readSharedWords(env, object, "turns", 0, 1, &flows->turns, views)) {
    return false;
  }
  flows->generations = Generations(generations);
  flows->stop = stop;
  flows->activity = static_cast<int32_t*>(activity.data);
  flows->machines = activity.length / 2;
  views->push_back(activity.view);
  return true;
}

}  // namespace

bool readEngineOptions(napi_env env, napi_value object, EngineOptions* options, SharedViews* views) {
  return readRole(env, object, &options->role) && readSockets(env, object, options) &&
         readSizes(env, object, options) && readCounters(env, object, options, views) &&
         readLanRoles(env, object, options, views) && readFlows(env, object, &options->flows, views);
}

}  // namespace vine
