/*
 * A program in a guest that writes to its disk and knows what must be there, after the workloads of Nicolae & Cappello (2011). Its
 * contents cannot be compressed, and no block is written twice with the same.
 *
 *   lab-writer fill DEVICE FROM-MB MB          writes the region once, in order
 *   lab-writer hot DEVICE FROM-MB MB MB/S      rewrites 64 KiB blocks of the region here and there, so fast (0: as fast as it goes)
 *   lab-writer async DEVICE FROM-MB TIMES MS   AsyncWR: computes for so long, writes 10 MB over the ones before, so many times
 *
 * Writes go past the guest's cache; each 4 MB are flushed. "hot" goes on until there is a file /stop, "async" until it is done. On
 * standard output, each line begins with LAB-WRITER:
 *   wrote BYTES MS      so far, each half second; how long the last half second was
 *   same BYTES          at the end: everything that was written is there
 *   differs OFFSET      it is not: the first byte
 *   failed WHAT         the system refused
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { BLOCK = 65536, MB = 1048576, FLUSH_BYTES = 4 * MB, TELL_MS = 500, ASYNC_MB = 10 };

static uint64_t state = 88172645463325252ull;
static uint8_t *shadow, *block;
static int device;
static uint64_t from, region, wrote, unflushed, told_ms;

static void fail(const char *what) {
  printf("LAB-WRITER failed %s: %s\n", what, strerror(errno));
  exit(1);
}

static uint64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_nsec / 1000000;
}

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void tell(int always) {
  uint64_t now = now_ms();
  if (!always && now - told_ms < TELL_MS) return;
  printf("LAB-WRITER wrote %llu %llu\n", (unsigned long long)wrote, (unsigned long long)(now - told_ms));
  told_ms = now;
}

static void write_block(uint64_t at) {
  for (size_t word = 0; word < BLOCK / 8; word++) ((uint64_t *)block)[word] = next();
  memcpy(shadow + at, block, BLOCK);
  if (pwrite(device, block, BLOCK, (off_t)(from + at)) != BLOCK) fail("write");
  wrote += BLOCK;
  unflushed += BLOCK;
  if (unflushed >= FLUSH_BYTES) {
    if (fdatasync(device) != 0) fail("flush");
    unflushed = 0;
  }
  tell(0);
}

static void in_order(void) {
  for (uint64_t at = 0; at < region; at += BLOCK) write_block(at);
}

static void compare(void) {
  if (fdatasync(device) != 0) fail("flush");
  tell(1);
  for (uint64_t at = 0; at < region; at += BLOCK) {
    if (pread(device, block, BLOCK, (off_t)(from + at)) != BLOCK) fail("read");
    if (memcmp(block, shadow + at, BLOCK) == 0) continue;
    uint64_t byte = 0;
    while (block[byte] == shadow[at + byte]) byte++;
    printf("LAB-WRITER differs %llu\n", (unsigned long long)(from + at + byte));
    exit(1);
  }
  printf("LAB-WRITER same %llu\n", (unsigned long long)region);
}

static void hot(uint64_t per_second) {
  uint64_t start = now_ms(), before = wrote;
  while (access("/stop", F_OK) != 0) {
    write_block(next() % (region / BLOCK) * BLOCK);
    while (per_second > 0 && (wrote - before) * 1000 / per_second > now_ms() - start) usleep(1000);
  }
}

static void compute(uint64_t ms) {
  volatile uint64_t sum = 0;
  for (uint64_t end = now_ms() + ms; now_ms() < end;)
    for (int step = 0; step < 1000; step++) sum += next();
}

int main(int count, char **words) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (count < 5) return 2;
  const char *how = words[1];
  device = open(words[2], O_RDWR | O_DIRECT);
  if (device < 0) fail(words[2]);
  int is_async = strcmp(how, "async") == 0;
  from = strtoull(words[3], NULL, 10) * MB;
  region = (is_async ? ASYNC_MB : strtoull(words[4], NULL, 10)) * MB;
  shadow = malloc(region);
  if (shadow == NULL || posix_memalign((void **)&block, 4096, BLOCK) != 0) fail("memory");
  state ^= now_ms() * 2654435761u + from;
  told_ms = now_ms();
  in_order();
  if (strcmp(how, "hot") == 0 && count > 5) hot(strtoull(words[5], NULL, 10) * MB);
  if (is_async && count > 5)
    for (uint64_t time = 1; time < strtoull(words[4], NULL, 10); time++) {
      compute(strtoull(words[5], NULL, 10));
      in_order();
    }
  compare();
  return 0;
}
