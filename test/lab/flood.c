/*
 * A flood of datagrams from many addresses, as an attacker on the WAN could send it.
 *
 *   lab-flood INTERFACE DESTINATION-MAC DESTINATION-IP PORT SOURCE-NETWORK/16 MESSAGES BYTES RATE SECONDS
 *
 * MESSAGES is a file of messages of BYTES bytes each, sent in turn; every datagram has the next source address of the
 * /16 and the next source port. Prints how many were sent. In C for the same reason as wan.c: 50,000 a second must not
 * cost the machine what the measured routers need. AF_PACKET, because a socket has one address.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, FRAME_BYTES = 2048, HEAD_BYTES = 14 + 20 + 8 };

static uint8_t frames[BATCH][FRAME_BYTES];

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static uint16_t header_checksum(const uint8_t *header) {
  uint32_t sum = 0;
  for (int i = 0; i < 20; i += 2) sum += (uint32_t)(header[i] << 8 | header[i + 1]);
  sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~((sum & 0xffff) + (sum >> 16));
}

static void put16(uint8_t *to, unsigned value) {
  to[0] = (uint8_t)(value >> 8);
  to[1] = (uint8_t)value;
}

static int open_packet_socket(const char *name, struct sockaddr_ll *link, uint8_t *own_mac) {
  const int fd = socket(AF_PACKET, SOCK_RAW, 0);
  if (fd < 0) fail("socket");
  struct ifreq request = {0};
  strncpy(request.ifr_name, name, IFNAMSIZ - 1);
  if (ioctl(fd, SIOCGIFHWADDR, &request) < 0) fail(name);
  memcpy(own_mac, request.ifr_hwaddr.sa_data, 6);
  *link = (struct sockaddr_ll){.sll_family = AF_PACKET, .sll_ifindex = (int)if_nametoindex(name), .sll_halen = 6};
  return fd;
}

/* Everything but the source address, its checksum, the source port and the message. */
static void write_head(uint8_t *frame, const uint8_t *to, const uint8_t *from, uint32_t address, unsigned port, unsigned bytes) {
  memcpy(frame, to, 6);
  memcpy(frame + 6, from, 6);
  put16(frame + 12, ETH_P_IP);
  uint8_t *ip = frame + 14;
  memset(ip, 0, 28);
  ip[0] = 0x45;
  put16(ip + 2, 28 + bytes);
  ip[8] = 64;
  ip[9] = IPPROTO_UDP;
  memcpy(ip + 16, &address, 4);
  put16(ip + 22, port);
  put16(ip + 24, 8 + bytes); /* checksum 0: none (RFC 768) */
}

int main(int argc, char **argv) {
  if (argc != 10) return fprintf(stderr, "see the head of flood.c\n"), 2;
  uint8_t to[6], from[6];
  if (sscanf(argv[2], "%hhx:%hhx:%hhx:%hhx:%hhx:%hhx", &to[0], &to[1], &to[2], &to[3], &to[4], &to[5]) != 6) return 2;
  const unsigned port = (unsigned)atoi(argv[4]), bytes = (unsigned)atoi(argv[7]);
  const double rate = atof(argv[8]), seconds = atof(argv[9]);
  struct in_addr destination, network;
  if (!inet_aton(argv[3], &destination) || !inet_aton(argv[5], &network)) return 2;
  if (bytes == 0 || bytes + HEAD_BYTES > FRAME_BYTES) return 2;
  FILE *file = fopen(argv[6], "rb");
  if (file == NULL) fail(argv[6]);
  fseek(file, 0, SEEK_END);
  const size_t count = (size_t)ftell(file) / bytes;
  rewind(file);
  uint8_t *messages = malloc(count * bytes);
  if (count == 0 || messages == NULL || fread(messages, bytes, count, file) != count) fail(argv[6]);
  struct sockaddr_ll link;
  const int fd = open_packet_socket(argv[1], &link, from);
  struct mmsghdr batch[BATCH] = {0};
  struct iovec vectors[BATCH];
  for (int i = 0; i < BATCH; i++) {
    write_head(frames[i], to, from, destination.s_addr, port, bytes);
    vectors[i] = (struct iovec){frames[i], HEAD_BYTES + bytes};
    batch[i].msg_hdr = (struct msghdr){.msg_name = &link, .msg_namelen = sizeof link, .msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  const int64_t start = now_ns();
  uint64_t sent = 0, turn = 0;
  while (now_ns() - start < (int64_t)(seconds * 1e9)) {
    const uint64_t due = (uint64_t)((double)(now_ns() - start) * rate / 1e9);
    if (sent + BATCH > due) {
      usleep(500);
      continue;
    }
    for (int i = 0; i < BATCH; i++, turn++) {
      uint8_t *ip = frames[i] + 14;
      const uint32_t source = htonl(ntohl(network.s_addr) + (uint32_t)(turn * 7 % 65534) + 1);
      memcpy(ip + 12, &source, 4);
      put16(ip + 10, 0);
      put16(ip + 10, header_checksum(ip));
      put16(ip + 20, 1024 + (unsigned)(turn % 60000));
      memcpy(ip + 28, messages + turn % count * bytes, bytes);
    }
    const int done = sendmmsg(fd, batch, BATCH, 0);
    if (done > 0) sent += (uint64_t)done;
    else sent += BATCH; /* a full queue: as good as lost on the way */
  }
  printf("%llu\n", (unsigned long long)sent);
  return 0;
}
