#include "session/cookie_sender.h"

#include "base/byte_order.h"
#include "base/layout.h"
#include "io/batch_io.h"
#include "io/socket_util.h"

namespace vine {
namespace {

/** Where the message of a descriptor came from, and the socket that it came by. */
bool sourceOf(const int32_t* d, Endpoint* source) {
  const size_t length = d[word::sourceFamily] == 6 ? 16 : 4;
  uint8_t address[16];
  for (size_t i = 0; i < length; i += 4) {
    storeBe32(address + i, static_cast<uint32_t>(d[word::sourceWord3 - (length - 4 - i) / 4]));
  }
  const int fd = d[word::socket];
  return isAdopted(fd) && d[word::sourcePort] > 0 && d[word::sourcePort] <= 0xffff &&
         makeEndpoint(address, length, static_cast<uint16_t>(d[word::sourcePort]), fd, source);
}

}  // namespace

void CookieSender::send(const int32_t* d) {
  size_t length = 0;
  const uint8_t* message = memory_.packetOf(d, &length);
  if (message == nullptr || length < 4) return;
  Endpoint& to = to_[count_];
  if (!sourceOf(d, &to) || !guard_.reply(message, length, to, replies_[count_].data())) {
    counters_.add(counter::tunnelSendErrors);
    return;
  }
  vectors_[count_] = {replies_[count_].data(), kCookieReplyBytes};
  msghdr& header = messages_[count_].msg_hdr;
  header = {};
  header.msg_iov = &vectors_[count_];
  header.msg_iovlen = 1;
  header.msg_name = &to.address;
  header.msg_namelen = to.addressLength();
  count_++;
  if (count_ == kBatch) flush();
}

void CookieSender::flush() {
  int errors[kBatch];
  for (uint32_t first = 0; first < count_;) {
    uint32_t end = first + 1;
    while (end < count_ && to_[end].fd == to_[first].fd) end++;
    sendAll(to_[first].fd, &messages_[first], end - first, errors);
    for (uint32_t i = 0; i < end - first; i++) {
      counters_.add(errors[i] == 0 ? counter::cookieRepliesSent : counter::tunnelSendErrors);
    }
    first = end;
  }
  count_ = 0;
}

}  // namespace vine
