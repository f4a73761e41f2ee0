// A TUN device: IP packets of the machine itself.
#pragma once
#include <cstdint>

#include "io/socket_util.h"

namespace vine {

struct TunSocket {
  int fd;
  /** Of an engine's: by which it receives; −1: not from this device. */
  int receiveFd;
  /** Numbered together with the LANs: no LAN has it. */
  uint32_t index;
};

/** Makes a TUN device that lives as long as the descriptor. Needs CAP_NET_ADMIN and /dev/net/tun. */
bool openTun(const char* interfaceName, uint32_t index, TunSocket* tun, Failure* failure);

}  // namespace vine
