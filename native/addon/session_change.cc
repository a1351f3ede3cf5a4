// SessionObject: statements that change rows by condition.
#include <string>
#include <utility>
#include <vector>

#include "addon/change_reader.h"
#include "addon/fields.h"
#include "addon/operator_reports.h"
#include "addon/plan_reader.h"
#include "addon/scan_object.h"
#include "addon/session_arguments.h"
#include "addon/session_call.h"
#include "addon/session_execution.h"
#include "executor/query_scan.h"

namespace pgdata {

namespace {

constexpr OperationName insert_name("INSERT");
constexpr OperationName update_name("UPDATE");
constexpr OperationName delete_name("DELETE");

// One batch of rows that a statement gives. Where it has to wait, it ends with the rows so far once the lock is granted.
class NextChanges final : public LockingOperation {
 public:
  NextChanges(ScanObject& scan, const Napi::Value& batch) : scan_(scan), batch_(batch) {}
  Status step(bool* waiting) override {
    *waiting = false;
    if (std::exchange(done_, true)) return Status::ok;
    WritingOperator& writing = scan_.writing();
    writing.go_on();
    RETURN_IF_ERROR(scan_.read(batch_, UINT32_MAX, &rows_));
    *waiting = writing.is_waiting();
    has_met_own_ = writing.has_met_own();
    return Status::ok;
  }
  int64_t result() const { return has_met_own_ ? -1 : int64_t{rows_}; }

 private:
  // Both are used in the first step alone.
  ScanObject& scan_;
  Napi::Value batch_;
  bool done_ = false;
  uint32_t rows_ = 0;
  bool has_met_own_ = false;
};

}  // namespace

// change(change, wait): { scan: NativeScan, layout: RowLayout, reports: () => NativeOperatorReport[] }
Napi::Value SessionObject::change(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("change"));
    const auto object = info[0].As<Napi::Object>();
    Fields fields(object);
    const std::shared_ptr<Table> table = RelationObject::table_of(env, fields.raw("relation"));
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    const std::string node = fields.text("node");
    const uint32_t capacity = fields.number("capacity");
    const bool is_bytewise = fields.boolean("bytewiseDefaultCollation");
    THROW_IF_ERROR(env, fields.status());
    if (capacity == 0 || capacity > batch_capacity_max)
      THROW_IF_ERROR(env, bad_argument("capacity"));
    WaitPolicy policy{};
    THROW_IF_ERROR(env, policy_of(info[1], &policy));
    state_->begin_operation(node == "insert"   ? insert_name
                            : node == "update" ? update_name
                                               : delete_name,
                            table->definition().oid);
    THROW_IF_ERROR(env, table->check_writable());
    Backend& backend = *state_->backend;
    // A statement that finds no row to change is refused in a read-only transaction all the same.
    if (backend.read_only()) {
      TransactionId xid;
      THROW_IF_ERROR(env, backend.assign_xid(&xid, table->definition().temporary));
    }
    const Snapshot* snapshot = nullptr;
    THROW_IF_ERROR(env, backend.statement_snapshot(&snapshot));

    std::vector<OutputColumn> columns;
    THROW_IF_ERROR(env, PlanReader::read_columns(fields.raw("columns"), &columns));
    const std::shared_ptr<const RowLayout> layout = layout_of(columns, capacity);
    std::unique_ptr<Execution> execution =
        begin_execution(*state_, ReadView{ReadContext(backend), snapshot});
    OperatorPointer root;
    WritingOperator* writing = nullptr;
    {
      PlanReader reader(*execution, {table}, is_bytewise);
      const WriteContext context{backend, *state_->locks, *state_->writer, policy};
      THROW_IF_ERROR(
          env, ChangeReader(*execution, context, table, reader).read(object, &root, &writing));
    }
    const Napi::Object result = Napi::Object::New(env);
    result.Set("layout", describe_layout(env, *layout));
    auto scan = std::make_unique<QueryScan>(std::move(execution), std::move(root),
                                            std::move(columns), layout);
    result.Set("reports", reports_function(env, scan->reports()));
    result.Set("scan", ScanObject::make_writing(env, state_, layout, std::move(scan), writing));
    return result;
  });
}

// nextChanges(scan, batch): number | Promise<number>
Napi::Value SessionObject::next_changes(const Napi::CallbackInfo& info) {
  return call(info, 2, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    ScanObject* const scan = ScanObject::writing_scan_of(info[0]);
    if (scan == nullptr)
      THROW_IF_ERROR(env, Status::error(ErrorCode::invalid_cursor_state, "the scan is closed"));
    return run<NextChanges>(env, NextChanges(*scan, info[1]),
                            [](Napi::Env to, NextChanges& ended) -> Napi::Value {
                              return Napi::Number::New(to, static_cast<double>(ended.result()));
                            });
  });
}

// supplyRows(scan, relation, layout, batch)
Napi::Value SessionObject::supply_rows(const Napi::CallbackInfo& info) {
  return call(info, 4, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    THROW_IF_ERROR(env, check_transaction());
    THROW_IF_ERROR(env, check_not_waiting());
    ScanObject* const scan = ScanObject::writing_scan_of(info[0]);
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[1]);
    if (scan == nullptr || table == nullptr) THROW_IF_ERROR(env, bad_argument("scan"));
    Staged staged;
    THROW_IF_ERROR(env, staged_of(*table, info[2], info[3], &staged));
    THROW_IF_ERROR(env, scan->writing().supply(*table, *staged.layout, staged.bytes, staged.size));
    return env.Undefined();
  });
}

// rowsChanged(scan): number
Napi::Value SessionObject::rows_changed(const Napi::CallbackInfo& info) {
  return call(info, 1, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    ScanObject* const scan = ScanObject::writing_scan_of(info[0]);
    return Napi::Number::New(env,
                             scan == nullptr ? 0 : static_cast<double>(scan->writing().changed()));
  });
}

// refusedRow(relation, layout, batch): 1; 0 when there is none, or the batch is too small
Napi::Value SessionObject::refused_row(const Napi::CallbackInfo& info) {
  return call(info, 3, [&]() -> Napi::Value {
    const Napi::Env env = info.Env();
    const std::shared_ptr<Table> table = RelationObject::table_of(env, info[0]);
    if (table == nullptr) THROW_IF_ERROR(env, bad_argument("relation"));
    Staged batch;
    THROW_IF_ERROR(env, staged_of(*table, info[1], info[2], &batch));
    RowWriter writer(*batch.layout, batch.bytes, batch.size);
    if (state_->writer != nullptr && !state_->writer->refused_row().empty()) {
      std::vector<std::byte> row = state_->writer->refused_row();
      const HeapTuple tuple{row.data(), static_cast<uint32_t>(row.size()), ItemPointer()};
      bool fits = false;
      THROW_IF_ERROR(
          env, RowOutput(*table, *batch.layout).write(*state_->backend, tuple, &writer, &fits));
    }
    writer.finish(true);
    return Napi::Number::New(env, writer.rows());
  });
}

}  // namespace pgdata
