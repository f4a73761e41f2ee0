#include "io/tun_socket.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/virtio.h"

namespace vine {

bool openTun(const char* name, uint32_t index, TunSocket* tun, Failure* failure) {
  if (strlen(name) >= IFNAMSIZ) {
    errno = ENAMETOOLONG;
    return fail(failure, -1, std::string("cannot make the TUN device ") + name);
  }
  const int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return fail(failure, -1, "cannot open /dev/net/tun");
  ifreq request;
  memset(&request, 0, sizeof request);
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  // Exclusively: a device that is there already is somebody else's.
  request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_TUN_EXCL);
  if (ioctl(fd, TUNSETIFF, &request) != 0) {
    return fail(failure, fd, std::string("cannot make the TUN device ") + name);
  }
  int headerBytes = sizeof(VirtioHeader);
  if (ioctl(fd, TUNSETVNETHDRSZ, &headerBytes) != 0) {
    return fail(failure, fd, std::string("cannot set the header size of ") + name);
  }
  // What the kernel may leave to us: checksums, and cutting TCP. Where it refuses, single packets come.
  ioctl(fd, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN);
  tun->fd = fd;
  tun->receiveFd = fd;
  tun->index = index;
  adopt(fd);
  return true;
}

}  // namespace vine
