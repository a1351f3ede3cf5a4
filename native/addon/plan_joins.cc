// PlanReader: joins.
#include <memory>
#include <string>
#include <utility>

#include "addon/error.h"
#include "addon/fields.h"
#include "addon/named.h"
#include "addon/plan_reader.h"
#include "executor/hash_join.h"
#include "executor/materialize.h"
#include "executor/merge_join.h"
#include "executor/nested_loop.h"

namespace pgdata {

namespace {

constexpr Named<JoinType> join_types[] = {
    {"inner", JoinType::inner}, {"left", JoinType::left}, {"right", JoinType::right},
    {"full", JoinType::full},   {"semi", JoinType::semi}, {"anti", JoinType::anti},
};

}  // namespace

Status PlanReader::read_join_keys(const Napi::Array& array, std::vector<JoinKey>* keys) {
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) return bad_argument("keys");
    const auto described = item.As<Napi::Object>();
    JoinKey key;
    RETURN_IF_ERROR(read_expression(described.Get("left"), &key.left));
    RETURN_IF_ERROR(read_expression(described.Get("right"), &key.right));
    keys->push_back(std::move(key));
  }
  return Status::ok;
}

Status PlanReader::read_hash_join(const Napi::Object& object, OperatorPointer* made) {
  Fields fields(object);
  JoinType type;
  if (!find_named(join_types, fields.text("type"), &type)) return bad_argument("type");
  OperatorPointer left;
  OperatorPointer right;
  RETURN_IF_ERROR(read_node(object.Get("left"), &left));
  RETURN_IF_ERROR(read_node(object.Get("right"), &right));
  const Napi::Array array = fields.array("keys");
  RETURN_IF_ERROR(fields.status());
  std::vector<ValueType> left_types;
  std::vector<ValueType> right_types;
  RETURN_IF_ERROR(read_types(object.Get("leftColumns"), &left_types));
  RETURN_IF_ERROR(read_types(object.Get("rightColumns"), &right_types));
  std::vector<JoinKey> keys;
  RETURN_IF_ERROR(read_join_keys(array, &keys));
  std::vector<ExpressionPointer> conditions;
  RETURN_IF_ERROR(read_expressions(object.Get("filter"), &conditions));
  return HashJoin::create(execution_, type, std::move(left), std::move(right),
                          std::move(left_types), std::move(right_types), std::move(keys),
                          std::move(conditions), made);
}

Status PlanReader::read_merge_join(const Napi::Object& object, OperatorPointer* made) {
  Fields fields(object);
  MergePlan plan;
  if (!find_named(join_types, fields.text("type"), &plan.type)) return bad_argument("type");
  OperatorPointer left;
  OperatorPointer right;
  RETURN_IF_ERROR(read_node(object.Get("left"), &left));
  RETURN_IF_ERROR(read_node(object.Get("right"), &right));
  const Napi::Array array = fields.array("keys");
  RETURN_IF_ERROR(fields.status());
  RETURN_IF_ERROR(read_types(object.Get("leftColumns"), &plan.left_types));
  RETURN_IF_ERROR(read_types(object.Get("rightColumns"), &plan.right_types));
  RETURN_IF_ERROR(read_join_keys(array, &plan.keys));
  if (plan.keys.empty()) return bad_argument("keys");
  plan.orders.resize(plan.keys.size());
  for (size_t i = 0; i < plan.keys.size(); i++)
    RETURN_IF_ERROR(
        order_of_type(plan.keys[i].left->type(), default_collation_is_bytewise_, &plan.orders[i]));
  RETURN_IF_ERROR(read_expressions(object.Get("filter"), &plan.conditions));
  *made =
      std::make_unique<MergeJoin>(execution_, std::move(plan), std::move(left), std::move(right));
  return Status::ok;
}

// An index scan searches for each left row; anything else is read again and again.
Status PlanReader::read_nested_loop(const Napi::Object& object, OperatorPointer* made) {
  Fields fields(object);
  LoopPlan plan;
  if (!find_named(join_types, fields.text("type"), &plan.type)) return bad_argument("type");
  if (plan.type == JoinType::right || plan.type == JoinType::full) return bad_argument("type");
  plan.takes_first = fields.boolean("takesFirst");
  const Napi::Array tested = fields.array("testedColumns");
  RETURN_IF_ERROR(fields.status());
  RETURN_IF_ERROR(read_types(object.Get("leftColumns"), &plan.left_types));
  RETURN_IF_ERROR(read_types(object.Get("rightColumns"), &plan.right_types));
  RETURN_IF_ERROR(read_expressions(object.Get("filter"), &plan.conditions));
  for (uint32_t i = 0; i < tested.Length(); i++) {
    const size_t column = Napi::Value(tested.Get(i)).ToNumber().Uint32Value();
    if (column >= plan.left_types.size()) return bad_argument("testedColumns");
    plan.tested_columns.push_back(column);
  }
  OperatorPointer left;
  RETURN_IF_ERROR(read_node(object.Get("left"), &left));
  const Napi::Value described = object.Get("right");
  if (!described.IsObject()) return bad_argument("right");
  const auto right_object = described.As<Napi::Object>();
  if (Fields(right_object).text("node") == "index scan") {
    IndexSearch search;
    RETURN_IF_ERROR(read_index_search(right_object, &search));
    if (plan.right_types.size() != search.attributes.size()) return bad_argument("rightColumns");
    *made = NestedLoop::create(execution_, std::move(plan), std::move(left),
                               std::make_unique<IndexScan>(execution_, std::move(search)));
    return Status::ok;
  }
  OperatorPointer right;
  RETURN_IF_ERROR(read_node(described, &right));
  if (!right->can_rewind()) return bad_argument("right");
  *made = NestedLoop::create(execution_, std::move(plan), std::move(left), std::move(right));
  return Status::ok;
}

Status PlanReader::read_materialize(const Napi::Object& object, OperatorPointer* made) {
  OperatorPointer child;
  RETURN_IF_ERROR(read_node(object.Get("child"), &child));
  std::vector<ValueType> types;
  RETURN_IF_ERROR(read_types(object.Get("columns"), &types));
  *made = std::make_unique<Materialize>(execution_, std::move(child), std::move(types));
  return Status::ok;
}

}  // namespace pgdata
