// ChangeReader: nodes by their names.
#include "addon/change_reader.h"

#include <string>
#include <utility>

#include "addon/error.h"
#include "addon/fields.h"
#include "executor/assignment.h"
#include "executor/row_operators.h"
#include "executor/update_rows.h"

namespace pgdata {

namespace {

Status read_found_rows(PlanReader& reader, const Napi::Object& change, const Table& table,
                       FoundRows* rows) {
  RETURN_IF_ERROR(PlanReader::read_attributes(change.Get("attributes"), table, &rows->attributes));
  if (rows->attributes.empty() || rows->attributes[0] != tid_attribute)
    return bad_argument("attributes");
  return reader.read_expressions(change.Get("conditions"), &rows->conditions);
}

}  // namespace

Status ChangeReader::read(const Napi::Object& change, OperatorPointer* root,
                          WritingOperator** writing) {
  std::optional<std::vector<int>> returning;
  const Napi::Value given = change.Get("returning");
  if (given.IsObject())
    RETURN_IF_ERROR(PlanReader::read_attributes(given.As<Napi::Object>().Get("attributes"), *table_,
                                                &returning.emplace()));
  const std::string node = Fields(change).text("node");
  std::unique_ptr<WritingOperator> made;
  if (node == "insert")
    RETURN_IF_ERROR(read_insert(change, std::move(returning), &made));
  else if (node == "update")
    RETURN_IF_ERROR(read_update(change, std::move(returning), &made));
  else if (node == "delete")
    RETURN_IF_ERROR(read_delete(change, std::move(returning), &made));
  else
    return bad_argument("node");
  *writing = made.get();
  *root = std::move(made);
  if (!given.IsObject()) return Status::ok;
  std::vector<ExpressionPointer> expressions;
  RETURN_IF_ERROR(
      reader_.read_expressions(given.As<Napi::Object>().Get("expressions"), &expressions));
  *root = std::make_unique<Project>(execution_, std::move(*root), std::move(expressions));
  return Status::ok;
}

Status ChangeReader::read_insert(const Napi::Object& change,
                                 std::optional<std::vector<int>> returning,
                                 std::unique_ptr<WritingOperator>* made) {
  std::optional<OnConflict> on_conflict;
  const Napi::Value given = change.Get("onConflict");
  if (given.IsObject())
    RETURN_IF_ERROR(read_on_conflict(given.As<Napi::Object>(), &on_conflict.emplace()));
  *made = std::make_unique<InsertRows>(execution_, context_, table_, std::move(on_conflict),
                                       std::move(returning));
  return Status::ok;
}

Status ChangeReader::read_on_conflict(const Napi::Object& given, OnConflict* made) {
  Fields fields(given);
  const Napi::Array arbiters = fields.array("arbiters");
  made->updates = fields.boolean("updates");
  RETURN_IF_ERROR(fields.status());
  for (uint32_t i = 0; i < arbiters.Length(); i++) {
    const size_t index = Napi::Value(arbiters.Get(i)).ToNumber().Uint32Value();
    if (index >= table_->indexes().size() || !table_->indexes()[index].definition.unique)
      return bad_argument("arbiters");
    made->arbiters.push_back(index);
  }
  if (!made->updates) return Status::ok;
  RETURN_IF_ERROR(PlanReader::read_attributes(given.Get("existing"), *table_, &made->existing));
  RETURN_IF_ERROR(PlanReader::read_attributes(given.Get("excluded"), *table_, &made->excluded));
  for (const int attribute : made->excluded)
    if (attribute == tid_attribute) return bad_argument("excluded");
  RETURN_IF_ERROR(reader_.read_expressions(given.Get("conditions"), &made->conditions));
  RETURN_IF_ERROR(read_set(given, &made->set));
  return read_assignments(given, made->set.size(), &made->expressions);
}

Status ChangeReader::read_update(const Napi::Object& change,
                                 std::optional<std::vector<int>> returning,
                                 std::unique_ptr<WritingOperator>* made) {
  OperatorPointer child;
  RETURN_IF_ERROR(reader_.read_node(change.Get("child"), &child));
  FoundRows rows;
  RETURN_IF_ERROR(read_found_rows(reader_, change, *table_, &rows));
  UpdateRows::NewValues values;
  RETURN_IF_ERROR(read_set(change, &values.set));
  RETURN_IF_ERROR(read_assignments(change, values.set.size(), &values.expressions));
  RETURN_IF_ERROR(read_assignments(change, values.set.size(), &values.again));
  *made = std::make_unique<UpdateRows>(execution_, context_, table_, std::move(child),
                                       std::move(rows), std::move(values), std::move(returning));
  return Status::ok;
}

Status ChangeReader::read_set(const Napi::Object& given, std::vector<int>* set) {
  RETURN_IF_ERROR(PlanReader::read_attributes(given.Get("set"), *table_, set));
  for (const int attribute : *set)
    if (attribute == tid_attribute) return bad_argument("set");
  return Status::ok;
}

// Each expression with the cast to its column.
Status ChangeReader::read_assignments(const Napi::Object& given, size_t count,
                                      std::vector<ExpressionPointer>* made) {
  RETURN_IF_ERROR(reader_.read_expressions(given.Get("expressions"), made));
  const Napi::Array casts = Fields(given).array("casts");
  if (made->size() != count || casts.Length() != count) return bad_argument("expressions");
  for (uint32_t i = 0; i < count; i++) {
    const Napi::Value cast = casts.Get(i);
    if (!cast.IsObject()) continue;
    ValueType type;
    RETURN_IF_ERROR(PlanReader::read_type(cast, &type));
    Fields fields(cast.As<Napi::Object>());
    const int32_t typmod = fields.integer("typmod");
    RETURN_IF_ERROR(fields.status());
    const bool is_constant = (*made)[i]->is_constant();
    RETURN_IF_ERROR(
        make_assignment(std::move((*made)[i]), type, typmod, execution_.memory, &(*made)[i]));
    if (is_constant) RETURN_IF_ERROR(compute_constant(execution_.memory, &(*made)[i]));
  }
  return Status::ok;
}

Status ChangeReader::read_delete(const Napi::Object& change,
                                 std::optional<std::vector<int>> returning,
                                 std::unique_ptr<WritingOperator>* made) {
  OperatorPointer child;
  RETURN_IF_ERROR(reader_.read_node(change.Get("child"), &child));
  FoundRows rows;
  RETURN_IF_ERROR(read_found_rows(reader_, change, *table_, &rows));
  *made = std::make_unique<DeleteRows>(execution_, context_, table_, std::move(child),
                                       std::move(rows), std::move(returning));
  return Status::ok;
}

}  // namespace pgdata
