// Numeric: schoolbook arithmetic in base 10000.
#include "executor/numeric.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include "base/invariant.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

constexpr int base = 10000;
constexpr int base_digits = 4;
constexpr int scale_max = 16383;          // NUMERIC_DSCALE_MAX
constexpr int weight_max = 32767;         // NUMERIC_WEIGHT_MAX
constexpr int division_digits = 16;       // NUMERIC_MIN_SIG_DIGITS
constexpr int division_scale_max = 1000;  // NUMERIC_MAX_DISPLAY_SCALE
constexpr int powers[] = {1, 10, 100, 1000};

constexpr uint16_t header_nan = 0xC000;
constexpr uint16_t header_infinity = 0xD000;
constexpr uint16_t header_minus_infinity = 0xF000;

Status division_by_zero() { return Status::error(ErrorCode::division_by_zero, "division by zero"); }

Status damaged() { return Status::error(Status::data_corrupted, "invalid numeric value"); }

}  // namespace

Status Numeric::from_content(std::string_view content, Numeric* numeric) {
  *numeric = Numeric();
  if (content.size() < 2) return damaged();
  const auto header = load<uint16_t>(content.data());
  size_t at = 2;
  if ((header & 0xC000) == 0xC000) {
    const int kind = header & 0xF000;
    numeric->kind_ = kind == header_infinity         ? Kind::infinity
                     : kind == header_minus_infinity ? Kind::minus_infinity
                                                     : Kind::nan;
    return Status::ok;
  }
  if ((header & 0x8000) != 0) {
    numeric->negative_ = (header & 0x2000) != 0;
    numeric->scale_ = (header >> 7) & 0x3F;
    numeric->weight_ = (header & 0x3F) - ((header & 0x40) != 0 ? 64 : 0);
  } else {
    if (content.size() < 4) return damaged();
    numeric->negative_ = (header & 0x4000) != 0;
    numeric->scale_ = header & 0x3FFF;
    numeric->weight_ = load<int16_t>(content.data() + 2);
    at = 4;
  }
  if ((content.size() - at) % 2 != 0) return damaged();
  numeric->digits_.resize((content.size() - at) / 2);
  for (int16_t& digit : numeric->digits_) {
    digit = load<int16_t>(content.data() + at);
    if (digit < 0 || digit >= base) return damaged();
    at += 2;
  }
  numeric->strip();
  return Status::ok;
}

Numeric Numeric::from_integer(Int128 value) {
  Numeric numeric;
  numeric.negative_ = value < 0;
  __extension__ using Unsigned = unsigned __int128;
  auto rest = value < 0 ? -static_cast<Unsigned>(value) : static_cast<Unsigned>(value);
  for (; rest != 0; rest /= base) numeric.digits_.push_back(static_cast<int16_t>(rest % base));
  std::reverse(numeric.digits_.begin(), numeric.digits_.end());
  numeric.weight_ = static_cast<int>(numeric.digits_.size()) - 1;
  numeric.strip();
  return numeric;
}

void Numeric::strip() {
  size_t leading = 0;
  while (leading < digits_.size() && digits_[leading] == 0) leading++;
  digits_.erase(digits_.begin(), digits_.begin() + static_cast<std::ptrdiff_t>(leading));
  weight_ -= static_cast<int>(leading);
  while (!digits_.empty() && digits_.back() == 0) digits_.pop_back();
  if (!digits_.empty()) return;
  weight_ = 0;
  negative_ = false;
}

int Numeric::sign() const {
  if (kind_ == Kind::infinity) return 1;
  if (kind_ == Kind::minus_infinity) return -1;
  return digits_.empty() ? 0 : negative_ ? -1 : 1;
}

int Numeric::digit_at(int weight) const {
  const int i = weight_ - weight;
  return i < 0 || i >= static_cast<int>(digits_.size()) ? 0 : digits_[static_cast<size_t>(i)];
}

void Numeric::append_text(std::string* text) const {
  if (!is_finite()) {
    text->append(kind_ == Kind::nan ? "NaN" : kind_ == Kind::infinity ? "Infinity" : "-Infinity");
    return;
  }
  constexpr size_t digits_each = 4;
  const auto append_group = [text](int group) {
    std::string digits = std::to_string(group);
    text->append(digits_each - digits.size(), '0');
    text->append(digits);
  };
  if (negative_) text->push_back('-');
  text->append(std::to_string(digit_at(std::max(weight_, 0))));
  for (int weight = weight_ - 1; weight >= 0; weight--) append_group(digit_at(weight));
  if (scale_ == 0) return;
  text->push_back('.');
  const size_t size = text->size() + static_cast<size_t>(scale_);
  for (int weight = -1; text->size() < size; weight--) append_group(digit_at(weight));
  text->resize(size);
}

Numeric Numeric::add_signed(const Numeric& left, const Numeric& right, bool right_negative) {
  Numeric sum;
  sum.scale_ = std::max(left.scale_, right.scale_);
  const int top = std::max(left.weight_, right.weight_) + 1;
  const int bottom = std::min(left.weight_ - static_cast<int>(left.digits_.size()),
                              right.weight_ - static_cast<int>(right.digits_.size())) +
                     1;
  const auto count = static_cast<size_t>(std::max(0, top - bottom + 1));
  sum.digits_.resize(count);
  sum.weight_ = top;
  const bool subtracts = left.negative_ != right_negative;
  bool right_is_larger = false;
  if (subtracts) {
    for (int weight = top; weight >= bottom; weight--) {
      const int difference = left.digit_at(weight) - right.digit_at(weight);
      if (difference == 0) continue;
      right_is_larger = difference < 0;
      break;
    }
  }
  const Numeric& larger = right_is_larger ? right : left;
  const Numeric& smaller = right_is_larger ? left : right;
  sum.negative_ = right_is_larger ? right_negative : left.negative_;
  int carry = 0;
  for (size_t i = count; i-- > 0;) {
    const int weight = top - static_cast<int>(i);
    const int other = smaller.digit_at(weight);
    int digit = larger.digit_at(weight) + carry + (subtracts ? -other : other);
    carry = digit < 0 ? -1 : digit >= base ? 1 : 0;
    digit -= carry * base;
    sum.digits_[i] = static_cast<int16_t>(digit);
  }
  INVARIANT(carry == 0);
  sum.strip();
  return sum;
}

Numeric Numeric::add(const Numeric& left, const Numeric& right) {
  if (left.kind_ == Kind::nan || right.kind_ == Kind::nan) return Numeric(Kind::nan);
  if (left.kind_ != Kind::finite) {
    const bool opposite = right.kind_ != Kind::finite && right.kind_ != left.kind_;
    return opposite ? Numeric(Kind::nan) : left;
  }
  if (right.kind_ != Kind::finite) return right;
  return add_signed(left, right, right.negative_);
}

Numeric Numeric::subtract(const Numeric& left, const Numeric& right) {
  if (left.kind_ == Kind::nan || right.kind_ == Kind::nan) return Numeric(Kind::nan);
  if (left.kind_ != Kind::finite) return left.kind_ == right.kind_ ? Numeric(Kind::nan) : left;
  if (right.kind_ != Kind::finite) return Numeric(infinity_of(-right.sign()));
  return add_signed(left, right, !right.negative_);
}

Numeric Numeric::multiply(const Numeric& left, const Numeric& right) {
  if (left.kind_ == Kind::nan || right.kind_ == Kind::nan) return Numeric(Kind::nan);
  if (left.kind_ != Kind::finite || right.kind_ != Kind::finite) {
    const int sign = left.sign() * right.sign();
    return Numeric(sign == 0 ? Kind::nan : infinity_of(sign));
  }
  Numeric product;
  product.scale_ = left.scale_ + right.scale_;
  product.negative_ = left.negative_ != right.negative_;
  product.weight_ = left.weight_ + right.weight_ + 1;
  const size_t count = left.digits_.size() + right.digits_.size();
  std::vector<uint64_t> sums(count);
  for (size_t i = 0; i < left.digits_.size(); i++) {
    const auto factor = static_cast<uint64_t>(left.digits_[i]);
    for (size_t k = 0; k < right.digits_.size(); k++)
      sums[i + k + 1] += factor * static_cast<uint64_t>(right.digits_[k]);
  }
  product.digits_.resize(count);
  uint64_t carry = 0;
  for (size_t i = count; i-- > 0;) {
    carry += sums[i];
    product.digits_[i] = static_cast<int16_t>(carry % base);
    carry /= base;
  }
  product.strip();
  if (product.scale_ > scale_max) product.round(scale_max);
  return product;
}

Numeric Numeric::quotient(const Numeric& left, const Numeric& right, int places) {
  Numeric result;
  // Digits of the quotient from the first that may not be zero on.
  const int top = left.weight_ - right.weight_;
  const int count = top + 1 + places;
  if (count <= 0 || left.digits_.empty()) return result;
  result.weight_ = top;
  // Knuth's algorithm D on a dividend that is as long as the quotient needs, with a leading zero.
  const size_t divisor_size = right.digits_.size();
  std::vector<int64_t> dividend(static_cast<size_t>(count) + divisor_size);
  for (size_t i = 0; i < left.digits_.size() && i + 1 < dividend.size(); i++)
    dividend[i + 1] = left.digits_[i];
  std::vector<int64_t> divisor(right.digits_.begin(), right.digits_.end());
  const int64_t factor = base / (divisor[0] + 1);
  const auto scale_up = [factor](std::vector<int64_t>& digits) {
    int64_t carry = 0;
    for (size_t i = digits.size(); i-- > 0;) {
      carry += digits[i] * factor;
      digits[i] = carry % base;
      carry /= base;
    }
    return carry;
  };
  // The dividend is at most right's first digits times base, so that nothing is carried out of it.
  scale_up(dividend);
  scale_up(divisor);
  for (size_t i = 0; i < static_cast<size_t>(count); i++) {
    const int64_t head = dividend[i] * base + dividend[i + 1];
    int64_t guess = std::min<int64_t>(head / divisor[0], base - 1);
    if (divisor_size > 1) {
      const int64_t third = i + 2 < dividend.size() ? dividend[i + 2] : 0;
      while ((head - guess * divisor[0]) * base + third < guess * divisor[1]) guess--;
    }
    int64_t borrow = 0;
    for (size_t k = divisor_size; k-- > 0;) {
      int64_t digit = dividend[i + k + 1] - guess * divisor[k] + borrow;
      borrow = digit < 0 ? -((-digit + base - 1) / base) : 0;
      dividend[i + k + 1] = digit - borrow * base;
    }
    if (dividend[i] + borrow < 0) {
      // The guess was one too large.
      guess--;
      int64_t carry = 0;
      for (size_t k = divisor_size; k-- > 0;) {
        const int64_t digit = dividend[i + k + 1] + divisor[k] + carry;
        carry = digit >= base ? 1 : 0;
        dividend[i + k + 1] = digit - carry * base;
      }
    }
    dividend[i] = 0;
    result.digits_.push_back(static_cast<int16_t>(guess));
  }
  return result;
}

Status Numeric::divide(const Numeric& left, const Numeric& right, Numeric* result) {
  if (left.kind_ == Kind::nan || right.kind_ == Kind::nan) {
    *result = Numeric(Kind::nan);
    return Status::ok;
  }
  if (right.kind_ == Kind::finite && right.digits_.empty()) return division_by_zero();
  if (left.kind_ != Kind::finite) {
    const bool both = right.kind_ != Kind::finite;
    *result = Numeric(both ? Kind::nan : infinity_of(left.sign() * right.sign()));
    return Status::ok;
  }
  if (right.kind_ != Kind::finite) {
    *result = Numeric();
    return Status::ok;
  }
  // At least 16 significant digits, and what the operands show.
  const int left_weight = left.digits_.empty() ? 0 : left.weight_;
  const int left_first = left.digits_.empty() ? 0 : left.digits_[0];
  int weight = left_weight - right.weight_;
  if (left_first <= right.digits_[0]) weight--;
  int scale = division_digits - weight * base_digits;
  scale = std::max({scale, left.scale_, right.scale_, 0});
  scale = std::min(scale, division_scale_max);
  *result = quotient(left, right, scale / base_digits + 2);
  result->negative_ = left.negative_ != right.negative_;
  result->strip();
  result->round(scale);
  return Status::ok;
}

Status Numeric::modulo(const Numeric& left, const Numeric& right, Numeric* result) {
  if (left.kind_ == Kind::nan || right.kind_ == Kind::nan) {
    *result = Numeric(Kind::nan);
    return Status::ok;
  }
  if (right.kind_ == Kind::finite && right.digits_.empty()) return division_by_zero();
  if (left.kind_ != Kind::finite) {
    *result = Numeric(Kind::nan);
    return Status::ok;
  }
  if (right.kind_ != Kind::finite) {
    *result = left;
    return Status::ok;
  }
  Numeric whole = quotient(left, right, 0);
  whole.negative_ = left.negative_ != right.negative_;
  whole.strip();
  *result = subtract(left, multiply(whole, right));
  return Status::ok;
}

void Numeric::round(int scale) {
  scale_ = scale;
  const int kept = (weight_ + 1) * base_digits + scale;
  if (digits_.empty() || kept < 0) {
    digits_.clear();
    strip();
    return;
  }
  const int whole = (kept + base_digits - 1) / base_digits;
  const int count = static_cast<int>(digits_.size());
  const int partial = kept % base_digits;
  if (whole > count || (whole == count && partial == 0)) return strip();
  const auto end = static_cast<size_t>(whole);
  int carry = 0;
  if (partial == 0) {
    carry = digits_[end] >= base / 2 ? 1 : 0;
    digits_.resize(end);
  } else {
    const int unit = powers[base_digits - partial];
    digits_.resize(end);
    const int extra = digits_[end - 1] % unit;
    int last = digits_[end - 1] - extra + (extra >= unit / 2 ? unit : 0);
    carry = last >= base ? 1 : 0;
    digits_[end - 1] = static_cast<int16_t>(last - carry * base);
    if (carry != 0 && end == 1) {
      digits_.insert(digits_.begin(), int16_t{1});
      weight_++;
      return strip();
    }
  }
  size_t at = partial == 0 ? end : end - 1;
  while (carry != 0 && at-- > 0) {
    const int digit = digits_[at] + 1;
    carry = digit == base ? 1 : 0;
    digits_[at] = static_cast<int16_t>(carry != 0 ? 0 : digit);
  }
  if (carry != 0) {
    digits_.insert(digits_.begin(), int16_t{1});
    weight_++;
  }
  strip();
}

double Numeric::to_double() const {
  switch (kind_) {
    case Kind::nan:
      return std::numeric_limits<double>::quiet_NaN();
    case Kind::infinity:
      return std::numeric_limits<double>::infinity();
    case Kind::minus_infinity:
      return -std::numeric_limits<double>::infinity();
    case Kind::finite:
      break;
  }
  std::string text = negative_ ? "-0" : "0";
  for (const int16_t digit : digits_) {
    char group[8];
    std::snprintf(group, sizeof(group), "%04d", digit);
    text += group;
  }
  const int exponent = (weight_ + 1 - static_cast<int>(digits_.size())) * base_digits;
  text += 'e' + std::to_string(exponent);
  return std::strtod(text.c_str(), nullptr);
}

Status Numeric::to_datum(Arena& arena, Datum* datum) const {
  uint16_t words[2];
  size_t header = 1;
  if (kind_ != Kind::finite) {
    words[0] = kind_ == Kind::nan        ? header_nan
               : kind_ == Kind::infinity ? header_infinity
                                         : header_minus_infinity;
  } else {
    if (weight_ > weight_max || weight_ < -weight_max - 1 || scale_ > scale_max)
      return Status::error(ErrorCode::numeric_value_out_of_range, "value overflows numeric format");
    if (scale_ <= 63 && weight_ >= -64 && weight_ <= 63) {
      words[0] = static_cast<uint16_t>(0x8000 | (negative_ ? 0x2000 : 0) | (scale_ << 7) |
                                       (weight_ < 0 ? 0x40 : 0) | (weight_ & 0x3F));
    } else {
      words[0] = static_cast<uint16_t>((negative_ ? 0x4000 : 0) | scale_);
      words[1] = static_cast<uint16_t>(weight_);
      header = 2;
    }
  }
  const size_t content = (header + digits_.size()) * 2;
  const bool is_short = content + VARHDRSZ_SHORT <= VARATT_SHORT_MAX;
  const size_t varlena_header = is_short ? VARHDRSZ_SHORT : VARHDRSZ;
  std::byte* const value = arena.allocate(varlena_header + content);
  if (is_short)
    set_varlena_size_1b(value, static_cast<uint32_t>(varlena_header + content));
  else
    set_varlena_size_4b(value, static_cast<uint32_t>(varlena_header + content));
  std::memcpy(value + varlena_header, words, header * 2);
  if (!digits_.empty())
    std::memcpy(value + varlena_header + header * 2, digits_.data(), digits_.size() * 2);
  *datum = pointer_datum(value);
  return Status::ok;
}

}  // namespace pgdata
