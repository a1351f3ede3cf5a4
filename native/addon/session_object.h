// SessionObject: NativeSession of src-ts/binding/native.ts, a backend that JavaScript holds.
#pragma once

#include <napi.h>

#include <cstdint>
#include <memory>
#include <unordered_set>
#include <vector>

#include "addon/cluster_core.h"
#include "table/filter.h"
#include "table/table.h"
#include "table/table_read.h"
#include "table/table_write.h"
#include "xact/backend.h"

namespace pgdata {

class ScanObject;

// What a session and its scans share.
struct SessionState {
  std::shared_ptr<ClusterCore> core;
  std::unique_ptr<Backend> backend;  // null when read-only, and after the end
  std::unique_ptr<TableWriter> writer;
  bool ended = false;
  // Begun by the user, rather than by a scan that needs a snapshot for a while.
  bool explicit_transaction = false;
  // Counts explicit transactions; scans of one that has ended are refused.
  uint64_t transaction = 0;
  // Counts subtransactions, and the numbers of those that are open, outermost first.
  uint64_t subtransaction = 0;
  std::vector<uint64_t> open_subtransactions;
  int implicit_scans = 0;
  // Open scans: they hold pins, so they end before the session does.
  std::unordered_set<ScanObject*> scans;

  Status check() const;
  // Closes the scans that began since subtransaction number `since` did.
  void finish_scans(uint64_t since);
};

class SessionObject final : public Napi::ObjectWrap<SessionObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SessionObject(const Napi::CallbackInfo& info);
  ~SessionObject() override;

  static Status make(Napi::Env env, const std::shared_ptr<ClusterCore>& core, Oid database,
                     Napi::Value* session);
  // Rolls back and gives the backend back; the object stays, refusing calls.
  void end();

 private:
  template <typename Body>
  Napi::Value call(const Napi::CallbackInfo& info, size_t arguments, Body&& body);
  template <typename Body>
  Napi::Value read(const Napi::CallbackInfo& info, size_t arguments, Body&& body);
  Status check_transaction() const;
  Status check_no_subtransaction() const;
  // Before the open transaction is committed or rolled back.
  void end_of_transaction();
  Status commit_transaction(bool flush, Lsn* upto);

  Napi::Value in_transaction(const Napi::CallbackInfo& info);
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value safe_snapshot(const Napi::CallbackInfo& info);
  Napi::Value commit(const Napi::CallbackInfo& info);
  Napi::Value commit_async(const Napi::CallbackInfo& info);
  Napi::Value prepare_async(const Napi::CallbackInfo& info);
  Napi::Value abort(const Napi::CallbackInfo& info);
  Napi::Value begin_subtransaction(const Napi::CallbackInfo& info);
  Napi::Value commit_subtransaction(const Napi::CallbackInfo& info);
  Napi::Value abort_subtransaction(const Napi::CallbackInfo& info);
  Napi::Value assign_xid(const Napi::CallbackInfo& info);
  Napi::Value advance_command(const Napi::CallbackInfo& info);
  Napi::Value oldest_xmin(const Napi::CallbackInfo& info);
  Napi::Value insert(const Napi::CallbackInfo& info);
  Napi::Value inserted_tids(const Napi::CallbackInfo& info);
  Napi::Value failed_row(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value update_in_place(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value lookup(const Napi::CallbackInfo& info);
  Napi::Value scan(const Napi::CallbackInfo& info);
  Napi::Value range(const Napi::CallbackInfo& info);
  Napi::Value aggregate(const Napi::CallbackInfo& info);
  Napi::Value create_storage(const Napi::CallbackInfo& info);
  Napi::Value drop_storage_at_commit(const Napi::CallbackInfo& info);
  Napi::Value build_index(const Napi::CallbackInfo& info);
  Napi::Value build_toast_index(const Napi::CallbackInfo& info);
  Napi::Value removes_all_rows(const Napi::CallbackInfo& info);
  Napi::Value transfer_predicate_locks(const Napi::CallbackInfo& info);
  Napi::Value copy_database(const Napi::CallbackInfo& info);
  Napi::Value drop_database_files(const Napi::CallbackInfo& info);
  Napi::Value create_tablespace(const Napi::CallbackInfo& info);
  Napi::Value drop_tablespace(const Napi::CallbackInfo& info);
  Napi::Value write_relation_map(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<SessionState> state_;
};

}  // namespace pgdata
