/*
 * By which ports of a switch frames come in from virtual MACs (00:00:5e:00:01:xx and 00:00:5e:00:02:xx, RFC 9568 §7.3).
 *
 *   lab-ports INTERFACE INTERFACE...
 *
 * Prints one line for each run of frames by one port, when it is over: "INTERFACE FIRST LAST FRAMES", Unix microseconds, the
 * kernel's times. A run ends with a frame by another port, after 20 ms without one, and after a second. VRRP
 * advertisements do not count: who sends one answers for nothing by that. Runs until it is ended by SIGTERM.
 *
 * A program of its own, with the filter in the kernel: tcpdump would keep a million frames of the traffic.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/filter.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum { MAX_PORTS = 8, QUIET_US = 20000, LONGEST_US = 1000000, SNAP = 64 };

static volatile sig_atomic_t ended = 0;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static void fail(const char *what) {
  fprintf(stderr, "lab-ports: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* Bytes 6 to 9 are 00:00:5e:00, byte 10 is 1 or 2; and neither IPv4 nor IPv6 with protocol 112. */
static struct sock_filter program[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x00005e00, 0, 11),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 10),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 1, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 2, 0, 8),
    BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 12),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IP, 0, 2),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 9),
    BPF_JUMP(BPF_JMP | BPF_JA, 2, 0, 0),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, ETHERTYPE_IPV6, 0, 2),
    BPF_STMT(BPF_LD | BPF_B | BPF_ABS, 14 + 6),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 112, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SNAP),
    BPF_STMT(BPF_RET | BPF_K, 0),
};

static int listen_on(const char *name) {
  int sock = socket(AF_PACKET, SOCK_RAW, 0), one = 1, bytes = 4 << 20;
  struct sock_fprog filter = {.len = sizeof program / sizeof *program, .filter = program};
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL)};
  if (sock < 0) fail("socket");
  address.sll_ifindex = (int)if_nametoindex(name);
  if (address.sll_ifindex == 0) fail(name);
  if (setsockopt(sock, SOL_SOCKET, SO_ATTACH_FILTER, &filter, sizeof filter) < 0) fail("filter");
  if (setsockopt(sock, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0) fail("ignore outgoing");
  setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
  setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  if (bind(sock, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  return sock;
}

struct run {
  int port;
  int64_t first_us, last_us;
  long frames;
};

static struct run run = {.port = -1};
static char **names;

static void end_run(void) {
  if (run.port >= 0)
    printf("%s %lld %lld %ld\n", names[run.port], (long long)run.first_us, (long long)run.last_us, run.frames);
  run.port = -1;
}

static int64_t now_us(void) {
  struct timespec at;
  clock_gettime(CLOCK_REALTIME, &at);
  return (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
}

static void count(int port, int64_t at_us) {
  if (run.port != port || at_us - run.last_us > QUIET_US || at_us - run.first_us > LONGEST_US) {
    end_run();
    run = (struct run){.port = port, .first_us = at_us};
  }
  run.last_us = at_us;
  run.frames++;
}

struct pending {
  int is_there;
  int64_t at_us;
};

static struct pending receive(int sock) {
  char frame[SNAP], control[CMSG_SPACE(sizeof(struct timespec))];
  struct iovec part = {frame, sizeof frame};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  struct pending got = {0};
  /* A port that goes down says so once, and is heard again when it is up. */
  if (recvmsg(sock, &message, MSG_DONTWAIT) < 0) return got;
  struct cmsghdr *stamp = CMSG_FIRSTHDR(&message);
  got.is_there = 1;
  got.at_us = now_us();
  if (stamp != NULL && stamp->cmsg_type == SO_TIMESTAMPNS) {
    struct timespec at;
    memcpy(&at, CMSG_DATA(stamp), sizeof at);
    got.at_us = (int64_t)at.tv_sec * 1000000 + at.tv_nsec / 1000;
  }
  return got;
}

/* The ports' frames in the order of their times, whatever has piled up in each socket. */
static void drain(int ports, const struct pollfd *waits) {
  static struct pending next[MAX_PORTS];
  for (;;) {
    int earliest = -1;
    for (int i = 0; i < ports; i++) {
      if (!next[i].is_there) next[i] = receive(waits[i].fd);
      if (next[i].is_there && (earliest < 0 || next[i].at_us < next[earliest].at_us)) earliest = i;
    }
    if (earliest < 0) return;
    count(earliest, next[earliest].at_us);
    next[earliest].is_there = 0;
  }
}

int main(int argc, char **argv) {
  struct pollfd waits[MAX_PORTS];
  int ports = argc - 1;
  if (ports < 1 || ports > MAX_PORTS) {
    fprintf(stderr, "usage: lab-ports INTERFACE INTERFACE...\n");
    return 2;
  }
  names = argv + 1;
  for (int i = 0; i < ports; i++) waits[i] = (struct pollfd){.fd = listen_on(names[i]), .events = POLLIN};
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  while (!ended) {
    poll(waits, (nfds_t)ports, QUIET_US / 1000);
    drain(ports, waits);
    if (run.port >= 0 && now_us() - run.last_us > QUIET_US) end_run();
    fflush(stdout);
  }
  end_run();
  fflush(stdout);
  return 0;
}
