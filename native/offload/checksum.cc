#include "offload/checksum.h"

#include "base/byte_order.h"

namespace vine {

uint64_t checksumAdd(const uint8_t* data, size_t length, uint64_t sum) {
  // 32-bit words into 64-bit accumulators: no carry can be lost below 2^32 words, and two accumulators keep the
  // additions independent of each other.
  uint64_t even = sum;
  uint64_t odd = 0;
  while (length >= 32) {
    even += uint64_t{loadRaw<uint32_t>(data)} + loadRaw<uint32_t>(data + 8);
    odd += uint64_t{loadRaw<uint32_t>(data + 4)} + loadRaw<uint32_t>(data + 12);
    even += uint64_t{loadRaw<uint32_t>(data + 16)} + loadRaw<uint32_t>(data + 24);
    odd += uint64_t{loadRaw<uint32_t>(data + 20)} + loadRaw<uint32_t>(data + 28);
    data += 32;
    length -= 32;
  }
  even += odd;
  while (length >= 2) {
    even += loadRaw<uint16_t>(data);
    data += 2;
    length -= 2;
  }
  if (length == 1) {
    const uint8_t last[2] = {*data, 0};
    even += loadRaw<uint16_t>(last);
  }
  return even;
}

uint16_t checksumFinish(uint64_t sum) {
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<uint16_t>(~sum);
}

uint64_t pseudoHeaderSum(const uint8_t* ip, uint8_t protocol, size_t length) {
  uint8_t tail[8] = {0, 0, 0, 0, 0, 0, 0, protocol};
  storeBe32(tail, static_cast<uint32_t>(length));
  const bool v4 = ip[0] >> 4 == 4;
  const uint64_t addresses = v4 ? checksumAdd(ip + 12, 8, 0) : checksumAdd(ip + 8, 32, 0);
  return checksumAdd(tail, sizeof tail, addresses);
}

}  // namespace vine
