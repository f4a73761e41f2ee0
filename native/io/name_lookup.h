// Looks a host name up by the system's resolver, in a thread of its own.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace vine {

/** What the resolver says at most; more of its addresses are left out. */
constexpr size_t kMostResolved = 64;

struct ResolvedAddress {
  std::array<uint8_t, 16> bytes;
  /** 4 or 16. */
  size_t length;
};

struct NameAnswer {
  /** Of getaddrinfo(3): 0, or an EAI_ value. */
  int error = 0;
  /** In its order (RFC 6724), each once. */
  std::vector<ResolvedAddress> addresses;
};

/**
 * One look-up. getaddrinfo(3) cannot be ended and takes as long as it takes (10 s and more while a name server is silent),
 * so its thread is nobody's: neither the event loop's pool nor the end of the process waits for it. What the two share
 * lives until both have let go.
 */
class NameLookup {
 public:
  /** Begins. Null, and `error` an errno value, when there can be no thread, or too many are waiting already (EAGAIN). */
  static std::shared_ptr<NameLookup> begin(const std::string& name, int* error);

  NameLookup(const NameLookup&) = delete;
  NameLookup& operator=(const NameLookup&) = delete;
  ~NameLookup();

  /** An eventfd, readable when the answer is there; closed with this. */
  int descriptor() const { return descriptor_; }
  /** Once it is there. */
  NameAnswer take();

 private:
  NameLookup(std::string name, int descriptor) : name_(std::move(name)), descriptor_(descriptor) {}
  static void* run(void* owner);

  const std::string name_;
  const int descriptor_;
  std::mutex lock_;
  NameAnswer answer_;
};

/** "EAI_AGAIN" */
const char* resolverErrorName(int error);

}  // namespace vine
