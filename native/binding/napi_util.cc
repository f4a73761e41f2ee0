#include "binding/napi_util.h"

#include <string.h>

#include <cmath>

#include "io/socket_util.h"

namespace vine {

Call::Call(napi_env callEnv, napi_callback_info info) : env(callEnv), self(nullptr), arguments{} {
  size_t count = arguments.size();
  // Arguments that are missing are filled with undefined.
  napi_get_cb_info(env, info, &count, arguments.data(), &self, nullptr);
}

bool readInteger(napi_env env, napi_value value, const char* name, int64_t low, int64_t high, int64_t* out) {
  double number = 0;
  if (napi_get_value_double(env, value, &number) != napi_ok || std::trunc(number) != number) {
    napi_throw_type_error(env, nullptr, (std::string(name) + " must be a whole number").c_str());
    return false;
  }
  if (!(number >= static_cast<double>(low) && number <= static_cast<double>(high))) {
    throwRange(env, std::string(name) + " must be " + std::to_string(low) + " to " + std::to_string(high));
    return false;
  }
  *out = static_cast<int64_t>(number);
  return true;
}

bool readUint32(napi_env env, napi_value value, const char* name, uint32_t high, uint32_t* out) {
  int64_t number = 0;
  if (!readInteger(env, value, name, 0, high, &number)) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

bool readOptionalUint32(napi_env env, napi_value value, const char* name, uint32_t high, uint32_t* out) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_undefined) return true;
  return readUint32(env, value, name, high, out);
}

bool readText(napi_env env, napi_value value, const char* name, std::string* out) {
  size_t length = 0;
  if (napi_get_value_string_utf8(env, value, nullptr, 0, &length) != napi_ok) {
    napi_throw_type_error(env, nullptr, (std::string(name) + " must be a string").c_str());
    return false;
  }
  if (length > kMostTextBytes) {
    throwRange(env, std::string(name) + " is too long");
    return false;
  }
  out->resize(length);
  // A C++ string has room for the zero at its end, which is written too.
  return napi_get_value_string_utf8(env, value, out->data(), length + 1, &length) == napi_ok;
}

bool readBytes(napi_env env, napi_value value, const char* name, Bytes* out) {
  bool typed = false;
  napi_typedarray_type type = napi_int8_array;
  size_t length = 0;
  void* data = nullptr;
  if (napi_is_typedarray(env, value, &typed) == napi_ok && typed &&
      napi_get_typedarray_info(env, value, &type, &length, &data, nullptr, nullptr) == napi_ok &&
      type == napi_uint8_array) {
    *out = {static_cast<const uint8_t*>(data), length};
    return true;
  }
  napi_throw_type_error(env, nullptr, (std::string(name) + " must be a Uint8Array").c_str());
  return false;
}

bool readAddress(napi_env env, napi_value address, napi_value port, uint16_t lowestPort, Bytes* bytes, uint16_t* out) {
  int64_t number = 0;
  if (!readBytes(env, address, "address", bytes)) return false;
  if (bytes->length != 4 && bytes->length != 16) {
    throwRange(env, "address must be 4 or 16 bytes");
    return false;
  }
  if (!readInteger(env, port, "port", lowestPort, 0xffff, &number)) return false;
  *out = static_cast<uint16_t>(number);
  return true;
}

bool readProperty(napi_env env, napi_value object, const char* name, napi_value* out) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, object, &type) != napi_ok || type != napi_object) {
    napi_throw_type_error(env, nullptr, (std::string("not an object that could have ") + name).c_str());
    return false;
  }
  return napi_get_named_property(env, object, name, out) == napi_ok;
}

bool readSize(napi_env env, napi_value object, const char* name, int64_t low, int64_t high, uint32_t* out) {
  napi_value value = nullptr;
  int64_t number = 0;
  if (!readProperty(env, object, name, &value) || !readInteger(env, value, name, low, high, &number)) return false;
  *out = static_cast<uint32_t>(number);
  return true;
}

bool readBoolean(napi_env env, napi_value value, const char* name, bool* out) {
  if (napi_get_value_bool(env, value, out) == napi_ok) return true;
  napi_throw_type_error(env, nullptr, (std::string(name) + " must be a boolean").c_str());
  return false;
}

bool checkFunction(napi_env env, napi_value value, const char* name) {
  napi_valuetype type = napi_undefined;
  if (napi_typeof(env, value, &type) == napi_ok && type == napi_function) return true;
  napi_throw_type_error(env, nullptr, (std::string(name) + " must be a function").c_str());
  return false;
}

bool readArrayLength(napi_env env, napi_value value, const char* name, uint32_t* out) {
  bool array = false;
  if (napi_is_array(env, value, &array) == napi_ok && array) return napi_get_array_length(env, value, out) == napi_ok;
  napi_throw_type_error(env, nullptr, (std::string(name) + " must be an array").c_str());
  return false;
}

napi_value undefinedValue(napi_env env) {
  napi_value value = nullptr;
  napi_get_undefined(env, &value);
  return value;
}

napi_value numberValue(napi_env env, double number) {
  napi_value value = nullptr;
  napi_create_double(env, number, &value);
  return value;
}

napi_value booleanValue(napi_env env, bool truth) {
  napi_value value = nullptr;
  napi_get_boolean(env, truth, &value);
  return value;
}

napi_value bytesValue(napi_env env, const uint8_t* data, size_t length) {
  void* copy = nullptr;
  napi_value buffer = nullptr;
  napi_value array = nullptr;
  if (napi_create_arraybuffer(env, length, &copy, &buffer) != napi_ok) return nullptr;
  memcpy(copy, data, length);
  napi_create_typedarray(env, napi_uint8_array, length, buffer, 0, &array);
  return array;
}

napi_value objectValue(napi_env env, std::initializer_list<Property> properties) {
  napi_value object = nullptr;
  napi_create_object(env, &object);
  for (const Property& property : properties) setProperty(env, object, property.name, property.value);
  return object;
}

void setProperty(napi_env env, napi_value object, const char* name, napi_value value) {
  napi_set_named_property(env, object, name, value);
}

void setFunction(napi_env env, napi_value object, const char* name, napi_callback function) {
  napi_value value = nullptr;
  if (napi_create_function(env, name, NAPI_AUTO_LENGTH, function, nullptr, &value) != napi_ok) return;
  setProperty(env, object, name, value);
}

napi_value throwErrno(napi_env env, int error, const std::string& what) {
  char buffer[128];
  // The GNU variant: returns the text, wherever it is.
  const char* reason = strerror_r(error, buffer, sizeof buffer);
  const char* code = errorName(error);
  napi_throw_error(env, code, (what + ": " + reason + " (" + code + ")").c_str());
  return nullptr;
}

napi_value throwError(napi_env env, const std::string& what) {
  napi_throw_error(env, nullptr, what.c_str());
  return nullptr;
}

napi_value throwRange(napi_env env, const std::string& what) {
  napi_throw_range_error(env, nullptr, what.c_str());
  return nullptr;
}

}  // namespace vine
