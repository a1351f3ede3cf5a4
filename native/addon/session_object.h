// SessionObject: NativeSession of src-ts/binding/native.ts, a backend that JavaScript holds.
#pragma once

#include <napi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <unordered_set>
#include <vector>

#include "addon/cluster_core.h"
#include "lock/lock_session.h"
#include "lock/locking_operation.h"
#include "notify/pending_notifications.h"
#include "table/filter.h"
#include "table/table.h"
#include "table/table_read.h"
#include "table/table_write.h"
#include "xact/backend.h"

namespace pgdata {

class ListenerObject;
class ScanObject;

// How long a synchronous read holds out for a lock: longer than a vacuum keeps others from the table at a time, shorter
// than an event loop may stand still.
inline constexpr int read_lock_patience_ms = 10;

// What one operation may take.
struct MemoryLimits {
  uint64_t work_mem_bytes = 4ull << 20;
  double hash_mem_multiplier = 2;
  uint64_t maintenance_work_mem_bytes = 64ull << 20;
  // Where temporary files go.
  Oid tablespace = default_tablespace_oid;
};

// What a session and its scans share.
struct SessionState {
  std::shared_ptr<ClusterCore> core;
  std::unique_ptr<Backend> backend;    // null when read-only, and after the end
  std::unique_ptr<LockSession> locks;  // null when the backend is
  std::unique_ptr<TableWriter> writer;
  bool ended = false;
  // It ended with the cluster.
  bool crashed = false;
  // Begun by the user, rather than by a scan that needs a snapshot for a while.
  bool explicit_transaction = false;
  // Its innermost level failed, and was rolled back already; nothing but its end is left.
  bool failed = false;
  // The transaction changes catalogs that others may have read.
  bool defines = false;
  // Counts explicit transactions; scans of one that has ended are refused.
  uint64_t transaction = 0;
  // Counts subtransactions, and the numbers of those that are open, outermost first.
  uint64_t subtransaction = 0;
  std::vector<uint64_t> open_subtransactions;
  int implicit_scans = 0;
  // Open scans: they hold pins, so they end before the session does.
  std::unordered_set<ScanObject*> scans;
  std::unordered_set<ListenerObject*> listeners;
  // Of the explicit transaction.
  PendingNotifications notifications;
  // Milliseconds; no lock timeout when 0.
  uint32_t lock_timeout_ms = 0;
  uint32_t deadlock_timeout_ms = 1000;
  MemoryLimits memory;
  // When the open transaction was last used.
  uint64_t last_used_ms = 0;
  // The operation that is under way has taken too long.
  bool timed_out = false;
  // Of the operation that waits for one.
  WaitEvent lock_wait = WaitEvent::none;
  // Promises of commits that are not durable yet.
  uint32_t commits_in_flight = 0;
  // What cluster.activity() tells of the session; null for nobody's.
  ActivityEntry* activity = nullptr;
  // What was told last.
  struct Told {
    ActivityState state = ActivityState::idle;
    WaitEvent wait = WaitEvent::none;
    TimestampTz state_change = 0;
    TimestampTz operation_start = 0;
    TimestampTz xact_start = 0;
    bool is_brief = false;
    uint32_t commands = 0;  // that are under way, one inside the other
  } told;

  // An operation begins, unless it is part of a command; `relation` may be none. `is_brief`: it ends with the call, soon.
  void begin_operation(const OperationName& name, Oid relation = invalid_oid,
                       bool is_brief = false);
  void tell_operation(const OperationName& name, Oid relation);
  // What it waits for within a call.
  void tell_wait(WaitEvent event);
  // What it is after a call, or after something that it waited for.
  void tell_state();

  // The relation that a single synchronous read has locked on the fast path; its calls end before anything else is done.
  std::optional<LockTag> read_locked;
  void end_read() {
    if (!read_locked) return;
    locks->table().fast_path_release(locks->slot(), *read_locked);
    read_locked.reset();
  }

  // Null where nobody counts.
  SessionCounters* counters() const { return backend ? backend->counters() : nullptr; }
  Status check() const;
  // in_failed_sql_transaction once the innermost level has failed; query_canceled once, if its operation timed out.
  Status check_not_failed();
  // A read or a scan of an explicit transaction has ended.
  void end_statement() {
    if (backend && explicit_transaction && scans.empty() && backend->in_transaction())
      backend->end_statement();
  }
  // Closes the scans that began since subtransaction number `since` did.
  void finish_scans(uint64_t since);
};

Status statement_timed_out();
// Of a clock that is quick to read, and right to a few milliseconds.
uint64_t coarse_milliseconds();

class SessionObject final : public Napi::ObjectWrap<SessionObject> {
 public:
  static Napi::Function define(Napi::Env env);
  explicit SessionObject(const Napi::CallbackInfo& info);
  ~SessionObject() override;

  // As what it is known: a client backend or an autovacuum worker, by its application's name; `invalid` is a look at
  // something, and nobody's.
  struct Identity {
    Oid database = invalid_oid;
    BackendType type = BackendType::invalid;
    std::string application_name;
  };
  static Status make(Napi::Env env, const std::shared_ptr<ClusterCore>& core,
                     const Identity& identity, Napi::Value* session);
  // Rolls back and gives the backend back; the object stays, refusing calls.
  void end();
  // Goes on with the operation that waited for a lock, or settles its promise with the error that ended the wait.
  void resume(Napi::Env env, Status status);
  void flush_statistics() {
    if (SessionCounters* const counters = state_->counters()) counters->flush();
  }

 private:
  using Result = std::function<Napi::Value(Napi::Env, LockingOperation&)>;
  struct Waiting {
    std::unique_ptr<LockingOperation> operation;
    Result result;
    Napi::Promise::Deferred deferred;
    uint64_t ticket;
  };
  // Runs an operation: what `result` makes of it, or a promise of that when it has to wait.
  template <typename Operation>
  Napi::Value run(Napi::Env env, Operation operation, Napi::Value (*result)(Napi::Env, Operation&));
  // The same, without throwing.
  template <typename Operation>
  Napi::Value run(Napi::Env env, Operation operation, Napi::Value (*result)(Napi::Env, Operation&),
                  Status* status);
  void watch(Napi::Env env);
  void end_watch();
  // Rejects the promise of the operation that waits, if there is one.
  bool cancel_wait(Napi::Env env, const Status& reason);
  Status check_not_waiting() const;
  // Readers keep a relation from being dropped or rewritten: to the end of the transaction, or of the scan.
  Status lock_for_reading(const Napi::Value& relation, const Table& table);
  Status lock_for_single_read(const Napi::Value& relation, const Table& table);

  template <typename Body>
  Napi::Value call(const Napi::CallbackInfo& info, size_t arguments, Body&& body);
  template <typename Body>
  Napi::Value read(const Napi::CallbackInfo& info, size_t arguments, Body&& body);
  Status check_transaction();
  Status check_no_subtransaction() const;
  Status begin_transaction(IsolationLevel level, bool read_only, bool deferrable);
  void transaction_began();
  void roll_back();
  // Before the open transaction is committed or rolled back.
  void end_of_transaction();
  Status commit_transaction(bool flush, Lsn* upto);
  Status commit_and_notify(bool flush, Lsn* upto);

  Napi::Value begin_command(const Napi::CallbackInfo& info);
  Napi::Value end_command(const Napi::CallbackInfo& info);
  Napi::Value in_transaction(const Napi::CallbackInfo& info);
  Napi::Value begin(const Napi::CallbackInfo& info);
  Napi::Value safe_snapshot(const Napi::CallbackInfo& info);
  Napi::Value commit(const Napi::CallbackInfo& info);
  Napi::Value commit_async(const Napi::CallbackInfo& info);
  Napi::Value prepare_async(const Napi::CallbackInfo& info);
  Napi::Value abort(const Napi::CallbackInfo& info);
  Napi::Value fail(const Napi::CallbackInfo& info);
  Napi::Value begin_subtransaction(const Napi::CallbackInfo& info);
  Napi::Value commit_subtransaction(const Napi::CallbackInfo& info);
  Napi::Value abort_subtransaction(const Napi::CallbackInfo& info);
  Napi::Value lock_relation(const Napi::CallbackInfo& info);
  Napi::Value lock_for_session(const Napi::CallbackInfo& info);
  Napi::Value begin_read(const Napi::CallbackInfo& info);
  Napi::Value end_read(const Napi::CallbackInfo& info);
  Napi::Value lock_relation_for_reading(const Napi::CallbackInfo& info);
  Napi::Value unlock_for_session(const Napi::CallbackInfo& info);
  Napi::Value lock_database(const Napi::CallbackInfo& info);
  Napi::Value advisory_lock(const Napi::CallbackInfo& info);
  Napi::Value advisory_unlock(const Napi::CallbackInfo& info);
  Napi::Value advisory_unlock_all(const Napi::CallbackInfo& info);
  Napi::Value notify(const Napi::CallbackInfo& info);
  Napi::Value listen(const Napi::CallbackInfo& info);
  Napi::Value lock_row(const Napi::CallbackInfo& info);
  Napi::Value locked_tid(const Napi::CallbackInfo& info);
  Napi::Value fetch_row(const Napi::CallbackInfo& info);
  Napi::Value cancel(const Napi::CallbackInfo& info);
  Napi::Value time_out_statement(const Napi::CallbackInfo& info);
  Napi::Value end_statement(const Napi::CallbackInfo& info);
  Napi::Value idle_milliseconds(const Napi::CallbackInfo& info);
  Napi::Value set_io_timings(const Napi::CallbackInfo& info);
  Napi::Value set_lock_timeouts(const Napi::CallbackInfo& info);
  Napi::Value set_memory_limits(const Napi::CallbackInfo& info);
  Napi::Value will_define(const Napi::CallbackInfo& info);
  Napi::Value number(const Napi::CallbackInfo& info);
  Napi::Value assign_xid(const Napi::CallbackInfo& info);
  Napi::Value transaction_id(const Napi::CallbackInfo& info);
  Napi::Value advance_command(const Napi::CallbackInfo& info);
  Napi::Value oldest_xmin(const Napi::CallbackInfo& info);
  Napi::Value insert(const Napi::CallbackInfo& info);
  Napi::Value insert_alone(const Napi::CallbackInfo& info);
  Napi::Value inserted_tids(const Napi::CallbackInfo& info);
  Napi::Value failed_row(const Napi::CallbackInfo& info);
  Napi::Value update(const Napi::CallbackInfo& info);
  Napi::Value update_by_key(const Napi::CallbackInfo& info);
  Napi::Value update_in_place(const Napi::CallbackInfo& info);
  Napi::Value remove(const Napi::CallbackInfo& info);
  Napi::Value lookup(const Napi::CallbackInfo& info);
  Napi::Value prepare_lookup(const Napi::CallbackInfo& info);
  Napi::Value prepare_range(const Napi::CallbackInfo& info);
  template <typename Read>
  Napi::Value prepare(const Napi::CallbackInfo& info);
  Napi::Value scan(const Napi::CallbackInfo& info);
  Napi::Value range(const Napi::CallbackInfo& info);
  Napi::Value aggregate(const Napi::CallbackInfo& info);
  Napi::Value query(const Napi::CallbackInfo& info);
  Napi::Value change(const Napi::CallbackInfo& info);
  Napi::Value next_changes(const Napi::CallbackInfo& info);
  Napi::Value supply_rows(const Napi::CallbackInfo& info);
  Napi::Value rows_changed(const Napi::CallbackInfo& info);
  Napi::Value refused_row(const Napi::CallbackInfo& info);
  Napi::Value create_storage(const Napi::CallbackInfo& info);
  Napi::Value begin_temporary_relations(const Napi::CallbackInfo& info);
  Napi::Value empty_temporary(const Napi::CallbackInfo& info);
  Napi::Value vacuum_temporary(const Napi::CallbackInfo& info);
  Napi::Value analyze_temporary(const Napi::CallbackInfo& info);
  Napi::Value temporary_blocks(const Napi::CallbackInfo& info);
  Napi::Value temporary_index_height(const Napi::CallbackInfo& info);
  Napi::Value drop_storage_at_commit(const Napi::CallbackInfo& info);
  Napi::Value rebuild_index(const Napi::CallbackInfo& info);
  Napi::Value copy_heap(const Napi::CallbackInfo& info);
  Napi::Value log_durable(const Napi::CallbackInfo& info);
  Napi::Value build_toast_index(const Napi::CallbackInfo& info);
  Napi::Value removes_all_rows(const Napi::CallbackInfo& info);
  Napi::Value count_truncated(const Napi::CallbackInfo& info);
  Napi::Value statistics_created(const Napi::CallbackInfo& info);
  Napi::Value statistics_dropped(const Napi::CallbackInfo& info);
  Napi::Value transfer_predicate_locks(const Napi::CallbackInfo& info);
  Napi::Value copy_database(const Napi::CallbackInfo& info);
  Napi::Value drop_database_files(const Napi::CallbackInfo& info);
  Napi::Value create_tablespace(const Napi::CallbackInfo& info);
  Napi::Value drop_tablespace(const Napi::CallbackInfo& info);
  Napi::Value replace_relation_map(const Napi::CallbackInfo& info);
  Napi::Value close(const Napi::CallbackInfo& info);

  std::shared_ptr<SessionState> state_;
  std::unique_ptr<Waiting> waiting_;
  // Where lock_row left the row.
  ItemPointer locked_tid_;
};

}  // namespace pgdata
