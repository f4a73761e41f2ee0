#include "offload/fragment.h"

#include <algorithm>
#include <cstring>

#include "base/byte_order.h"
#include "offload/checksum.h"
#include "offload/packet_shape.h"

namespace vine {
namespace {

constexpr uint16_t kDontFragment = 0x4000;
constexpr uint16_t kMoreFragments = 0x2000;
constexpr uint16_t kOffsetMask = 0x1fff;
constexpr uint8_t kOptionEnd = 0;
constexpr uint8_t kOptionNop = 1;
constexpr uint8_t kOptionCopied = 0x80;

/** Options that belong to the first fragment only become no-operations in the others (RFC 791 §3.1, "copied"). */
void dropUncopiedOptions(uint8_t* header, size_t length) {
  for (size_t at = kIpv4MinBytes; at < length;) {
    const uint8_t kind = header[at];
    if (kind == kOptionEnd) return;
    if (kind == kOptionNop) {
      at++;
      continue;
    }
    const size_t size = at + 1 < length ? header[at + 1] : 0;
    if (size < 2 || size > length - at) return;
    if ((kind & kOptionCopied) == 0) std::memset(header + at, kOptionNop, size);
    at += size;
  }
}

}  // namespace

bool FragmentPlan::make(const uint8_t* packet, size_t length, size_t mtu) {
  if (length <= mtu || length < kIpv4MinBytes || packet[0] >> 4 != 4) return false;
  header_ = static_cast<size_t>(packet[0] & 0x0f) * 4;
  if (header_ < kIpv4MinBytes || header_ >= length || header_ + 8 > mtu) return false;
  if ((loadBe16(packet + 6) & kDontFragment) != 0) return false;
  packet_ = packet;
  payload_ = length - header_;
  each_ = (mtu - header_) / 8 * 8;
  count_ = static_cast<uint32_t>((payload_ + each_ - 1) / each_);
  // The offset field counts to 65,528 bytes.
  return (loadBe16(packet + 6) & kOffsetMask) + payload_ / 8 <= kOffsetMask;
}

size_t FragmentPlan::payloadOf(uint32_t fragment) const { return std::min(each_, payload_ - fragment * each_); }

size_t FragmentPlan::lengthOf(uint32_t fragment) const { return header_ + payloadOf(fragment); }

void FragmentPlan::write(uint32_t fragment, uint8_t* out) const {
  const size_t length = lengthOf(fragment);
  std::memcpy(out, packet_, header_);
  std::memcpy(out + header_, packet_ + header_ + fragment * each_, length - header_);
  const uint16_t original = loadBe16(packet_ + 6);
  const bool last = fragment + 1 == count_;
  const auto offset = static_cast<uint16_t>((original & kOffsetMask) + fragment * each_ / 8);
  storeBe16(out + 2, static_cast<uint16_t>(length));
  storeBe16(out + 6, static_cast<uint16_t>(offset | (last ? original & kMoreFragments : kMoreFragments)));
  if (fragment != 0) dropUncopiedOptions(out, header_);
  storeBe16(out + 10, 0);
  storeRaw(out + 10, checksumFinish(checksumAdd(out, header_, 0)));
}

}  // namespace vine
