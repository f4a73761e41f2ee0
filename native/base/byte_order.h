// Unaligned reads and writes of integers in network (Be) and little-endian (Le) order.
#pragma once
#include <endian.h>

#include <cstdint>
#include <cstring>

namespace vine {

template <typename T>
inline T loadRaw(const uint8_t* from) {
  T value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

template <typename T>
inline void storeRaw(uint8_t* to, T value) {
  std::memcpy(to, &value, sizeof value);
}

inline uint16_t loadBe16(const uint8_t* from) { return be16toh(loadRaw<uint16_t>(from)); }
inline uint32_t loadBe32(const uint8_t* from) { return be32toh(loadRaw<uint32_t>(from)); }
inline uint32_t loadLe32(const uint8_t* from) { return le32toh(loadRaw<uint32_t>(from)); }
inline uint64_t loadLe64(const uint8_t* from) { return le64toh(loadRaw<uint64_t>(from)); }
inline void storeBe16(uint8_t* to, uint16_t value) { storeRaw(to, htobe16(value)); }
inline void storeBe32(uint8_t* to, uint32_t value) { storeRaw(to, htobe32(value)); }
inline void storeBe64(uint8_t* to, uint64_t value) { storeRaw(to, htobe64(value)); }
inline void storeLe32(uint8_t* to, uint32_t value) { storeRaw(to, htole32(value)); }
inline void storeLe64(uint8_t* to, uint64_t value) { storeRaw(to, htole64(value)); }

}  // namespace vine
