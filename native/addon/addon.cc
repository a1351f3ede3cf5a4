// The entry of the addon: what JavaScript sees when it loads pgdata.node.
#include <napi.h>

#include "addon/analyze_object.h"
#include "addon/async_task.h"
#include "addon/cluster_object.h"
#include "addon/control_object.h"
#include "addon/disk_object.h"
#include "addon/environment.h"
#include "addon/error.h"
#include "addon/inspect_object.h"
#include "addon/listener_object.h"
#include "addon/log_queue_object.h"
#include "addon/rebuild_object.h"
#include "addon/relation_object.h"
#include "addon/scan_object.h"
#include "addon/session_object.h"
#include "addon/vacuum_object.h"
#include "addon/wal_object.h"
#include "base/crc32c.h"
#include "base/stop_point.h"
#include "file/file_system.h"
#include "page/page.h"

namespace pgdata {
namespace {

// The version of the package that this binary was built for. No errors.
Napi::Value version(const Napi::CallbackInfo& info) {
  return Napi::String::New(info.Env(), PGDATA_VERSION);
}

// setErrorClass(constructor)
Napi::Value set_error_class_of(const Napi::CallbackInfo& info) {
  if (info[0].IsFunction()) set_error_class(info.Env(), info[0].As<Napi::Function>());
  return info.Env().Undefined();
}

// syncDirectoryTree(directory): Promise<void>
Napi::Value sync_directory_tree(const Napi::CallbackInfo& info) {
  return run_async(info.Env(), [directory = info[0].ToString().Utf8Value()] {
    return posix_file_system().sync_file_system(directory);
  });
}

// pageChecksum(page: Uint8Array, block: number): number
Napi::Value page_checksum_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray()) THROW_IF_ERROR(env, bad_argument("page"));
  const auto page = info[0].As<Napi::Uint8Array>();
  const size_t size = page.ByteLength();
  if (size < block_size_min || size > block_size_max || (size & (size - 1)) != 0)
    THROW_IF_ERROR(env, bad_argument("page"));
  return Napi::Number::New(env, page_checksum(reinterpret_cast<const std::byte*>(page.Data()),
                                              static_cast<uint32_t>(size),
                                              BlockNumber{info[1].ToNumber().Uint32Value()}));
}

// crc32c(bytes: Uint8Array): number
Napi::Value crc32c_of(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsTypedArray()) THROW_IF_ERROR(env, bad_argument("bytes"));
  const auto bytes = info[0].As<Napi::Uint8Array>();
  return Napi::Number::New(env,
                           crc32c_finish(crc32c(crc32c_initial, bytes.Data(), bytes.ByteLength())));
}

// stopAt(point: string, skipped: number, report: string): void
Napi::Value stop_at_of(const Napi::CallbackInfo& info) {
  stop_at(info[0].ToString().Utf8Value(), info[1].ToNumber().Uint32Value(),
          info[2].ToString().Utf8Value());
  return info.Env().Undefined();
}

Napi::Object initialise(Napi::Env env, Napi::Object exports) {
  auto* here = new Environment();
  here->cluster_class = Napi::Persistent(ClusterObject::define(env));
  here->session_class = Napi::Persistent(SessionObject::define(env));
  here->relation_class = Napi::Persistent(RelationObject::define(env));
  here->rebuild_class = Napi::Persistent(RebuildObject::define(env));
  here->scan_class = Napi::Persistent(ScanObject::define(env));
  here->listener_class = Napi::Persistent(ListenerObject::define(env));
  here->disk_class = Napi::Persistent(DiskObject::define(env));
  here->log_queue_class = Napi::Persistent(LogQueueObject::define(env));
  here->vacuum_class = Napi::Persistent(VacuumObject::define(env));
  here->analyze_class = Napi::Persistent(AnalyzeObject::define(env));
  here->wal_class = Napi::Persistent(WalObject::define(env));
  env.SetInstanceData(here);
  const auto add = [&](const char* name, Napi::Value (*function)(const Napi::CallbackInfo&)) {
    exports.Set(name, Napi::Function::New(env, function, name));
  };
  exports.Set("Disk", here->disk_class.Value());
  exports.Set("LogQueue", here->log_queue_class.Value());
  add("version", version);
  add("setErrorClass", set_error_class_of);
  add("openCluster", open_cluster);
  add("attachCluster", attach_cluster);
  add("cancelOpening", cancel_opening);
  add("isDirectoryLocked", is_directory_locked);
  add("initCluster", init_cluster);
  add("readControlFile", read_control_file_object);
  add("readWal", read_wal);
  add("resourceManagerNames", resource_manager_names);
  add("walRelease", wal_release);
  add("syncDirectoryTree", sync_directory_tree);
  add("pageChecksum", page_checksum_of);
  add("crc32c", crc32c_of);
  add("stopAt", stop_at_of);
  add("verifyHeapPage", verify_heap_page_of);
  return exports;
}

}  // namespace
}  // namespace pgdata

static Napi::Object initialise_pgdata(Napi::Env env, Napi::Object exports) {
  return pgdata::initialise(env, exports);
}

NODE_API_MODULE(pgdata, initialise_pgdata)
