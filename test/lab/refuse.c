// Runs a program on a kernel that does not know some socket options: a seccomp filter lets setsockopt refuse them with
// ENOPROTOOPT, as a kernel without them would. The fallbacks of vined are tested under it.
//
//   lab-refuse OPTION[,OPTION…] PROGRAM [ARGUMENT…]     OPTION: UDP_SEGMENT, UDP_GRO, PACKET_VNET_HDR
//
// Needs CAP_SYS_ADMIN: without no_new_privs, so that what the program starts keeps its capabilities.
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

struct option {
  const char *name;
  uint32_t level;
  uint32_t number;
};

// SOL_UDP 17 with linux/udp.h's 103 and 104; SOL_PACKET 263 with linux/if_packet.h's 15.
static const struct option known[] = {
    {"UDP_SEGMENT", 17, 103},
    {"UDP_GRO", 17, 104},
    {"PACKET_VNET_HDR", 263, 15},
};
#define KNOWN (sizeof known / sizeof *known)

// The low half of a 64-bit argument; the machines that vined runs on are little-endian.
#define ARGUMENT(n) offsetof(struct seccomp_data, args[n])

static const struct option *find(const char *name) {
  for (size_t i = 0; i < KNOWN; i++)
    if (strcmp(known[i].name, name) == 0) return &known[i];
  return NULL;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fprintf(stderr, "usage: lab-refuse OPTION[,OPTION...] PROGRAM [ARGUMENT...]\n");
    return 2;
  }
  struct sock_filter code[3 + 5 * KNOWN];
  size_t length = 0;
  code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
  code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 1, 0);
  code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  size_t refused = 0;
  for (char *name = strtok(argv[1], ","); name != NULL && refused < KNOWN; name = strtok(NULL, ","), refused++) {
    const struct option *option = find(name);
    if (option == NULL) {
      fprintf(stderr, "lab-refuse: unknown option %s\n", name);
      return 2;
    }
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(1));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option->level, 0, 3);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARGUMENT(2));
    code[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, option->number, 0, 1);
    code[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT);
  }
  struct sock_filter end[1] = {BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  struct sock_filter program_code[sizeof code / sizeof *code + 1];
  memcpy(program_code, code, length * sizeof *code);
  program_code[length++] = end[0];
  const struct sock_fprog program = {(unsigned short)length, program_code};
  if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &program) != 0) {
    perror("lab-refuse: seccomp");
    return 1;
  }
  execvp(argv[2], argv + 2);
  perror(argv[2]);
  return 1;
}
