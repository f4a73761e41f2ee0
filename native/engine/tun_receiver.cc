#include "engine/tun_receiver.h"

#include <errno.h>
#include <linux/if_ether.h>
#include <unistd.h>

#include <cstring>

#include "base/virtio.h"
#include "offload/packet_shape.h"

namespace vine {

TunReceiver::TunReceiver(const PacketMemory& memory, Counters& counters, const std::vector<TunSocket>& tuns)
    : memory_(memory), counters_(counters) {
  for (const TunSocket& tun : tuns) {
    if (tun.receiveFd < 0) continue;
    tuns_.push_back(tun);
    descriptors_.push_back(tun.receiveFd);
  }
}

Batch TunReceiver::drain() {
  Batch batch;
  constexpr size_t kLead = sizeof(VirtioHeader);
  for (const TunSocket& tun : tuns_) {
    while (batch.filled < memory_.slots()) {
      uint8_t* message = memory_.slot(batch.filled) + kHeadroom - kLead;
      const ssize_t bytes = read(tun.receiveFd, message, memory_.slotBytes() - kHeadroom + kLead);
      if (bytes < 0) {
        if (errno == EINTR) continue;
        // EAGAIN: nothing there. EIO: the device is down. EBADFD: it has been deleted.
        if (errno == EBADFD || errno == EBADF) batch.broken = errno;
        break;
      }
      batch.taken++;
      if (describe(tun, message, static_cast<size_t>(bytes), memory_.descriptor(batch.filled))) {
        batch.filled++;
      } else {
        counters_.add(counter::lanFramesMalformed);
      }
    }
  }
  return batch;
}

bool TunReceiver::describe(const TunSocket& tun, uint8_t* message, size_t length, int32_t* d) {
  VirtioHeader offload;
  if (length < sizeof offload) return false;
  std::memcpy(&offload, message, sizeof offload);
  const uint8_t* packet = message + sizeof offload;
  length -= sizeof offload;
  counters_.add(counter::lanFramesReceived);
  counters_.add(counter::lanBytesReceived, length);
  PacketShape shape;
  if (!readShape(packet, length, &shape)) return false;
  if (offload.gsoType == kGsoNone && shape.statedLength != length) return false;

  std::memset(d, 0, kDescriptorWords * sizeof *d);
  d[word::offset] = static_cast<int32_t>(packet - memory_.packets());
  d[word::length] = static_cast<int32_t>(length);
  d[word::kind] = kind::frame;
  d[word::from] = static_cast<int32_t>(tun.index);
  d[word::etherType] = shape.version == 4 ? ETH_P_IP : ETH_P_IPV6;
  d[word::gsoType] = offload.gsoType;
  d[word::gsoSize] = offload.gsoSize;
  d[word::flags] = offload.flags;
  if (offload.flags & kVirtioNeedsChecksum) {
    d[word::checksumStart] = offload.checksumStart;
    d[word::checksumOffset] = offload.checksumOffset;
  }
  return true;
}

}  // namespace vine
