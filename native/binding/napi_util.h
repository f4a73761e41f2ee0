// Reading arguments and making results. A reader that fails has thrown a JavaScript exception and returns false.
#pragma once
#include <node_api.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string>

namespace vine {

constexpr size_t kMaxArguments = 4;
/** Names, paths and filters. */
constexpr size_t kMostTextBytes = 1024;

struct Call {
  Call(napi_env callEnv, napi_callback_info info);
  napi_env env;
  napi_value self;
  std::array<napi_value, kMaxArguments> arguments;
};

struct Bytes {
  const uint8_t* data = nullptr;
  size_t length = 0;
};

/** A whole number from `low` to `high`. */
bool readInteger(napi_env env, napi_value value, const char* name, int64_t low, int64_t high, int64_t* out);
bool readUint32(napi_env env, napi_value value, const char* name, uint32_t high, uint32_t* out);
/** Left out: leaves `out` as it is. */
bool readOptionalUint32(napi_env env, napi_value value, const char* name, uint32_t high, uint32_t* out);
bool readText(napi_env env, napi_value value, const char* name, std::string* out);
/** A Uint8Array's bytes: valid until control returns to JavaScript. */
bool readBytes(napi_env env, napi_value value, const char* name, Bytes* out);
/** 4 or 16 address bytes and a port. */
bool readAddress(napi_env env, napi_value address, napi_value port, uint16_t lowestPort, Bytes* bytes, uint16_t* out);
bool readProperty(napi_env env, napi_value object, const char* name, napi_value* out);
/** A property that is a whole number from `low` to `high`, of 32 bits at most. */
bool readSize(napi_env env, napi_value object, const char* name, int64_t low, int64_t high, uint32_t* out);
bool readBoolean(napi_env env, napi_value value, const char* name, bool* out);
/** False, with an error, for what is none. */
bool checkFunction(napi_env env, napi_value value, const char* name);
bool readArrayLength(napi_env env, napi_value value, const char* name, uint32_t* out);

napi_value undefinedValue(napi_env env);
napi_value numberValue(napi_env env, double value);
napi_value booleanValue(napi_env env, bool value);
/** A new Uint8Array with a copy of the bytes. */
napi_value bytesValue(napi_env env, const uint8_t* data, size_t length);
struct Property {
  const char* name;
  napi_value value;
};

/** A new object with these properties. */
napi_value objectValue(napi_env env, std::initializer_list<Property> properties);
void setProperty(napi_env env, napi_value object, const char* name, napi_value value);
void setFunction(napi_env env, napi_value object, const char* name, napi_callback function);

/** Throws `what: reason (CODE)` with the errno's name as `code`. Returns null for the caller to return. */
napi_value throwErrno(napi_env env, int error, const std::string& what);
napi_value throwError(napi_env env, const std::string& what);
napi_value throwRange(napi_env env, const std::string& what);

}  // namespace vine
