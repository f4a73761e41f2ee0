// lookUpName: a host name's addresses by the system's resolver, told in the event loop of the thread that asks.
#include <memory>
#include <utility>

#include "binding/addon.h"
#include "binding/loop_watch.h"
#include "binding/napi_util.h"
#include "io/name_lookup.h"

namespace vine {
namespace {

constexpr napi_type_tag kLookupTag = {0x5669'4e65'4e61'6d65, 0x4c6f'6f6b'2d76'3120};
/** RFC 1035 §3.1: 255 bytes on the wire, so 253 characters, and a last dot. */
constexpr size_t kMostNameBytes = 254;

class LookupWatch final : public LoopWatch {
 public:
  explicit LookupWatch(std::shared_ptr<NameLookup> lookup) : lookup_(std::move(lookup)) {}

 private:
  void readable() override;
  void release() override { lookup_.reset(); }

  std::shared_ptr<NameLookup> lookup_;
};

napi_value addressesValue(napi_env env, const NameAnswer& answer) {
  napi_value array = nullptr;
  if (napi_create_array_with_length(env, answer.addresses.size(), &array) != napi_ok) return nullptr;
  for (uint32_t i = 0; i < answer.addresses.size(); i++) {
    const ResolvedAddress& address = answer.addresses[i];
    napi_set_element(env, array, i, bytesValue(env, address.bytes.data(), address.length));
  }
  return array;
}

void LookupWatch::readable() {
  const std::shared_ptr<NameLookup> lookup = std::move(lookup_);
  if (lookup == nullptr) return;
  napi_handle_scope scope = nullptr;
  if (napi_open_handle_scope(env(), &scope) != napi_ok) return;
  const NameAnswer answer = lookup->take();
  const char* code = answer.error == 0 ? "" : resolverErrorName(answer.error);
  napi_value error = nullptr;
  napi_create_string_utf8(env(), code, NAPI_AUTO_LENGTH, &error);
  const napi_value arguments[] = {error, addressesValue(env(), answer)};
  // There is one answer. What it holds on to is let go of first: JavaScript may end the thread.
  stopLooking();
  tell(2, arguments);
  napi_close_handle_scope(env(), scope);
  close();
}

napi_value closeLookup(napi_env env, napi_callback_info info) {
  Call call(env, info);
  LoopWatch* watch = LoopWatch::behind(env, call.self, kLookupTag, "not a look-up of a name");
  if (watch == nullptr) return nullptr;
  watch->close();
  return undefinedValue(env);
}

napi_value lookUpName(napi_env env, napi_callback_info info) {
  Call call(env, info);
  std::string name;
  if (!readText(env, call.arguments[0], "name", &name)) return nullptr;
  if (name.empty() || name.size() > kMostNameBytes) return throwRange(env, "name must have 1 to 254 bytes");
  if (name.find('\0') != std::string::npos) return throwRange(env, "name must have no zero bytes");
  if (!checkFunction(env, call.arguments[1], "done")) return nullptr;
  int error = 0;
  const std::shared_ptr<NameLookup> lookup = NameLookup::begin(name, &error);
  if (lookup == nullptr) return throwErrno(env, error, "cannot look up a name");
  const auto watch = std::make_shared<LookupWatch>(lookup);
  const napi_value self = LoopWatch::makeObject(env, kLookupTag, watch);
  if (self == nullptr) return throwError(env, "cannot make a look-up of a name");
  if (!LoopWatch::start(watch, env, lookup->descriptor(), self, call.arguments[1], "vine:name")) {
    return throwError(env, "cannot hand the look-up to the event loop");
  }
  setFunction(env, self, "close", closeLookup);
  return self;
}

}  // namespace

void defineNames(napi_env env, napi_value exports) { setFunction(env, exports, "lookUpName", lookUpName); }

}  // namespace vine
