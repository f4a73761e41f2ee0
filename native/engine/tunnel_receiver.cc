#include "engine/tunnel_receiver.h"

#include <errno.h>

#include <algorithm>
#include <cstring>
#include <shared_mutex>

#include "base/byte_order.h"
#include "base/clock.h"
#include "base/wire.h"

namespace vine {
namespace {

// The datagram starts here before the place of the IP packet, which follows both headers.
constexpr uint32_t kLead = kTransportHeaderBytes + kOverlayHeaderBytes;

bool isHandshake(uint32_t type, size_t length) {
  switch (type) {
    case kHandshakeInitiation:
      return length == kHandshakeInitiationBytes;
    case kHandshakeResponse:
      return length == kHandshakeResponseBytes;
    case kCookieReply:
      return length == kCookieReplyBytes;
    case kJoinRequest:
      return length >= kLeastJoinRequestBytes && length <= kMostJoinRequestBytes;
    default:
      return false;
  }
}

void writeSource(int32_t* d, const Endpoint& source) {
  size_t length = 0;
  const uint8_t* bytes = endpointBytes(source, &length);
  d[word::sourceFamily] = length == 4 ? 4 : 6;
  d[word::sourcePort] = endpointPort(source);
  if (source.isStream()) d[word::sourceStream] = static_cast<int32_t>(source.stream()) + 1;
  if (source.isRelay()) d[word::sourceRelay] = static_cast<int32_t>(source.relayPeer()) + 1;
  for (size_t i = 0; i < length; i += 4) {
    d[word::sourceWord3 - (length - 4 - i) / 4] = static_cast<int32_t>(loadBe32(bytes + i));
  }
}

void describePayload(int32_t* d, int32_t kind, size_t offset, size_t length) {
  std::memset(d, 0, kDescriptorWords * sizeof *d);
  d[word::offset] = static_cast<int32_t>(offset);
  d[word::length] = static_cast<int32_t>(length);
  d[word::kind] = kind;
}

}  // namespace

TunnelReceiver::TunnelReceiver(const PacketMemory& memory, Counters& counters, uint32_t lane,
                               const std::vector<UdpLink>& ports, bool streams)
    : memory_(memory),
      counters_(counters),
      table_(SessionTable::instance()),
      lane_(lane),
      streams_(streams),
      fromStream_(memory.slots()),
      ring_(memory, true),
      filledBy_(memory.slots()) {
  for (const UdpLink& port : ports) {
    if (port.receiveFd < 0) continue;
    ports_.push_back({port.fd, port.receiveFd});
    polled_.push_back(port.receiveFd);
  }
  if (streams_) polled_.push_back(StreamTable::instance().pollFd());
}

void TunnelReceiver::Held::take(Session* session) {
  if (session_ == session) return;
  // One at a time: two threads that each waited for the other's session would wait for ever.
  if (lock_.owns_lock()) lock_.unlock();
  lock_ = std::unique_lock<std::mutex>(session->receiving);
  session_ = session;
}

Batch TunnelReceiver::drain() {
  Batch batch;
  nowMs_ = monotonicMs();
  if (slot_ == taken_) refill(&batch);
  batch.taken = taken_ - slot_ + static_cast<uint32_t>(events_.size());
  if (batch.taken == 0) return batch;
  describeEvents(&batch, false);
  const std::shared_lock<FairLock> sessions(table_.lock);
  Held held;
  while (slot_ < taken_ && describeSlot(&held, &batch)) {
    slot_++;
    at_ = 0;
  }
  // What came before a connection's end is told before its end: later, it would be of a connection that is no more.
  if (slot_ == taken_) describeEvents(&batch, true);
  return batch;
}

void TunnelReceiver::refill(Batch* batch) {
  taken_ = 0;
  slot_ = 0;
  at_ = 0;
  for (size_t i = 0; i < ports_.size() && taken_ < memory_.slots(); i++) {
    if (!receiveFrom(ports_[(turn_ + i) % ports_.size()], batch)) break;
  }
  turn_++;
  if (streams_) receiveFromStreams();
}

/** Those of ends, or the others. */
void TunnelReceiver::describeEvents(Batch* batch, bool ends) {
  std::vector<StreamEvent> left;
  for (const StreamEvent& event : events_) {
    if ((event.kind == StreamEvent::closed) != ends || batch->filled == memory_.capacity()) {
      left.push_back(event);
      continue;
    }
    int32_t* d = memory_.descriptor(batch->filled++);
    describePayload(d, kind::stream, 0, static_cast<size_t>(event.error));
    d[word::from] = -1;
    d[word::session] = static_cast<int32_t>(event.stream);
    d[word::sessionFlags] = event.kind;
    writeSource(d, event.far);
  }
  events_.swap(left);
}

void TunnelReceiver::receiveFromStreams() {
  // Those that had more than there was room for come first; nobody else tells of them again.
  if (ready_.empty()) StreamTable::instance().poll(&ready_, &events_);
  size_t done = 0;
  while (done < ready_.size() && taken_ < memory_.slots() && receiveFrom(ready_[done].get())) done++;
  ready_.erase(ready_.begin(), ready_.begin() + static_cast<ptrdiff_t>(done));
}

bool TunnelReceiver::receiveFrom(Stream* stream) {
  // Whole messages that are left from the last time first: only then may the buffer be moved.
  for (bool filled = false;;) {
    const uint8_t* message = nullptr;
    int length = 0;
    while (taken_ < memory_.slots() && (length = stream->next(&message)) > 0) {
      const uint32_t slot = taken_++;
      filledBy_[slot] = -1;
      fromStream_[slot] = {static_cast<size_t>(length), stream->far};
      std::memcpy(memory_.slot(slot) + kHeadroom - kLead, message, static_cast<size_t>(length));
    }
    if (length < 0) {
      StreamTable::instance().end(*stream, EPROTO, &events_);
      return true;
    }
    if (taken_ == memory_.slots()) return false;
    int error = 0;
    if (filled) return true;
    filled = true;
    if (!stream->fill(&error)) {
      StreamTable::instance().end(*stream, error, &events_);
      return true;
    }
  }
}

bool TunnelReceiver::receiveFrom(const Port& port, Batch* batch) {
  const int received = ring_.receive(port.receiveFd, taken_, kLead);
  if (received < 0) {
    if (errno == EBADF || errno == ENOTSOCK) batch->broken = errno;
    return batch->broken == 0;
  }
  for (int i = 0; i < received; i++) filledBy_[taken_++] = port.fd;
  return true;
}

bool TunnelReceiver::describeSlot(Held* held, Batch* batch) {
  if (filledBy_[slot_] < 0) {
    if (batch->filled == memory_.capacity()) return false;
    const FromStream& from = fromStream_[slot_];
    const Datagram datagram = {memory_.slot(slot_) + kHeadroom - kLead, from.length, &from.source};
    if (describe(datagram, held, memory_.descriptor(batch->filled))) batch->filled++;
    return true;
  }
  const size_t length = ring_.length(slot_);
  const size_t train = ring_.segmentBytes(slot_);
  const size_t each = train == 0 || train > length ? length : train;
  Endpoint source;
  if (!receivedEndpoint(ring_.from(slot_), filledBy_[slot_], &source)) return true;
  if (at_ == 0) {
    if (each < length) counters_.add(counter::tunnelTrainsReceived);
    if (length == 0 || ring_.truncated(slot_)) {
      counters_.add(counter::tunnelDatagramsReceived);
      counters_.add(counter::tunnelBytesReceived, length);
      counters_.add(counter::messagesMalformed);
      return true;
    }
  }
  for (; at_ < length; at_ += each) {
    if (batch->filled == memory_.capacity()) return false;
    const Datagram datagram = {ring_.data(slot_) + at_, std::min(each, length - at_), &source};
    if (describe(datagram, held, memory_.descriptor(batch->filled))) batch->filled++;
  }
  return true;
}

bool TunnelReceiver::describe(const Datagram& datagram, Held* held, int32_t* d) {
  counters_.add(counter::tunnelDatagramsReceived);
  counters_.add(counter::tunnelBytesReceived, datagram.length);
  if (datagram.length >= 4) {
    const uint32_t type = loadLe32(datagram.data);
    if (type == kTransportData && datagram.length >= kTransportHeaderBytes + kTagBytes) {
      return describeMessage(datagram, held, d);
    }
    if (isHandshake(type, datagram.length)) return describeHandshake(datagram, d);
  }
  counters_.add(counter::messagesMalformed);
  return false;
}

bool TunnelReceiver::describeHandshake(const Datagram& datagram, int32_t* d) {
  const auto verdict = guard_.check(datagram.data, datagram.length, *datagram.source);
  if (verdict == HandshakeGuard::Verdict::badMac1) {
    counters_.add(counter::handshakesBadMac1);
    return false;
  }
  describePayload(d, kind::handshake, static_cast<size_t>(datagram.data - memory_.packets()), datagram.length);
  d[word::from] = -1;
  d[word::socket] = datagram.source->fd;
  d[word::sessionFlags] = verdict == HandshakeGuard::Verdict::proven ? session_flag::proven : 0;
  writeSource(d, *datagram.source);
  return true;
}

bool TunnelReceiver::describeMessage(const Datagram& datagram, Held* held, int32_t* d) {
  Session* session = authenticate(datagram.data, datagram.length, held);
  if (session == nullptr) return false;
  table_.peer(session->peer).countReceived(datagram.length, nowMs_);
  const int32_t flags = noteAuthentic(session, *datagram.source);
  const size_t payload = datagram.length - kTransportHeaderBytes - kTagBytes;
  if (payload == 0) {
    counters_.add(counter::keepalivesReceived);
    // Nothing in it for the worker, unless it is how the session or the peer's new address shows itself.
    if (flags == 0) return false;
  }
  const auto offset = static_cast<size_t>(datagram.data + kTransportHeaderBytes - memory_.packets());
  const bool isPacket = payload != 0 && datagram.data[kTransportHeaderBytes] == kOverlayType;
  describePayload(d, kind::message, offset, payload);
  d[word::from] = static_cast<int32_t>(session->peer);
  d[word::session] = static_cast<int32_t>(session->localIndex);
  d[word::sessionFlags] = flags;
  if (flags != 0 || !isPacket) writeSource(d, *datagram.source);
  return true;
}

bool TunnelReceiver::openRelayed(size_t offset, size_t length, uint32_t relay, int32_t* d) {
  if (length < kTransportHeaderBytes + kTagBytes || length > kMaxDatagramBytes ||
      loadLe32(memory_.packets() + offset) != kTransportData) {
    counters_.add(counter::messagesMalformed);
    return false;
  }
  const std::shared_lock<FairLock> sessions(table_.lock);
  Held held;
  const Endpoint source = relayEndpoint(relay);
  return describeMessage({memory_.packets() + offset, length, &source}, &held, d);
}

Session* TunnelReceiver::authenticate(uint8_t* message, size_t length, Held* held) {
  Session* session = table_.find(loadLe32(message + 4));
  if (session == nullptr) {
    counters_.add(counter::messagesUnknownSession);
    return nullptr;
  }
  const uint64_t count = loadLe64(message + 8);
  if (count >= kRejectAfterMessages || session->tooOld(nowMs_)) {
    counters_.add(counter::messagesExpired);
    return nullptr;
  }
  held->take(session);
  if (!session->replay.fresh(count)) {
    counters_.add(counter::messagesReplayed);
    return nullptr;
  }
  if (!session->open(lane_, count, message + kTransportHeaderBytes, length - kTransportHeaderBytes - kTagBytes)) {
    counters_.add(counter::messagesNotAuthentic);
    return nullptr;
  }
  session->replay.accept(count);
  return session;
}

int32_t TunnelReceiver::noteAuthentic(Session* session, const Endpoint& source) {
  const int32_t flags = session->authenticatedOnce ? 0 : session_flag::first;
  session->authenticatedOnce = true;
  Endpoint known;
  EndpointCell& endpoint = table_.peer(session->peer).endpoint;
  if (endpoint.load(&known)) {
    if (known == source) return flags;
    // A peer roams from address to address. Whether another kind of path is better than the present one is not decided here.
    if (known.isUdp() != source.isUdp() || known.isRelay() || source.isRelay()) return flags;
  }
  endpoint.store(source);
  return flags | session_flag::roamed;
}

}  // namespace vine
