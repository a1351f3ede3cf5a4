// Environment: what the addon keeps per Node environment (the main thread, each worker thread).
#pragma once

#include <napi.h>

#include <atomic>
#include <cstdint>
#include <unordered_map>

namespace pgdata {

struct Environment {
  Napi::FunctionReference error_class;
  Napi::FunctionReference cluster_class;
  Napi::FunctionReference session_class;
  Napi::FunctionReference relation_class;
  Napi::FunctionReference rebuild_class;
  Napi::FunctionReference scan_class;
  Napi::FunctionReference listener_class;
  Napi::FunctionReference disk_class;
  Napi::FunctionReference log_queue_class;
  // Openings under way that can be given up, by the number that JavaScript gave them.
  std::unordered_map<uint32_t, std::atomic<bool>*> openings;
  Napi::FunctionReference vacuum_class;
  Napi::FunctionReference analyze_class;
  Napi::FunctionReference wal_class;
};

inline Environment& environment(Napi::Env env) { return *env.GetInstanceData<Environment>(); }

}  // namespace pgdata
