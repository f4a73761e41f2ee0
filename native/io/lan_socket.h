// A packet socket on a LAN: unicast IP frames to our MACs, whole super-packets where the kernel can.
#pragma once
#include <array>
#include <cstdint>

#include "io/socket_util.h"

namespace vine {

struct LanSocket {
  int fd;
  /** Of an engine's: by which it receives; −1: not from this LAN. Frames are sent by `fd`. */
  int receiveFd;
  uint32_t index;
  std::array<uint8_t, 6> mac;
  uint32_t mtuBytes;
  bool vnetHeader;
  /** Number of the virtual MACs that it is served with besides its own; 0: there are none. */
  uint32_t vrid;
  /** Of an engine's: while it is 0 frames leave from the virtual MACs, if there are any. Another thread writes it. */
  const int32_t* role;
};

/** The number that a virtual MAC ends in (RFC 9568 §5.2.3). */
constexpr uint32_t kMaxVrid = 255;

/** 00:00:5e:00:01:VRID, for IPv6 00:00:5e:00:02:VRID (RFC 9568 §7.3). */
constexpr std::array<uint8_t, 6> virtualMac(uint32_t vrid, bool ipv6) {
  return {0x00, 0x00, 0x5e, 0x00, static_cast<uint8_t>(ipv6 ? 2 : 1), static_cast<uint8_t>(vrid)};
}

/**
 * Opens an Ethernet interface for IP frames that are sent to its own MAC, and with a `vrid` other than 0 to the two virtual
 * ones, which the interface's receive filter then lets through. Needs CAP_NET_RAW.
 */
bool openLan(const char* interfaceName, uint32_t index, uint32_t vrid, LanSocket* lan, Failure* failure);

/**
 * Opens another socket for the LAN of `fd`, with the same `vrid`, which takes its part of the frames from then on: those of one
 * flow (addresses, protocol, ports) all come by the same socket, later fragments with the first one of their packet. For
 * the time in which the interface is down it can only fail (ENETDOWN).
 */
bool shareLan(int fd, uint32_t vrid, int* shared, Failure* failure);

/**
 * Takes frames to any single machine's MAC (`on`), or again to those only that it was opened for, with that `vrid`. May be
 * called while frames are received.
 */
bool setRescue(int fd, bool on, uint32_t vrid, Failure* failure);

/** Whether the interface behind the socket is gone for good (it was deleted), not merely down. */
bool interfaceGone(int fd);

}  // namespace vine
