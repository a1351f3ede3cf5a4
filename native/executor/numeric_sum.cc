// NumericSum: digits are added place by place, and carried at the end.
#include <algorithm>

#include "executor/numeric.h"

namespace pgdata {

namespace {
constexpr int64_t base = 10000;
}  // namespace

void NumericSum::make_room(int top, int bottom) {
  if (digits_.empty()) top_ = top;
  if (top > top_) {
    digits_.insert(digits_.begin(), static_cast<size_t>(top - top_), 0);
    top_ = top;
  }
  const int count = top_ - bottom + 1;
  if (count > static_cast<int>(digits_.size())) digits_.resize(static_cast<size_t>(count));
}

size_t NumericSum::add(const Numeric& value) {
  count_++;
  switch (value.kind_) {
    case Numeric::Kind::nan:
      nans_++;
      return 0;
    case Numeric::Kind::infinity:
      infinities_++;
      return 0;
    case Numeric::Kind::minus_infinity:
      minus_infinities_++;
      return 0;
    case Numeric::Kind::finite:
      break;
  }
  if (value.scale_ > scale_) {
    scale_ = value.scale_;
    count_of_scale_ = 0;
  }
  if (value.scale_ == scale_) count_of_scale_++;
  const size_t before = digits_.capacity();
  add_digits(value, value.negative_);
  return (digits_.capacity() - before) * sizeof(int64_t);
}

void NumericSum::add_digits(const Numeric& value, bool is_negative) {
  if (value.digits_.empty()) return;
  const auto size = static_cast<int>(value.digits_.size());
  make_room(value.weight_, value.weight_ - size + 1);
  int64_t* to = digits_.data() + (top_ - value.weight_);
  if (is_negative) {
    for (const int16_t digit : value.digits_) *to++ -= digit;
  } else {
    for (const int16_t digit : value.digits_) *to++ += digit;
  }
}

bool NumericSum::remove(const Numeric& value) {
  switch (value.kind_) {
    case Numeric::Kind::nan:
      nans_--;
      break;
    case Numeric::Kind::infinity:
      infinities_--;
      break;
    case Numeric::Kind::minus_infinity:
      minus_infinities_--;
      break;
    case Numeric::Kind::finite:
      if (value.scale_ == scale_ && scale_ > 0 && count_of_scale_ == 1) return false;
      if (value.scale_ == scale_) count_of_scale_--;
      add_digits(value, !value.negative_);
      break;
  }
  count_--;
  return true;
}

Numeric NumericSum::total() const {
  if (nans_ > 0 || (infinities_ > 0 && minus_infinities_ > 0)) return Numeric(Numeric::Kind::nan);
  if (infinities_ > 0) return Numeric(Numeric::Kind::infinity);
  if (minus_infinities_ > 0) return Numeric(Numeric::Kind::minus_infinity);
  // Room for what is carried out of the first place.
  constexpr int spare = 5;
  std::vector<int64_t> digits(spare);
  digits.insert(digits.end(), digits_.begin(), digits_.end());
  const auto carry_all = [&digits] {
    int64_t carry = 0;
    for (size_t i = digits.size(); i-- > 0;) {
      carry += digits[i];
      int64_t digit = carry % base;
      if (digit < 0) digit += base;
      carry = (carry - digit) / base;
      digits[i] = digit;
    }
    return carry;
  };
  Numeric total;
  total.scale_ = scale_;
  total.weight_ = top_ + spare;
  if (carry_all() < 0) {
    // What is left is the complement.
    total.negative_ = true;
    for (int64_t& digit : digits) digit = base - 1 - digit;
    digits.back() += 1;
    carry_all();
  }
  total.digits_.assign(digits.begin(), digits.end());
  total.strip();
  return total;
}

}  // namespace pgdata
