// Numeric: arithmetic on values of type numeric, with the scale and the rounding that PostgreSQL gives a result.
//
// Made from the content of a datum (see tuple/compare_numeric.cc for its form), which is checked: damaged digits raise
// data_corrupted. Source: src/backend/utils/adt/numeric.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "executor/arena.h"
#include "tuple/tuple_desc.h"

namespace pgdata {

__extension__ using Int128 = __int128;

class NumericSum;

class Numeric {
 public:
  // Zero.
  Numeric() = default;
  static Status from_content(std::string_view content, Numeric* numeric);
  static Numeric from_integer(Int128 value);
  // Of so many decimal digits.
  static Numeric from_double(double value, int digits);
  bool is_finite() const { return kind_ == Kind::finite; }
  bool is_nan() const { return kind_ == Kind::nan; }

  // The results have PostgreSQL's display scale.
  static Numeric add(const Numeric& left, const Numeric& right);
  static Numeric subtract(const Numeric& left, const Numeric& right);
  static Numeric multiply(const Numeric& left, const Numeric& right);
  // division_by_zero.
  static Status divide(const Numeric& left, const Numeric& right, Numeric* result);
  static Status modulo(const Numeric& left, const Numeric& right, Numeric* result);

  double to_double() const;
  // With the digits that PostgreSQL shows.
  void append_text(std::string* text) const;
  // Halves away from zero. numeric_value_out_of_range; feature_not_supported for what is not finite.
  Status to_int64(const char* type, int64_t* value) const;
  // Rounds to what numeric(precision, scale) holds, as a column's modifier (pg_attribute.atttypmod) says.
  // numeric_value_out_of_range.
  Status limit(int32_t typmod);
  // A varlena in the arena. numeric_value_out_of_range.
  Status to_datum(Arena& arena, Datum* datum) const;

 private:
  friend class NumericSum;
  enum class Kind : uint8_t { finite, nan, infinity, minus_infinity };
  explicit Numeric(Kind kind) : kind_(kind) {}

  static Numeric add_signed(const Numeric& left, const Numeric& right, bool right_negative);
  // The magnitudes' quotient, cut off after so many base-10000 digits after the point.
  static Numeric quotient(const Numeric& left, const Numeric& right, int places);
  // Of infinities, too: -1, 0 or 1.
  int sign() const;
  static Kind infinity_of(int sign) { return sign > 0 ? Kind::infinity : Kind::minus_infinity; }
  int digit_at(int weight) const;
  // Takes zeroes off both ends.
  void strip();
  // To so many decimal digits after the point, halves away from zero.
  void round(int scale);

  Kind kind_ = Kind::finite;
  bool negative_ = false;
  int weight_ = 0;               // power of 10000 of the first digit
  int scale_ = 0;                // decimal digits after the point that are shown
  std::vector<int16_t> digits_;  // base 10000, without zeroes at either end
};

// Adds up many values without making a numeric of each sum.
class NumericSum {
 public:
  // Gives how many bytes more it takes now.
  size_t add(const Numeric& value);
  // Takes one away that was added; false, and nothing has changed, where the rest's scale is not known.
  bool remove(const Numeric& value);
  Numeric total() const;
  // Values that were added.
  int64_t count() const { return count_; }

 private:
  void make_room(int top, int bottom);
  void add_digits(const Numeric& value, bool is_negative);

  // Sums of the digits with weights from top_ downwards. So many values as may be counted do not overflow them.
  std::vector<int64_t> digits_;
  int top_ = 0;
  int scale_ = 0;
  int64_t count_of_scale_ = 0;  // finite values that have that scale
  int64_t count_ = 0;
  int64_t nans_ = 0;
  int64_t infinities_ = 0;
  int64_t minus_infinities_ = 0;
};

}  // namespace pgdata
