// Fields: reading the fields of a JavaScript object that our own TypeScript made.
#pragma once

#include <napi.h>

#include <cstdint>
#include <string>

#include "addon/descriptor.h"
#include "addon/error.h"
#include "base/status.h"
#include "base/types.h"

namespace pgdata {

// Reads fields of one object; the first that is missing or of a wrong type is remembered.
class Fields {
 public:
  explicit Fields(const Napi::Object& object) : object_(object) {}

  uint32_t number(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) return fail(name), 0u;
    return value.As<Napi::Number>().Uint32Value();
  }
  int32_t integer(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) return fail(name), 0;
    return value.As<Napi::Number>().Int32Value();
  }
  double real(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) return fail(name), 0.0;
    return value.As<Napi::Number>().DoubleValue();
  }
  uint64_t bytes(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsNumber()) return fail(name), 0u;
    return static_cast<uint64_t>(value.As<Napi::Number>().Int64Value());
  }
  bool boolean(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsBoolean()) return fail(name), false;
    return value.As<Napi::Boolean>().Value();
  }
  std::string text(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsString()) return fail(name), std::string();
    return value.As<Napi::String>().Utf8Value();
  }
  // The first character of a string, 0 for an empty one.
  char letter(const char* name) {
    const std::string value = text(name);
    return value.empty() ? '\0' : value[0];
  }
  Napi::Array array(const char* name) {
    const Napi::Value value = object_.Get(name);
    if (!value.IsArray()) return fail(name), Napi::Array::New(object_.Env(), 0);
    return value.As<Napi::Array>();
  }
  RelFileLocator locator(const char* name) {
    RelFileLocator locator;
    if (!read_locator(object_.Get(name), &locator).is_ok()) fail(name);
    return locator;
  }
  bool has(const char* name) { return !object_.Get(name).IsUndefined(); }
  // Stays as it is when the field is left out.
  template <typename Setting>
  void take(const char* name, Setting* setting) {
    const Napi::Value given = object_.Get(name);
    if (given.IsNumber()) *setting = static_cast<Setting>(given.As<Napi::Number>().DoubleValue());
  }
  Napi::Value raw(const char* name) { return object_.Get(name); }

  Status status() const { return failed_ == nullptr ? Status() : bad_argument(failed_); }

 private:
  void fail(const char* name) {
    if (failed_ == nullptr) failed_ = name;
  }
  Napi::Object object_;
  const char* failed_ = nullptr;
};

}  // namespace pgdata
