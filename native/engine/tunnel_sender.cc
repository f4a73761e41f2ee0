#include "engine/tunnel_sender.h"

#include <errno.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

#include "io/batch_io.h"
#include "base/byte_order.h"
#include "offload/descriptor_offload.h"
#include "offload/fragment.h"
#include "io/stream_table.h"
#include "base/wire.h"

namespace vine {
namespace {

constexpr uint32_t kBatch = 64;
constexpr size_t kArenaBytes = 256 * 1024;
// UDP_MAX_SEGMENTS of the kernels that have the fewest.
constexpr uint32_t kTrainDatagrams = 64;
// All of a train is one UDP payload to the kernel (65,507 bytes at most over IPv4); the margin is for IP options.
constexpr uint32_t kTrainBytes = 65'000;
// What every IPv4 host must be able to take (RFC 791 §3.2). A smaller MTU is a mistake, not a network.
constexpr int32_t kSmallestMtu = 576;
constexpr size_t kMostIpBytes = 65'535;

/** What precedes the packet inside the seal: nothing for a WireGuard client. */
size_t innerHeaderBytes(const int32_t* d) { return d[word::action] == action::bare ? 0 : kOverlayHeaderBytes; }

size_t paddedLength(size_t plain, size_t most) {
  const size_t rounded = (plain + kPaddingMultiple - 1) / kPaddingMultiple * kPaddingMultiple;
  return std::max(plain, std::min(rounded, most));
}

bool overlayWordsValid(const int32_t* d) {
  return d[word::vnet] >= 0 && d[word::vnet] <= 0xffff && d[word::hops] >= 0 && d[word::hops] <= 0xff &&
         d[word::mtu] >= kSmallestMtu;
}

}  // namespace

bool sealMessage(Session* session, uint32_t lane, uint8_t* out, size_t length) {
  uint64_t count = 0;
  if (!session->takeCounter(&count)) return false;
  storeLe32(out, kTransportData);
  storeLe32(out + 4, session->remoteIndex);
  storeLe64(out + 8, count);
  return session->seal(lane, count, out + kTransportHeaderBytes, length);
}

bool wrapForRelay(uint32_t peer, uint32_t lane, uint64_t nowMs, uint8_t* out, size_t length, Endpoint* endpoint) {
  SessionTable& table = SessionTable::instance();
  const uint32_t relay = endpoint->relayPeer();
  Session* session = relay == peer ? nullptr : table.usable(relay, nowMs);
  if (session == nullptr || !table.peer(relay).endpoint.load(endpoint) || endpoint->isRelay()) return false;
  uint8_t* header = out + kTransportHeaderBytes;
  header[0] = kRelayType;
  header[1] = kRelayForward;
  header[2] = header[3] = 0;
  std::memcpy(header + 4, table.peer(peer).relayTag.data(), kRelayTagBytes);
  return sealMessage(session, lane, out, kRelayHeaderBytes + length);
}

TunnelSender::TunnelSender(const PacketMemory& memory, Counters& counters, uint32_t lane,
                           const std::vector<UdpLink>& sockets)
    : memory_(memory),
      counters_(counters),
      table_(SessionTable::instance()),
      lane_(lane),
      sockets_(sockets),
      sessions_(table_.lock, std::defer_lock),
      arena_(new uint8_t[kArenaBytes]),
      trains_(kBatch),
      messages_(kBatch),
      vectors_(kBatch),
      controls_(kBatch) {}

void TunnelSender::send(const int32_t* d) {
  if (d[word::action] == action::message) {
    sealWhole(d);
    return;
  }
  size_t length = 0;
  const uint8_t* packet = memory_.packetOf(d, &length);
  Offload offload;
  SplitPlan plan;
  if (packet == nullptr || !overlayWordsValid(d) || !readOffload(d, &offload) ||
      !plan.make(packet, length, offload, static_cast<size_t>(d[word::mtu]))) {
    counters_.add(counter::splitErrors);
    return;
  }
  for (uint32_t segment = 0; segment < plan.count(); segment++) {
    if (!sealSegment(plan, segment, d, static_cast<size_t>(d[word::mtu]))) return;
  }
}

bool TunnelSender::sealSegment(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu) {
  const size_t length = plan.lengthOf(segment);
  bool sealed = false;
  if (length > mtu && length <= kMostIpBytes && sealFragments(plan, segment, d, mtu, &sealed)) return sealed;
  return sealPacket(d, mtu, length, [&](uint8_t* out) { plan.write(segment, out); });
}

/** False when the packet must stay whole. */
bool TunnelSender::sealFragments(const SplitPlan& plan, uint32_t segment, const int32_t* d, size_t mtu, bool* sealed) {
  whole_.resize(plan.lengthOf(segment));
  plan.write(segment, whole_.data());
  FragmentPlan fragments;
  if (!fragments.make(whole_.data(), whole_.size(), mtu)) return false;
  *sealed = true;
  for (uint32_t i = 0; *sealed && i < fragments.count(); i++) {
    *sealed = sealPacket(d, mtu, fragments.lengthOf(i), [&](uint8_t* out) { fragments.write(i, out); });
  }
  return true;
}

template <typename Write>
bool TunnelSender::sealPacket(const int32_t* d, size_t mtu, size_t length, Write write) {
  const size_t header = innerHeaderBytes(d);
  const size_t plain = header + length;
  const size_t padded = paddedLength(plain, header + mtu);
  const auto peer = static_cast<uint32_t>(d[word::to]);
  Place place{};
  // Nobody probes the path to a WireGuard client.
  place.fragmented = length > mtu || d[word::action] == action::bare;
  if (!open(peer, padded, &place)) return false;
  uint8_t* inner = place.out + kTransportHeaderBytes;
  if (header != 0) {
    inner[0] = kOverlayType;
    inner[1] = static_cast<uint8_t>(d[word::hops]);
    storeBe16(inner + 2, static_cast<uint16_t>(d[word::vnet]));
  }
  write(inner + header);
  std::memset(inner + plain, 0, padded - plain);
  return close(peer, padded, &place);
}

void TunnelSender::sealWhole(const int32_t* d) {
  size_t length = 0;
  const uint8_t* payload = memory_.packetOf(d, &length);
  const auto peer = static_cast<uint32_t>(d[word::to]);
  Place place{};
  if (payload == nullptr) {
    counters_.add(counter::splitErrors);
  } else if (open(peer, length, &place)) {
    std::memcpy(place.out + kTransportHeaderBytes, payload, length);
    close(peer, length, &place);
  }
}

bool TunnelSender::open(uint32_t peer, size_t payload, Place* place) {
  const size_t total = kTransportHeaderBytes + payload + kTagBytes;
  if (total + kRelayOverhead > kMaxDatagramBytes) {
    counters_.add(counter::tunnelSendErrors);
    return false;
  }
  uint8_t* room = reserve(total + kRelayOverhead);
  // Looked up for each message: while a full batch was being sent the session may have gone.
  if (!sessions_.owns_lock()) sessions_.lock();
  place->session = peer < kMaxPeers ? table_.usable(peer, nowMs_) : nullptr;
  if (place->session == nullptr || !table_.peer(peer).endpoint.load(&place->endpoint)) {
    counters_.add(counter::noSession);
    return false;
  }
  place->out = room + (place->endpoint.isRelay() ? kRelayLead : 0);
  return true;
}

bool TunnelSender::close(uint32_t peer, size_t payload, Place* place) {
  size_t total = kTransportHeaderBytes + payload + kTagBytes;
  bool sealed = sealMessage(place->session, lane_, place->out, payload);
  if (sealed && place->endpoint.isRelay()) {
    sealed = wrapForRelay(peer, lane_, nowMs_, place->out - kRelayLead, total, &place->endpoint);
    total += kRelayOverhead;
  }
  if (!sealed) {
    counters_.add(counter::noSession);
    return false;
  }
  commit(peer, *place, total);
  return true;
}

uint8_t* TunnelSender::reserve(size_t length) {
  if (count_ == kBatch || used_ + length > kArenaBytes) flush();
  return arena_.get() + used_;
}

const UdpLink* TunnelSender::linkOf(int fd) const {
  for (const UdpLink& link : sockets_) {
    if (link.fd == fd) return &link;
  }
  return nullptr;
}

/** The datagram that was sealed at the end of the arena joins the last train, or begins a new one. */
void TunnelSender::commit(uint32_t peer, const Place& place, size_t length) {
  const Endpoint& endpoint = place.endpoint;
  const auto bytes = static_cast<uint32_t>(length);
  if (count_ != 0) {
    Train& last = trains_[count_ - 1];
    if (last.open && last.peer == peer && last.fragmented == place.fragmented && bytes <= last.each && last.count < kTrainDatagrams &&
        last.bytes + bytes <= kTrainBytes && last.endpoint == endpoint) {
      used_ += length;
      last.count++;
      last.bytes += bytes;
      last.open = bytes == last.each;
      return;
    }
  }
  const UdpLink* link = linkOf(endpoint.fd);
  if (link == nullptr && endpoint.isUdp()) {
    // The number of a socket that was closed may be another file's by now.
    counters_.add(counter::tunnelSendErrors);
    return;
  }
  used_ += length;
  const bool segmentation = link != nullptr && link->segmentation;
  const int fd = link != nullptr && place.fragmented ? link->fragmentingFd : endpoint.fd;
  trains_[count_++] = {peer, 1, bytes, bytes, segmentation, segmentation, place.fragmented, fd, endpoint};
}

void TunnelSender::flush() {
  // Whoever installs or removes a session must not wait for the network.
  if (sessions_.owns_lock()) sessions_.unlock();
  uint8_t* at = arena_.get();
  for (uint32_t i = 0; i < count_; i++) {
    prepare(i, at);
    at += trains_[i].bytes;
  }
  uint32_t first = 0;
  for (uint32_t i = 1; i <= count_; i++) {
    if (i < count_ && trains_[i].fd == trains_[first].fd) continue;
    sendRun(first, i);
    first = i;
  }
  count_ = 0;
  used_ = 0;
}

void TunnelSender::prepare(uint32_t i, uint8_t* at) {
  Train& train = trains_[i];
  vectors_[i] = {at, train.bytes};
  msghdr& header = messages_[i].msg_hdr;
  header = {};
  header.msg_iov = &vectors_[i];
  header.msg_iovlen = 1;
  header.msg_name = &train.endpoint.address;
  header.msg_namelen = train.endpoint.addressLength();
  if (train.count == 1) return;
  header.msg_control = controls_[i].bytes;
  header.msg_controllen = sizeof controls_[i].bytes;
  cmsghdr* control = CMSG_FIRSTHDR(&header);
  control->cmsg_level = IPPROTO_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  storeRaw(CMSG_DATA(control), static_cast<uint16_t>(train.each));
}

/** Sends what shares one socket. */
void TunnelSender::sendRun(uint32_t first, uint32_t end) {
  if (trains_[first].endpoint.isStream()) {
    sendByStream(first, end);
    return;
  }
  int errors[kBatch];
  sendAll(trains_[first].fd, &messages_[first], end - first, errors);
  for (uint32_t i = first; i < end; i++) account(trains_[i], errors[i - first], vectors_[i]);
}

void TunnelSender::sendByStream(uint32_t first, uint32_t end) {
  const auto stream = StreamTable::instance().find(trains_[first].endpoint.stream());
  const uint32_t taken = stream == nullptr ? 0 : stream->send(&vectors_[first], end - first);
  for (uint32_t i = first; i < end; i++) account(trains_[i], i - first < taken ? 0 : EAGAIN, vectors_[i]);
}

void TunnelSender::account(const Train& train, int error, const iovec& part) {
  // EINVAL, EMSGSIZE: the datagrams are larger than the path's MTU, which only single ones may be (they are
  // fragmented). EIO: the route's interface cannot complete checksums.
  if (train.count > 1 && (error == EINVAL || error == EMSGSIZE || error == EIO)) {
    counters_.add(counter::tunnelTrainsRefused);
    sendSingly(train, part);
    return;
  }
  if (error != 0) {
    counters_.add(counter::tunnelSendErrors, train.count);
    return;
  }
  if (train.count > 1) counters_.add(counter::tunnelTrainsSent);
  counters_.add(counter::tunnelDatagramsSent, train.count);
  counters_.add(counter::tunnelBytesSent, train.bytes);
  table_.peer(train.peer).countSent(train.count, train.bytes, nowMs_);
}

void TunnelSender::sendSingly(const Train& train, const iovec& part) {
  auto* const data = static_cast<uint8_t*>(part.iov_base);
  mmsghdr messages[kTrainDatagrams] = {};
  iovec vectors[kTrainDatagrams];
  int errors[kTrainDatagrams];
  for (uint32_t i = 0; i < train.count; i++) {
    const uint32_t at = i * train.each;
    vectors[i] = {data + at, std::min(train.each, train.bytes - at)};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = const_cast<sockaddr*>(&train.endpoint.address.any);
    messages[i].msg_hdr.msg_namelen = train.endpoint.addressLength();
  }
  sendAll(train.fd, messages, train.count, errors);
  for (uint32_t i = 0; i < train.count; i++) {
    const auto bytes = static_cast<uint32_t>(vectors[i].iov_len);
    account({train.peer, 1, bytes, bytes, false, false, train.fragmented, train.fd, train.endpoint}, errors[i], vectors[i]);
  }
}

}  // namespace vine
