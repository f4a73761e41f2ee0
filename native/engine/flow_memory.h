// What TypeScript has decided once, done again for the packets that follow, and counted. Decides nothing itself. The memory's
// layout is src/dataplane/flows/flow-memory.ts, this is its mirror; what is plain, src/dataplane/flows/engine-flows.ts.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "engine/generations.h"

namespace vine {

constexpr int32_t kFlowMagic = 0x56694e46;
constexpr uint32_t kFlowHeaderWords = 64;
constexpr uint32_t kFlowEntryWords = 32;

namespace flow_header {
enum : uint32_t {
  magic,
  entries,
  ring,
  seed,
  used,
  serial,
  head,
  counted,
  unattributedPackets = 8,
  unattributedBytes = 10,
  tail = 32
};
}

namespace flow_word {
enum : uint32_t {
  sequence,
  serial,
  kind,
  from,
  keyVnet,
  source,
  destination = 9,
  macsHigh = 13,
  srcMacLow,
  dstMacLow,
  generation,
  action,
  to,
  outMacHigh,
  outMacLow,
  vnetHops,
  mtu,
  counter,
  vnetCounter,
  heard,
  sent,
  batch,
  packets,
  bytes = 30,
};
}

struct FlowOptions {
  int32_t* memory = nullptr;
  Generations generations;
  double* packetCounters = nullptr;
  size_t packetCounterCount = 0;
  double* vnetCounters = nullptr;
  size_t vnetCounterCount = 0;
  int32_t* activity = nullptr;
  size_t machines = 0;
  const int32_t* stop = nullptr;
  int32_t* turns = nullptr;
};

/** Whether memory of `words` words is what `createFlowMemory` makes. */
bool isFlowMemory(const int32_t* memory, size_t words);

class FlowMemory {
 public:
  /** The memory has been checked. */
  FlowMemory(const FlowOptions& options, const PacketMemory& packets, Counters& counters);

  /**
   * Fills in the actions of those of the first `filled` descriptors that it knows, and counts them; leaves the others'
   * `drop`. Returns how many are left.
   */
  uint32_t forward(uint32_t filled);

  /** Notes what the worker tells of a packet that it forwards. */
  void note(const int32_t* d);

  bool stopped() const { return __atomic_load_n(options_.stop, __ATOMIC_ACQUIRE) != 0; }
  void countTurn() const { __atomic_fetch_add(options_.turns, 1, __ATOMIC_RELAXED); }

 private:
  static constexpr uint32_t kKeyWords = flow_word::generation - flow_word::kind;
  /** In the order of an entry's words from `flow_word::kind` on. */
  using Key = int32_t[kKeyWords];
  struct Parsed;

  bool forwardOne(int32_t* d);
  /** False for what is not plain, whatever entry it has; `key` is filled when `hasKey`. */
  bool parse(const int32_t* d, Parsed* parsed, Key key, bool* hasKey) const;
  bool fits(const int32_t* d, const Parsed& parsed, int32_t action, int32_t mtu) const;
  /** Once it has its action. */
  void countPacket(int32_t* entry, const int32_t* d, const uint8_t* packet, size_t length);
  void addActivity(int32_t number, size_t base) const;
  void carryOut(int32_t* entry, const Parsed& parsed, int32_t* d);
  uint32_t setOf(const Key key) const;
  int32_t* find(const Key key);
  int32_t* make(const Key key);
  void start(int32_t* entry, const Key key);
  static bool goesSameWay(const int32_t* entry, const int32_t* d);
  void handOver(const int32_t* entry);
  /** @param generation `kNoGeneration`: it only counts */
  static void write(int32_t* entry, const int32_t* d, int32_t generation);
  int32_t* entry(uint32_t i) const { return options_.memory + kFlowHeaderWords + size_t{i} * kFlowEntryWords; }
  int32_t* ringPlace(uint32_t i) const { return entry(entries_ + (i & (ring_ - 1))); }
  /** @param key of `kKeyWords`, as in an entry from `flow_word::kind` on */
  int32_t generationOf(const int32_t* key) const;

  const FlowOptions options_;
  const PacketMemory& packets_;
  Counters& counters_;
  const uint32_t entries_;
  const uint32_t ring_;
  const uint32_t seed_;
  int32_t batch_ = 0;
  /** By set: which of its two. */
  std::vector<uint8_t> lastUsed_;
};

}  // namespace vine
