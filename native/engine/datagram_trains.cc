#include "engine/datagram_trains.h"

#include <errno.h>
#include <netinet/udp.h>

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "base/layout.h"
#include "io/batch_io.h"
#include "io/stream_table.h"

namespace vine {
namespace {

constexpr uint32_t kBatch = 64;
constexpr size_t kArenaBytes = 256 * 1024;
// UDP_MAX_SEGMENTS of the kernels that have the fewest.
constexpr uint32_t kTrainDatagrams = 64;
// All of a train is one UDP payload to the kernel (65,507 bytes at most over IPv4); the margin is for IP options.
constexpr uint32_t kTrainBytes = 65'000;

}  // namespace

DatagramTrains::DatagramTrains(Counters& counters, const std::vector<UdpLink>& sockets)
    : counters_(counters),
      table_(SessionTable::instance()),
      sockets_(sockets),
      arena_(new uint8_t[kArenaBytes]),
      trains_(kBatch),
      messages_(kBatch),
      vectors_(kBatch),
      controls_(kBatch) {}

bool DatagramTrains::hasRoomFor(size_t length) const { return count_ < kBatch && used_ + length <= kArenaBytes; }

const UdpLink* DatagramTrains::linkOf(int fd) const {
  for (const UdpLink& link : sockets_) {
    if (link.fd == fd) return &link;
  }
  return nullptr;
}

void DatagramTrains::add(uint32_t peer, const Endpoint& endpoint, size_t length, bool fragmented) {
  const auto bytes = static_cast<uint32_t>(length);
  if (!join(peer, endpoint, bytes, fragmented)) {
    const UdpLink* link = linkOf(endpoint.fd);
    if (link == nullptr && endpoint.isUdp()) {
      // The number of a socket that was closed may be another file's by now.
      counters_.add(counter::tunnelSendErrors);
      return;
    }
    trains_[count_++] = {peer, 1, bytes, bytes, link != nullptr && link->segmentation, fragmented, link, endpoint};
  }
  used_ += length;
}

bool DatagramTrains::join(uint32_t peer, const Endpoint& endpoint, uint32_t bytes, bool fragmented) {
  if (count_ == 0) return false;
  Train& last = trains_[count_ - 1];
  if (!last.open || last.peer != peer || last.fragmented != fragmented || bytes > last.each ||
      last.count == kTrainDatagrams || last.bytes + bytes > kTrainBytes || !(last.endpoint == endpoint)) {
    return false;
  }
  last.count++;
  last.bytes += bytes;
  last.open = bytes == last.each;
  return true;
}

void DatagramTrains::flush(uint64_t nowMs) {
  nowMs_ = nowMs;
  uint8_t* at = arena_.get();
  for (uint32_t i = 0; i < count_; i++) {
    prepare(i, at);
    at += trains_[i].bytes;
  }
  uint32_t first = 0;
  for (uint32_t i = 1; i <= count_; i++) {
    if (i < count_ && trains_[i].fd() == trains_[first].fd()) continue;
    sendRun(first, i);
    first = i;
  }
  count_ = 0;
  used_ = 0;
}

void DatagramTrains::prepare(uint32_t i, uint8_t* at) {
  Train& train = trains_[i];
  vectors_[i] = {at, train.bytes};
  msghdr& header = messages_[i].msg_hdr;
  header = {};
  header.msg_iov = &vectors_[i];
  header.msg_iovlen = 1;
  header.msg_name = &train.endpoint.address;
  header.msg_namelen = train.endpoint.addressLength();
  header.msg_controllen = writeControl(train, controls_[i].bytes);
  if (header.msg_controllen != 0) header.msg_control = controls_[i].bytes;
}

/** The source for what leaves by a port's companion; the size to cut at for what is more than one datagram. */
size_t DatagramTrains::writeControl(const Train& train, uint8_t* out) {
  size_t used = 0;
  if (train.fragmented && train.link != nullptr) {
    used = train.link->source.length;
    std::memcpy(out, train.link->source.bytes, used);
  }
  if (train.count == 1) return used;
  auto* control = reinterpret_cast<cmsghdr*>(out + used);
  control->cmsg_level = IPPROTO_UDP;
  control->cmsg_type = UDP_SEGMENT;
  control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
  storeRaw(CMSG_DATA(control), static_cast<uint16_t>(train.each));
  return used + CMSG_SPACE(sizeof(uint16_t));
}

/** Sends what shares one socket. */
void DatagramTrains::sendRun(uint32_t first, uint32_t end) {
  if (trains_[first].endpoint.isStream()) {
    sendByStream(first, end);
    return;
  }
  int errors[kBatch];
  sendAll(trains_[first].fd(), &messages_[first], end - first, errors);
  for (uint32_t i = first; i < end; i++) account(trains_[i], errors[i - first], vectors_[i]);
}

void DatagramTrains::sendByStream(uint32_t first, uint32_t end) {
  const auto stream = StreamTable::instance().find(trains_[first].endpoint.stream());
  const uint32_t taken = stream == nullptr ? 0 : stream->send(&vectors_[first], end - first);
  for (uint32_t i = first; i < end; i++) account(trains_[i], i - first < taken ? 0 : EAGAIN, vectors_[i]);
}

void DatagramTrains::account(const Train& train, int error, const iovec& part) {
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

void DatagramTrains::sendSingly(const Train& train, const iovec& part) {
  auto* const data = static_cast<uint8_t*>(part.iov_base);
  mmsghdr messages[kTrainDatagrams] = {};
  iovec vectors[kTrainDatagrams];
  int errors[kTrainDatagrams];
  Control control;
  Train single = train;
  single.count = 1;
  const size_t controlBytes = writeControl(single, control.bytes);
  for (uint32_t i = 0; i < train.count; i++) {
    const uint32_t at = i * train.each;
    vectors[i] = {data + at, std::min(train.each, train.bytes - at)};
    messages[i].msg_hdr.msg_iov = &vectors[i];
    messages[i].msg_hdr.msg_iovlen = 1;
    messages[i].msg_hdr.msg_name = const_cast<sockaddr*>(&train.endpoint.address.any);
    messages[i].msg_hdr.msg_namelen = train.endpoint.addressLength();
    messages[i].msg_hdr.msg_control = controlBytes == 0 ? nullptr : control.bytes;
    messages[i].msg_hdr.msg_controllen = controlBytes;
  }
  sendAll(train.fd(), messages, train.count, errors);
  for (uint32_t i = 0; i < train.count; i++) {
    single.bytes = static_cast<uint32_t>(vectors[i].iov_len);
    account(single, errors[i], vectors[i]);
  }
}

}  // namespace vine
