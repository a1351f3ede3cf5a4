// readControlFile: pg_control as a JavaScript object.
#pragma once

#include <napi.h>

namespace pgdata {

// readControlFile(dataDirectory): object
Napi::Value read_control_file_object(const Napi::CallbackInfo& info);

}  // namespace pgdata
