// Goal: the comparators order values as PostgreSQL's btree operator classes do.
// Method: lists of values in the order that PostgreSQL gives, each compared with each; the packed
// forms are built here byte by byte. The orders of jsonb and arrays are also checked against stock
// PostgreSQL's own indexes by the oracle tests.
#include "tuple/compare.h"

#include <bit>
#include <limits>
#include <string>
#include <vector>

#include "base/test.h"

namespace pgdata {
namespace {

using Bytes = std::vector<std::byte>;

Bytes varlena(const std::string& content, bool short_header) {
  Bytes value;
  if (short_header) {
    value.push_back(static_cast<std::byte>((content.size() + 1) << 1 | 1));
  } else {
    value.resize(4);
    store(value.data(), static_cast<uint32_t>((content.size() + 4) << 2));
  }
  for (char c : content) value.push_back(static_cast<std::byte>(c));
  return value;
}

template <typename... Values>
std::string packed(Values... values) {
  std::string bytes;
  const auto append = [&](auto value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  (append(values), ...);
  return bytes;
}

KeyColumn column_of(Oid opfamily, Oid opcintype, Oid collation = 0, Oid element = 0) {
  ComparatorRequest request;
  request.opfamily = opfamily;
  request.opcintype = opcintype;
  request.collation = collation;
  request.element_type = element;
  request.default_collation_is_bytewise = true;
  KeyColumn column;
  EXPECT_OK(select_comparator(request, &column));
  return column;
}

// `groups` ascend; values of one group are equal.
void expect_order(const KeyColumn& column, const std::vector<std::vector<Datum>>& groups) {
  for (size_t i = 0; i < groups.size(); ++i)
    for (Datum left : groups[i])
      for (size_t j = 0; j < groups.size(); ++j)
        for (Datum right : groups[j]) {
          const int order = column.compare(left, right, column);
          EXPECT_EQ(order < 0, i < j);
          EXPECT_EQ(order > 0, i > j);
          if (i < j) EXPECT(abbreviate(left, column) <= abbreviate(right, column));
          if (i == j) EXPECT(abbreviate(left, column) == abbreviate(right, column));
        }
}

void expect_varlena_order(const KeyColumn& column,
                          const std::vector<std::vector<std::string>>& groups) {
  std::vector<Bytes> kept;
  std::vector<std::vector<Datum>> datums;
  size_t total = 0;
  for (const auto& group : groups) total += group.size() * 2;
  kept.reserve(total);
  for (const auto& group : groups) {
    datums.emplace_back();
    for (const std::string& content : group)
      for (bool short_header : {false, true}) {
        if (short_header && content.size() > 126) continue;
        kept.push_back(varlena(content, short_header));
        datums.back().push_back(pointer_datum(kept.back().data()));
      }
  }
  expect_order(column, datums);
}

std::string numeric_short(bool negative, int weight, std::vector<int16_t> digits) {
  std::string bytes =
      packed(static_cast<uint16_t>(0x8000 | (negative ? 0x2000 : 0) | (weight & 0x7F)));
  for (int16_t digit : digits) bytes += packed(digit);
  return bytes;
}
std::string numeric_long(bool negative, int16_t weight, std::vector<int16_t> digits) {
  std::string bytes = packed(static_cast<uint16_t>(negative ? 0x4000 : 0), weight);
  for (int16_t digit : digits) bytes += packed(digit);
  return bytes;
}

TEST(integers_are_ordered_by_value_and_width) {
  const auto datum = [](int64_t value) { return static_cast<Datum>(value); };
  for (const KeyColumn& column :
       {column_of(1976, 20), column_of(1976, 21), column_of(1976, 23), column_of(434, 1082)})
    expect_order(column, {{datum(-32768)}, {datum(-1)}, {datum(0)}, {datum(1)}, {datum(32767)}});
  expect_order(column_of(1989, 26), {{0}, {1}, {0x7FFFFFFF}, {0x80000000, datum(INT32_MIN)}});
  expect_order(column_of(3253, 3220), {{0}, {1}, {datum(INT64_MAX)}, {datum(-1)}});
}

TEST(floats_put_nan_last_and_zeroes_together) {
  const auto datum = [](double value) { return std::bit_cast<Datum>(value); };
  const double infinity = std::numeric_limits<double>::infinity();
  const double nan = std::numeric_limits<double>::quiet_NaN();
  expect_order(column_of(1970, 701), {{datum(-infinity)},
                                      {datum(-2.5)},
                                      {datum(-0.0), datum(0.0)},
                                      {datum(1e-300)},
                                      {datum(infinity)},
                                      {datum(nan), datum(-nan)}});
  const auto single = [](float value) { return Datum{std::bit_cast<uint32_t>(value)}; };
  expect_order(column_of(1970, 700), {{single(-1.5f)}, {single(-0.0f), single(0)}, {single(7)}});
}

TEST(text_is_ordered_by_bytes) {
  expect_varlena_order(column_of(1994, 25, 950),
                       {{""}, {"B"}, {"a"}, {"abcdefgh"}, {"abcdefgha"}, {"b"}, {"\xC3\xA9"}});
}

TEST(bpchar_ignores_trailing_blanks) {
  expect_varlena_order(column_of(426, 1042, 100), {{"", "  "}, {"a", "a  "}, {"a b", "a b "}});
}

TEST(numeric_is_ordered_across_forms) {
  expect_varlena_order(
      column_of(1988, 1700),
      {{packed(uint16_t{0xF000})},
       {numeric_long(true, 3, {1, 2})},
       {numeric_short(true, 0, {2}), numeric_long(true, 0, {2})},
       {numeric_short(true, 0, {1, 5000})},
       {numeric_short(false, 0, {}), numeric_long(false, 0, {}), numeric_short(true, 0, {})},
       {numeric_short(false, -2, {1})},
       {numeric_short(false, -1, {9999})},
       {numeric_short(false, 0, {1}), numeric_short(false, 1, {0, 1})},
       {numeric_short(false, 0, {1, 1})},
       {numeric_long(false, 200, {1})},
       {packed(uint16_t{0xD000})},
       {packed(uint16_t{0xC000})}});
}

TEST(interval_counts_months_as_thirty_days) {
  const KeyColumn column = column_of(1982, 1186);
  const std::string minus = packed(int64_t{-1}, int32_t{0}, int32_t{0});
  const std::string month = packed(int64_t{0}, int32_t{0}, int32_t{1});
  const std::string days = packed(int64_t{0}, int32_t{30}, int32_t{0});
  const std::string hours = packed(int64_t{30} * 86400000000, int32_t{0}, int32_t{0});
  const std::string most = packed(INT64_MAX, INT32_MAX, INT32_MAX);
  const auto datum = [](const std::string& bytes) { return pointer_datum(bytes.data()); };
  expect_order(column, {{datum(minus)}, {datum(month), datum(days), datum(hours)}, {datum(most)}});
}

// One scalar or container as PostgreSQL packs it, from (entry, bytes) pairs.
std::string container(uint32_t header, const std::vector<std::pair<uint32_t, std::string>>& items) {
  std::string bytes = packed(header);
  std::string data;
  std::string entries;
  for (const auto& [type, content] : items) {
    const size_t before = data.size();
    if (type == 0x10000000 || type == 0x50000000) data.resize(align_up(data.size(), 4));
    data += content;
    entries += packed(static_cast<uint32_t>(type | (data.size() - before)));
  }
  return bytes + entries + data;
}

TEST(jsonb_is_ordered_by_type_size_and_content) {
  constexpr uint32_t array = 0x40000000;
  constexpr uint32_t object = 0x20000000;
  constexpr uint32_t scalar = array | 0x10000000;
  constexpr uint32_t string = 0;
  constexpr uint32_t number = 0x10000000;
  constexpr uint32_t null = 0x40000000;
  constexpr uint32_t yes = 0x30000000;
  constexpr uint32_t no = 0x20000000;
  const Bytes one_value = varlena(numeric_short(false, 0, {1}), false);
  const std::string one(reinterpret_cast<const char*>(one_value.data()), one_value.size());
  expect_varlena_order(
      column_of(4033, 3802),
      {{container(array, {})},
       {container(scalar | 1, {{null, ""}})},
       {container(scalar | 1, {{string, "a"}})},
       {container(scalar | 1, {{string, "b"}})},
       {container(scalar | 1, {{number, one}})},
       {container(scalar | 1, {{no, ""}})},
       {container(scalar | 1, {{yes, ""}})},
       {container(array | 1, {{null, ""}})},
       {container(array | 1, {{0x50000000, container(array, {})}})},
       {container(array | 2, {{string, "x"}, {number, one}})},
       {container(object, {})},
       {container(object | 1, {{string, "a"}, {number, one}})},
       {container(object | 1, {{string, "b"}, {string, "a"}})},
       {container(object | 2, {{string, "a"}, {string, "b"}, {null, ""}, {yes, ""}})}});
}

TEST(arrays_are_ordered_by_element_then_shape) {
  const KeyColumn column = column_of(397, 2277, 0, 23);
  const auto vector_of = [](std::vector<int32_t> items, int32_t lower) {
    std::string bytes =
        packed(int32_t{1}, int32_t{0}, uint32_t{23}, static_cast<int32_t>(items.size()), lower);
    for (int32_t item : items) bytes += packed(item);
    return bytes;
  };
  const std::string empty = packed(int32_t{0}, int32_t{0}, uint32_t{23});
  // {1,NULL}: a bitmap, data at offset 32.
  const std::string with_null =
      packed(int32_t{1}, int32_t{32}, uint32_t{23}, int32_t{2}, int32_t{1}, uint8_t{1}) +
      std::string(7, '\0') + packed(int32_t{1});
  expect_varlena_order(column, {{empty},
                                {vector_of({1}, 1)},
                                {vector_of({1}, 2)},
                                {vector_of({1, 2}, 1)},
                                {with_null},
                                {vector_of({2}, 1)}});
}

TEST(damaged_values_are_not_read_past_their_end) {
  auto random = test::random_engine();
  const KeyColumn columns[] = {column_of(1988, 1700), column_of(4033, 3802),
                               column_of(397, 2277, 950, 25), column_of(1991, 30)};
  for (int round = 0; round < 20000; ++round) {
    const auto make = [&] {
      std::string content(random() % 48, '\0');
      for (char& c : content) c = static_cast<char>(random() % 4 == 0 ? random() : random() % 3);
      if (content.size() > 4 && random() % 2 == 0)
        content[3] = static_cast<char>(random() % 8 << 4);
      return varlena(content, random() % 2 == 0);
    };
    const Bytes left = make();
    const Bytes right = make();
    for (const KeyColumn& column : columns) {
      const Datum a = pointer_datum(left.data());
      EXPECT_EQ(column.compare(a, a, column) == 0 || &column == &columns[2], true);
      EXPECT(column.compare(a, pointer_datum(right.data()), column) < 2000000);
    }
  }
}

TEST(what_cannot_be_ordered_is_refused) {
  KeyColumn column;
  ComparatorRequest request;
  request.opfamily = 1994;
  request.opcintype = 25;
  request.collation = 963;  // unicode, by ICU
  EXPECT(select_comparator(request, &column).code() == ErrorCode::feature_not_supported);
  request.opfamily = 3626;  // tsvector
  request.opcintype = 3614;
  EXPECT(select_comparator(request, &column).code() == ErrorCode::feature_not_supported);
  EXPECT(select_default_comparator(1043, 950, true, &column).is_ok());
  EXPECT(select_default_comparator(2249, 0, true, &column).code() ==
         ErrorCode::feature_not_supported);
}

}  // namespace
}  // namespace pgdata
