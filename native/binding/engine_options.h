// What createEngine is called with: each number in its range, each list's entries whole.
#pragma once
#include <node_api.h>

#include "engine/engine.h"

namespace vine {

/**
 * False, and thrown, when something is not as src/dataplane/engine.ts says. `countersView` is a typed array over
 * `options->counters`, which keeps that memory.
 */
bool readEngineOptions(napi_env env, napi_value object, EngineOptions* options, napi_value* countersView);

}  // namespace vine
