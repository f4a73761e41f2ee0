#include "engine/flow_memory.h"

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "base/virtio.h"
#include "base/wire.h"
#include "engine/flow_key.h"
#include "offload/packet_shape.h"
#include "offload/travel_size.h"

namespace vine {
namespace {

namespace fh = flow_header;
namespace fw = flow_word;

// FlowFlag (src/dataplane/flows/flow-memory.ts).
constexpr int32_t kSpendsTtl = 1;

// INITIAL_HOPS.
constexpr uint8_t kAllHops = 4;

constexpr uint8_t kPlainIpv4 = 0x45;
constexpr uint16_t kFragmentBits = 0x3fff;
constexpr uint16_t kDontFragment = 0x4000;
constexpr size_t kTcpMinBytes = 20;
constexpr uint8_t kTcpSyn = 0x02;
// RFC 8200 §5.
constexpr int32_t kMinIpv6Mtu = 1280;
constexpr uint32_t kMostEntries = 1 << 20;

uint64_t load64(const int32_t* at) { return __atomic_load_n(reinterpret_cast<const uint64_t*>(at), __ATOMIC_RELAXED); }

void add64(int32_t* at, uint64_t amount) {
  __atomic_store_n(reinterpret_cast<uint64_t*>(at), load64(at) + amount, __ATOMIC_RELEASE);
}

/** JavaScript's own counts, of which this thread is the only writer. */
void addDouble(double* counts, size_t count, int64_t index, double amount) {
  if (index >= 0 && static_cast<size_t>(index) < count) counts[index] += amount;
}

bool isPowerOfTwo(uint32_t n) { return n != 0 && (n & (n - 1)) == 0; }

/** RFC 1624, equation 3, as `adjustChecksum` in src/dataplane/forward/packet.ts. */
void spendTtl(uint8_t* packet, bool isV6) {
  if (isV6) {
    packet[7]--;
    return;
  }
  const uint32_t before = loadBe16(packet + 8);
  packet[8]--;
  uint32_t sum = (~uint32_t{loadBe16(packet + 10)} & 0xffff) + (~before & 0xffff) + loadBe16(packet + 8);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  storeBe16(packet + 10, static_cast<uint16_t>(~sum));
}

}  // namespace

/** What is known of a packet before its entry is looked at. */
struct FlowMemory::Parsed {
  uint8_t* packet;
  uint32_t offset;
  uint32_t length;
  bool isV6;
  uint8_t protocol;
  bool dontFragment;
};

bool isFlowMemory(const int32_t* memory, size_t words) {
  if (words < kFlowHeaderWords || memory[fh::magic] != kFlowMagic) return false;
  const auto entries = static_cast<uint32_t>(memory[fh::entries]);
  const auto ring = static_cast<uint32_t>(memory[fh::ring]);
  return isPowerOfTwo(entries) && entries >= 2 && entries <= kMostEntries && isPowerOfTwo(ring) &&
         ring <= kMostEntries && words == kFlowHeaderWords + (size_t{entries} + ring) * kFlowEntryWords;
}

FlowMemory::FlowMemory(const FlowOptions& options, const PacketMemory& packets, Counters& counters)
    : options_(options),
      packets_(packets),
      counters_(counters),
      entries_(static_cast<uint32_t>(options.memory[fh::entries])),
      ring_(static_cast<uint32_t>(options.memory[fh::ring])),
      seed_(static_cast<uint32_t>(options.memory[fh::seed])),
      lastUsed_(entries_ / 2, 0) {}

uint32_t FlowMemory::forward(uint32_t filled) {
  batch_++;
  uint32_t left = 0;
  for (uint32_t i = 0; i < filled; i++) {
    if (!forwardOne(packets_.descriptor(i))) left++;
  }
  if (left < filled) counters_.add(counter::flowHits, filled - left);
  if (left > 0) counters_.add(counter::flowMisses, left);
  return left;
}

bool FlowMemory::forwardOne(int32_t* d) {
  Parsed parsed;
  Key key;
  bool hasKey = false;
  const bool isPlain = parse(d, &parsed, key, &hasKey);
  // Before it is known whether TypeScript decides: what it decides is good for no later state than this.
  d[word::flowGeneration] = hasKey ? generationOf(key) : kNoGeneration;
  if (!hasKey) return false;
  int32_t* known = find(key);
  if (known == nullptr) return false;
  if (known[fw::generation] != d[word::flowGeneration]) {
    if (known[fw::generation] == kNoGeneration) return false;
    counters_.add(counter::flowStale);
    return false;
  }
  const int32_t action = known[fw::action] & 0xff;
  const int32_t flags = known[fw::action] >> 8;
  // Nothing overtakes what TypeScript is still to decide over.
  const bool mustWait = known[fw::batch] == batch_;
  const auto hasHop = [&] { return !(flags & kSpendsTtl) || parsed.packet[parsed.isV6 ? 7 : 8] > 1; };
  if (mustWait || !isPlain || !hasHop() || !fits(d, parsed, action, known[fw::mtu])) {
    known[fw::batch] = batch_;
    return false;
  }
  carryOut(known, parsed, d);
  return true;
}

bool FlowMemory::parse(const int32_t* d, Parsed* parsed, Key key, bool* hasKey) const {
  size_t length = 0;
  auto* packet = const_cast<uint8_t*>(packets_.packetOf(d, &length));
  const int32_t kind = d[word::kind];
  if (packet == nullptr || length == 0 || d[word::from] < 0) return false;
  int32_t flowKind = kFrame;
  int32_t vnet = 0;
  bool hasAllHops = true;
  if (kind == kind::message) {
    flowKind = kBare;
    if (packet[0] == kOverlayType) {
      if (length < kOverlayHeaderBytes) return false;
      flowKind = kOverlay;
      hasAllHops = packet[1] >= kAllHops;
      vnet = loadBe16(packet + 2);
      packet += kOverlayHeaderBytes;
      length -= kOverlayHeaderBytes;
    }
  } else if (kind != kind::frame) {
    return false;
  }
  if (length < kIpv4MinBytes) return false;
  const uint8_t version = packet[0] >> 4;
  const bool isV6 = version == 6;
  if ((!isV6 && version != 4) || (isV6 && length < kIpv6Bytes)) return false;
  startKey(key, isV6, flowKind, d[word::from], vnet, d);
  readAddresses(packet, isV6, key + (fw::source - fw::kind), key + (fw::destination - fw::kind));
  *hasKey = true;
  if (flowKind != kFrame) {
    // Behind it is padding (WireGuard §5.4.6). What states nothing, or less than its header, is no packet.
    const size_t stated = isV6 ? kIpv6Bytes + loadBe16(packet + 4) : loadBe16(packet + 2);
    if (stated > length || stated <= (isV6 ? kIpv6Bytes : kIpv4MinBytes - 1)) return false;
    length = stated;
  }
  parsed->packet = packet;
  parsed->offset = static_cast<uint32_t>(packet - packets_.packets());
  parsed->length = static_cast<uint32_t>(length);
  parsed->isV6 = isV6;
  parsed->protocol = isV6 ? packet[6] : packet[9];
  parsed->dontFragment = isV6 || (loadBe16(packet + 6) & kDontFragment) != 0;
  // What the session's news are is TypeScript's.
  if (!hasAllHops || (kind == kind::message && d[word::sessionFlags] != 0)) return false;
  if (isV6) return isUpperLayer(parsed->protocol);
  return packet[0] == kPlainIpv4 && (loadBe16(packet + 6) & kFragmentBits) == 0;
}

/** What `NextHop.fit` lets pass without touching it. Only what goes to peers and clients is looked at there, and not all. */
bool FlowMemory::fits(const int32_t* d, const Parsed& parsed, int32_t action, int32_t mtu) const {
  if (action != action::tunnel && action != action::bare) return true;
  const size_t header = parsed.isV6 ? kIpv6Bytes : kIpv4MinBytes;
  if (parsed.protocol == kProtocolTcp) {
    return parsed.length >= header + kTcpMinBytes && (parsed.packet[header + 13] & kTcpSyn) == 0;
  }
  if (!parsed.dontFragment) return true;
  size_t largest = parsed.length;
  if (d[word::gsoType] != kGsoNone) {
    const auto gsoSize = static_cast<size_t>(std::max(d[word::gsoSize], 0));
    largest = std::min<size_t>(largest, header + kUdpBytes + gsoSize);
  }
  const int32_t limit = parsed.isV6 ? std::max(mtu, kMinIpv6Mtu) : mtu;
  return limit > 0 && largest <= static_cast<size_t>(limit);
}

void FlowMemory::carryOut(int32_t* entry, const Parsed& parsed, int32_t* d) {
  d[word::offset] = static_cast<int32_t>(parsed.offset);
  d[word::length] = static_cast<int32_t>(parsed.length);
  d[word::action] = entry[fw::action] & 0xff;
  d[word::to] = entry[fw::to];
  d[word::outMacHigh] = entry[fw::outMacHigh];
  d[word::outMacLow] = entry[fw::outMacLow];
  d[word::vnet] = entry[fw::vnetHops] >> 8;
  d[word::hops] = entry[fw::vnetHops] & 0xff;
  d[word::mtu] = entry[fw::mtu];
  const int32_t flags = entry[fw::action] >> 8;
  if (flags & kSpendsTtl) spendTtl(parsed.packet, parsed.isV6);
  const auto counters = static_cast<uint32_t>(entry[fw::counter]);
  addDouble(options_.packetCounters, options_.packetCounterCount, counters & 0xffff, 1);
  if (counters >> 16) addDouble(options_.packetCounters, options_.packetCounterCount, (counters >> 16) - 1, 1);
  const int64_t vnetCounter = entry[fw::vnetCounter];
  addDouble(options_.vnetCounters, options_.vnetCounterCount, vnetCounter, 1);
  if (vnetCounter >= 0) addDouble(options_.vnetCounters, options_.vnetCounterCount, vnetCounter + 1, parsed.length);
  addActivity(entry[fw::heard], options_.machines);
  addActivity(entry[fw::sent], 0);
  countPacket(entry, d, parsed.packet, parsed.length);
}

/** The other worker may add at the same time, and a count be lost: whether it changes is all that is asked. */
void FlowMemory::addActivity(int32_t number, size_t base) const {
  if (number < 0 || static_cast<size_t>(number) >= options_.machines) return;
  int32_t* at = options_.activity + base + static_cast<size_t>(number);
  const auto count = static_cast<uint32_t>(__atomic_load_n(at, __ATOMIC_RELAXED));
  __atomic_store_n(at, static_cast<int32_t>(count + 1), __ATOMIC_RELAXED);
}

void FlowMemory::countPacket(int32_t* entry, const int32_t* d, const uint8_t* packet, size_t length) {
  const int32_t action = d[word::action];
  // A LAN takes what it is given, and its kernel or card cuts it.
  const bool isCutHere = action == action::tunnel || action == action::bare;
  const size_t mtu = isCutHere && d[word::mtu] > 0 ? static_cast<size_t>(d[word::mtu]) : SIZE_MAX;
  const TravelSize size = travelSize(packet, length, static_cast<uint8_t>(d[word::gsoType]),
                                     static_cast<size_t>(std::max(d[word::gsoSize], 0)), mtu);
  // Packets last: who sees one sees also what else was written for it.
  add64(entry + fw::bytes, size.bytes);
  add64(entry + fw::packets, size.packets);
  int32_t* counted = options_.memory + fh::counted;
  __atomic_store_n(counted, static_cast<int32_t>(static_cast<uint32_t>(*counted) + 1), __ATOMIC_RELEASE);
}

void FlowMemory::note(const int32_t* d) {
  const int32_t flags = d[word::flow];
  if (!(flags & flow_note::forwarded) || !(flags & flow_note::keyed)) return;
  size_t length = 0;
  const uint8_t* packet = packets_.packetOf(d, &length);
  if (packet == nullptr) return;
  const bool isV6 = length > 0 && packet[0] >> 4 == 6;
  if (length < (isV6 ? kIpv6Bytes : kIpv4MinBytes)) return;
  const int32_t kind = flags & flow_note::overlay ? kOverlay : flags & flow_note::bare ? kBare : kFrame;
  Key key;
  startKey(key, isV6, kind, d[word::from], kind == kOverlay ? d[word::flowVnet] : 0, d);
  readAddresses(packet, isV6, key + (fw::source - fw::kind), key + (fw::destination - fw::kind));
  int32_t* known = find(key);
  const bool isKept = (flags & flow_note::keep) && d[word::flowGeneration] == generationOf(key);
  const bool isNew = known == nullptr || !goesSameWay(known, d);
  if (known == nullptr) {
    known = make(key);
  } else if (isNew) {
    // What has been counted so far went another way.
    handOver(known);
    start(known, key);
  }
  if (isNew || isKept) write(known, d, isKept ? d[word::flowGeneration] : kNoGeneration);
  countPacket(known, d, packet, length);
}

bool FlowMemory::goesSameWay(const int32_t* entry, const int32_t* d) {
  return (entry[fw::action] & 0xff) == d[word::action] && entry[fw::to] == d[word::to] &&
         entry[fw::vnetHops] >> 8 == (d[word::flowVnet] & 0xffff);
}

int32_t FlowMemory::generationOf(const int32_t* key) const {
  const Generations& now = options_.generations;
  const auto macsHigh = static_cast<uint32_t>(key[fw::macsHigh - fw::kind]);
  const uint32_t sum = now.ofEverything() + now.ofAddress(key + (fw::source - fw::kind)) +
                       now.ofAddress(key + (fw::destination - fw::kind)) +
                       now.ofMac(macsHigh >> 16, key[fw::srcMacLow - fw::kind]) +
                       now.ofMac(macsHigh & 0xffff, key[fw::dstMacLow - fw::kind]);
  return static_cast<int32_t>(sum);
}

uint32_t FlowMemory::setOf(const Key key) const {
  uint32_t h = seed_;
  for (uint32_t i = 0; i < kKeyWords; i++) {
    h = (h ^ static_cast<uint32_t>(key[i])) * 0x9e3779b1u;
    h ^= h >> 15;
  }
  h *= 0x85ebca6bu;
  h ^= h >> 13;
  return h & (entries_ / 2 - 1);
}

/** An entry found first in its set is the one used last. */
int32_t* FlowMemory::find(const Key key) {
  const uint32_t first = 2 * setOf(key);
  for (uint32_t i = first; i < first + 2; i++) {
    int32_t* candidate = entry(i);
    if (candidate[fw::serial] == 0 || std::memcmp(candidate + fw::kind, key, sizeof(Key)) != 0) continue;
    lastUsed_[first / 2] = static_cast<uint8_t>(i - first);
    return candidate;
  }
  return nullptr;
}

/** Takes an unused entry of the key's set, else one that is outdated, else the one that was not used last. */
int32_t* FlowMemory::make(const Key key) {
  const uint32_t set = setOf(key);
  uint32_t way = 1 - lastUsed_[set];
  for (const uint32_t other : {1u, 0u}) {
    const int32_t* one = entry(2 * set + other);
    if (one[fw::serial] != 0 && one[fw::generation] != generationOf(one + fw::kind)) way = other;
  }
  for (const uint32_t other : {1u, 0u}) {
    if (entry(2 * set + other)[fw::serial] == 0) way = other;
  }
  lastUsed_[set] = static_cast<uint8_t>(way);
  int32_t* made = entry(2 * set + way);
  int32_t* header = options_.memory;
  if (made[fw::serial] == 0) {
    __atomic_store_n(&header[fh::used], header[fh::used] + 1, __ATOMIC_RELAXED);
  } else {
    handOver(made);
    counters_.add(counter::flowsReplaced);
  }
  start(made, key);
  return made;
}

/** Counts from 0, under a new serial number. */
void FlowMemory::start(int32_t* made, const Key key) {
  int32_t* header = options_.memory;
  auto serial = static_cast<uint32_t>(header[fh::serial]) + 1;
  if (serial == 0) serial = 1;
  header[fh::serial] = static_cast<int32_t>(serial);

  const auto sequence = static_cast<uint32_t>(made[fw::sequence]);
  __atomic_store_n(&made[fw::sequence], static_cast<int32_t>(sequence + 1), __ATOMIC_RELAXED);
  __atomic_thread_fence(__ATOMIC_SEQ_CST);
  made[fw::serial] = static_cast<int32_t>(serial);
  std::memcpy(made + fw::kind, key, sizeof(Key));
  made[fw::batch] = 0;
  __atomic_store_n(reinterpret_cast<uint64_t*>(made + fw::packets), 0, __ATOMIC_RELAXED);
  __atomic_store_n(reinterpret_cast<uint64_t*>(made + fw::bytes), 0, __ATOMIC_RELAXED);
  __atomic_store_n(&made[fw::sequence], static_cast<int32_t>(sequence + 2), __ATOMIC_RELEASE);
}

void FlowMemory::handOver(const int32_t* entry) {
  int32_t* header = options_.memory;
  const auto head = static_cast<uint32_t>(header[fh::head]);
  const auto tail = static_cast<uint32_t>(__atomic_load_n(&header[fh::tail], __ATOMIC_ACQUIRE));
  if (head - tail >= ring_) {
    add64(header + fh::unattributedPackets, load64(entry + fw::packets));
    add64(header + fh::unattributedBytes, load64(entry + fw::bytes));
    return;
  }
  int32_t* place = ringPlace(head);
  std::memcpy(place, entry, kFlowEntryWords * sizeof(int32_t));
  place[fw::sequence] = static_cast<int32_t>((entry - this->entry(0)) / kFlowEntryWords);
  __atomic_store_n(&header[fh::head], static_cast<int32_t>(head + 1), __ATOMIC_RELEASE);
}

void FlowMemory::write(int32_t* entry, const int32_t* d, int32_t generation) {
  const int32_t kept = d[word::flow] & flow_note::spendsTtl ? kSpendsTtl : 0;
  entry[fw::generation] = generation;
  entry[fw::action] = (d[word::action] & 0xff) | (kept << 8);
  entry[fw::to] = d[word::to];
  entry[fw::outMacHigh] = d[word::outMacHigh];
  entry[fw::outMacLow] = d[word::outMacLow];
  entry[fw::vnetHops] = static_cast<int32_t>((static_cast<uint32_t>(d[word::flowVnet]) & 0xffff) << 8 |
                                             (static_cast<uint32_t>(d[word::hops]) & 0xff));
  entry[fw::mtu] = d[word::mtu];
  entry[fw::counter] = d[word::flowCounter];
  entry[fw::vnetCounter] = d[word::flowVnetCounter];
  entry[fw::heard] = d[word::flowHeard];
  entry[fw::sent] = d[word::flowSent];
}

}  // namespace vine
