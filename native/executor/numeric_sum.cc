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

Status NumericSum::add(std::string_view content) {
  RETURN_IF_ERROR(Numeric::from_content(content, &value_));
  count_++;
  switch (value_.kind_) {
    case Numeric::Kind::nan:
      nans_++;
      return Status::ok;
    case Numeric::Kind::infinity:
      infinities_++;
      return Status::ok;
    case Numeric::Kind::minus_infinity:
      minus_infinities_++;
      return Status::ok;
    case Numeric::Kind::finite:
      break;
  }
  scale_ = std::max(scale_, value_.scale_);
  if (value_.digits_.empty()) return Status::ok;
  const auto size = static_cast<int>(value_.digits_.size());
  make_room(value_.weight_, value_.weight_ - size + 1);
  int64_t* to = digits_.data() + (top_ - value_.weight_);
  if (value_.negative_) {
    for (const int16_t digit : value_.digits_) *to++ -= digit;
  } else {
    for (const int16_t digit : value_.digits_) *to++ += digit;
  }
  return Status::ok;
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
