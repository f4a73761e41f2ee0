// trimMemory: what malloc keeps for later goes back to the kernel; V8's own memory does not come from malloc.
// unmapPrograms: what of the programs' files was looked at so far is mapped anew when it is looked at again.
#include <malloc.h>
#include <sys/mman.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>

#include "binding/addon.h"
#include "binding/napi_util.h"

namespace vine {
namespace {

constexpr uint64_t kLeastBytes = 1 << 20;

napi_value trimMemory(napi_env env, napi_callback_info) {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
  return undefinedValue(env);
}

struct Mapping {
  uint64_t from = 0;
  uint64_t to = 0;
  bool fixed = false;
};

/** The first line of a mapping's entry (proc_pid_smaps(5)); false for any other line. */
bool readMapping(const char* line, Mapping* mapping) {
  char mode[5] = "";
  char file = 0;
  uint64_t from = 0;
  uint64_t to = 0;
  const int fields = sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %*x:%*x %*u %c", &from, &to, mode, &file);
  if (fields < 3) return false;
  *mapping = {from, to, fields == 4 && file == '/' && strchr(mode, 'w') == nullptr};
  return true;
}

/** Only what is byte for byte the file: pages that were written to (relocated, or moved to large ones) are not in it. */
napi_value unmapPrograms(napi_env env, napi_callback_info) {
  FILE* entries = fopen("/proc/self/smaps", "re");
  if (entries == nullptr) return undefinedValue(env);
  char* line = nullptr;
  size_t room = 0;
  Mapping mapping;
  while (getline(&line, &room, entries) >= 0) {
    uint64_t anonymousKb = 0;
    if (readMapping(line, &mapping) || sscanf(line, "Anonymous: %" SCNu64, &anonymousKb) != 1) continue;
    if (!mapping.fixed || anonymousKb != 0 || mapping.to - mapping.from < kLeastBytes) continue;
    madvise(reinterpret_cast<void*>(mapping.from), mapping.to - mapping.from, MADV_DONTNEED);
  }
  free(line);
  fclose(entries);
  return undefinedValue(env);
}

}  // namespace

void defineMemory(napi_env env, napi_value exports) {
  setFunction(env, exports, "trimMemory", trimMemory);
  setFunction(env, exports, "unmapPrograms", unmapPrograms);
}

}  // namespace vine
