#include "capture/frame_capture.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <sys/socket.h>

#include "capture/pair_counter.h"

namespace vine {
namespace {

constexpr int64_t kNsPerSecond = 1'000'000'000;

bool refuse(Failure* failure, int error, std::string what) {
  *failure = {error, std::move(what)};
  return false;
}

/** libpcap's words for what it returned. */
std::string reasonOf(pcap_t* handle, int status) {
  const std::string detail = pcap_geterr(handle);
  if (status == PCAP_ERROR) return detail;
  return detail.empty() ? pcap_statustostr(status) : std::string(pcap_statustostr(status)) + ": " + detail;
}

bool activate(pcap_t* handle, const CaptureOptions& options, Failure* failure) {
  pcap_set_snaplen(handle, static_cast<int>(options.frameBytes));
  pcap_set_buffer_size(handle, static_cast<int>(options.ringBytes));
  pcap_set_promisc(handle, 1);
  if (options.collectMs == 0) pcap_set_immediate_mode(handle, 1);
  else pcap_set_timeout(handle, static_cast<int>(options.collectMs));
  pcap_set_tstamp_precision(handle, PCAP_TSTAMP_PRECISION_NANO);
  const int status = pcap_activate(handle);
  return status >= 0 || refuse(failure, 0, reasonOf(handle, status));
}

bool isEthernet(pcap_t* handle, Failure* failure) {
  const int type = pcap_datalink(handle);
  if (type == DLT_EN10MB) return true;
  const char* name = pcap_datalink_val_to_name(type);
  return refuse(failure, 0, std::string("it is not Ethernet but ") + (name == nullptr ? "unknown" : name));
}

bool setFilter(pcap_t* handle, const std::string& filter, Failure* failure) {
  bpf_program program{};
  if (pcap_compile(handle, &program, filter.c_str(), 1, PCAP_NETMASK_UNKNOWN) != 0) {
    return refuse(failure, 0, reasonOf(handle, PCAP_ERROR));
  }
  const int status = pcap_setfilter(handle, &program);
  pcap_freecode(&program);
  return status == 0 || refuse(failure, 0, reasonOf(handle, status));
}

/**
 * libpcap looks at each frame itself, unlike at "inbound" in a filter, which it does not know for the frames that came before the
 * kernel had the filter.
 */
bool setDirection(pcap_t* handle, const CaptureOptions& options, Failure* failure) {
  if (!options.inboundOnly) return true;
  if (pcap_setdirection(handle, PCAP_D_IN) != 0) return refuse(failure, 0, reasonOf(handle, PCAP_ERROR));
  // Linux before 4.20 puts the others into the ring all the same.
  const int on = 1;
  setsockopt(pcap_fileno(handle), SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on);
  return true;
}

bool dontWait(pcap_t* handle, Failure* failure) {
  char why[PCAP_ERRBUF_SIZE] = {};
  return pcap_setnonblock(handle, 1, why) == 0 || refuse(failure, 0, why);
}

}  // namespace

std::unique_ptr<FrameCapture> FrameCapture::open(const CaptureOptions& options, Failure* failure) {
  // libpcap also knows devices that are no interfaces ("any", USB buses).
  if (if_nametoindex(options.interfaceName.c_str()) == 0) {
    refuse(failure, ENODEV, "no such interface: " + options.interfaceName);
    return nullptr;
  }
  char why[PCAP_ERRBUF_SIZE] = {};
  pcap_t* handle = pcap_create(options.interfaceName.c_str(), why);
  if (handle == nullptr) {
    refuse(failure, 0, why);
    return nullptr;
  }
  std::unique_ptr<FrameCapture> capture(new FrameCapture(handle));
  const bool opened = activate(handle, options, failure) && isEthernet(handle, failure) &&
                      setDirection(handle, options, failure) && setFilter(handle, options.filter, failure) &&
                      dontWait(handle, failure);
  return opened ? std::move(capture) : nullptr;
}

FrameCapture::~FrameCapture() { pcap_close(handle_); }

int FrameCapture::descriptor() const { return pcap_get_selectable_fd(handle_); }

bool FrameCapture::take() {
  frames_.clear();
  bytes_.clear();
  const int taken = pcap_dispatch(handle_, kBatch, add, reinterpret_cast<u_char*>(this));
  const uint8_t* at = bytes_.data();
  for (CapturedFrame& frame : frames_) {
    frame.data = at;
    at += frame.length;
  }
  return taken >= 0;
}

bool FrameCapture::count(PairCounter& counter) {
  const pcap_handler countOne = [](u_char* to, const pcap_pkthdr* header, const u_char* data) {
    reinterpret_cast<PairCounter*>(to)->count(data, header->caplen);
  };
  return pcap_dispatch(handle_, kCountBatch, countOne, reinterpret_cast<u_char*>(&counter)) >= 0;
}

void FrameCapture::add(uint8_t* self, const pcap_pkthdr* header, const uint8_t* data) {
  auto* capture = reinterpret_cast<FrameCapture*>(self);
  // What is called microseconds are nanoseconds where the kernel has them.
  const bool fine = pcap_get_tstamp_precision(capture->handle_) == PCAP_TSTAMP_PRECISION_NANO;
  const int64_t capturedNs = header->ts.tv_sec * kNsPerSecond + header->ts.tv_usec * (fine ? 1 : 1000);
  capture->frames_.push_back({nullptr, header->caplen, capturedNs});
  capture->bytes_.insert(capture->bytes_.end(), data, data + header->caplen);
}

void FrameCapture::forgetError() {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
}

bool FrameCapture::send(const uint8_t* data, size_t length) {
  return pcap_inject(handle_, data, length) == static_cast<int>(length);
}

uint32_t FrameCapture::drops() {
  pcap_stat counts{};
  return pcap_stats(handle_, &counts) == 0 ? counts.ps_drop : 0;
}

}  // namespace vine
