// The order of numeric values, from their packed form, without conversion.
//
//   offset  size  field     meaning
//        0     2  n_header  high bits 00 or 01: long form (01 negative), 10: short form, 11: special
//   long:   2  2  n_weight  power of 10000 of the first digit
//   short: bit 13 negative, bits 0 to 6 the weight as a 7-bit signed number
//   special: 0xC000 NaN, 0xD000 infinity, 0xF000 minus infinity
//      2/4    2n  digits    base 10000, most significant first
//
// Source: src/backend/utils/adt/numeric.c, PostgreSQL 18.
#include <cstdint>

#include "tuple/compare_nested.h"

namespace pgdata {
namespace {

struct NumericView {
  // -2 minus infinity, 0 finite, 2 infinity, 3 NaN: their order among themselves.
  int special = 0;
  int sign = 0;  // of a finite value: -1, 0, 1
  int weight = 0;
  const char* digits = nullptr;
  int count = 0;

  int digit(int i) const { return load<int16_t>(digits + 2 * i); }
};

NumericView view_of(std::string_view content) {
  NumericView view;
  if (content.size() < 2) return view;
  const uint16_t header = load<uint16_t>(content.data());
  size_t digits_offset = 2;
  bool negative = false;
  if ((header & 0xC000) == 0xC000) {
    const int kind = header & 0xF000;
    view.special = kind == 0xF000 ? -2 : kind == 0xD000 ? 2 : 3;
    return view;
  }
  if ((header & 0x8000) != 0) {
    negative = (header & 0x2000) != 0;
    view.weight = header & 0x003F;
    if ((header & 0x0040) != 0) view.weight -= 64;
  } else {
    if (content.size() < 4) return view;
    negative = (header & 0x4000) != 0;
    view.weight = load<int16_t>(content.data() + 2);
    digits_offset = 4;
  }
  view.digits = content.data() + digits_offset;
  view.count = static_cast<int>((content.size() - digits_offset) / 2);
  // Stored values have no leading zero digits, but equal values must compare equal in any form.
  while (view.count > 0 && view.digit(0) == 0) {
    view.digits += 2;
    --view.count;
    --view.weight;
  }
  while (view.count > 0 && view.digit(view.count - 1) == 0) --view.count;
  view.sign = view.count == 0 ? 0 : negative ? -1 : 1;
  return view;
}

}  // namespace

int compare_numeric_content(std::string_view left, std::string_view right) {
  const NumericView a = view_of(left);
  const NumericView b = view_of(right);
  if (a.special != b.special) return a.special < b.special ? -1 : 1;
  if (a.special != 0) return 0;
  if (a.sign != b.sign) return a.sign < b.sign ? -1 : 1;
  if (a.sign == 0) return 0;
  if (a.weight != b.weight) return a.weight < b.weight ? -a.sign : a.sign;
  const int shared = a.count < b.count ? a.count : b.count;
  for (int i = 0; i < shared; ++i) {
    const int difference = a.digit(i) - b.digit(i);
    if (difference != 0) return difference < 0 ? -a.sign : a.sign;
  }
  if (a.count == b.count) return 0;
  return a.count < b.count ? -a.sign : a.sign;
}

}  // namespace pgdata
