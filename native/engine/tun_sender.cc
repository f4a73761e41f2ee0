#include "engine/tun_sender.h"

#include <errno.h>
#include <sys/uio.h>

#include <algorithm>

#include "base/virtio.h"
#include "offload/descriptor_offload.h"
#include "offload/packet_shape.h"

namespace vine {
namespace {

/** False when the descriptor's offload words do not fit the packet. */
bool makeHeader(const int32_t* d, const uint8_t* packet, size_t length, VirtioHeader* header) {
  Offload offload;
  if (!readOffload(d, &offload)) return false;
  *header = {};
  if (offload.flags & kVirtioNeedsChecksum) {
    if (offload.checksumStart + offload.checksumOffset + 2 > length) return false;
    header->flags = kVirtioNeedsChecksum;
    header->checksumStart = static_cast<uint16_t>(offload.checksumStart);
    header->checksumOffset = static_cast<uint16_t>(offload.checksumOffset);
  }
  if (offload.gsoType == kGsoNone) return true;
  PacketShape shape;
  if (!readShape(packet, length, &shape) || !shape.complete || offload.gsoSize == 0) return false;
  const size_t headers = shape.protocol == kProtocolTcp ? tcpHeadersLength(packet, length, shape) : 0;
  if (headers == 0) return false;
  header->gsoType = offload.gsoType;
  header->gsoSize = static_cast<uint16_t>(std::min<size_t>(offload.gsoSize, 0xffff));
  header->headerLength = static_cast<uint16_t>(headers);
  return true;
}

}  // namespace

const TunSocket* TunSender::find(int32_t index) const {
  for (const TunSocket& tun : tuns_) {
    if (static_cast<int32_t>(tun.index) == index) return &tun;
  }
  return nullptr;
}

void TunSender::send(const int32_t* d) {
  size_t length = 0;
  const uint8_t* packet = memory_.packetOf(d, &length);
  const TunSocket* tun = find(d[word::to]);
  PacketShape shape;
  if (packet == nullptr || tun == nullptr || length > 0xffff || !readShape(packet, length, &shape)) {
    counters_.add(counter::lanSendErrors);
    return;
  }
  VirtioHeader header;
  if (!makeHeader(d, packet, length, &header)) {
    counters_.add(counter::splitErrors);
    return;
  }
  iovec parts[2] = {{&header, sizeof header}, {const_cast<uint8_t*>(packet), length}};
  ssize_t written = 0;
  do {
    written = writev(tun->fd, parts, 2);
  } while (written < 0 && errno == EINTR);
  if (written < 0) {
    counters_.add(counter::lanSendErrors);
    return;
  }
  counters_.add(counter::lanFramesSent);
  counters_.add(counter::lanBytesSent, length);
}

}  // namespace vine
