/*
 * A UDP probe whose pace is even also on a busy machine, for benchmarks (traffic/probe.ts is the tests').
 *
 *   lab-probe send ADDRESS PORT PACKETS-PER-SECOND
 *   lab-probe receive ADDRESS PORT      prints "NUMBER SENT RECEIVED" for each packet, Unix microseconds
 *
 * Both run until they are ended by SIGTERM. Times of arrival are the kernel's.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
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

struct payload {
  uint32_t number;
  uint32_t reserved;
  int64_t sent_us;
  uint8_t filling[48];
};

static volatile sig_atomic_t ended = 0;

static void end(int signal) {
  (void)signal;
  ended = 1;
}

static void fail(const char *what) {
  fprintf(stderr, "lab-probe: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t unix_us(const struct timespec *time) {
  return (int64_t)time->tv_sec * 1000000 + time->tv_nsec / 1000;
}

static void send_all(int sock, const struct addrinfo *to, long per_second) {
  struct payload packet = {0};
  struct timespec due, now;
  clock_gettime(CLOCK_MONOTONIC, &due);
  while (!ended) {
    clock_gettime(CLOCK_REALTIME, &now);
    packet.sent_us = unix_us(&now);
    /* No route for a moment, nobody listening: what a probe is there to show. */
    sendto(sock, &packet, sizeof packet, 0, to->ai_addr, to->ai_addrlen);
    packet.number++;
    due.tv_nsec += 1000000000L / per_second;
    if (due.tv_nsec >= 1000000000L) {
      due.tv_nsec -= 1000000000L;
      due.tv_sec++;
    }
    clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &due, NULL);
  }
}

static void receive_one(int sock) {
  struct payload packet;
  char control[CMSG_SPACE(sizeof(struct timespec))];
  struct iovec part = {&packet, sizeof packet};
  struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control, .msg_controllen = sizeof control};
  if (recvmsg(sock, &message, 0) != sizeof packet) return;
  struct cmsghdr *stamp = CMSG_FIRSTHDR(&message);
  struct timespec at;
  /* The kernel takes the times of packets only a moment after it was asked to. */
  clock_gettime(CLOCK_REALTIME, &at);
  if (stamp != NULL && stamp->cmsg_type == SO_TIMESTAMPNS) memcpy(&at, CMSG_DATA(stamp), sizeof at);
  printf("%u %lld %lld\n", packet.number, (long long)packet.sent_us, (long long)unix_us(&at));
}

static void receive_all(int sock) {
  struct pollfd wait = {.fd = sock, .events = POLLIN};
  while (!ended) {
    if (poll(&wait, 1, 100) > 0) receive_one(sock);
    else fflush(stdout);
  }
}

int main(int argc, char **argv) {
  int sending = argc == 5 && strcmp(argv[1], "send") == 0;
  if (!sending && !(argc == 4 && strcmp(argv[1], "receive") == 0)) {
    fprintf(stderr, "usage: lab-probe send ADDRESS PORT PACKETS-PER-SECOND | receive ADDRESS PORT\n");
    return 2;
  }
  struct addrinfo hints = {.ai_flags = AI_NUMERICHOST, .ai_socktype = SOCK_DGRAM}, *address;
  if (getaddrinfo(argv[2], argv[3], &hints, &address) != 0) fail(argv[2]);
  int sock = socket(address->ai_family, SOCK_DGRAM, 0), one = 1, bytes = 4 << 20;
  if (sock < 0) fail("socket");
  struct sigaction action = {.sa_handler = end};
  sigaction(SIGTERM, &action, NULL);
  /* Where it is allowed: an even pace matters more than its few microseconds. */
  struct sched_param priority = {.sched_priority = 1};
  sched_setscheduler(0, SCHED_RR, &priority);
  if (sending) {
    send_all(sock, address, atol(argv[4]));
    return 0;
  }
  setsockopt(sock, SOL_SOCKET, SO_TIMESTAMPNS, &one, sizeof one);
  setsockopt(sock, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes);
  if (bind(sock, address->ai_addr, address->ai_addrlen) < 0) fail("bind");
  receive_all(sock);
  fflush(stdout);
  return 0;
}
