// What createEngine is called with: each number in its range, each list's entries whole.
#pragma once
#include <node_api.h>

#include <vector>

#include "engine/engine.h"

namespace vine {

/** Typed arrays over the memory that the options point into: they keep it. */
using SharedViews = std::vector<napi_value>;

/** False, and thrown, when something is not as src/dataplane/engine.ts says. */
bool readEngineOptions(napi_env env, napi_value object, EngineOptions* options, SharedViews* views);

}  // namespace vine
