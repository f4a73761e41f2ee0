/*
 * Moves a "virtual machine": unplugs its cable from one site's switch, waits as long as its hypervisor holds it still,
 * plugs it in at another site's, and has it announced at that moment: a hypervisor does so before the machine says
 * anything. The program that announces has been started before, and goes when its standard input brings a byte.
 *
 *   lab-replug FROM-NAMESPACE TO-NAMESPACE BRIDGE PORT PAUSE-MICROSECONDS NODE-NAMESPACE [PROGRAM ARGUMENT...]
 *
 * Prints "UNPLUGGED PLUGGED-IN", Unix microseconds, when it is plugged in: just before the cable was pulled, and just
 * after it was put in. One program for it all because each `ip` would cost 5 ms of a pause that is to be measured in
 * single ones.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  fprintf(stderr, "lab-replug: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void enter(const char *namespace) {
  char path[256];
  snprintf(path, sizeof path, "/var/run/netns/%s", namespace);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || setns(fd, CLONE_NEWNET) < 0) fail(path);
  close(fd);
}

/* A request about a bridge and one of its ports, ready to be made. */
struct change {
  int sock;
  struct ifreq request;
};

static struct change prepare(const char *namespace, const char *bridge, const char *port) {
  struct change change = {0};
  enter(namespace);
  change.sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (change.sock < 0) fail("socket");
  snprintf(change.request.ifr_name, sizeof change.request.ifr_name, "%s", bridge);
  change.request.ifr_ifindex = (int)if_nametoindex(port);
  if (change.request.ifr_ifindex == 0) fail(port);
  return change;
}

static int64_t unix_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void pause_us(long us) {
  struct timespec time = {us / 1000000, us % 1000000 * 1000};
  clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL);
}

/* Answers where to write the byte. */
static int start(char **command, pid_t *child) {
  int ends[2];
  if (pipe(ends) < 0) fail("pipe");
  *child = fork();
  if (*child < 0) fail("fork");
  if (*child == 0) {
    if (dup2(ends[0], 0) < 0) fail("dup2");
    close(ends[0]);
    close(ends[1]);
    execv(command[0], command);
    fail(command[0]);
  }
  close(ends[0]);
  return ends[1];
}

int main(int argc, char **argv) {
  if (argc < 7) {
    fprintf(stderr, "usage: lab-replug FROM TO BRIDGE PORT PAUSE-US NODE [PROGRAM ARGUMENT...]\n");
    return 2;
  }
  const char *bridge = argv[3], *port = argv[4];
  struct change out = prepare(argv[1], bridge, port);
  struct change in = prepare(argv[2], bridge, port);
  enter(argv[6]);
  pid_t announcer = 0;
  int go = argc > 7 ? start(argv + 7, &announcer) : -1;
  int64_t unplugged = unix_us();
  if (ioctl(out.sock, SIOCBRDELIF, &out.request) < 0) fail("unplugging");
  pause_us(atol(argv[5]));
  if (ioctl(in.sock, SIOCBRADDIF, &in.request) < 0) fail("plugging in");
  int64_t plugged_in = unix_us();
  if (go >= 0 && write(go, "", 1) < 0) fail("announcing");
  printf("%lld %lld\n", (long long)unplugged, (long long)plugged_in);
  fflush(stdout);
  if (go < 0) return 0;
  int status = 0;
  if (waitpid(announcer, &status, 0) < 0) fail("waiting");
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
