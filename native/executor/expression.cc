// Columns, constants, and three-valued logic.
#include "executor/expression.h"

#include <algorithm>
#include <utility>

#include "base/invariant.h"

namespace pgdata {

namespace {

class ColumnOf final : public Expression {
 public:
  ColumnOf(const ValueType& type, size_t index) : Expression(type), index_(index) {}
  Status evaluate(const Batch& batch, const Selection&, Arena&, const Column** result) override {
    INVARIANT(index_ < batch.columns.size());
    *result = &batch.columns[index_];
    return Status::ok;
  }

 private:
  size_t index_;
};

class Constant final : public Computed {
 public:
  Constant(const ValueType& type, const Datum* value, MemoryAccount& account)
      : Computed(type, account), arena_(account) {
    const Datum datum = value == nullptr ? 0 : type.copy(*value, arena_);
    std::fill_n(values(), batch_rows_max, datum);
    std::fill_n(nulls(), batch_rows_max, value == nullptr ? uint8_t{1} : uint8_t{0});
  }
  Status evaluate(const Batch&, const Selection&, Arena&, const Column** result) override {
    *result = column();
    return Status::ok;
  }
  bool is_constant() const override { return true; }

 private:
  Arena arena_;
};

// `and` as long as all are true or null, `or` as long as all are false or null.
class Junction final : public Computed {
 public:
  Junction(bool is_and, std::vector<ExpressionPointer> operands, MemoryAccount& account)
      : Computed(boolean_type, account),
        decisive_(is_and ? 0 : 1),
        operands_(std::move(operands)) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    Datum* const to = values();
    uint8_t* const to_null = nulls();
    uint32_t left = 0;
    rows.for_each([&](uint32_t row) {
      to[row] = 1 - decisive_;
      to_null[row] = 0;
      undecided_[left++] = static_cast<uint16_t>(row);
    });
    for (const ExpressionPointer& operand : operands_) {
      if (left == 0) break;
      const Column* column = nullptr;
      RETURN_IF_ERROR(operand->evaluate(batch, Selection{undecided_, left}, scratch, &column));
      uint32_t kept = 0;
      for (uint32_t i = 0; i < left; i++) {
        const uint16_t row = undecided_[i];
        if (column->nulls[row] == 0 && column->values[row] == decisive_) {
          to[row] = decisive_;
          to_null[row] = 0;
          continue;
        }
        to_null[row] |= column->nulls[row];
        undecided_[kept++] = row;
      }
      left = kept;
    }
    *result = column();
    return Status::ok;
  }

 private:
  const Datum decisive_;
  std::vector<ExpressionPointer> operands_;
  uint16_t undecided_[batch_rows_max];
};

class Not final : public Computed {
 public:
  Not(ExpressionPointer operand, MemoryAccount& account)
      : Computed(boolean_type, account), operand_(std::move(operand)) {}
  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* of = nullptr;
    RETURN_IF_ERROR(operand_->evaluate(batch, rows, scratch, &of));
    rows.for_each([&](uint32_t row) {
      values()[row] = of->values[row] == 0 ? 1 : 0;
      nulls()[row] = of->nulls[row];
    });
    *result = column();
    return Status::ok;
  }

 private:
  ExpressionPointer operand_;
};

class IsNull final : public Computed {
 public:
  IsNull(ExpressionPointer operand, MemoryAccount& account)
      : Computed(boolean_type, account), operand_(std::move(operand)) {}
  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* of = nullptr;
    RETURN_IF_ERROR(operand_->evaluate(batch, rows, scratch, &of));
    rows.for_each([&](uint32_t row) {
      values()[row] = of->nulls[row];
      nulls()[row] = 0;
    });
    *result = column();
    return Status::ok;
  }

 private:
  ExpressionPointer operand_;
};

}  // namespace

ExpressionPointer make_column(const ValueType& type, size_t index) {
  return std::make_unique<ColumnOf>(type, index);
}

ExpressionPointer make_constant(const ValueType& type, const Datum* value, MemoryAccount& account) {
  return std::make_unique<Constant>(type, value, account);
}

Status compute_constant(MemoryAccount& account, ExpressionPointer* expression) {
  Batch batch;
  batch.rows = 1;
  Arena scratch(account);
  const Column* column = nullptr;
  RETURN_IF_ERROR((*expression)->evaluate(batch, Selection{nullptr, 1}, scratch, &column));
  const bool is_null = column->nulls[0] != 0;
  *expression =
      make_constant((*expression)->type(), is_null ? nullptr : &column->values[0], account);
  return Status::ok;
}

ExpressionPointer make_and(std::vector<ExpressionPointer> operands, MemoryAccount& account) {
  return std::make_unique<Junction>(true, std::move(operands), account);
}

ExpressionPointer make_or(std::vector<ExpressionPointer> operands, MemoryAccount& account) {
  return std::make_unique<Junction>(false, std::move(operands), account);
}

ExpressionPointer make_not(ExpressionPointer operand, MemoryAccount& account) {
  return std::make_unique<Not>(std::move(operand), account);
}

ExpressionPointer make_is_null(ExpressionPointer operand, MemoryAccount& account) {
  return std::make_unique<IsNull>(std::move(operand), account);
}

Status Conditions::narrow(const Batch& batch, Selection* selected) {
  scratch_.reset();
  for (const ExpressionPointer& condition : conditions_) {
    if (selected->count == 0) break;
    const Column* column = nullptr;
    RETURN_IF_ERROR(condition->evaluate(batch, *selected, scratch_, &column));
    uint32_t kept = 0;
    selected->for_each([&](uint32_t row) {
      list_[kept] = static_cast<uint16_t>(row);
      kept += static_cast<uint32_t>((column->values[row] & 1) & (column->nulls[row] ^ 1u));
    });
    *selected = Selection{list_, kept};
  }
  return Status::ok;
}

}  // namespace pgdata
