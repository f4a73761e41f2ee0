// takeRealTime, leaveRealTime, hasRealTime, threadCpuMs: a place before all ordinary threads (SCHED_RR) for a thread that
// works little and must not wait, and a way out of it when it works much after all.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>

#include "addon.h"
#include "napi_util.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

namespace vine {
namespace {

constexpr int64_t kMostLimitMs = 10000;

// The one thread that has it, 0 if none.
std::atomic<pid_t> holder{0};
// Where the signal goes to when it is not about that thread.
struct sigaction before;

// The flag: what the thread starts (helper programs, other threads) is ordinary. It cannot be given back, so it stays.
int setPolicy(pid_t thread, int policy, int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  return sched_setscheduler(thread, policy | SCHED_RESET_ON_FORK, &parameters);
}

// SIGXCPU: the kernel counts the time that a real-time thread runs without waiting (setrlimit(2), RLIMIT_RTTIME) and
// sends this at the limit, on that thread's own processor, whatever the thread is doing. Only system calls here.
void onLimit(int signal, siginfo_t*, void*) {
  const int error = errno;
  const pid_t thread = holder.exchange(0);
  if (thread != 0) {
    setPolicy(thread, SCHED_OTHER, 0);
  } else {
    // Processor time of the whole process (RLIMIT_CPU): as if this handler were not there.
    sigaction(signal, &before, nullptr);
    raise(signal);
  }
  errno = error;
}

bool handleLimit(int64_t limitMs) {
  static std::atomic<bool> handles{false};
  if (!handles.exchange(true)) {
    struct sigaction action {};
    action.sa_sigaction = onLimit;
    action.sa_flags = SA_RESTART | SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGXCPU, &action, &before) != 0) return false;
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_RTTIME, &limit) != 0) return false;
  // Each time from anew: the kernel adds a second with every signal. Microseconds.
  limit.rlim_cur = std::min(static_cast<rlim_t>(limitMs * 1000), limit.rlim_max);
  return setrlimit(RLIMIT_RTTIME, &limit) == 0;
}

napi_value takeRealTime(napi_env env, napi_callback_info info) {
  Call call(env, info);
  int64_t limitMs = 0;
  if (!readInteger(env, call.arguments[0], "limitMs", 1, kMostLimitMs, &limitMs)) return nullptr;
  const auto self = static_cast<pid_t>(syscall(SYS_gettid));
  pid_t none = 0;
  if (!holder.compare_exchange_strong(none, self) && none != self) {
    return throwErrno(env, EBUSY, "another thread has real-time precedence");
  }
  // The limit first: without it a thread that never waits would have the processor for good.
  if (!handleLimit(limitMs) || setPolicy(self, SCHED_RR, 1) != 0) {
    const int error = errno;
    holder.store(0);
    return throwErrno(env, error, "no real-time precedence");
  }
  return undefinedValue(env);
}

napi_value leaveRealTime(napi_env env, napi_callback_info) {
  auto self = static_cast<pid_t>(syscall(SYS_gettid));
  const pid_t thread = self;
  if (holder.compare_exchange_strong(self, 0)) setPolicy(thread, SCHED_OTHER, 0);
  return undefinedValue(env);
}

napi_value hasRealTime(napi_env env, napi_callback_info) {
  return booleanValue(env, holder.load() == static_cast<pid_t>(syscall(SYS_gettid)));
}

napi_value threadCpuMs(napi_env env, napi_callback_info) {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return numberValue(env, static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6);
}

}  // namespace

void definePriority(napi_env env, napi_value exports) {
  setFunction(env, exports, "takeRealTime", takeRealTime);
  setFunction(env, exports, "leaveRealTime", leaveRealTime);
  setFunction(env, exports, "hasRealTime", hasRealTime);
  setFunction(env, exports, "threadCpuMs", threadCpuMs);
}

}  // namespace vine
