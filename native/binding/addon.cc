// Entry point. Context-aware: nothing here belongs to one environment, so every worker thread may load it.
#include "binding/addon.h"

#include <node_api.h>

#include "base/layout.h"
#include "binding/napi_util.h"
#include "engine/flow_memory.h"
#include "capture/pair_counter.h"

namespace {

/** The sizes of what is shared with JavaScript, for the loader to compare. */
napi_value layout(napi_env env) {
  napi_value object = nullptr;
  if (napi_create_object(env, &object) != napi_ok) return nullptr;
  vine::setProperty(env, object, "descriptorWords", vine::numberValue(env, vine::kDescriptorWords));
  vine::setProperty(env, object, "scratchSlots", vine::numberValue(env, vine::kScratchSlots));
  vine::setProperty(env, object, "counters", vine::numberValue(env, vine::counter::count));
  vine::setProperty(env, object, "flowEntryWords", vine::numberValue(env, vine::kFlowEntryWords));
  vine::setProperty(env, object, "flowMagic", vine::numberValue(env, vine::kFlowMagic));
  vine::setProperty(env, object, "countedPairBytes", vine::numberValue(env, sizeof(vine::CountedPair)));
  vine::setProperty(env, object, "peerStats", vine::numberValue(env, vine::peer_stat::count));
  return object;
}

}  // namespace

NAPI_MODULE_INIT() {
  vine::setProperty(env, exports, "layout", layout(env));
  vine::defineSockets(env, exports);
  vine::definePeers(env, exports);
  vine::defineEngine(env, exports);
  vine::defineCapture(env, exports);
  vine::definePairs(env, exports);
  vine::defineMemory(env, exports);
  vine::defineNotify(env, exports);
  vine::definePriority(env, exports);
  vine::defineWakeup(env, exports);
  vine::defineNames(env, exports);
  return exports;
}
