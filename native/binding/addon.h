// The groups of functions that make up the addon (interface NativeAddon in src/dataplane/engine.ts).
#pragma once
#include <node_api.h>

namespace vine {

void defineSockets(napi_env env, napi_value exports);
void definePeers(napi_env env, napi_value exports);
void defineEngine(napi_env env, napi_value exports);
void defineCapture(napi_env env, napi_value exports);
void definePairs(napi_env env, napi_value exports);
void defineMemory(napi_env env, napi_value exports);
void defineNotify(napi_env env, napi_value exports);
void definePriority(napi_env env, napi_value exports);
void defineWakeup(napi_env env, napi_value exports);
void defineNames(napi_env env, napi_value exports);

}  // namespace vine
