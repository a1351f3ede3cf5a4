// Comparisons and lists of constants.
#include <algorithm>
#include <utility>

#include "executor/expression.h"

namespace pgdata {

namespace {

template <typename Test>
void compare_rows(const Selection& rows, const Column& left, const Column& right, Datum* to,
                  uint8_t* to_null, Test test) {
  rows.for_each([&](uint32_t row) {
    const uint8_t is_null = left.nulls[row] | right.nulls[row];
    to_null[row] = is_null;
    to[row] = is_null == 0 && test(left.values[row], right.values[row]) ? 1 : 0;
  });
}

// Calls `run` with the test that the comparison makes of two numbers.
template <typename Run>
void with_test(Comparison op, Run run) {
  switch (op) {
    case Comparison::equal:
      return run([](auto a, auto b) { return a == b; });
    case Comparison::not_equal:
      return run([](auto a, auto b) { return a != b; });
    case Comparison::less:
      return run([](auto a, auto b) { return a < b; });
    case Comparison::less_or_equal:
      return run([](auto a, auto b) { return a <= b; });
    case Comparison::greater:
      return run([](auto a, auto b) { return a > b; });
    case Comparison::greater_or_equal:
      return run([](auto a, auto b) { return a >= b; });
  }
}

template <typename T>
void compare_numbers(Comparison op, const Selection& rows, const Column& left, const Column& right,
                     Datum* to, uint8_t* to_null) {
  with_test(op, [&](auto test) {
    compare_rows(rows, left, right, to, to_null,
                 [test](Datum a, Datum b) { return test(static_cast<T>(a), static_cast<T>(b)); });
  });
}

class Compare final : public Computed {
 public:
  Compare(Comparison op, ExpressionPointer left, ExpressionPointer right, const KeyColumn& order,
          MemoryAccount& account)
      : Computed(boolean_type, account),
        op_(op),
        left_(std::move(left)),
        right_(std::move(right)),
        order_(order) {}

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* left = nullptr;
    const Column* right = nullptr;
    RETURN_IF_ERROR(left_->evaluate(batch, rows, scratch, &left));
    RETURN_IF_ERROR(right_->evaluate(batch, rows, scratch, &right));
    switch (order_.shape) {
      case KeyShape::int2:
        compare_numbers<int16_t>(op_, rows, *left, *right, values(), nulls());
        break;
      case KeyShape::int4:
        compare_numbers<int32_t>(op_, rows, *left, *right, values(), nulls());
        break;
      case KeyShape::int8:
        compare_numbers<int64_t>(op_, rows, *left, *right, values(), nulls());
        break;
      case KeyShape::unsigned4:
        compare_numbers<uint32_t>(op_, rows, *left, *right, values(), nulls());
        break;
      case KeyShape::unsigned8:
        compare_numbers<uint64_t>(op_, rows, *left, *right, values(), nulls());
        break;
      default:
        with_test(op_, [&](auto test) {
          compare_rows(rows, *left, *right, values(), nulls(),
                       [&](Datum a, Datum b) { return test(order_.compare(a, b, order_), 0); });
        });
        break;
    }
    *result = column();
    return Status::ok;
  }

 private:
  Comparison op_;
  ExpressionPointer left_;
  ExpressionPointer right_;
  KeyColumn order_;
};

class InList final : public Computed {
 public:
  InList(ExpressionPointer operand, const std::vector<Datum>& list, bool has_null,
         const KeyColumn& order, MemoryAccount& account)
      : Computed(boolean_type, account),
        operand_(std::move(operand)),
        order_(order),
        has_null_(has_null),
        arena_(account) {
    for (const Datum value : list) list_.push_back(operand_->type().copy(value, arena_));
    std::sort(list_.begin(), list_.end(), [this](Datum a, Datum b) { return is_less(a, b); });
  }

  Status evaluate(const Batch& batch, const Selection& rows, Arena& scratch,
                  const Column** result) override {
    const Column* of = nullptr;
    RETURN_IF_ERROR(operand_->evaluate(batch, rows, scratch, &of));
    rows.for_each([&](uint32_t row) {
      const bool is_null = of->nulls[row] != 0;
      const bool is_in = !is_null && has(of->values[row]);
      values()[row] = is_in ? 1 : 0;
      nulls()[row] = is_null || (!is_in && has_null_) ? 1 : 0;
    });
    *result = column();
    return Status::ok;
  }

 private:
  bool is_less(Datum a, Datum b) const { return order_.compare(a, b, order_) < 0; }
  bool has(Datum value) const {
    return std::binary_search(list_.begin(), list_.end(), value,
                              [this](Datum a, Datum b) { return is_less(a, b); });
  }

  ExpressionPointer operand_;
  KeyColumn order_;
  bool has_null_;
  Arena arena_;
  std::vector<Datum> list_;
};

}  // namespace

Status make_comparison(Comparison op, ExpressionPointer left, ExpressionPointer right,
                       bool default_collation_is_bytewise, MemoryAccount& account,
                       ExpressionPointer* made) {
  KeyColumn order;
  if (op == Comparison::equal || op == Comparison::not_equal)
    RETURN_IF_ERROR(equality_of_type(left->type(), &order));
  else
    RETURN_IF_ERROR(order_of_type(left->type(), default_collation_is_bytewise, &order));
  *made = std::make_unique<Compare>(op, std::move(left), std::move(right), order, account);
  return Status::ok;
}

Status make_in_list(ExpressionPointer operand, const std::vector<Datum>& list, bool has_null,
                    MemoryAccount& account, ExpressionPointer* made) {
  KeyColumn order;
  RETURN_IF_ERROR(equality_of_type(operand->type(), &order));
  *made = std::make_unique<InList>(std::move(operand), list, has_null, order, account);
  return Status::ok;
}

}  // namespace pgdata
