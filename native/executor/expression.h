// Expression: a value computed for each row of a batch, a column at a time.
//
// Evaluation visits the selected rows only, so that what `and` and `or` cut off raises no error. The result is good until
// the expression is evaluated again; what its values point to is in the batch, in the scratch arena, or in the expression.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "executor/batch.h"
#include "executor/value_type.h"

namespace pgdata {

class Expression {
 public:
  explicit Expression(const ValueType& type) : type_(type) {}
  virtual ~Expression() = default;
  Expression(const Expression&) = delete;

  const ValueType& type() const { return type_; }
  virtual bool is_constant() const { return false; }
  // `*result` has a value or a null at each selected row.
  virtual Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                          const Column** result) = 0;

 private:
  ValueType type_;
};
using ExpressionPointer = std::unique_ptr<Expression>;

constexpr ValueType boolean_type = {type_oid::boolean, 1, true, invalid_oid, invalid_oid};

enum class Comparison : uint8_t {
  equal,
  not_equal,
  less,
  less_or_equal,
  greater,
  greater_or_equal
};
enum class Arithmetic : uint8_t { add, subtract, multiply, divide, modulo };

ExpressionPointer make_column(const ValueType& type, size_t index);
// A null `value` pointer: null. By-reference values are copied.
ExpressionPointer make_constant(const ValueType& type, const Datum* value, MemoryAccount& account);
// Both of the same type.
Status make_comparison(Comparison op, ExpressionPointer left, ExpressionPointer right,
                       bool default_collation_is_bytewise, MemoryAccount& account,
                       ExpressionPointer* made);
// Equal to one of `list`, of the operand's type; `has_null`: the list has a null, too.
Status make_in_list(ExpressionPointer operand, const std::vector<Datum>& list, bool has_null,
                    MemoryAccount& account, ExpressionPointer* made);
// Puts a constant in the place of an expression without columns: what computing it raises does not wait for rows.
Status compute_constant(MemoryAccount& account, ExpressionPointer* expression);
ExpressionPointer make_and(std::vector<ExpressionPointer> operands, MemoryAccount& account);
ExpressionPointer make_or(std::vector<ExpressionPointer> operands, MemoryAccount& account);
ExpressionPointer make_not(ExpressionPointer operand, MemoryAccount& account);
ExpressionPointer make_is_null(ExpressionPointer operand, MemoryAccount& account);
// Text LIKE pattern, with a backslash as escape, in UTF-8.
ExpressionPointer make_like(ExpressionPointer text, ExpressionPointer pattern,
                            MemoryAccount& account);
// From outside to inside: a key of an object, or a place in an array, from the end if it is negative.
struct JsonStep {
  bool is_key = false;
  std::string key;
  int32_t place = 0;
};
// What the steps lead to in a json or jsonb document, as a document of its type, as text, or, of jsonb, as numeric.
Status make_json_path(ExpressionPointer operand, std::vector<JsonStep> steps, const ValueType& type,
                      MemoryAccount& account, ExpressionPointer* made);
// Both of the result's type: a whole or a floating-point number, or numeric.
Status make_arithmetic(Arithmetic op, ExpressionPointer left, ExpressionPointer right,
                       MemoryAccount& account, ExpressionPointer* made);
// From one kind of number to a wider one.
Status make_cast(ExpressionPointer operand, const ValueType& type, MemoryAccount& account,
                 ExpressionPointer* made);

// Conditions that must all be true, one after the other.
class Conditions {
 public:
  Conditions(std::vector<ExpressionPointer> conditions, MemoryAccount& account)
      : conditions_(std::move(conditions)), scratch_(account) {}

  bool is_empty() const { return conditions_.empty(); }
  // The rows of the batch that meet all of them, as a list.
  Status select(const Batch& batch, Selection* selected) {
    *selected = Selection{nullptr, batch.rows};
    return narrow(batch, selected);
  }
  // Of those that are selected, which is a list of other conditions or none.
  Status narrow(const Batch& batch, Selection* selected);

 private:
  std::vector<ExpressionPointer> conditions_;
  Arena scratch_;
  uint16_t list_[batch_rows_max];
};

// Base of the expressions that compute their column.
class Computed : public Expression {
 public:
  Computed(const ValueType& type, MemoryAccount& account)
      : Expression(type), storage_(account), column_(storage_.column()) {}

 protected:
  Datum* values() { return column_.values; }
  uint8_t* nulls() { return column_.nulls; }
  const Column* column() const { return &column_; }

 private:
  ColumnStorage storage_;
  Column column_;
};

}  // namespace pgdata
