// trimMemory: what malloc keeps for later goes back to the kernel. V8's own memory does not come from malloc.
#include <malloc.h>

#include "binding/addon.h"
#include "binding/napi_util.h"

namespace vine {
namespace {

napi_value trimMemory(napi_env env, napi_callback_info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return undefinedValue(env);
}

}  // namespace

void defineMemory(napi_env env, napi_value exports) { setFunction(env, exports, "trimMemory", trimMemory); }

}  // namespace vine
