// PlanReader: windows, with their functions and frames.
#include <string>
#include <utility>

#include "addon/error.h"
#include "addon/fields.h"
#include "addon/named.h"
#include "addon/plan_reader.h"
#include "executor/partition_window.h"
#include "executor/window_rows.h"

namespace pgdata {

namespace {

constexpr Named<WindowUnit> window_units[] = {
    {"row", WindowUnit::row},
    {"peers", WindowUnit::peers},
    {"partition", WindowUnit::partition},
};

constexpr Named<FrameMode> frame_modes[] = {
    {"rows", FrameMode::rows},
    {"range", FrameMode::range},
    {"groups", FrameMode::groups},
};

constexpr Named<FrameBoundKind> frame_bounds[] = {
    {"unbounded", FrameBoundKind::unbounded},
    {"current row", FrameBoundKind::current_row},
    {"preceding", FrameBoundKind::preceding},
    {"following", FrameBoundKind::following},
};

constexpr Named<FrameExclusion> frame_exclusions[] = {
    {"none", FrameExclusion::none},
    {"current row", FrameExclusion::current_row},
    {"group", FrameExclusion::group},
    {"ties", FrameExclusion::ties},
};

// `of_value`: it has an argument. `of_rows`: WindowRows knows it.
struct NamedWindowFunction {
  const char* name;
  WindowFunction value;
  bool of_value;
  bool of_rows;
};
constexpr NamedWindowFunction window_functions[] = {
    {"row_number", WindowFunction::row_number, false, true},
    {"rank", WindowFunction::rank, false, true},
    {"dense_rank", WindowFunction::dense_rank, false, true},
    {"percent_rank", WindowFunction::percent_rank, false, false},
    {"cume_dist", WindowFunction::cume_dist, false, false},
    {"ntile", WindowFunction::ntile, false, false},
    {"lag", WindowFunction::lag, true, false},
    {"lead", WindowFunction::lead, true, false},
    {"nth_value", WindowFunction::nth_value, true, true},
    {"last_value", WindowFunction::last_value, true, true},
};

}  // namespace

Status PlanReader::read_window_call(const Napi::Object& object, const std::vector<ValueType>& types,
                                    bool of_rows, WindowCall* call) {
  Fields fields(object);
  const std::string name = fields.text("function");
  RETURN_IF_ERROR(fields.status());
  RETURN_IF_ERROR(read_type(object.Get("type"), &call->result_type));
  const Napi::Value argument = object.Get("argument");
  if (!argument.IsNull()) call->argument = argument.ToNumber().Int32Value();
  if (fields.has("number")) call->number = fields.integer("number");
  if (fields.has("fallback")) call->fallback = fields.integer("fallback");
  RETURN_IF_ERROR(fields.status());
  for (const int column : {call->argument, call->fallback})
    if (column < -1 || column >= static_cast<int>(types.size())) return bad_argument("argument");
  for (const NamedWindowFunction& known : window_functions) {
    if (name != known.name) continue;
    if (known.of_value != (call->argument >= 0)) return bad_argument("argument");
    if (of_rows && !known.of_rows) return bad_argument("function");
    const bool is_counted =
        known.value == WindowFunction::ntile || known.value == WindowFunction::nth_value;
    if (is_counted && call->number < 1) return bad_argument("number");
    call->function = known.value;
    return Status::ok;
  }
  AggregateFunction function;
  if (!find_aggregate(name, &function)) return bad_argument("function");
  if (call->argument < 0 && function != AggregateFunction::count_rows)
    return bad_argument("argument");
  const ValueType& type =
      call->argument < 0 ? boolean_type : types[static_cast<size_t>(call->argument)];
  return make_aggregate(function, type, default_collation_is_bytewise_, execution_.block_bytes(),
                        &call->aggregate);
}

Status PlanReader::read_frame_bound(const Napi::Value& value, const WindowFrame& frame,
                                    FrameBound* bound) {
  if (!value.IsObject()) return bad_argument("frame");
  const auto object = value.As<Napi::Object>();
  Fields fields(object);
  if (!find_named(frame_bounds, fields.text("kind"), &bound->kind)) return bad_argument("frame");
  if (!bound->has_offset()) return fields.status();
  if (frame.mode != FrameMode::range) {
    bound->count = fields.bytes("count");
    return fields.status();
  }
  ValueType type;
  RETURN_IF_ERROR(read_type(object.Get("type"), &type));
  if (type.oid != frame.order.offset_type()) return bad_argument("frame");
  return read_datum(object.Get("distance"), type, &bound->distance);
}

Status PlanReader::read_frame(const Napi::Object& object, const std::vector<ValueType>& types,
                              const std::vector<SortKey>& order, WindowFrame* frame) {
  Fields fields(object);
  if (!find_named(frame_modes, fields.text("mode"), &frame->mode)) return bad_argument("frame");
  if (!find_named(frame_exclusions, fields.text("exclusion"), &frame->exclusion))
    return bad_argument("frame");
  if (frame->mode == FrameMode::range && order.size() == 1) {
    const SortKey& key = order[0];
    RangeOrder& range = frame->order;
    range = {key.column, types[key.column], {}, key.order.descending, key.order.nulls_first};
    if (range.offset_type() != invalid_oid)
      RETURN_IF_ERROR(order_of_type(range.type, default_collation_is_bytewise_, &range.order));
  }
  RETURN_IF_ERROR(read_frame_bound(object.Get("start"), *frame, &frame->start));
  return read_frame_bound(object.Get("end"), *frame, &frame->end);
}

Status PlanReader::read_window(const Napi::Object& object, OperatorPointer* made) {
  OperatorPointer child;
  RETURN_IF_ERROR(read_node(object.Get("child"), &child));
  std::vector<ValueType> types;
  RETURN_IF_ERROR(read_types(object.Get("columns"), &types));
  Fields fields(object);
  const Napi::Array partition = fields.array("partition");
  const Napi::Array order = fields.array("order");
  const Napi::Array array = fields.array("calls");
  RETURN_IF_ERROR(fields.status());
  std::vector<size_t> partition_columns;
  for (uint32_t i = 0; i < partition.Length(); i++)
    partition_columns.push_back(Napi::Value(partition.Get(i)).ToNumber().Uint32Value());
  std::vector<SortKey> keys;
  std::vector<size_t> order_columns;
  for (uint32_t i = 0; i < order.Length(); i++) {
    const Napi::Value item = order.Get(i);
    if (!item.IsObject()) return bad_argument("order");
    Fields key(item.As<Napi::Object>());
    SortKey read;
    read.column = key.number("index");
    read.order.descending = key.boolean("descending");
    read.order.nulls_first = key.boolean("nullsFirst");
    RETURN_IF_ERROR(key.status());
    keys.push_back(read);
    order_columns.push_back(read.column);
  }
  for (const auto* columns : {&partition_columns, &order_columns})
    for (const size_t column : *columns)
      if (column >= types.size()) return bad_argument("columns");
  const Napi::Value framed = object.Get("frame");
  if (!framed.IsObject()) return bad_argument("frame");
  const bool of_rows = fields.has("unit");
  std::vector<WindowCall> calls;
  for (uint32_t i = 0; i < array.Length(); i++) {
    const Napi::Value item = array.Get(i);
    if (!item.IsObject()) return bad_argument("calls");
    WindowCall call;
    RETURN_IF_ERROR(read_window_call(item.As<Napi::Object>(), types, of_rows, &call));
    calls.push_back(std::move(call));
  }
  WindowKeys partition_keys;
  WindowKeys peer_keys;
  RETURN_IF_ERROR(WindowKeys::make(types, std::move(partition_columns), &partition_keys));
  RETURN_IF_ERROR(WindowKeys::make(types, std::move(order_columns), &peer_keys));
  if (of_rows) {
    WindowUnit unit;
    if (!find_named(window_units, fields.text("unit"), &unit)) return bad_argument("unit");
    *made = std::make_unique<WindowRows>(execution_, std::move(child), std::move(types),
                                         std::move(partition_keys), std::move(peer_keys), unit,
                                         std::move(calls));
    return Status::ok;
  }
  WindowFrame frame;
  RETURN_IF_ERROR(read_frame(framed.As<Napi::Object>(), types, keys, &frame));
  *made = std::make_unique<PartitionWindow>(execution_, std::move(child), std::move(types),
                                            std::move(partition_keys), std::move(peer_keys), frame,
                                            std::move(calls));
  return Status::ok;
}

}  // namespace pgdata
