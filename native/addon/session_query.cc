// SessionObject: queries.
#include <utility>
#include <vector>

#include "addon/fields.h"
#include "addon/operator_reports.h"
#include "addon/plan_reader.h"
#include "addon/scan_object.h"
#include "addon/session_call.h"
#include "addon/session_execution.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");

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
    result.Set("reports", reports_function(env, scan->reports()));
    result.Set("memory",
               Napi::Function::New(env, [account = scan->memory()](const Napi::CallbackInfo& call) {
                 return Napi::Number::New(call.Env(), static_cast<double>(account->held()));
               }));
    result.Set("scan", ScanObject::make(env, state_, layout, std::move(scan)));
    return result;
  });
}

}  // namespace pgdata
