// Sockets and TCP connections: opening, closing, and sending outside of any engine.
#include <errno.h>

#include "base/byte_order.h"
#include "binding/addon.h"
#include "binding/napi_util.h"
#include "io/batch_io.h"
#include "io/endpoint.h"
#include "io/lan_socket.h"
#include "io/stream_table.h"
#include "io/tun_socket.h"
#include "io/udp_socket.h"
#include "session/session_table.h"

namespace vine {
namespace {

/** What `openLan` and `openTun` are called with. */
bool readInterface(napi_env env, const Call& call, std::string* name, uint32_t* index) {
  return readText(env, call.arguments[0], "interfaceName", name) &&
         readUint32(env, call.arguments[1], "index", INT32_MAX, index);
}

napi_value openLanSocket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  std::string name;
  uint32_t index = 0;
  uint32_t vrid = 0;
  if (!readInterface(env, call, &name, &index)) return nullptr;
  if (!readOptionalUint32(env, call.arguments[2], "vrid", kMaxVrid, &vrid)) return nullptr;
  LanSocket lan{};
  Failure failure;
  if (!openLan(name.c_str(), index, vrid, &lan, &failure)) return throwErrno(env, failure.error, failure.what);
  return objectValue(env, {
      {"fd", numberValue(env, lan.fd)},
      {"index", numberValue(env, lan.index)},
      {"macHigh", numberValue(env, loadBe16(lan.mac.data()))},
      {"macLow", numberValue(env, loadBe32(lan.mac.data() + 2))},
      {"mtuBytes", numberValue(env, lan.mtuBytes)},
      {"vnetHeader", booleanValue(env, lan.vnetHeader)},
      {"vrid", numberValue(env, lan.vrid)},
  });
}

/** Of a LAN or a UDP port that is open: the descriptor of another socket. */
napi_value sharedSocket(napi_env env, bool opened, int fd, const Failure& failure) {
  return opened ? numberValue(env, fd) : throwErrno(env, failure.error, failure.what);
}

napi_value shareLanSocket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  uint32_t vrid = 0;
  int shared = -1;
  Failure failure;
  if (!readUint32(env, call.arguments[0], "fd", INT32_MAX, &fd)) return nullptr;
  if (!readOptionalUint32(env, call.arguments[1], "vrid", kMaxVrid, &vrid)) return nullptr;
  if (!isAdopted(static_cast<int>(fd))) return throwErrno(env, EBADF, "cannot share what is no LAN socket");
  const bool opened = shareLan(static_cast<int>(fd), vrid, &shared, &failure);
  return sharedSocket(env, opened, shared, failure);
}

napi_value setLanRescue(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  bool on = false;
  uint32_t vrid = 0;
  if (!readUint32(env, call.arguments[0], "fd", INT32_MAX, &fd)) return nullptr;
  if (!readBoolean(env, call.arguments[1], "on", &on)) return nullptr;
  if (!readOptionalUint32(env, call.arguments[2], "vrid", kMaxVrid, &vrid)) return nullptr;
  Failure failure;
  if (!isAdopted(static_cast<int>(fd))) return throwErrno(env, EBADF, "cannot change what a LAN socket takes");
  if (!setRescue(static_cast<int>(fd), on, vrid, &failure)) return throwErrno(env, failure.error, failure.what);
  return undefinedValue(env);
}

napi_value openTunSocket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  std::string name;
  uint32_t index = 0;
  if (!readInterface(env, call, &name, &index)) return nullptr;
  TunSocket tun{};
  Failure failure;
  if (!openTun(name.c_str(), index, &tun, &failure)) return throwErrno(env, failure.error, failure.what);
  return objectValue(env, {{"fd", numberValue(env, tun.fd)}, {"index", numberValue(env, tun.index)}});
}

napi_value openUdpSocket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Bytes address;
  uint16_t port = 0;
  if (!readAddress(env, call.arguments[0], call.arguments[1], 0, &address, &port)) return nullptr;
  UdpSocket udp{};
  Failure failure;
  if (!openUdp(address.data, address.length, port, &udp, &failure)) {
    return throwErrno(env, failure.error, failure.what);
  }
  return objectValue(env, {
      {"fd", numberValue(env, udp.fd)},
      {"port", numberValue(env, udp.port)},
      {"family", numberValue(env, udp.family)},
      {"segmentation", booleanValue(env, udp.segmentation)},
      {"coalescing", booleanValue(env, udp.coalescing)},
  });
}

napi_value shareUdpSocket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  int shared = -1;
  Failure failure;
  if (!readUint32(env, call.arguments[0], "fd", INT32_MAX, &fd)) return nullptr;
  const bool opened = shareUdp(static_cast<int>(fd), &shared, &failure);
  return sharedSocket(env, opened, shared, failure);
}

napi_value listenTcp(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Bytes address;
  uint16_t port = 0;
  if (!readAddress(env, call.arguments[0], call.arguments[1], 0, &address, &port)) return nullptr;
  TcpListener listener{};
  Failure failure;
  if (!StreamTable::instance().listen(address.data, address.length, port, &listener, &failure)) {
    return throwErrno(env, failure.error, failure.what);
  }
  return objectValue(env, {
      {"fd", numberValue(env, listener.fd)},
      {"port", numberValue(env, listener.port)},
      {"family", numberValue(env, listener.family)},
  });
}

napi_value connectTcp(napi_env env, napi_callback_info info) {
  Call call(env, info);
  Bytes address;
  uint16_t port = 0;
  if (!readAddress(env, call.arguments[0], call.arguments[1], 1, &address, &port)) return nullptr;
  uint32_t stream = 0;
  Failure failure;
  if (!StreamTable::instance().connect(address.data, address.length, port, &stream, &failure)) {
    return throwErrno(env, failure.error, failure.what);
  }
  return numberValue(env, stream);
}

bool readStream(napi_env env, napi_value value, uint32_t* stream) {
  return readUint32(env, value, "stream", kMaxStreamId, stream);
}

napi_value closeStream(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t stream = 0;
  if (!readStream(env, call.arguments[0], &stream)) return nullptr;
  StreamTable::instance().close(stream);
  return undefinedValue(env);
}

napi_value trustStream(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t number = 0;
  if (!readStream(env, call.arguments[0], &number)) return nullptr;
  const auto stream = StreamTable::instance().find(number);
  if (stream != nullptr) stream->trust();
  return undefinedValue(env);
}

napi_value sendByStream(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t number = 0;
  Bytes bytes;
  if (!readStream(env, call.arguments[0], &number) || !readBytes(env, call.arguments[1], "bytes", &bytes)) return nullptr;
  const auto stream = StreamTable::instance().find(number);
  return booleanValue(env, stream != nullptr && sendOne(stream->far, bytes.data, bytes.length));
}

napi_value closeSocket(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  if (!readUint32(env, call.arguments[0], "fd", INT32_MAX, &fd)) return nullptr;
  // First, so that nothing is sealed for a number that may by then be another file's.
  if (isAdopted(static_cast<int>(fd))) SessionTable::instance().forgetSocket(static_cast<int>(fd));
  closeAdopted(static_cast<int>(fd));
  return undefinedValue(env);
}

napi_value sendDatagram(napi_env env, napi_callback_info info) {
  Call call(env, info);
  uint32_t fd = 0;
  Bytes address;
  Bytes payload;
  uint16_t port = 0;
  if (!readUint32(env, call.arguments[0], "udpFd", INT32_MAX, &fd)) return nullptr;
  if (!readAddress(env, call.arguments[1], call.arguments[2], 1, &address, &port)) return nullptr;
  if (!readBytes(env, call.arguments[3], "bytes", &payload)) return nullptr;
  Endpoint to;
  makeEndpoint(address.data, address.length, port, static_cast<int>(fd), &to);
  return booleanValue(env, sendOne(to, payload.data, payload.length));
}

}  // namespace

void defineSockets(napi_env env, napi_value exports) {
  setFunction(env, exports, "openLan", openLanSocket);
  setFunction(env, exports, "shareLan", shareLanSocket);
  setFunction(env, exports, "setRescue", setLanRescue);
  setFunction(env, exports, "openTun", openTunSocket);
  setFunction(env, exports, "openUdp", openUdpSocket);
  setFunction(env, exports, "shareUdp", shareUdpSocket);
  setFunction(env, exports, "listenTcp", listenTcp);
  setFunction(env, exports, "connectTcp", connectTcp);
  setFunction(env, exports, "closeStream", closeStream);
  setFunction(env, exports, "trustStream", trustStream);
  setFunction(env, exports, "sendByStream", sendByStream);
  setFunction(env, exports, "closeSocket", closeSocket);
  setFunction(env, exports, "sendDatagram", sendDatagram);
}

}  // namespace vine
