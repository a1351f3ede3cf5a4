// How a Status becomes a PgError in JavaScript.
//
// PgError itself is handed over once at load (`setErrorClass`), so that what native code throws is an instance of it.
#pragma once

#include <napi.h>

#include "base/status.h"

namespace pgdata {

// Remembers the constructor for this environment.
void set_error_class(Napi::Env env, Napi::Function constructor);

// The error as a value (for rejecting promises), or thrown.
Napi::Value make_error(Napi::Env env, const Status& status);
void throw_error(Napi::Env env, const Status& status);

// An argument that JavaScript got wrong; only our own TypeScript calls the addon, so this is an internal error.
Status bad_argument(const char* what);

}  // namespace pgdata

// Throws the error of `expression` into JavaScript and returns undefined, if it has one.
#define THROW_IF_ERROR(env, expression)             \
  do {                                              \
    ::pgdata::Status pgdata_status_ = (expression); \
    if (!pgdata_status_.is_ok()) [[unlikely]] {     \
      ::pgdata::throw_error((env), pgdata_status_); \
      return (env).Undefined();                     \
    }                                               \
  } while (false)
