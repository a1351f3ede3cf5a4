// PgError objects from Status.
#include "addon/error.h"

#include <string>

#include "addon/environment.h"

namespace pgdata {

void set_error_class(Napi::Env env, Napi::Function constructor) {
  environment(env).error_class = Napi::Persistent(constructor);
}

Napi::Value make_error(Napi::Env env, const Status& status) {
  const ErrorReport& report = status.report();
  const Napi::String message = Napi::String::New(env, report.message);
  Napi::FunctionReference& constructor = environment(env).error_class;
  if (constructor.IsEmpty()) {
    // Before setErrorClass, which is the first call after loading.
    return Napi::Error::New(env, report.message).Value();
  }
  Napi::Object fields = Napi::Object::New(env);
  const auto set = [&](const char* name, const std::string& value) {
    if (!value.empty()) fields.Set(name, Napi::String::New(env, value));
  };
  set("detail", report.detail);
  set("hint", report.hint);
  set("schema", report.schema);
  set("table", report.table);
  set("column", report.column);
  set("constraint", report.constraint);
  return constructor.New({Napi::String::New(env, sqlstate_of(report.code)), message, fields});
}

void throw_error(Napi::Env env, const Status& status) {
  if (env.IsExceptionPending()) return;
  const Napi::Value error = make_error(env, status);
  napi_throw(env, error);
}

Status bad_argument(const char* what) {
  return Status::error(ErrorCode::internal_error, "invalid argument to the native binding: %s",
                       what);
}

}  // namespace pgdata
