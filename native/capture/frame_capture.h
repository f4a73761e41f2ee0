// libpcap on one Ethernet interface: frames that its filter lets through, with the time at which the kernel took them.
// One thread.
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "io/socket_util.h"

struct pcap;
struct pcap_pkthdr;

namespace vine {

class PairCounter;

struct CaptureOptions {
  std::string interfaceName;
  /** pcap-filter(7); the kernel runs it. */
  std::string filter;
  /** Longer frames are cut. */
  uint32_t frameBytes = 0;
  /** Of the ring that the kernel puts frames into. */
  uint32_t ringBytes = 0;
  /** So long the kernel may collect frames before it says that there are some; 0: each at once. */
  uint32_t collectMs = 0;
  /** Not what the interface sends. */
  bool inboundOnly = false;
};

struct CapturedFrame {
  const uint8_t* data;
  size_t length;
  /** CLOCK_REALTIME. */
  int64_t capturedNs;
};

class FrameCapture {
 public:
  /** Frames that one `take` takes at most, so that what else the thread has to do gets its turn. */
  static constexpr size_t kBatch = 64;
  /** The same of `count`, which is done with a frame in a fiftieth of the time. */
  static constexpr int kCountBatch = 4096;

  /** Promiscuous, without waiting. Null with `failure` filled; its `error` is ENODEV when there is no such interface. */
  static std::unique_ptr<FrameCapture> open(const CaptureOptions& options, Failure* failure);
  ~FrameCapture();
  FrameCapture(const FrameCapture&) = delete;
  FrameCapture& operator=(const FrameCapture&) = delete;

  /** Readable when there are frames. */
  int descriptor() const;
  /** Fills `frames` with what there is, in order. False when there can be no more: the interface is gone. */
  bool take();
  /** Instead of `take`: counts what there is, where it lies. */
  bool count(PairCounter& counter);
  /** Valid until the next `take`. */
  const std::vector<CapturedFrame>& frames() const { return frames_; }
  /**
   * The interface went down, which the descriptor tells by an error until somebody has asked for it. When the interface
   * comes up again the kernel goes on by itself.
   */
  void forgetError();
  /** False when the interface does not take the frame, or not now. */
  bool send(const uint8_t* data, size_t length);
  /** Frames that the ring had no room for. */
  uint32_t drops();

 private:
  explicit FrameCapture(pcap* handle) : handle_(handle) {}
  static void add(uint8_t* self, const pcap_pkthdr* header, const uint8_t* data);

  pcap* const handle_;
  std::vector<CapturedFrame> frames_;
  /** Copies: the ring's slots are the kernel's again when `take` is done. */
  std::vector<uint8_t> bytes_;
};

}  // namespace vine
