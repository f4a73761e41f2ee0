#include "io/name_lookup.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

namespace vine {
namespace {

/** More than who calls has under way (`MOST_LOOKUPS` in src/tunnel/names): those of before a restart of it count too. */
constexpr int kMostThreads = 32;
/** The modules of nsswitch.conf are others' code; musl gives its threads an eighth of it. */
constexpr size_t kStackBytes = 1024 * 1024;

std::atomic<int> threads{0};

bool same(const ResolvedAddress& a, const ResolvedAddress& b) {
  return a.length == b.length && memcmp(a.bytes.data(), b.bytes.data(), a.length) == 0;
}

bool read(const addrinfo& entry, ResolvedAddress* out) {
  if (entry.ai_family == AF_INET && entry.ai_addrlen >= sizeof(sockaddr_in)) {
    out->length = 4;
    memcpy(out->bytes.data(), &reinterpret_cast<const sockaddr_in*>(entry.ai_addr)->sin_addr, 4);
    return true;
  }
  if (entry.ai_family == AF_INET6 && entry.ai_addrlen >= sizeof(sockaddr_in6)) {
    out->length = 16;
    memcpy(out->bytes.data(), &reinterpret_cast<const sockaddr_in6*>(entry.ai_addr)->sin6_addr, 16);
    return true;
  }
  return false;
}

NameAnswer resolve(const std::string& name) {
  NameAnswer answer;
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_DGRAM;
  // Only of families that this machine has addresses of (RFC 3493 §6.1).
  hints.ai_flags = AI_ADDRCONFIG;
  addrinfo* list = nullptr;
  answer.error = getaddrinfo(name.c_str(), nullptr, &hints, &list);
  if (answer.error != 0) return answer;
  for (const addrinfo* entry = list; entry != nullptr && answer.addresses.size() < kMostResolved; entry = entry->ai_next) {
    ResolvedAddress address{};
    const auto isThis = [&address](const ResolvedAddress& other) { return same(address, other); };
    if (!read(*entry, &address)) continue;
    if (std::none_of(answer.addresses.begin(), answer.addresses.end(), isThis)) answer.addresses.push_back(address);
  }
  freeaddrinfo(list);
  return answer;
}

}  // namespace

std::shared_ptr<NameLookup> NameLookup::begin(const std::string& name, int* error) {
  if (threads.fetch_add(1) >= kMostThreads) {
    threads--;
    *error = EAGAIN;
    return nullptr;
  }
  const int descriptor = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
  if (descriptor < 0) {
    *error = errno;
    threads--;
    return nullptr;
  }
  const std::shared_ptr<NameLookup> lookup(new NameLookup(name, descriptor));
  auto owner = std::make_unique<std::shared_ptr<NameLookup>>(lookup);
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attributes, kStackBytes);
  // Signals are the other threads'.
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  pthread_t thread;
  *error = pthread_create(&thread, &attributes, run, owner.get());
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  pthread_attr_destroy(&attributes);
  if (*error != 0) {
    threads--;
    return nullptr;
  }
  owner.release();
  return lookup;
}

void* NameLookup::run(void* owner) {
  {
    const std::unique_ptr<std::shared_ptr<NameLookup>> held(static_cast<std::shared_ptr<NameLookup>*>(owner));
    const std::shared_ptr<NameLookup> lookup = *held;
    NameAnswer answer = resolve(lookup->name_);
    {
      const std::lock_guard<std::mutex> guard(lookup->lock_);
      lookup->answer_ = std::move(answer);
    }
    const uint64_t one = 1;
    // Nobody may be left to read it; an eventfd of ours takes one.
    if (write(lookup->descriptor_, &one, sizeof one) < 0) errno = 0;
  }
  threads--;
  return nullptr;
}

NameLookup::~NameLookup() { close(descriptor_); }

NameAnswer NameLookup::take() {
  const std::lock_guard<std::mutex> guard(lock_);
  return std::move(answer_);
}

const char* resolverErrorName(int error) {
  switch (error) {
    case EAI_NONAME: return "EAI_NONAME";
    case EAI_NODATA: return "EAI_NODATA";
    case EAI_ADDRFAMILY: return "EAI_ADDRFAMILY";
    case EAI_AGAIN: return "EAI_AGAIN";
    case EAI_FAIL: return "EAI_FAIL";
    case EAI_MEMORY: return "EAI_MEMORY";
    case EAI_SYSTEM: return "EAI_SYSTEM";
    case EAI_FAMILY: return "EAI_FAMILY";
    default: return "EAI_OTHER";
  }
}

}  // namespace vine
