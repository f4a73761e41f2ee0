// A message that the control thread seals and sends by itself, outside of any engine.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "io/endpoint.h"

namespace vine {

/** Any thread; they take turns with one lane of the sessions. */
class LoneMessage {
 public:
  /** The payload must stay until `sealFor` is done; `kMaxDatagramBytes` at most, with all that goes around it. */
  LoneMessage(uint32_t peer, const uint8_t* payload, size_t length) : peer_(peer), payload_(payload), length_(length) {}

  /** For `endpoint`, or for the one in use when it is null. False: no usable session, or no way to the peer. */
  bool sealFor(const Endpoint* endpoint);
  /** False when the socket says no. */
  bool send() const;

 private:
  const uint32_t peer_;
  const uint8_t* const payload_;
  const size_t length_;
  std::vector<uint8_t> bytes_;
  Endpoint endpoint_{};
};

}  // namespace vine
