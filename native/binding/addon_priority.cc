// takeRealTime, leaveRealTime, hasRealTime: a place before all ordinary threads (SCHED_RR) for threads that
// work little and must not wait, and a way out of it for one that works much after all. Threads of this process are named
// by the kernel's numbers.
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>

#include "binding/addon.h"
#include "binding/napi_util.h"

#ifndef SCHED_RESET_ON_FORK
#define SCHED_RESET_ON_FORK 0x40000000
#endif

namespace vine {
namespace {

constexpr int64_t kMostLimitMs = 10000;

// The threads that have it; 0 is a free place. The control thread, the packet workers of which there may be eight in each
// direction, and some more.
std::array<std::atomic<pid_t>, 20> holders{};
// Where the signal goes to when it is not about that thread.
struct sigaction before;

// The flag: what the thread starts (helper programs, other threads) is ordinary. It cannot be given back, so it stays.
int setPolicy(pid_t thread, int policy, int priority) {
  sched_param parameters{};
  parameters.sched_priority = priority;
  return sched_setscheduler(thread, policy | SCHED_RESET_ON_FORK, &parameters);
}

bool isHolder(pid_t thread) {
  return std::any_of(holders.begin(), holders.end(), [thread](const auto& holder) { return holder.load() == thread; });
}

bool addHolder(pid_t thread) {
  if (isHolder(thread)) return true;
  return std::any_of(holders.begin(), holders.end(), [thread](auto& holder) {
    pid_t none = 0;
    return holder.compare_exchange_strong(none, thread);
  });
}

// False: it did not have it (any more).
bool removeHolder(pid_t thread) {
  return std::any_of(holders.begin(), holders.end(), [thread](auto& holder) {
    pid_t expected = thread;
    return holder.compare_exchange_strong(expected, 0);
  });
}

// When a thread gave it up last; milliseconds of the monotonic clock.
std::atomic<int64_t> leftMs{INT64_MIN / 2};
// A signal about a thread may come after that thread has left: it was in a system call.
constexpr int64_t kLateMs = 1000;

int64_t nowMs() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return static_cast<int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1000000;
}

bool leave(pid_t thread) {
  // Before it is out of the list: the signal finds it in one of the two.
  if (isHolder(thread)) leftMs.store(nowMs());
  if (!removeHolder(thread)) return false;
  setPolicy(thread, SCHED_OTHER, 0);
  return true;
}

// Milliseconds that a thread with precedence may run without waiting.
std::atomic<int64_t> limitMs{kMostLimitMs};

// Each time from anew: the kernel adds a second, for the whole process, with every signal.
bool setLimit() {
  rlimit limit{};
  if (getrlimit(RLIMIT_RTTIME, &limit) != 0) return false;
  limit.rlim_cur = std::min(static_cast<rlim_t>(limitMs.load() * 1000), limit.rlim_max);  // microseconds
  return setrlimit(RLIMIT_RTTIME, &limit) == 0;
}

// SIGXCPU: the kernel counts the time that a real-time thread runs without waiting (setrlimit(2), RLIMIT_RTTIME) and
// sends this at the limit, to that thread before the others, whatever it is doing. Only system calls here. Should another
// thread get it, all lose it: each would be found at its next calm time.
void onLimit(int signal, siginfo_t*, void*) {
  const int error = errno;
  bool ended = leave(static_cast<pid_t>(syscall(SYS_gettid)));
  if (!ended) {
    for (auto& holder : holders) {
      const pid_t thread = holder.load();
      if (thread != 0 && leave(thread)) ended = true;
    }
  }
  if (ended || nowMs() - leftMs.load() < kLateMs) {
    setLimit();
  } else {
    // Processor time of the whole process (RLIMIT_CPU), said each second: as if this handler were not there.
    sigaction(signal, &before, nullptr);
    raise(signal);
  }
  errno = error;
}

bool handleLimit() {
  static std::atomic<bool> handles{false};
  if (handles.exchange(true)) return true;
  struct sigaction action {};
  action.sa_sigaction = onLimit;
  action.sa_flags = SA_RESTART | SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGXCPU, &action, &before) == 0) return true;
  handles.store(false);
  return false;
}

// Throws when it is no number; whether there is such a thread, the kernel says.
bool readThread(napi_env env, napi_value value, pid_t* thread) {
  int64_t number = 0;
  if (!readInteger(env, value, "thread", 1, INT32_MAX, &number)) return false;
  *thread = static_cast<pid_t>(number);
  return true;
}

napi_value takeRealTime(napi_env env, napi_callback_info info) {
  Call call(env, info);
  pid_t thread = 0;
  int64_t most = 0;
  if (!readThread(env, call.arguments[0], &thread)) return nullptr;
  if (!readInteger(env, call.arguments[1], "limitMs", 1, kMostLimitMs, &most)) return nullptr;
  if (syscall(SYS_tgkill, getpid(), thread, 0) != 0) return throwErrno(env, errno, "no such thread of this process");
  limitMs.store(most);
  // The limit first: without it a thread that never waits would have the processor for good.
  if (!handleLimit() || !setLimit()) return throwErrno(env, errno, "no real-time precedence");
  if (!addHolder(thread)) return throwErrno(env, EBUSY, "too many threads have real-time precedence");
  if (setPolicy(thread, SCHED_RR, 1) != 0) {
    const int error = errno;
    removeHolder(thread);
    return throwErrno(env, error, "no real-time precedence");
  }
  return undefinedValue(env);
}

napi_value leaveRealTime(napi_env env, napi_callback_info info) {
  Call call(env, info);
  pid_t thread = 0;
  if (!readThread(env, call.arguments[0], &thread)) return nullptr;
  leave(thread);
  return undefinedValue(env);
}

napi_value hasRealTime(napi_env env, napi_callback_info info) {
  Call call(env, info);
  pid_t thread = 0;
  if (!readThread(env, call.arguments[0], &thread)) return nullptr;
  return booleanValue(env, isHolder(thread));
}

}  // namespace

void definePriority(napi_env env, napi_value exports) {
  setFunction(env, exports, "takeRealTime", takeRealTime);
  setFunction(env, exports, "leaveRealTime", leaveRealTime);
  setFunction(env, exports, "hasRealTime", hasRealTime);
}

}  // namespace vine
