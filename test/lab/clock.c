/*
 * Watches how fast the machine's processors run, for measurements on virtual machines, whose hosts lower the clock for
 * some ten milliseconds now and then (to a tenth, seen on a machine with nothing to do) without any trace in the guest's
 * own figures: no stolen time, no late timer, only code that takes ten times as long.
 *
 *   lab-clock
 *
 * A thread on each processor times the same few thousand dependent multiplications every two milliseconds and keeps the
 * fastest of five turns, so that an interrupt does not count. "Usual" is the median of the first thousand samples. Until it
 * is ended with SIGTERM, or its parent ends, it prints one line for each of these, times in Unix milliseconds:
 *   usual CPU NANOSECONDS            when it knows; "unusable CPU" of a processor that this process may not use
 *   low CPU FROM-MS TO-MS FACTOR     the clock was below half of the usual one, at worst by this factor; when that is over
 * FROM is the last sample before and TO the first one after. In C because a loop of JavaScript changes its own speed.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

enum { INTERVAL_NS = 2000000, TURNS = 5, STEPS = 1000, FIRST_SAMPLES = 1000, LOW_FACTOR = 2 };

static int64_t ns_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static double unix_ms(void) { return (double)ns_of(CLOCK_REALTIME) / 1e6; }

/* Each step needs the one before: a chain of known length in cycles, with nothing to read from memory. */
static int64_t turn_ns(uint64_t *state) {
  uint64_t x = *state;
  const int64_t start = ns_of(CLOCK_MONOTONIC);
  for (int i = 0; i < STEPS; i++) {
    x = x * 6364136223846793005u + 1442695040888963407u;
    __asm__ volatile("" : "+r"(x)); /* no closed form, please */
  }
  const int64_t took = ns_of(CLOCK_MONOTONIC) - start;
  *state = x;
  return took;
}

static int64_t sample_ns(uint64_t *state) {
  int64_t fastest = INT64_MAX;
  for (int i = 0; i < TURNS; i++) {
    const int64_t took = turn_ns(state);
    if (took < fastest) fastest = took;
  }
  return fastest;
}

static int compare(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return (x > y) - (x < y);
}

static void wait_for_next(struct timespec *due) {
  due->tv_nsec += INTERVAL_NS;
  if (due->tv_nsec >= 1000000000) {
    due->tv_nsec -= 1000000000;
    due->tv_sec++;
  }
  while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, due, NULL) != 0) continue;
}

static int64_t find_usual(uint64_t *state, struct timespec *due) {
  int64_t samples[FIRST_SAMPLES];
  for (int i = 0; i < FIRST_SAMPLES; i++) {
    wait_for_next(due);
    samples[i] = sample_ns(state);
  }
  qsort(samples, FIRST_SAMPLES, sizeof samples[0], compare);
  return samples[FIRST_SAMPLES / 2];
}

static void *watch(void *argument) {
  const long cpu = (long)(intptr_t)argument;
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET((size_t)cpu, &only);
  if (pthread_setaffinity_np(pthread_self(), sizeof only, &only) != 0) return printf("unusable %ld\n", cpu), NULL;
  uint64_t state = (uint64_t)cpu;
  struct timespec due;
  clock_gettime(CLOCK_MONOTONIC, &due);
  const int64_t usual = find_usual(&state, &due);
  printf("usual %ld %lld\n", cpu, (long long)usual);
  double before = unix_ms(), since = 0;
  int64_t slowest = 0;
  for (;;) {
    wait_for_next(&due);
    const int64_t took = sample_ns(&state);
    const double now = unix_ms();
    if (took > LOW_FACTOR * usual) {
      if (slowest == 0) since = before;
      if (took > slowest) slowest = took;
    } else if (slowest != 0) {
      printf("low %ld %.3f %.3f %.1f\n", cpu, since, now, (double)slowest / (double)usual);
      slowest = 0;
    }
    before = now;
  }
  return NULL;
}

int main(void) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  setvbuf(stdout, NULL, _IOLBF, 0);
  /* Some ten microseconds every two milliseconds, at once: a sample that waits for a processor says nothing of it. */
  const struct sched_param first = {.sched_priority = 1};
  if (sched_setscheduler(0, SCHED_FIFO, &first) != 0) perror("lab-clock: no real-time priority; samples may come late");
  const long count = sysconf(_SC_NPROCESSORS_ONLN);
  for (long cpu = 0; cpu < count; cpu++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, watch, (void *)(intptr_t)cpu) != 0) return perror("lab-clock"), 1;
  }
  for (;;) pause();
}
