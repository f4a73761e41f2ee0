/*
 * Announces a "virtual machine" the way hypervisors and guests do after a migration, from inside its namespace.
 *
 *   lab-announce INTERFACE rarp|garp|both [@TIME|@-] [MAC] [IPV4|IPV6]...
 *
 * rarp: what QEMU sends (its defaults: initial 50 ms, max 550 ms, 5 rounds, step 100 ms, which puts the rounds at
 *       0, 50, 200, 450 and 800 ms): a broadcast RARP request, operation 3, padded to 60 bytes, addresses 0.0.0.0.
 * garp: what a Linux guest with virtio-net sends: a gratuitous ARP request per IPv4 address and an unsolicited
 *       neighbour advertisement per IPv6 address, once, repeated after 50 ms.
 * both: both, the guest's frames 19 ms after QEMU's first (announcements.md has the capture).
 * With a time (Unix microseconds) it waits until then, with @- for a byte on its standard input. With a MAC the frames are that machine's: a lie, unless it is here.
 *
 * A program of its own because timing matters here and the start of a language runtime in a namespace takes 50 ms.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MAX_ADDRESSES = 16, MIN_FRAME = 60 };

static int sock = -1;
static struct sockaddr_ll target;
static uint8_t mac[6];

static void fail(const char *what) {
  fprintf(stderr, "lab-announce: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void open_interface(const char *name) {
  struct ifreq request = {0};
  sock = socket(AF_PACKET, SOCK_RAW, 0);
  if (sock < 0) fail("socket");
  snprintf(request.ifr_name, sizeof request.ifr_name, "%s", name);
  if (ioctl(sock, SIOCGIFHWADDR, &request) < 0) fail(name);
  memcpy(mac, request.ifr_hwaddr.sa_data, 6);
  target.sll_family = AF_PACKET;
  target.sll_ifindex = (int)if_nametoindex(name);
}

static void transmit(const uint8_t *frame, size_t length) {
  if (sendto(sock, frame, length, 0, (struct sockaddr *)&target, sizeof target) < 0) fail("send");
}

static uint8_t *ethernet_header(uint8_t *frame, const uint8_t *destination, uint16_t type) {
  memcpy(frame, destination, 6);
  memcpy(frame + 6, mac, 6);
  frame[12] = (uint8_t)(type >> 8);
  frame[13] = (uint8_t)type;
  return frame + 14;
}

static const uint8_t broadcast[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

/* Hardware type 1, protocol type IPv4, lengths 6 and 4, operation. */
static uint8_t *arp_header(uint8_t *at, uint8_t operation) {
  const uint8_t head[8] = {0, 1, 8, 0, 6, 4, 0, operation};
  memcpy(at, head, sizeof head);
  return at + sizeof head;
}

static void send_rarp(void) {
  uint8_t frame[MIN_FRAME] = {0};
  uint8_t *at = arp_header(ethernet_header(frame, broadcast, 0x8035), 3);
  memcpy(at, mac, 6);      /* sender; its IP stays 0.0.0.0 */
  memcpy(at + 10, mac, 6); /* target; likewise */
  transmit(frame, sizeof frame);
}

static void send_gratuitous_arp(const struct in_addr *ip) {
  uint8_t frame[42] = {0};
  uint8_t *at = arp_header(ethernet_header(frame, broadcast, 0x0806), 1);
  memcpy(at, mac, 6);
  memcpy(at + 6, ip, 4);
  memcpy(at + 16, ip, 4); /* target MAC stays zero in a request */
  transmit(frame, sizeof frame);
}

static uint16_t icmp6_checksum(const uint8_t *source, const uint8_t *destination, const uint8_t *body, size_t length) {
  uint32_t sum = (uint32_t)length + 58;
  for (int i = 0; i < 16; i += 2) sum += (uint32_t)(source[i] << 8 | source[i + 1]) + (uint32_t)(destination[i] << 8 | destination[i + 1]);
  for (size_t i = 0; i < length; i += 2) sum += (uint32_t)(body[i] << 8 | body[i + 1]);
  while (sum >> 16) sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

/* RFC 4861 §4.4: to all nodes, Override set, with the target link-layer address option. */
static void send_neighbour_advertisement(const struct in6_addr *ip) {
  static const uint8_t all_nodes_mac[6] = {0x33, 0x33, 0, 0, 0, 1};
  static const uint8_t all_nodes[16] = {0xff, 2, [15] = 1};
  uint8_t frame[14 + 40 + 32] = {0};
  uint8_t *at = ethernet_header(frame, all_nodes_mac, 0x86dd);
  uint8_t *body = at + 40;
  at[0] = 0x60;
  at[5] = 32;  /* payload length */
  at[6] = 58;  /* ICMPv6 */
  at[7] = 255; /* hop limit */
  memcpy(at + 8, ip, 16);
  memcpy(at + 24, all_nodes, 16);
  body[0] = 136;
  body[4] = 0x20;
  memcpy(body + 8, ip, 16);
  body[24] = 2; /* option: target link-layer address, 8 bytes */
  body[25] = 1;
  memcpy(body + 26, mac, 6);
  uint16_t sum = icmp6_checksum(at + 8, at + 24, body, 32);
  body[2] = (uint8_t)(sum >> 8);
  body[3] = (uint8_t)sum;
  transmit(frame, sizeof frame);
}

static void send_guest_announcement(char **addresses, int count) {
  for (int i = 0; i < count; i++) {
    struct in_addr four;
    struct in6_addr six;
    if (inet_pton(AF_INET, addresses[i], &four) == 1) send_gratuitous_arp(&four);
    else if (inet_pton(AF_INET6, addresses[i], &six) == 1) send_neighbour_advertisement(&six);
  }
}

/* "52:54:00:00:00:09"; 0 if the text is no MAC. */
static int parse_mac(const char *text, uint8_t *into) {
  unsigned int parts[6];
  int end = 0;
  if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", parts, parts + 1, parts + 2, parts + 3, parts + 4, parts + 5, &end) != 6)
    return 0;
  if (text[end] != '\0') return 0;
  for (int i = 0; i < 6; i++) into[i] = (uint8_t)parts[i];
  return 1;
}

static void wait_until(const struct timespec *start, long ms) {
  struct timespec due = *start;
  due.tv_nsec += (ms % 1000) * 1000000L;
  due.tv_sec += ms / 1000 + due.tv_nsec / 1000000000L;
  due.tv_nsec %= 1000000000L;
  clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
}

static void wait_for_time(long long unix_us) {
  struct timespec due = {unix_us / 1000000, unix_us % 1000000 * 1000};
  clock_nanosleep(CLOCK_REALTIME, TIMER_ABSTIME, &due, NULL);
}

static void wait_for_byte(void) {
  char byte;
  if (read(0, &byte, 1) != 1) fail("standard input");
}

struct step {
  long ms;
  int rarp;
};

int main(int argc, char **argv) {
  static const struct step steps[] = {{0, 1}, {19, 0}, {50, 1}, {83, 0}, {200, 1}, {450, 1}, {800, 1}};
  if (argc < 3) {
    fprintf(stderr, "usage: lab-announce INTERFACE rarp|garp|both [@TIME|@-] [MAC] [ADDRESS]...\n");
    return 2;
  }
  int both = strcmp(argv[2], "both") == 0;
  int rarp = both || strcmp(argv[2], "rarp") == 0;
  int guest = both || strcmp(argv[2], "garp") == 0;
  /* Alone, the guest's announcement comes at once. */
  long guest_shift = both ? 0 : 19;
  struct timespec start;
  open_interface(argv[1]);
  char **addresses = argv + 3;
  if (argc > 3 && addresses[0][0] == '@') {
    /* Many machines announce themselves at one instant with a processor each: none waits for what another has caused. */
    sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 2});
    if (addresses[0][1] == '-') wait_for_byte();
    else wait_for_time(atoll(addresses[0] + 1));
    addresses++;
  }
  if (addresses < argv + argc && parse_mac(*addresses, mac)) addresses++;
  clock_gettime(CLOCK_MONOTONIC, &start);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    if (steps[i].rarp ? !rarp : !guest) continue;
    wait_until(&start, steps[i].rarp ? steps[i].ms : steps[i].ms - guest_shift);
    if (steps[i].rarp) send_rarp();
    else send_guest_announcement(addresses, (int)(argv + argc - addresses));
  }
  return 0;
}
