// PlanReader: a plan as TypeScript describes it (NativePlan of src-ts/binding/native.ts), as operators.
#pragma once

#include <napi.h>

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "executor/bitmap_source.h"
#include "executor/expression.h"
#include "executor/hash_join.h"
#include "executor/index_cursor.h"
#include "executor/operator.h"
#include "executor/query_scan.h"
#include "executor/sort_rows.h"
#include "executor/window_call.h"
#include "executor/window_frame.h"
#include "table/table.h"

namespace pgdata {

class PlanReader {
 public:
  PlanReader(Execution& execution, std::vector<std::shared_ptr<Table>> tables,
             bool default_collation_is_bytewise)
      : execution_(execution),
        tables_(std::move(tables)),
        default_collation_is_bytewise_(default_collation_is_bytewise),
        constants_(execution.memory) {}

  Status read_node(const Napi::Value& value, OperatorPointer* made);
  Status read_expressions(const Napi::Value& value, std::vector<ExpressionPointer>* made);
  static Status read_type(const Napi::Value& value, ValueType* type);
  // Attribute numbers, from 1, and -1 for the row's address.
  static Status read_attributes(const Napi::Value& value, const Table& table,
                                std::vector<int>* attributes);
  static Status read_columns(const Napi::Value& value, std::vector<OutputColumn>* columns);

 private:
  static Status read_types(const Napi::Value& value, std::vector<ValueType>* types);
  Status read_expression(const Napi::Value& value, ExpressionPointer* made);
  Status read_comparison(const Napi::Object& object, ExpressionPointer* made);
  Status read_in_list(const Napi::Object& object, ExpressionPointer* made);
  Status read_entry_columns(const Napi::Value& value, const BtreeIndex& btree, IndexSearch* search);
  Status read_json_path(const Napi::Object& object, ExpressionPointer operand,
                        ExpressionPointer* made);
  Status read_arithmetic(const Napi::Object& object, ExpressionPointer* made);
  // A constant's bytes as a Datum in memory that lives as long as this.
  Status read_datum(const Napi::Value& value, const ValueType& type, Datum* datum);

  Status read_join_keys(const Napi::Array& array, std::vector<JoinKey>* keys);
  Status read_hash_join(const Napi::Object& object, OperatorPointer* made);
  Status read_merge_join(const Napi::Object& object, OperatorPointer* made);
  Status read_bitmap_scan(const Napi::Object& object, OperatorPointer* made);
  Status read_bitmap_source(const Napi::Value& value, const Table& table,
                            std::unique_ptr<BitmapSource>* made);
  Status read_nested_loop(const Napi::Object& object, OperatorPointer* made);
  Status read_materialize(const Napi::Object& object, OperatorPointer* made);
  Status read_aggregate(const Napi::Object& object, OperatorPointer* made);
  Status read_append(const Napi::Object& object, OperatorPointer* made);
  Status read_window(const Napi::Object& object, OperatorPointer* made);
  // `of_rows`: for WindowRows, of which not all can be asked.
  Status read_window_call(const Napi::Object& object, const std::vector<ValueType>& types,
                          bool of_rows, WindowCall* call);
  Status read_frame(const Napi::Object& object, const std::vector<ValueType>& types,
                    const std::vector<SortKey>& order, WindowFrame* frame);
  Status read_frame_bound(const Napi::Value& value, const WindowFrame& frame, FrameBound* bound);
  static bool find_aggregate(const std::string& name, AggregateFunction* function);
  Status read_set_op(const Napi::Object& object, OperatorPointer* made);
  Status read_first_values(const Napi::Object& object, OperatorPointer* made);
  Status read_sort(const Napi::Object& object, OperatorPointer* made);
  Status read_seq_scan(const Napi::Object& object, OperatorPointer* made);
  Status read_key_list(const Napi::Object& key, const BtreeIndex& btree, int column,
                       IndexSearch* search);
  Status read_index_search(const Napi::Object& object, IndexSearch* search);
  Status read_table(const Napi::Object& object, std::shared_ptr<Table>* table,
                    std::vector<int>* attributes);

  Execution& execution_;
  std::vector<std::shared_ptr<Table>> tables_;
  bool default_collation_is_bytewise_;
  Arena constants_;
};

}  // namespace pgdata
