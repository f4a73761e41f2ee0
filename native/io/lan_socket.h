// A packet socket on a LAN: unicast IP frames to our MAC, whole super-packets where the kernel can.
#pragma once
#include <array>
#include <cstdint>

#include "io/socket_util.h"

namespace vine {

struct LanSocket {
  int fd;
  uint32_t index;
  std::array<uint8_t, 6> mac;
  uint32_t mtuBytes;
  bool vnetHeader;
};

/** Opens an Ethernet interface for IP frames that are sent to its own MAC. Needs CAP_NET_RAW. */
bool openLan(const char* interfaceName, uint32_t index, LanSocket* lan, Failure* failure);

/** Takes frames to any single machine's MAC (`on`), or again to its own only. May be called while frames are received. */
bool setRescue(int fd, bool on, Failure* failure);

/** Whether the interface behind the socket is gone for good (it was deleted), not merely down. */
bool interfaceGone(int fd);

}  // namespace vine
