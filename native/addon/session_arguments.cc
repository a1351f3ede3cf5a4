// What JavaScript gives the calls of a session, checked.
#include "addon/session_arguments.h"

#include <string>
#include <vector>

#include "addon/error.h"
#include "table/row_source.h"

namespace pgdata {

bool bytes_of(const Napi::Value& value, std::byte** bytes, size_t* size) {
  if (!value.IsTypedArray()) return false;
  auto array = value.As<Napi::Uint8Array>();
  *bytes = reinterpret_cast<std::byte*>(array.Data());
  *size = array.ByteLength();
  return true;
}

Status staged_of(const Table& table, const Napi::Value& layout, const Napi::Value& batch,
                 Staged* staged) {
  if (!layout.IsNumber()) return bad_argument("layout");
  staged->layout = table.row_layout(layout.As<Napi::Number>().Uint32Value());
  if (staged->layout == nullptr || !bytes_of(batch, &staged->bytes, &staged->size))
    return bad_argument("batch");
  if (staged->size < staged->layout->heap()) return bad_argument("batch");
  return Status::ok;
}

Status policy_of(const Napi::Value& value, WaitPolicy* policy) {
  const std::string name = value.IsString() ? value.As<Napi::String>().Utf8Value() : "";
  if (name == "wait")
    *policy = WaitPolicy::wait;
  else if (name == "nowait")
    *policy = WaitPolicy::no_wait;
  else if (name == "skip locked")
    *policy = WaitPolicy::skip;
  else if (name == "refuse")
    *policy = WaitPolicy::refuse;
  else
    return bad_argument("wait");
  return Status::ok;
}

Status tid_of(const Napi::Value& block, const Napi::Value& offset, ItemPointer* tid) {
  if (!block.IsNumber() || !offset.IsNumber()) return bad_argument("tid");
  const uint32_t number = offset.As<Napi::Number>().Uint32Value();
  if (number == 0 || number > 0xFFFF) return bad_argument("tid");
  *tid = ItemPointer(BlockNumber{block.As<Napi::Number>().Uint32Value()},
                     static_cast<OffsetNumber>(number));
  return Status::ok;
}

namespace {

Status operator_of(const std::string& name, FilterOperator* op) {
  struct Entry {
    const char* name;
    FilterOperator op;
  };
  constexpr Entry entries[] = {
      {"=", FilterOperator::equal},         {"<>", FilterOperator::not_equal},
      {"<", FilterOperator::less},          {"<=", FilterOperator::less_or_equal},
      {">", FilterOperator::greater},       {">=", FilterOperator::greater_or_equal},
      {"is null", FilterOperator::is_null}, {"is not null", FilterOperator::is_not_null},
  };
  for (const Entry& entry : entries) {
    if (name != entry.name) continue;
    *op = entry.op;
    return Status::ok;
  }
  return bad_argument("operator");
}

}  // namespace

Status filter_of(const Table& table, const Napi::Value& filters, const Napi::Value& layout,
                 const Napi::Value& constants, std::unique_ptr<Filter>* filter) {
  if (!filters.IsArray()) return bad_argument("filters");
  const auto array = filters.As<Napi::Array>();
  std::vector<FilterCondition> conditions;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value value = array.Get(i);
    if (!value.IsObject()) return bad_argument("filters");
    const auto object = value.As<Napi::Object>();
    FilterCondition condition;
    condition.attribute = object.Get("attribute").ToNumber().Int32Value() - 1;
    if (condition.attribute < 0 || condition.attribute >= table.natts())
      return bad_argument("attribute");
    RETURN_IF_ERROR(operator_of(object.Get("operator").ToString().Utf8Value(), &condition.op));
    conditions.push_back(condition);
  }
  if (constants.IsUndefined()) return Filter::create(table, conditions, nullptr, nullptr, filter);
  Staged staged;
  RETURN_IF_ERROR(staged_of(table, layout, constants, &staged));
  const RowReader reader(*staged.layout, staged.bytes, staged.size);
  RETURN_IF_ERROR(reader.check());
  return Filter::create(table, conditions, staged.layout, &reader, filter);
}

}  // namespace pgdata
