// Numeric: from and to other kinds of numbers, and within a column's precision.
// Source: numeric_int8, float8_numeric and apply_typmod in src/backend/utils/adt/numeric.c, PostgreSQL 18.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <limits>
#include <string>

#include "executor/numeric.h"

namespace pgdata {

namespace {

constexpr int base = 10000;
constexpr int base_digits = 4;

}  // namespace

Numeric Numeric::from_double(double value, int digits) {
  if (std::isnan(value)) return Numeric(Kind::nan);
  if (std::isinf(value)) return Numeric(value > 0 ? Kind::infinity : Kind::minus_infinity);
  char text[64];
  // One digit, a point, the others, and an exponent.
  std::snprintf(text, sizeof(text), "%.*e", digits - 1, std::fabs(value));
  std::string figures;
  const char* at = text;
  for (; *at != 'e'; ++at)
    if (*at != '.') figures += *at;
  int exponent = std::atoi(at + 1);
  while (figures.size() > 1 && figures.back() == '0') figures.pop_back();
  // What %g shows: the figures without zeroes at the end, the point wherever it is.
  const int after_point = static_cast<int>(figures.size()) - 1 - exponent;
  Numeric result;
  result.negative_ = std::signbit(value);
  result.scale_ = after_point > 0 ? after_point : 0;
  // The figures before the point to a multiple of four, so that groups begin at one.
  int weight = exponent >= 0 ? exponent / base_digits : -((-exponent - 1) / base_digits) - 1;
  const int lead = exponent - weight * base_digits;
  figures.insert(0, static_cast<size_t>(base_digits - 1 - lead), '0');
  while (figures.size() % base_digits != 0) figures += '0';
  for (size_t i = 0; i < figures.size(); i += base_digits)
    result.digits_.push_back(
        static_cast<int16_t>(std::atoi(figures.substr(i, base_digits).c_str())));
  result.weight_ = weight;
  result.strip();
  return result;
}

Status Numeric::to_int64(const char* type, int64_t* value) const {
  if (kind_ != Kind::finite)
    return Status::error(ErrorCode::feature_not_supported, "cannot convert %s to %s",
                         kind_ == Kind::nan ? "NaN" : "infinity", type);
  Numeric whole = *this;
  whole.round(0);
  Int128 sum = 0;
  // No more groups than an int64 has, and one.
  if (whole.weight_ > 5)
    return Status::error(ErrorCode::numeric_value_out_of_range, "%s out of range", type);
  for (int weight = whole.weight_; weight >= 0 && !whole.digits_.empty(); weight--)
    sum = sum * base + whole.digit_at(weight);
  if (whole.negative_) sum = -sum;
  if (sum < std::numeric_limits<int64_t>::min() || sum > std::numeric_limits<int64_t>::max())
    return Status::error(ErrorCode::numeric_value_out_of_range, "%s out of range", type);
  *value = static_cast<int64_t>(sum);
  return Status::ok;
}

Status Numeric::limit(int32_t typmod) {
  const int32_t packed = typmod - static_cast<int32_t>(sizeof(int32_t));
  const int precision = (packed >> 16) & 0xFFFF;
  // Eleven bits, with a sign.
  const int scale = ((packed & 0x7FF) ^ 1024) - 1024;
  if (kind_ == Kind::nan) return Status::ok;
  const auto overflow = [&](const std::string& detail) {
    Status status = Status::error(ErrorCode::numeric_value_out_of_range, "numeric field overflow");
    status.report().detail = detail;
    return status;
  };
  if (kind_ != Kind::finite)
    return overflow("A field with precision " + std::to_string(precision) + ", scale " +
                    std::to_string(scale) + " cannot hold an infinite value.");
  round(scale);
  if (scale_ < 0) scale_ = 0;
  if (digits_.empty()) return Status::ok;
  int before_point = weight_ * base_digits;
  for (int first = digits_[0]; first > 0; first /= 10) before_point++;
  const int digits_max = precision - scale;
  if (before_point <= digits_max) return Status::ok;
  return overflow("A field with precision " + std::to_string(precision) + ", scale " +
                  std::to_string(scale) + " must round to an absolute value less than " +
                  (digits_max != 0 ? "10^" + std::to_string(digits_max) : "1") + ".");
}

}  // namespace pgdata
