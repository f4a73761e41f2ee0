/*
 * The lab's wide-area network: carries Ethernet frames between the routers' WAN interfaces with a one-way delay,
 * jitter, loss, rate and a cut for each direction of each pair, all of which can be changed while it runs.
 *
 *   lab-wan CONTROL-SOCKET INTERFACE...
 *
 * Why a program of its own in C: netem is missing from many kernels (containers, small cloud kernels); libpcap in Node
 * costs one callback, one copy and one system call a packet on the event loop that also runs the test. AF_PACKET with
 * recvmmsg and sendmmsg and a heap of due times carries some hundred thousand packets a second on one core and keeps
 * delays within some 10 µs. PACKET_VNET_HDR hands on frames whose checksum the kernel has left to the (virtual) NIC,
 * so no offload but segmentation need be off (the lab does that): one datagram sent is one datagram lost or delayed.
 *
 * Control: a Unix stream socket; one command a line, one line in answer ("ok", "error ..." or the statistics):
 *   set FROM TO delay_us N jitter_us N loss_ppm N rate_kbit N cut 0|1     (any subset; "*" is every interface)
 *   stats
 * A rate of 0 is no limit; the queue in front of it holds 50 ms, as an ordinary router's. Order within a direction is
 * kept whatever the jitter (a later frame waits for an earlier one), as on a real path.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#ifndef PACKET_IGNORE_OUTGOING
#define PACKET_IGNORE_OUTGOING 23
#endif

enum {
  MAX_PORTS = 16,
  MAX_CLIENTS = 8,
  BATCH = 64,
  FRAME_BYTES = 2048,      /* vnet header and frame; segmentation is off, so the MTU bounds it */
  QUEUE_FRAMES = 65536,    /* in flight over all pairs; beyond it frames are lost and counted */
  RATE_QUEUE_US = 50000,
  SOCKET_BUFFER = 8 << 20
};

struct shape {
  int64_t delay_us, jitter_us, loss_ppm, rate_kbit, cut;
  int64_t line_free_ns; /* when the rate limiter has sent what it holds */
  int64_t last_due_ns;  /* no later frame may overtake */
  uint64_t passed, lost;
};

struct frame {
  int64_t due_ns;
  uint64_t order;
  int to;
  uint32_t length;
  uint8_t *bytes;
};

static struct { char name[IFNAMSIZ]; int fd; } ports[MAX_PORTS];
static int port_count;
static struct shape shapes[MAX_PORTS][MAX_PORTS];
static struct frame heap[QUEUE_FRAMES];
static int heap_size;
static uint8_t *free_buffers[QUEUE_FRAMES + BATCH];
static int free_count;
static uint64_t next_order, overflowed;

static void fail(const char *what) {
  fprintf(stderr, "lab-wan: %s: %s\n", what, strerror(errno));
  exit(1);
}

static int64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint32_t random32(void) {
  static uint64_t state = 0x9e3779b97f4a7c15ULL; /* xorshift64: the same losses in each run */
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 32);
}

/* --- frames waiting for their time: a binary heap by (due, order) --- */

static int earlier(const struct frame *a, const struct frame *b) {
  return a->due_ns != b->due_ns ? a->due_ns < b->due_ns : a->order < b->order;
}

static void heap_push(struct frame f) {
  int i = heap_size++;
  while (i > 0 && earlier(&f, &heap[(i - 1) / 2])) {
    heap[i] = heap[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  heap[i] = f;
}

static struct frame heap_pop(void) {
  struct frame top = heap[0], last = heap[--heap_size];
  int i = 0;
  for (;;) {
    int child = 2 * i + 1;
    if (child >= heap_size) break;
    if (child + 1 < heap_size && earlier(&heap[child + 1], &heap[child])) child++;
    if (!earlier(&heap[child], &last)) break;
    heap[i] = heap[child];
    i = child;
  }
  heap[i] = last;
  return top;
}

static uint8_t *take_buffer(void) {
  if (free_count > 0) return free_buffers[--free_count];
  uint8_t *b = malloc(FRAME_BYTES);
  if (!b) fail("malloc");
  return b;
}

static void give_buffer(uint8_t *b) { free_buffers[free_count++] = b; }

/* --- shaping --- */

/* When the frame arrives at the other end; -1 if it does not. */
static int64_t arrival(struct shape *s, uint32_t bytes, int64_t now) {
  if (s->cut) return -1;
  if (s->loss_ppm > 0 && random32() % 1000000 < (uint64_t)s->loss_ppm) return -1;
  int64_t due = now;
  if (s->rate_kbit > 0) {
    int64_t start = s->line_free_ns > now ? s->line_free_ns : now;
    if (start - now > RATE_QUEUE_US * 1000LL) return -1;
    s->line_free_ns = start + (int64_t)bytes * 8 * 1000000 / s->rate_kbit;
    due = s->line_free_ns;
  }
  due += s->delay_us * 1000;
  if (s->jitter_us > 0) due += (int64_t)(random32() % (uint64_t)(s->jitter_us * 2)) * 1000 - s->jitter_us * 1000;
  if (due < s->last_due_ns) due = s->last_due_ns;
  s->last_due_ns = due;
  return due;
}

static void queue_copy(int from, int to, const uint8_t *bytes, uint32_t length, int64_t now) {
  struct shape *s = &shapes[from][to];
  int64_t due = arrival(s, length, now);
  if (due < 0) {
    s->lost++;
    return;
  }
  if (heap_size == QUEUE_FRAMES) {
    overflowed++;
    return;
  }
  struct frame f = {due, next_order++, to, length, take_buffer()};
  memcpy(f.bytes, bytes, length);
  heap_push(f);
  s->passed++;
}

/* Behaves as a switch: a frame goes to the port where its destination was seen, else to all others. */
static struct { uint8_t mac[6]; int port; } seen[256];
static int seen_count;

static int port_of(const uint8_t *mac) {
  for (int i = 0; i < seen_count; i++)
    if (memcmp(seen[i].mac, mac, 6) == 0) return seen[i].port;
  return -1;
}

static void learn(const uint8_t *mac, int port) {
  for (int i = 0; i < seen_count; i++)
    if (memcmp(seen[i].mac, mac, 6) == 0) {
      seen[i].port = port;
      return;
    }
  if (seen_count == 256) seen_count = 0;
  memcpy(seen[seen_count].mac, mac, 6);
  seen[seen_count++].port = port;
}

enum { VNET_HEADER = 10 }; /* struct virtio_net_hdr, which AF_PACKET puts in front */

static void accept_frame(int from, const uint8_t *bytes, uint32_t length, int64_t now) {
  if (length < VNET_HEADER + ETH_HLEN) return;
  const uint8_t *ethernet = bytes + VNET_HEADER;
  learn(ethernet + 6, from);
  int to = (ethernet[0] & 1) ? -1 : port_of(ethernet);
  for (int i = 0; i < port_count; i++)
    if (i != from && (to < 0 || to == i)) queue_copy(from, i, bytes, length, now);
}

/* --- I/O --- */

static int open_port(const char *name) {
  int one = 1, size = SOCKET_BUFFER;
  int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK, 0);
  if (fd < 0) fail("socket");
  struct sockaddr_ll address = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL), .sll_ifindex = (int)if_nametoindex(name)};
  if (address.sll_ifindex == 0) fail(name);
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size);
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size);
  if (setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &one, sizeof one) < 0) fail("PACKET_IGNORE_OUTGOING");
  if (setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof one) < 0) fail("PACKET_VNET_HDR");
  struct packet_mreq promiscuous = {.mr_ifindex = address.sll_ifindex, .mr_type = PACKET_MR_PROMISC};
  if (setsockopt(fd, SOL_PACKET, PACKET_ADD_MEMBERSHIP, &promiscuous, sizeof promiscuous) < 0) fail("promiscuous");
  if (bind(fd, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
  return fd;
}

static void receive_all(int port) {
  static uint8_t buffers[BATCH][FRAME_BYTES];
  static struct mmsghdr messages[BATCH];
  static struct iovec vectors[BATCH];
  for (int i = 0; i < BATCH; i++) {
    vectors[i] = (struct iovec){buffers[i], FRAME_BYTES};
    messages[i].msg_hdr = (struct msghdr){.msg_iov = &vectors[i], .msg_iovlen = 1};
  }
  int n = recvmmsg(ports[port].fd, messages, BATCH, MSG_DONTWAIT, NULL);
  int64_t now = now_ns();
  for (int i = 0; i < n; i++) {
    if (messages[i].msg_hdr.msg_flags & MSG_TRUNC) {
      overflowed++;
      continue;
    }
    accept_frame(port, buffers[i], messages[i].msg_len, now);
  }
}

static void transmit_batch(int to, struct frame *frames, int n) {
  struct mmsghdr messages[BATCH];
  struct iovec vectors[BATCH];
  for (int i = 0; i < n; i++) {
    vectors[i] = (struct iovec){frames[i].bytes, frames[i].length};
    messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &vectors[i], .msg_iovlen = 1}};
  }
  int sent = 0;
  while (sent < n) {
    int r = sendmmsg(ports[to].fd, messages + sent, (unsigned)(n - sent), MSG_DONTWAIT);
    if (r > 0) sent += r;
    else if (errno != EINTR) {
      overflowed++; /* the other end is down or full: that frame is lost */
      sent++;
    }
  }
  for (int i = 0; i < n; i++) give_buffer(frames[i].bytes);
}

static void transmit_due(void) {
  struct frame frames[BATCH];
  while (heap_size > 0 && heap[0].due_ns <= now_ns()) {
    int to = heap[0].to, n = 0;
    int64_t now = now_ns();
    while (n < BATCH && heap_size > 0 && heap[0].to == to && heap[0].due_ns <= now) frames[n++] = heap_pop();
    transmit_batch(to, frames, n);
  }
}

/* --- control --- */

static int port_named(const char *name) {
  if (strcmp(name, "*") == 0) return -1;
  for (int i = 0; i < port_count; i++)
    if (strcmp(ports[i].name, name) == 0) return i;
  return -2;
}

static int64_t *field_of(struct shape *s, const char *key) {
  if (strcmp(key, "delay_us") == 0) return &s->delay_us;
  if (strcmp(key, "jitter_us") == 0) return &s->jitter_us;
  if (strcmp(key, "loss_ppm") == 0) return &s->loss_ppm;
  if (strcmp(key, "rate_kbit") == 0) return &s->rate_kbit;
  if (strcmp(key, "cut") == 0) return &s->cut;
  return NULL;
}

static void set_field(int from, int to, const char *key, int64_t value) {
  for (int i = 0; i < port_count; i++)
    for (int j = 0; j < port_count; j++)
      if (i != j && (from < 0 || from == i) && (to < 0 || to == j)) *field_of(&shapes[i][j], key) = value;
}

static void command_set(char *rest, char *answer, size_t size) {
  char *save = NULL, *from_name = strtok_r(rest, " ", &save), *to_name = strtok_r(NULL, " ", &save), *key, *value;
  if (!from_name || !to_name || port_named(from_name) == -2 || port_named(to_name) == -2) {
    snprintf(answer, size, "error no such interface\n");
    return;
  }
  while ((key = strtok_r(NULL, " ", &save))) {
    struct shape probe;
    value = strtok_r(NULL, " ", &save);
    if (!value || !field_of(&probe, key) || atoll(value) < 0) {
      snprintf(answer, size, "error bad setting %s\n", key);
      return;
    }
    set_field(port_named(from_name), port_named(to_name), key, atoll(value));
  }
  snprintf(answer, size, "ok\n");
}

static void command_stats(char *answer, size_t size) {
  size_t used = (size_t)snprintf(answer, size, "overflowed %llu queued %d", (unsigned long long)overflowed, heap_size);
  for (int i = 0; i < port_count; i++)
    for (int j = 0; j < port_count && used < size; j++)
      if (i != j)
        used += (size_t)snprintf(answer + used, size - used, " %s>%s passed %llu lost %llu", ports[i].name, ports[j].name,
                                 (unsigned long long)shapes[i][j].passed, (unsigned long long)shapes[i][j].lost);
  if (used < size - 1) strcpy(answer + used, "\n");
}

static void run_command(int client, char *line) {
  char answer[4096];
  if (strncmp(line, "set ", 4) == 0) command_set(line + 4, answer, sizeof answer);
  else if (strcmp(line, "stats") == 0) command_stats(answer, sizeof answer);
  else snprintf(answer, sizeof answer, "error unknown command\n");
  if (write(client, answer, strlen(answer)) < 0) return; /* the client has gone */
}

/* Commands are short and written at once by the lab: a read holds whole lines. False: the client has gone. */
static int serve_client(int client) {
  char text[1024], *save = NULL;
  ssize_t n = read(client, text, sizeof text - 1);
  if (n <= 0) return 0;
  text[n] = 0;
  for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) run_command(client, line);
  return 1;
}

static int open_control(const char *path) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof address.sun_path) {
    errno = ENAMETOOLONG;
    fail(path);
  }
  strcpy(address.sun_path, path);
  unlink(path);
  int fd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof address) < 0 || listen(fd, MAX_CLIENTS) < 0) fail(path);
  return fd;
}

/* How long to wait for input: until the first frame is due. */
static struct timespec until_due(void) {
  int64_t wait = heap_size > 0 ? heap[0].due_ns - now_ns() : 3600LL * 1000000000LL;
  if (wait < 0) wait = 0;
  return (struct timespec){wait / 1000000000LL, wait % 1000000000LL};
}

int main(int argc, char **argv) {
  struct pollfd polled[MAX_PORTS + 1 + MAX_CLIENTS];
  int clients[MAX_CLIENTS], client_count = 0;
  if (argc < 4 || argc - 2 > MAX_PORTS) {
    fprintf(stderr, "usage: lab-wan CONTROL-SOCKET INTERFACE INTERFACE...\n");
    return 2;
  }
  prctl(PR_SET_TIMERSLACK, 1);
  /* A real network needs no processor of the machines that it joins: before the routers, whose control threads may have
     real-time precedence. Where that is not allowed, frames come late at times. */
  sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){.sched_priority = 2});
  for (int i = 2; i < argc; i++) {
    snprintf(ports[port_count].name, IFNAMSIZ, "%s", argv[i]);
    ports[port_count].fd = open_port(argv[i]);
    port_count++;
  }
  int control = open_control(argv[1]);
  for (;;) {
    int n = 0;
    for (int i = 0; i < port_count; i++) polled[n++] = (struct pollfd){ports[i].fd, POLLIN, 0};
    polled[n++] = (struct pollfd){control, client_count < MAX_CLIENTS ? POLLIN : 0, 0};
    for (int i = 0; i < client_count; i++) polled[n++] = (struct pollfd){clients[i], POLLIN, 0};
    struct timespec wait = until_due();
    if (ppoll(polled, (nfds_t)n, &wait, NULL) < 0 && errno != EINTR) fail("ppoll");
    transmit_due();
    for (int i = 0; i < port_count; i++)
      if (polled[i].revents) receive_all(i);
    transmit_due();
    int kept = 0, known = client_count;
    for (int i = 0; i < known; i++) {
      if (polled[port_count + 1 + i].revents == 0 || serve_client(clients[i])) clients[kept++] = clients[i];
      else close(clients[i]);
    }
    client_count = kept;
    if (polled[port_count].revents & POLLIN) {
      int client = accept(control, NULL, NULL);
      if (client >= 0) clients[client_count++] = client;
    }
  }
}
