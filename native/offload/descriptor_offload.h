// The virtio-net words of a descriptor, as a worker may have left them.
#pragma once
#include "base/layout.h"
#include "base/virtio.h"
#include "offload/segment.h"

namespace vine {

/** False when a word that is used is negative. */
inline bool readOffload(const int32_t* d, Offload* offload) {
  offload->gsoType = static_cast<uint8_t>(d[word::gsoType]);
  offload->flags = static_cast<uint8_t>(d[word::flags]);
  if (offload->gsoType != kGsoNone && d[word::gsoSize] < 0) return false;
  const bool partial = (offload->flags & kVirtioNeedsChecksum) != 0;
  if (partial && (d[word::checksumStart] < 0 || d[word::checksumOffset] < 0)) return false;
  offload->gsoSize = static_cast<uint32_t>(d[word::gsoSize]);
  offload->checksumStart = static_cast<uint32_t>(d[word::checksumStart]);
  offload->checksumOffset = static_cast<uint32_t>(d[word::checksumOffset]);
  return true;
}

}  // namespace vine
