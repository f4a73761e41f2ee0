// The packet engine of one worker thread: a receiver, two senders, and the memory they share.
#pragma once
#include <poll.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/counters.h"
#include "base/packet_memory.h"
#include "engine/flow_memory.h"
#include "engine/lan_sender.h"
#include "engine/tun_sender.h"
#include "engine/tunnel_receiver.h"
#include "engine/tunnel_sender.h"
#include "io/lan_socket.h"
#include "io/queue_drops.h"
#include "io/receiver.h"
#include "io/udp_socket.h"
#include "session/cookie_sender.h"

namespace vine {

enum class Role : uint8_t { lan, tunnel };

struct EngineOptions {
  Role role = Role::lan;
  std::vector<LanSocket> lans;
  std::vector<TunSocket> tuns;
  std::vector<UdpLink> udp;
  int wakeupFd = -1;
  /** Its number among several of its role, for the thread's name; 0: it is the only one. */
  uint32_t number = 0;
  /** This one receives by TCP. */
  bool streams = false;
  uint32_t slots = 0;
  uint32_t slotBytes = 0;
  uint64_t* counters = nullptr;
  /** Without memory: there is none. */
  FlowOptions flows;
};

class Engine {
 public:
  /** Null with `why` filled when memory or lanes have run out. */
  static std::unique_ptr<Engine> create(const EngineOptions& options, std::string* why);
  ~Engine();
  Engine(const Engine&) = delete;
  Engine& operator=(const Engine&) = delete;

  const std::shared_ptr<PacketMemory>& memory() const { return memory_; }

  /**
   * Waits for packets, at most `timeoutMs`. Returns the number of descriptors filled: 0 on time-out, on wake-up, and
   * when all that came was dropped. −1 when a socket is broken; `error` is why. With a flow memory it forwards what that
   * knows and goes on, until something else comes; 0 also on the memory's stop word.
   */
  int receive(int timeoutMs, int* error);

  /** See TunnelReceiver::openRelayed; `d` is one of the engine's descriptors. False for an engine of role `lan`. */
  bool openRelayed(uint32_t descriptor, uint32_t skip);

  /** The range must lie within the descriptors. */
  void send(uint32_t first, uint32_t count);

 private:
  Engine(const EngineOptions& options, std::shared_ptr<PacketMemory> memory, uint32_t lane);
  bool clearWakeup();
  Batch drain();
  /** Until `deadlineMs`, but not so long that the stop word is seen late. False: nothing has come. */
  bool wait(uint64_t deadlineMs, bool* woken);
  bool isWoken();
  int receiveOnce(int timeoutMs, int* error);
  int receiveUnknown(int timeoutMs, int* error);
  /** Carries out the actions that are known of the first `filled`, and puts the others' descriptors to the front. */
  uint32_t forwardKnown(uint32_t filled);
  void carryOut(uint32_t first, uint32_t count);

  const std::shared_ptr<PacketMemory> memory_;
  const uint32_t lane_;
  const int wakeupFd_;
  Counters counters_;
  LanSender lanSender_;
  TunSender tunSender_;
  TunnelSender tunnelSender_;
  CookieSender cookieSender_;
  std::unique_ptr<Receiver> receiver_;
  /** The same, when it is one. */
  TunnelReceiver* tunnelReceiver_ = nullptr;
  /** Only with role `lan` and TUN devices. */
  std::unique_ptr<Receiver> tunReceiver_;
  bool tunFirst_ = false;
  std::unique_ptr<QueueDrops> queueDrops_;
  std::unique_ptr<FlowMemory> flows_;
  /** The wake-up descriptor, then the sockets. */
  std::vector<pollfd> waiting_;
};

}  // namespace vine
