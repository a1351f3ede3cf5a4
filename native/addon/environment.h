// Environment: what the addon keeps per Node environment (the main thread, each worker thread).
#pragma once

#include <napi.h>

namespace pgdata {

struct Environment {
  Napi::FunctionReference error_class;
  Napi::FunctionReference cluster_class;
  Napi::FunctionReference session_class;
  Napi::FunctionReference relation_class;
  Napi::FunctionReference scan_class;
  Napi::FunctionReference disk_class;
};

inline Environment& environment(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

}  // namespace pgdata
