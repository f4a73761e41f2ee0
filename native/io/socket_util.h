// What LAN and UDP sockets have in common: failure reports, buffers, and which descriptors are ours to close.
#pragma once
#include <string>

namespace vine {

/** Why a socket could not be opened; `error` is an errno value. */
struct Failure {
  int error = 0;
  std::string what;
};

/** Fills `failure` from errno and closes `fd` (unless −1). Always returns false. */
bool fail(Failure* failure, int fd, std::string what);

/** "EADDRINUSE" */
const char* errorName(int error);

/** 4 MB for receiving, 16 MB for sending; past the system's limit where the process may, else up to it. */
void enlargeBuffers(int fd);

/** Remembers `fd` as opened by this addon; `companion` (unless −1) is closed with it, and is nobody else's to use. */
void adopt(int fd, int companion = -1);
/** Closes `fd` if this addon opened it and it is still open; another number is left alone. */
bool closeAdopted(int fd);
bool isAdopted(int fd);
/** −1 when `fd` has none. */
int companionOf(int fd);

}  // namespace vine
