// A readers-writer lock in which a waiting writer goes before new readers: the packet threads hold it most of the time
// under load, and with the default preference a session could not be installed until the load ends.
#pragma once
#include <pthread.h>

namespace vine {

class FairLock {
 public:
  FairLock() {
    pthread_rwlockattr_t attributes;
    pthread_rwlockattr_init(&attributes);
    pthread_rwlockattr_setkind_np(&attributes, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
    pthread_rwlock_init(&lock_, &attributes);
    pthread_rwlockattr_destroy(&attributes);
  }
  ~FairLock() { pthread_rwlock_destroy(&lock_); }
  FairLock(const FairLock&) = delete;
  FairLock& operator=(const FairLock&) = delete;

  // Names as std::shared_lock and std::unique_lock want them. A thread must not take it twice.
  void lock() { pthread_rwlock_wrlock(&lock_); }
  void unlock() { pthread_rwlock_unlock(&lock_); }
  void lock_shared() { pthread_rwlock_rdlock(&lock_); }
  void unlock_shared() { pthread_rwlock_unlock(&lock_); }

 private:
  pthread_rwlock_t lock_;
};

}  // namespace vine
