// Sending many messages in few system calls.
#pragma once
#include <sys/socket.h>

#include <cstddef>
#include <cstdint>

#include "io/endpoint.h"

namespace vine {

/**
 * Sends `count` messages in order. One that the socket refuses is left out and the rest go on; a full queue is waited
 * for, a few milliseconds in all. `errors[i]` is 0 for what has gone, else the errno.
 */
void sendAll(int fd, mmsghdr* messages, uint32_t count, int* errors);

/** Sends one datagram; false when the socket says no. */
bool sendOne(const Endpoint& to, const uint8_t* data, size_t length);

}  // namespace vine
