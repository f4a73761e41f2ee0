// Transport messages (WireGuard paper §5.4.6), and those around them that a relay passes on (docs/wire-notes.md).
#pragma once
#include <cstddef>
#include <cstdint>

#include "base/wire.h"
#include "io/endpoint.h"
#include "session/session_table.h"

namespace vine {

/**
 * Builds a transport message around `length` bytes of plain text that lie at `out + kTransportHeaderBytes`, with room
 * for the tag behind them. False when the session has no counter left. With the table's lock held shared.
 */
bool sealMessage(Session* session, uint32_t lane, uint8_t* out, size_t length);

/** What a relay's session adds before a message, and behind it. */
constexpr size_t kRelayLead = kTransportHeaderBytes + kRelayHeaderBytes;
constexpr size_t kRelayOverhead = kRelayLead + kTagBytes;

/**
 * Wraps the message of `length` bytes at `out + kRelayLead` for the relay that `endpoint` names, and makes `endpoint`
 * the relay's own. False when the relay cannot be used now: no session, or it would need a relay itself. With the
 * table's lock held shared.
 */
bool wrapForRelay(uint32_t peer, uint32_t lane, uint64_t nowMs, uint8_t* out, size_t length, Endpoint* endpoint);

}  // namespace vine
