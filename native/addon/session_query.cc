// SessionObject: queries.
#include <utility>
#include <vector>

#include "addon/fields.h"
#include "addon/plan_reader.h"
#include "addon/scan_object.h"
#include "addon/session_call.h"

namespace pgdata {

namespace {

constexpr OperationName select_name("SELECT");
constexpr uint32_t capacity_max = 1u << 20;

}  // namespace

// query(plan): { scan: NativeScan, layout: RowLayout }
Napi::Value SessionObject::query(const Napi::CallbackInfo& info) {
  return read(info, 1, [&](const ReadView& view) -> Napi::Value {
    const Napi::Env env = info.Env();
    if (!info[0].IsObject()) THROW_IF_ERROR(env, bad_argument("plan"));
    Fields plan(info[0].As<Napi::Object>());
    const Napi::Array relations = plan.array("relations");
    const uint32_t capacity = plan.number("capacity");
    const bool is_bytewise = plan.boolean("bytewiseDefaultCollation");
    THROW_IF_ERROR(env, plan.status());
    if (capacity == 0 || capacity > capacity_max) THROW_IF_ERROR(env, bad_argument("capacity"));
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
    std::vector<Lane> lanes;
    std::vector<int> attributes;
    for (const OutputColumn& column : columns) {
      attributes.push_back(static_cast<int>(lanes.size()));
      lanes.push_back(column.lane);
    }
    const auto layout = std::make_shared<const RowLayout>(lanes, attributes, capacity, false);
    auto execution = std::make_unique<Execution>(view.context, *view.snapshot);
    OperatorPointer root;
    {
      PlanReader reader(*execution, std::move(tables), is_bytewise);
      THROW_IF_ERROR(env, reader.read_node(plan.raw("root"), &root));
    }
    const Napi::Object result = Napi::Object::New(env);
    result.Set("layout", describe_layout(env, *layout));
    result.Set("scan",
               ScanObject::make(env, state_, layout,
                                std::make_unique<QueryScan>(std::move(execution), std::move(root),
                                                            std::move(columns), layout)));
    return result;
  });
}

}  // namespace pgdata
