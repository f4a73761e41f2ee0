#include "io/lan_socket.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "base/byte_order.h"

// Newer than some C libraries' headers (Linux 4.20).
#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif
// The same for all sockets that share a LAN (Linux 5.10; older ones do not look at the flag).
#ifndef PACKET_FANOUT_FLAG_IGNORE_OUTGOING
#define PACKET_FANOUT_FLAG_IGNORE_OUTGOING 0x4000
#endif

namespace vine {
namespace {

/**
 * Classic BPF: IPv4 or IPv6, untagged (priority tags with VLAN 0 count as untagged), not our own output, to our MAC.
 * The kernel takes a VLAN tag off the frame before the filter sees it, hence the ancillary load.
 */
bool attachNarrowFilter(int fd, const std::array<uint8_t, 6>& mac) {
  const uint32_t macFirst = loadBe32(mac.data());
  const uint32_t macLast = loadBe16(mac.data() + 4);
  constexpr auto ancillary = [](int field) { return static_cast<uint32_t>(SKF_AD_OFF + field); };
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 10),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_VLAN_TAG)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0fff),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 7),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 5, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, macFirst, 0, 3),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, macLast, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

/** As the narrow one, or to one of the two virtual MACs of that number. */
bool attachVirtualFilter(int fd, const std::array<uint8_t, 6>& mac, uint32_t vrid) {
  const uint32_t macFirst = loadBe32(mac.data());
  const uint32_t macLast = loadBe16(mac.data() + 4);
  const auto virtual4 = virtualMac(vrid, false);
  const auto virtual6 = virtualMac(vrid, true);
  constexpr auto ancillary = [](int field) { return static_cast<uint32_t>(SKF_AD_OFF + field); };
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 15),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_VLAN_TAG)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0fff),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 12),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 10, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, macFirst, 0, 2),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, macLast, 5, 0),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loadBe32(virtual4.data()), 0, 4),
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 4),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loadBe16(virtual4.data() + 4), 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, loadBe16(virtual6.data() + 4), 0, 1),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

bool attachOwnFilter(int fd, const std::array<uint8_t, 6>& mac, uint32_t vrid) {
  return vrid == 0 ? attachNarrowFilter(fd, mac) : attachVirtualFilter(fd, mac, vrid);
}

/** The interface lets frames to this MAC through as well, as long as the socket is open (packet(7)). */
bool addUnicast(int fd, int interfaceIndex, const std::array<uint8_t, 6>& mac) {
  packet_mreq request;
  memset(&request, 0, sizeof request);
  request.mr_ifindex = interfaceIndex;
  request.mr_type = PACKET_MR_UNICAST;
  request.mr_alen = static_cast<unsigned short>(mac.size());
  memcpy(request.mr_address, mac.data(), mac.size());
  return setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &request, sizeof request) == 0;
}

/** As the narrow one, but to any single machine's MAC: the group bit of the first byte is off. */
bool attachWideFilter(int fd) {
  constexpr auto ancillary = [](int field) { return static_cast<uint32_t>(SKF_AD_OFF + field); };
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IP, 1, 0),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETH_P_IPV6, 0, 8),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_VLAN_TAG)),
      BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x0fff),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 5),
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ancillary(SKF_AD_PKTTYPE)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, PACKET_OUTGOING, 3, 0),
      BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 0),
      BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, 1, 1, 0),
      BPF_STMT(BPF_RET | BPF_K, 0xffffffff),
      BPF_STMT(BPF_RET | BPF_K, 0),
  };
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

bool setPromiscuous(int fd, int interfaceIndex, bool on) {
  packet_mreq request;
  memset(&request, 0, sizeof request);
  request.mr_ifindex = interfaceIndex;
  request.mr_type = PACKET_MR_PROMISC;
  const int option = on ? PACKET_ADD_MEMBERSHIP : PACKET_DROP_MEMBERSHIP;
  if (setsockopt(fd, SOL_PACKET, option, &request, sizeof request) == 0) return true;
  // It was not a member, or its device went away with the membership.
  return !on && (errno == EADDRNOTAVAIL || errno == ENODEV);
}

/** A packet socket that receives nothing yet: it is bound to no protocol. −1 with errno set. */
int newLanSocket() { return socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0); }

/** Whether super-packets come and leave whole. */
bool tuneLanSocket(int fd) {
  const int on = 1;
  const bool vnetHeader = setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) == 0;
  // Saves running the filter on our own output; where it is missing the filter alone does it.
  setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  enlargeBuffers(fd);
  return vnetHeader;
}

bool bindToInterface(int fd, int interfaceIndex) {
  sockaddr_ll address;
  memset(&address, 0, sizeof address);
  address.sll_family = AF_PACKET;
  address.sll_protocol = htons(ETH_P_ALL);
  address.sll_ifindex = interfaceIndex;
  return bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
}

bool receiveNothing(int fd) {
  sock_filter code[] = {BPF_STMT(BPF_RET | BPF_K, 0)};
  const sock_fprog program = {sizeof code / sizeof code[0], code};
  return setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) == 0;
}

// Fragments are told from each other by their addresses alone. PACKET_FANOUT_FLAG_DEFRAG would give them the ports of their
// first one, by putting them together: but they are to be passed on as they are.
constexpr uint32_t kFanout = PACKET_FANOUT_HASH | (PACKET_FANOUT_FLAG_IGNORE_OUTGOING << 16);

/** The group of the socket, which is made when it is in none. 0 with errno set. */
uint32_t fanoutOf(int fd) {
  uint32_t group = 0;
  socklen_t size = sizeof group;
  // 0 for a socket in none: a group of that number is none of ours.
  if (getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &size) == 0 && group != 0) return group;
  const uint32_t unique = kFanout | (PACKET_FANOUT_FLAG_UNIQUEID << 16);
  if (setsockopt(fd, SOL_PACKET, PACKET_FANOUT, &unique, sizeof unique) != 0) return 0;
  size = sizeof group;
  return getsockopt(fd, SOL_PACKET, PACKET_FANOUT, &group, &size) == 0 ? group : 0;
}

bool describeInterface(int fd, const char* name, LanSocket* lan, Failure* failure) {
  ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &request) != 0) {
    return fail(failure, fd, std::string("cannot read the MAC address of ") + name);
  }
  if (request.ifr_hwaddr.sa_family != ARPHRD_ETHER) {
    errno = EPFNOSUPPORT;
    return fail(failure, fd, std::string("not an Ethernet interface: ") + name);
  }
  memcpy(lan->mac.data(), request.ifr_hwaddr.sa_data, lan->mac.size());
  if (ioctl(fd, SIOCGIFMTU, &request) != 0) {
    return fail(failure, fd, std::string("cannot read the MTU of ") + name);
  }
  lan->mtuBytes = static_cast<uint32_t>(request.ifr_mtu);
  return true;
}

}  // namespace

bool openLan(const char* name, uint32_t index, uint32_t vrid, LanSocket* lan, Failure* failure) {
  const unsigned interfaceIndex = if_nametoindex(name);
  if (interfaceIndex == 0) return fail(failure, -1, std::string("no such interface: ") + name);
  // Protocol 0 receives nothing: no frame can slip in before the filter is there and the socket is bound.
  const int fd = newLanSocket();
  if (fd < 0) return fail(failure, -1, "cannot open a packet socket (CAP_NET_RAW is needed)");
  lan->fd = fd;
  lan->index = index;
  lan->vrid = vrid;
  if (!describeInterface(fd, name, lan, failure)) return false;
  if (!attachOwnFilter(fd, lan->mac, vrid)) return fail(failure, fd, "cannot attach the packet filter");
  lan->receiveFd = fd;
  lan->vnetHeader = tuneLanSocket(fd);
  const auto bound = static_cast<int>(interfaceIndex);
  if (!bindToInterface(fd, bound)) return fail(failure, fd, std::string("cannot bind to ") + name);
  if (vrid != 0 && !(addUnicast(fd, bound, virtualMac(vrid, false)) && addUnicast(fd, bound, virtualMac(vrid, true)))) {
    return fail(failure, fd, std::string("cannot take frames to a virtual MAC address on ") + name);
  }
  adopt(fd);
  return true;
}

bool shareLan(int fd, uint32_t vrid, int* shared, Failure* failure) {
  sockaddr_ll address;
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0 || address.sll_family != AF_PACKET) {
    errno = EBADF;
    return fail(failure, -1, "cannot share what is no LAN socket");
  }
  std::array<uint8_t, 6> mac;
  memcpy(mac.data(), address.sll_addr, mac.size());
  // First: what does not receive, because the interface is down, cannot be in a group.
  const uint32_t group = fanoutOf(fd);
  if (group == 0) {
    if (errno == EINVAL) errno = ENETDOWN;
    return fail(failure, -1, "cannot share the frames of a LAN");
  }
  const int socket = newLanSocket();
  if (socket < 0) return fail(failure, -1, "cannot open a packet socket (CAP_NET_RAW is needed)");
  tuneLanSocket(socket);
  // Until it is in the group each frame would come to it as well.
  const bool joined = receiveNothing(socket) && bindToInterface(socket, address.sll_ifindex) &&
                      setsockopt(socket, SOL_PACKET, PACKET_FANOUT, &group, sizeof group) == 0 &&
                      attachOwnFilter(socket, mac, vrid);
  if (!joined) return fail(failure, socket, "cannot share the frames of a LAN");
  adopt(socket);
  *shared = socket;
  return true;
}

bool setRescue(int fd, bool on, uint32_t vrid, Failure* failure) {
  sockaddr_ll address;
  socklen_t size = sizeof address;
  failure->what = "cannot change what a LAN socket takes";
  failure->error = 0;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0 && address.sll_family == AF_PACKET) {
    std::array<uint8_t, 6> mac;
    memcpy(mac.data(), address.sll_addr, mac.size());
    // A membership counts as often as it is asked for: none is left over.
    const bool left = setPromiscuous(fd, address.sll_ifindex, false);
    if (on && left && attachWideFilter(fd) && setPromiscuous(fd, address.sll_ifindex, true)) return true;
    if (!on && left && attachOwnFilter(fd, mac, vrid)) return true;
    failure->error = errno;
    return false;
  }
  failure->error = EBADF;
  return false;
}

bool interfaceGone(int fd) {
  sockaddr_ll address;
  socklen_t size = sizeof address;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return true;
  // The kernel sets −1 when the device is unregistered.
  return address.sll_ifindex <= 0;
}

}  // namespace vine
