// PlanReader: nodes and expressions by their names.
#include "addon/plan_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "addon/error.h"
#include "addon/fields.h"
#include "addon/named.h"
#include "executor/first_values.h"
#include "executor/group_aggregate.h"
#include "executor/hash_aggregate.h"
#include "executor/hash_set_op.h"
#include "executor/index_scan.h"
#include "executor/row_operators.h"
#include "executor/seq_scan.h"
#include "executor/sort_rows.h"

namespace pgdata {

namespace {

// SelfItemPointerAttributeNumber, src/include/access/sysattr.h, PostgreSQL 18.
constexpr int tid_attribute_number = -1;

constexpr Named<Comparison> comparisons[] = {
    {"=", Comparison::equal},   {"<>", Comparison::not_equal},
    {"<", Comparison::less},    {"<=", Comparison::less_or_equal},
    {">", Comparison::greater}, {">=", Comparison::greater_or_equal},
};

constexpr Named<BtreeOperator> key_operators[] = {
    {"=", BtreeOperator::equal},
    {"<", BtreeOperator::less},
    {"<=", BtreeOperator::less_or_equal},
    {">", BtreeOperator::greater},
    {">=", BtreeOperator::greater_or_equal},
    {"is null", BtreeOperator::is_null},
    {"is not null", BtreeOperator::is_not_null},
};

constexpr Named<Arithmetic> calculations[] = {
    {"+", Arithmetic::add},    {"-", Arithmetic::subtract}, {"*", Arithmetic::multiply},
    {"/", Arithmetic::divide}, {"%", Arithmetic::modulo},
};

constexpr Named<SetOpCommand> set_op_commands[] = {
    {"intersect", SetOpCommand::intersect},
    {"intersect all", SetOpCommand::intersect_all},
    {"except", SetOpCommand::except},
    {"except all", SetOpCommand::except_all},
};

constexpr Named<AggregateFunction> aggregate_functions[] = {
    {"count(*)", AggregateFunction::count_rows},
    {"count", AggregateFunction::count},
    {"sum", AggregateFunction::sum},
    {"avg", AggregateFunction::avg},
    {"min", AggregateFunction::min},
    {"max", AggregateFunction::max},
};

}  // namespace

bool PlanReader::find_aggregate(const std::string& name, AggregateFunction* function) {
  return find_named(aggregate_functions, name, function);
}

Status PlanReader::read_type(const Napi::Value& value, ValueType* type) {
  if (!value.IsObject()) return bad_argument("type");
  Fields fields(value.As<Napi::Object>());
  type->oid = fields.number("oid");
  type->length = static_cast<int16_t>(fields.integer("length"));
  type->by_value = fields.boolean("byValue");
  type->collation = fields.number("collation");
  type->element_type = fields.number("elementType");
  return fields.status();
}

Status PlanReader::read_types(const Napi::Value& value, std::vector<ValueType>* types) {
  if (!value.IsArray()) return bad_argument("columns");
  const auto array = value.As<Napi::Array>();
  types->resize(array.Length());
  for (uint32_t i = 0; i < array.Length(); i++)
    RETURN_IF_ERROR(read_type(array.Get(i), &(*types)[i]));
  return Status::ok;
}

Status PlanReader::read_columns(const Napi::Value& value, std::vector<OutputColumn>* columns) {
  if (!value.IsArray()) return bad_argument("columns");
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) return bad_argument("columns");
    OutputColumn column;
    RETURN_IF_ERROR(read_type(item, &column.type));
    Fields fields(item.As<Napi::Object>());
    RETURN_IF_ERROR(read_lane(fields.raw("lane"), &column.lane));
    if (column.type.by_value != (column.lane < Lane::text)) return bad_argument("lane");
    columns->push_back(column);
  }
  return Status::ok;
}

Status PlanReader::read_datum(const Napi::Value& value, const ValueType& type, Datum* datum) {
  if (!value.IsTypedArray()) return bad_argument("constant");
  const auto array = value.As<Napi::Uint8Array>();
  const size_t size = array.ByteLength();
  if (type.by_value) {
    switch (type.length) {
      case 1:
        if (size != 1) return bad_argument("constant");
        *datum = static_cast<Datum>(static_cast<int64_t>(load<int8_t>(array.Data())));
        return Status::ok;
      case 2:
        if (size != 2) return bad_argument("constant");
        *datum = static_cast<Datum>(static_cast<int64_t>(load<int16_t>(array.Data())));
        return Status::ok;
      case 4:
        if (size != 4) return bad_argument("constant");
        *datum = static_cast<Datum>(static_cast<int64_t>(load<int32_t>(array.Data())));
        return Status::ok;
      default:
        if (size != 8) return bad_argument("constant");
        *datum = load<Datum>(array.Data());
        return Status::ok;
    }
  }
  const size_t header = type.length == -1 ? VARHDRSZ : 0;
  const size_t whole =
      type.length > 0 ? static_cast<size_t>(type.length) : header + size + (header == 0 ? 1 : 0);
  std::byte* bytes = constants_.allocate(whole);
  std::memset(bytes, 0, whole);
  if (header != 0) set_varlena_size_4b(bytes, static_cast<uint32_t>(whole));
  if (size != 0) std::memcpy(bytes + header, array.Data(), std::min(size, whole - header));
  *datum = pointer_datum(bytes);
  return Status::ok;
}

Status PlanReader::read_expressions(const Napi::Value& value,
                                    std::vector<ExpressionPointer>* made) {
  if (!value.IsArray()) return bad_argument("expressions");
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    ExpressionPointer expression;
    RETURN_IF_ERROR(read_expression(array.Get(i), &expression));
    made->push_back(std::move(expression));
  }
  return Status::ok;
}

Status PlanReader::read_comparison(const Napi::Object& object, ExpressionPointer* made) {
  Comparison op;
  if (!find_named(comparisons, Fields(object).text("operator"), &op))
    return bad_argument("operator");
  ExpressionPointer left;
  ExpressionPointer right;
  RETURN_IF_ERROR(read_expression(object.Get("left"), &left));
  RETURN_IF_ERROR(read_expression(object.Get("right"), &right));
  return make_comparison(op, std::move(left), std::move(right), default_collation_is_bytewise_,
                         execution_.memory, made);
}

Status PlanReader::read_in_list(const Napi::Object& object, ExpressionPointer* made) {
  ExpressionPointer operand;
  RETURN_IF_ERROR(read_expression(object.Get("operand"), &operand));
  Fields fields(object);
  const Napi::Array array = fields.array("list");
  std::vector<Datum> list;
  for (uint32_t i = 0; i < array.Length(); i++) {
    Datum datum = 0;
    RETURN_IF_ERROR(read_datum(array.Get(i), operand->type(), &datum));
    list.push_back(datum);
  }
  const bool has_null = fields.boolean("hasNull");
  RETURN_IF_ERROR(fields.status());
  return make_in_list(std::move(operand), list, has_null, execution_.memory, made);
}

Status PlanReader::read_arithmetic(const Napi::Object& object, ExpressionPointer* made) {
  Arithmetic op;
  if (!find_named(calculations, Fields(object).text("operator"), &op))
    return bad_argument("operator");
  ExpressionPointer left;
  ExpressionPointer right;
  RETURN_IF_ERROR(read_expression(object.Get("left"), &left));
  RETURN_IF_ERROR(read_expression(object.Get("right"), &right));
  const bool is_constant = left->is_constant() && right->is_constant();
  RETURN_IF_ERROR(make_arithmetic(op, std::move(left), std::move(right), execution_.memory, made));
  return is_constant ? compute_constant(execution_.memory, made) : Status();
}

Status PlanReader::read_expression(const Napi::Value& value, ExpressionPointer* made) {
  if (!value.IsObject()) return bad_argument("expression");
  const auto object = value.As<Napi::Object>();
  Fields fields(object);
  const std::string kind = fields.text("kind");
  RETURN_IF_ERROR(fields.status());
  MemoryAccount& memory = execution_.memory;
  if (kind == "column") {
    ValueType type;
    RETURN_IF_ERROR(read_type(object.Get("type"), &type));
    *made = make_column(type, fields.number("index"));
    return fields.status();
  }
  if (kind == "constant") {
    ValueType type;
    RETURN_IF_ERROR(read_type(object.Get("type"), &type));
    const Napi::Value bytes = object.Get("value");
    Datum datum = 0;
    if (!bytes.IsNull()) RETURN_IF_ERROR(read_datum(bytes, type, &datum));
    *made = make_constant(type, bytes.IsNull() ? nullptr : &datum, memory);
    return Status::ok;
  }
  if (kind == "comparison") return read_comparison(object, made);
  if (kind == "arithmetic") return read_arithmetic(object, made);
  if (kind == "in") return read_in_list(object, made);
  if (kind == "and" || kind == "or") {
    std::vector<ExpressionPointer> operands;
    RETURN_IF_ERROR(read_expressions(object.Get("operands"), &operands));
    *made = kind == "and" ? make_and(std::move(operands), memory)
                          : make_or(std::move(operands), memory);
    return Status::ok;
  }
  ExpressionPointer operand;
  if (kind == "like") {
    ExpressionPointer pattern;
    RETURN_IF_ERROR(read_expression(object.Get("left"), &operand));
    RETURN_IF_ERROR(read_expression(object.Get("right"), &pattern));
    *made = make_like(std::move(operand), std::move(pattern), memory);
    return Status::ok;
  }
  RETURN_IF_ERROR(read_expression(object.Get("operand"), &operand));
  if (kind == "not") {
    *made = make_not(std::move(operand), memory);
    return Status::ok;
  }
  if (kind == "is null") {
    *made = make_is_null(std::move(operand), memory);
    return Status::ok;
  }
  if (kind == "json") return read_json_path(object, std::move(operand), made);
  if (kind == "cast") {
    ValueType type;
    RETURN_IF_ERROR(read_type(object.Get("type"), &type));
    const bool is_constant = operand->is_constant();
    RETURN_IF_ERROR(make_cast(std::move(operand), type, memory, made));
    return is_constant ? compute_constant(memory, made) : Status();
  }
  return bad_argument("kind");
}

Status PlanReader::read_json_path(const Napi::Object& object, ExpressionPointer operand,
                                  ExpressionPointer* made) {
  ValueType type;
  RETURN_IF_ERROR(read_type(object.Get("type"), &type));
  const Napi::Value given = object.Get("steps");
  if (!given.IsArray()) return bad_argument("steps");
  const auto list = given.As<Napi::Array>();
  std::vector<JsonStep> steps(list.Length());
  for (uint32_t i = 0; i < list.Length(); i++) {
    const Napi::Value step = list.Get(i);
    steps[i].is_key = step.IsString();
    if (step.IsString())
      steps[i].key = step.As<Napi::String>().Utf8Value();
    else if (step.IsNumber())
      steps[i].place = step.As<Napi::Number>().Int32Value();
    else
      return bad_argument("steps");
  }
  return make_json_path(std::move(operand), std::move(steps), type, execution_.memory, made);
}

Status PlanReader::read_table(const Napi::Object& object, std::shared_ptr<Table>* table,
                              std::vector<int>* attributes) {
  Fields fields(object);
  const uint32_t relation = fields.number("relation");
  RETURN_IF_ERROR(fields.status());
  if (relation >= tables_.size()) return bad_argument("relation");
  *table = tables_[relation];
  return read_attributes(fields.raw("attributes"), **table, attributes);
}

Status PlanReader::read_attributes(const Napi::Value& value, const Table& table,
                                   std::vector<int>* attributes) {
  if (!value.IsArray()) return bad_argument("attributes");
  const auto array = value.As<Napi::Array>();
  for (uint32_t i = 0; i < array.Length(); i++) {
    const int number = Napi::Value(array.Get(i)).ToNumber().Int32Value();
    const int attribute = number == tid_attribute_number ? tid_attribute : number - 1;
    if (number != tid_attribute_number && (attribute < 0 || attribute >= table.natts()))
      return bad_argument("attributes");
    attributes->push_back(attribute);
  }
  return Status::ok;
}

Status PlanReader::read_seq_scan(const Napi::Object& object, OperatorPointer* made) {
  std::shared_ptr<Table> table;
  std::vector<int> attributes;
  RETURN_IF_ERROR(read_table(object, &table, &attributes));
  std::vector<ExpressionPointer> conditions;
  RETURN_IF_ERROR(read_expressions(object.Get("conditions"), &conditions));
  *made = std::make_unique<SeqScan>(execution_, std::move(table), std::move(attributes),
                                    std::move(conditions));
  return Status::ok;
}

// Values of which a key is to be equal to one.
Status PlanReader::read_key_list(const Napi::Object& key, const BtreeIndex& btree, int column,
                                 IndexSearch* search) {
  ValueType type;
  RETURN_IF_ERROR(read_type(key.Get("type"), &type));
  const Attribute& attribute = btree.definition().columns.attributes[static_cast<size_t>(column)];
  Fields fields(key);
  const Napi::Array array = fields.array("list");
  RETURN_IF_ERROR(fields.status());
  const bool is_of_type = type.length == attribute.attlen && type.by_value == attribute.attbyval;
  if (!is_of_type || array.Length() == 0 || !search->list.empty()) return bad_argument("list");
  search->list_memory = std::make_unique<Arena>(execution_.memory);
  for (uint32_t i = 0; i < array.Length(); i++) {
    Datum datum = 0;
    RETURN_IF_ERROR(read_datum(array.Get(i), type, &datum));
    search->list.push_back(type.copy(datum, *search->list_memory));
  }
  return Status::ok;
}

Status PlanReader::read_index_search(const Napi::Object& object, IndexSearch* search) {
  RETURN_IF_ERROR(read_table(object, &search->table, &search->attributes));
  Fields fields(object);
  search->index = fields.number("index");
  search->direction = fields.boolean("backward") ? ScanDirection::backward : ScanDirection::forward;
  const Napi::Array array = fields.array("keys");
  RETURN_IF_ERROR(fields.status());
  if (search->index >= search->table->indexes().size()) return bad_argument("index");
  const BtreeIndex* const btree = search->table->indexes()[search->index].btree.get();
  if (btree == nullptr) return bad_argument("index");
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) return bad_argument("keys");
    const auto described = item.As<Napi::Object>();
    Fields of_key(described);
    IndexKey key;
    key.column = static_cast<int>(of_key.number("column"));
    if (!find_named(key_operators, of_key.text("operator"), &key.op))
      return bad_argument("operator");
    RETURN_IF_ERROR(of_key.status());
    if (key.column >= btree->nkeyatts()) return bad_argument("column");
    const bool has_list = of_key.has("list");
    if (has_list) RETURN_IF_ERROR(read_key_list(described, *btree, key.column, search));
    if (has_list) search->list_key = search->keys.size();
    const bool is_test = key.op == BtreeOperator::is_null || key.op == BtreeOperator::is_not_null;
    if (!is_test && !has_list) {
      RETURN_IF_ERROR(read_expression(described.Get("value"), &key.value));
      const TupleDesc& columns = btree->definition().columns;
      const Attribute& attribute = columns.attributes[static_cast<size_t>(key.column)];
      const ValueType& type = key.value->type();
      if (type.length != attribute.attlen || type.by_value != attribute.attbyval)
        return bad_argument("value");
    }
    search->keys.push_back(std::move(key));
  }
  search->is_index_only = object.Has("entryColumns");
  if (search->is_index_only)
    RETURN_IF_ERROR(read_entry_columns(object.Get("entryColumns"), *btree, search));
  return read_expressions(object.Get("conditions"), &search->conditions);
}

Status PlanReader::read_entry_columns(const Napi::Value& value, const BtreeIndex& btree,
                                      IndexSearch* search) {
  if (!value.IsArray()) return bad_argument("entryColumns");
  const auto array = value.As<Napi::Array>();
  if (array.Length() != search->attributes.size()) return bad_argument("entryColumns");
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    const int column = item.IsNumber() ? item.As<Napi::Number>().Int32Value() : -1;
    if (column < 0 || column >= btree.natts() || search->attributes[i] < 0)
      return bad_argument("entryColumns");
    const Attribute& own = btree.definition().columns.attributes[static_cast<size_t>(column)];
    const Attribute& row =
        search->table->desc().attributes[static_cast<size_t>(search->attributes[i])];
    if (own.attlen != row.attlen || own.attbyval != row.attbyval)
      return bad_argument("entryColumns");
    search->entry_columns.push_back(column);
  }
  return Status::ok;
}

Status PlanReader::read_aggregate(const Napi::Object& object, OperatorPointer* made) {
  OperatorPointer child;
  RETURN_IF_ERROR(read_node(object.Get("child"), &child));
  std::vector<ExpressionPointer> keys;
  RETURN_IF_ERROR(read_expressions(object.Get("keys"), &keys));
  Fields fields(object);
  const Napi::Array array = fields.array("calls");
  RETURN_IF_ERROR(fields.status());
  std::vector<AggregateCall> calls;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) return bad_argument("calls");
    const auto described = item.As<Napi::Object>();
    AggregateFunction function;
    if (!find_aggregate(Fields(described).text("function"), &function))
      return bad_argument("function");
    AggregateCall call;
    const Napi::Value argument = described.Get("argument");
    if (!argument.IsNull()) RETURN_IF_ERROR(read_expression(argument, &call.argument));
    if (call.argument == nullptr && function != AggregateFunction::count_rows)
      return bad_argument("argument");
    RETURN_IF_ERROR(
        make_aggregate(function, call.argument == nullptr ? boolean_type : call.argument->type(),
                       default_collation_is_bytewise_, execution_.block_bytes(), &call.aggregate));
    calls.push_back(std::move(call));
  }
  if (fields.text("strategy") == "hashed")
    return HashAggregate::create(execution_, std::move(child), std::move(keys), std::move(calls),
                                 made);
  if (keys.empty()) return bad_argument("keys");
  return GroupAggregate::create(execution_, std::move(child), std::move(keys), std::move(calls),
                                made);
}

Status PlanReader::read_append(const Napi::Object& object, OperatorPointer* made) {
  Fields fields(object);
  const Napi::Array array = fields.array("children");
  RETURN_IF_ERROR(fields.status());
  Operator::Children children;
  for (uint32_t i = 0; i < array.Length(); i++) {
    OperatorPointer child;
    RETURN_IF_ERROR(read_node(array.Get(i), &child));
    children.push_back(std::move(child));
  }
  if (children.empty()) return bad_argument("children");
  *made = std::make_unique<Append>(execution_, std::move(children));
  return Status::ok;
}

Status PlanReader::read_first_values(const Napi::Object& object, OperatorPointer* made) {
  const Napi::Array array = Fields(object).array("children");
  std::vector<ValueType> types;
  RETURN_IF_ERROR(read_types(object.Get("columns"), &types));
  Operator::Children children;
  for (uint32_t i = 0; i < array.Length(); i++) {
    OperatorPointer child;
    RETURN_IF_ERROR(read_node(array.Get(i), &child));
    children.push_back(std::move(child));
  }
  if (children.empty() || children.size() != types.size()) return bad_argument("children");
  *made = std::make_unique<FirstValues>(execution_, std::move(children), std::move(types));
  return Status::ok;
}

Status PlanReader::read_set_op(const Napi::Object& object, OperatorPointer* made) {
  OperatorPointer left;
  OperatorPointer right;
  RETURN_IF_ERROR(read_node(object.Get("left"), &left));
  RETURN_IF_ERROR(read_node(object.Get("right"), &right));
  SetOpCommand command;
  if (!find_named(set_op_commands, Fields(object).text("command"), &command))
    return bad_argument("command");
  std::vector<ValueType> types;
  RETURN_IF_ERROR(read_types(object.Get("columns"), &types));
  return HashSetOp::create(execution_, command, std::move(left), std::move(right), std::move(types),
                           made);
}

Status PlanReader::read_sort(const Napi::Object& object, OperatorPointer* made) {
  OperatorPointer child;
  RETURN_IF_ERROR(read_node(object.Get("child"), &child));
  Fields fields(object);
  const Napi::Array array = fields.array("keys");
  const uint64_t wanted = fields.has("limit") ? fields.bytes("limit") : 0;
  RETURN_IF_ERROR(fields.status());
  std::vector<ValueType> types;
  RETURN_IF_ERROR(read_types(object.Get("columns"), &types));
  std::vector<SortKey> keys;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) return bad_argument("keys");
    Fields described(item.As<Napi::Object>());
    SortKey key;
    key.column = described.number("index");
    if (key.column >= types.size()) return bad_argument("keys");
    RETURN_IF_ERROR(order_of_type(types[key.column], default_collation_is_bytewise_, &key.order));
    key.order.descending = described.boolean("descending");
    key.order.nulls_first = described.boolean("nullsFirst");
    RETURN_IF_ERROR(described.status());
    keys.push_back(key);
  }
  if (keys.empty()) return bad_argument("keys");
  *made = std::make_unique<SortRows>(execution_, std::move(child), std::move(types),
                                     std::move(keys), wanted);
  return Status::ok;
}

Status PlanReader::read_node(const Napi::Value& value, OperatorPointer* made) {
  if (!value.IsObject()) return bad_argument("node");
  const auto object = value.As<Napi::Object>();
  Fields fields(object);
  const std::string node = fields.text("node");
  RETURN_IF_ERROR(fields.status());
  if (node == "seq scan") return read_seq_scan(object, made);
  if (node == "index scan") {
    IndexSearch search;
    RETURN_IF_ERROR(read_index_search(object, &search));
    *made = std::make_unique<IndexScan>(execution_, std::move(search));
    return Status::ok;
  }
  if (node == "bitmap scan") return read_bitmap_scan(object, made);
  if (node == "nested loop") return read_nested_loop(object, made);
  if (node == "materialize") return read_materialize(object, made);
  if (node == "hash join") return read_hash_join(object, made);
  if (node == "merge join") return read_merge_join(object, made);
  if (node == "aggregate") return read_aggregate(object, made);
  if (node == "sort") return read_sort(object, made);
  if (node == "append") return read_append(object, made);
  if (node == "window") return read_window(object, made);
  if (node == "set op") return read_set_op(object, made);
  if (node == "first values") return read_first_values(object, made);
  if (node == "one row") {
    *made = std::make_unique<OneRow>(execution_);
    return Status::ok;
  }
  OperatorPointer child;
  RETURN_IF_ERROR(read_node(object.Get("child"), &child));
  if (node == "project") {
    std::vector<ExpressionPointer> expressions;
    RETURN_IF_ERROR(read_expressions(object.Get("expressions"), &expressions));
    *made = std::make_unique<Project>(execution_, std::move(child), std::move(expressions));
    return Status::ok;
  }
  if (node == "filter") {
    std::vector<ExpressionPointer> conditions;
    RETURN_IF_ERROR(read_expressions(object.Get("conditions"), &conditions));
    *made = std::make_unique<FilterRows>(execution_, std::move(child), fields.number("columns"),
                                         std::move(conditions));
    return fields.status();
  }
  if (node == "limit") {
    const uint64_t limit = fields.has("limit") ? fields.bytes("limit") : Limit::all;
    *made = std::make_unique<Limit>(execution_, std::move(child), limit, fields.bytes("offset"));
    return fields.status();
  }
  return bad_argument("node");
}

}  // namespace pgdata
