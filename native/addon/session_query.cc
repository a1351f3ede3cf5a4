// SessionObject: queries.
#include <algorithm>
#include <utility>
#include <vector>

#include "addon/fields.h"
#include "addon/plan_reader.h"
#include "addon/scan_object.h"
#include "addon/session_call.h"
#include "addon/session_execution.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");
constexpr double ns_per_ms = 1e6;

// NativeOperatorReport of src-ts/binding/native.ts
Napi::Object describe_report(Napi::Env env, const OperatorReport& report) {
  const Napi::Object object = Napi::Object::New(env);
  const auto set = [&](const char* name, auto value) {
    object.Set(name, Napi::Number::New(env, static_cast<double>(value)));
  };
  set("rows", report.counters.rows);
  set("rowsRemoved", report.counters.rows_removed);
  set("loops", report.counters.loops);
  set("startupMs", report.counters.startup_ms);
  set("totalMs", report.counters.total_ms);
  set("peakBytes", report.peak_bytes);
  set("diskBytes", report.disk_bytes);
  set("batches", report.batches);
  set("indexSearches", report.index_searches);
  set("exactBlocks", report.exact_blocks);
  set("lossyBlocks", report.lossy_blocks);
  set("rowsRecheckedAway", report.rows_rechecked_away);
  const Usage& usage = report.counters.usage;
  set("sharedHit", std::max<int64_t>(usage.shared_hit, 0));
  set("sharedRead", usage.shared_read);
  set("sharedDirtied", usage.shared_dirtied);
  set("sharedWritten", usage.shared_written);
  set("localHit", usage.local_hit);
  set("localRead", usage.local_read);
  set("localDirtied", usage.local_dirtied);
  set("localWritten", usage.local_written);
  set("tempReadBytes", usage.temp_read_bytes);
  set("tempWrittenBytes", usage.temp_written_bytes);
  set("walRecords", usage.wal_records);
  set("walImages", usage.wal_images);
  set("walBytes", usage.wal_bytes);
  set("readMs", static_cast<double>(usage.read_ns) / ns_per_ms);
  set("writeMs", static_cast<double>(usage.write_ns) / ns_per_ms);
  if (report.sort_method != nullptr) object.Set("sortMethod", report.sort_method);
  return object;
}

}  // namespace

// query(plan): { scan: NativeScan, layout: RowLayout, reports: () => NativeOperatorReport[], memory: () => number }
Napi::Value SessionObject::query(const Napi::CallbackInfo& info) {
  return read(info, 1, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("plan"));
    Fields plan(info[0].As<Napi::Object>());
    const Napi::Array relations = plan.array("relations");
    const uint32_t capacity = plan.number("capacity");
    const bool is_bytewise = plan.boolean("bytewiseDefaultCollation");
    THROW_IF_ERROR(env, plan.status());
    if (capacity == 0 || capacity > batch_capacity_max)
      THROW_IF_ERROR(env, bad_argument("capacity"));
    std::vector<std::shared_ptr<Table>> tables;
    for (uint32_t i = 0; i < relations.Length(); i++) {
      tables.push_back(RelationObject::table_of(env, relations.Get(i)));
      if (tables.back() == nullptr) THROW_IF_ERROR(env, bad_argument("relations"));
    }
    state_->begin_operation(select_name,
                            tables.empty() ? invalid_oid : tables[0]->definition().oid);
    for (uint32_t i = 0; i < relations.Length(); i++)
      THROW_IF_ERROR(env, lock_for_reading(relations.Get(i), *tables[i]));

    std::vector<OutputColumn> columns;
    THROW_IF_ERROR(env, PlanReader::read_columns(plan.raw("columns"), &columns));
    const std::shared_ptr<const RowLayout> layout = layout_of(columns, capacity);
    std::unique_ptr<Execution> execution = begin_execution(*state_, view);
    OperatorPointer root;
    {
      PlanReader reader(*execution, std::move(tables), is_bytewise);
      THROW_IF_ERROR(env, reader.read_node(plan.raw("root"), &root));
    }
    const Napi::Object result = Napi::Object::New(env);
    result.Set("layout", describe_layout(env, *layout));
    auto scan = std::make_unique<QueryScan>(std::move(execution), std::move(root),
                                            std::move(columns), layout);
    result.Set("reports", Napi::Function::New(
                              env, [reports = scan->reports()](const Napi::CallbackInfo& call) {
                                const Napi::Array array = Napi::Array::New(call.Env());
                                for (uint32_t i = 0; i < reports->size(); i++)
                                  array.Set(i, describe_report(call.Env(), (*reports)[i]));
                                return array;
                              }));
    result.Set("memory",
               Napi::Function::New(env, [account = scan->memory()](const Napi::CallbackInfo& call) {
                 return Napi::Number::New(call.Env(), static_cast<double>(account->held()));
               }));
    result.Set("scan", ScanObject::make(env, state_, layout, std::move(scan)));
    return result;
  });
}

}  // namespace pgdata
