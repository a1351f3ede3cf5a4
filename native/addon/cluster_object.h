// ClusterObject: NativeCluster of src-ts/binding/native.ts, an open engine that JavaScript holds.
#pragma once

#include <napi.h>

#include <memory>

#include "addon/cluster_core.h"

namespace pgdata {

class ClusterObject final : public Napi::ObjectWrap<ClusterObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit ClusterObject(const Napi::CallbackInfo& info);
  ~ClusterObject() override;

  static Napi::Value make(Napi::Env env, std::unique_ptr<Engine> engine);

 private:
  Napi::Value block_size(const Napi::CallbackInfo& info);
  Napi::Value session(const Napi::CallbackInfo& info);
  Napi::Value relation(const Napi::CallbackInfo& info);
  Napi::Value vacuum(const Napi::CallbackInfo& info);
  Napi::Value analyze(const Napi::CallbackInfo& info);
  Napi::Value new_oid(const Napi::CallbackInfo& info);
  Napi::Value index_height(const Napi::CallbackInfo& info);
  Napi::Value verify_index(const Napi::CallbackInfo& info);
  Napi::Value blocks(const Napi::CallbackInfo& info);
  Napi::Value checkpoint(const Napi::CallbackInfo& info);
  Napi::Value is_owner(const Napi::CallbackInfo& info);
  Napi::Value switch_segment(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);
  Napi::Value close_sync(const Napi::CallbackInfo& info);
  Napi::Value segment(const Napi::CallbackInfo& info);
  Napi::Value stay_alone(const Napi::CallbackInfo& info);
  Napi::Value backends_on(const Napi::CallbackInfo& info);
  Napi::Value processes(const Napi::CallbackInfo& info);
  Napi::Value request_memory_contexts(const Napi::CallbackInfo& info);
  Napi::Value take_memory_context_request(const Napi::CallbackInfo& info);
  Napi::Value accept_invalidations(const Napi::CallbackInfo& info);
  Napi::Value abandon(const Napi::CallbackInfo& info);
  Napi::Value predicate_locks(const Napi::CallbackInfo& info);
  Napi::Value prepared_transactions(const Napi::CallbackInfo& info);
  Napi::Value finish_prepared(const Napi::CallbackInfo& info);
  Napi::Value notification_queue_usage(const Napi::CallbackInfo& info);
  Napi::Value activity(const Napi::CallbackInfo& info);
  Napi::Value report_worker(const Napi::CallbackInfo& info);
  Napi::Value locks(const Napi::CallbackInfo& info);
  Napi::Value id_bounds(const Napi::CallbackInfo& info);
  Napi::Value name_oldest_databases(const Napi::CallbackInfo& info);
  Napi::Value truncate_logs(const Napi::CallbackInfo& info);
  Napi::Value on_crash(const Napi::CallbackInfo& info);
  Napi::Value leave_crashed(const Napi::CallbackInfo& info);
  Napi::Value on_notice(const Napi::CallbackInfo& info);
  Napi::Value commit_timestamp(const Napi::CallbackInfo& info);
  Napi::Value last_committed(const Napi::CallbackInfo& info);
  Napi::Value statistics(const Napi::CallbackInfo& info);
  Napi::Value flush_statistics(const Napi::CallbackInfo& info);
  Napi::Value relation_statistics(const Napi::CallbackInfo& info);
  Napi::Value database_statistics(const Napi::CallbackInfo& info);
  Napi::Value cluster_statistics(const Napi::CallbackInfo& info);
  Napi::Value report_vacuum(const Napi::CallbackInfo& info);
  Napi::Value report_analyze(const Napi::CallbackInfo& info);
  Napi::Value report_autovacuum_start(const Napi::CallbackInfo& info);
  Napi::Value report_archived(const Napi::CallbackInfo& info);
  Napi::Value drop_database_statistics(const Napi::CallbackInfo& info);
  Napi::Value set_io_timings(const Napi::CallbackInfo& info);
  Napi::Value reset_statistics(const Napi::CallbackInfo& info);
  Napi::Value reset_slru_statistics(const Napi::CallbackInfo& info);
  Napi::Value compared_pages(const Napi::CallbackInfo& info);
  // The environment ends with the cluster open (a worker was terminated): what a clean exit would have done.
  static void close_at_exit(void* core);
  void forget_exit_hook();
  // Takes the engine out; null when that has been done.
  std::shared_ptr<Engine> release();

  std::shared_ptr<ClusterCore> core_;
  // What the hook is given; freed with this object, which outlives the hook.
  std::shared_ptr<ClusterCore>* exit_hook_ = nullptr;
};

// openCluster(options, opening, onProgress) and initCluster(options): Promise<NativeCluster>; cancelOpening(opening)
Napi::Value is_directory_locked(const Napi::CallbackInfo& info);
Napi::Value cancel_opening(const Napi::CallbackInfo& info);
Napi::Value open_cluster(const Napi::CallbackInfo& info);
Napi::Value attach_cluster(const Napi::CallbackInfo& info);
Napi::Value init_cluster(const Napi::CallbackInfo& info);

}  // namespace pgdata
