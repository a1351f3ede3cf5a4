// Goal: what is formed is deformed to the same values, whatever the columns; bytes are laid out
// as PostgreSQL lays them out; no corrupt tuple makes deforming read outside it.
// Method: random column lists and rows, hand-checked layouts, random damage under ASan.
#include <algorithm>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "base/test.h"
#include "layout/heap_tuple.h"
#include "tuple/deform.h"
#include "tuple/deform_columns.h"
#include "tuple/form.h"
#include "tuple/varlena.h"

namespace pgdata {
namespace {

Attribute column(int16_t attlen, bool attbyval, char attalign, char attstorage = 'p') {
  Attribute attribute;
  attribute.attlen = attlen;
  attribute.attbyval = attbyval;
  attribute.attalign = attalign;
  attribute.attstorage = attstorage;
  std::strcpy(attribute.attname, "c");
  return attribute;
}
Attribute int4() { return column(4, true, 'i'); }
Attribute int8() { return column(8, true, 'd'); }
Attribute boolean() { return column(1, true, 'c'); }
Attribute text() { return column(-1, false, 'i', 'x'); }

Attribute random_column(std::mt19937_64& random) {
  switch (random() % 9) {
    case 0:
      return boolean();
    case 1:
      return column(2, true, 's');
    case 2:
      return int4();
    case 3:
      return int8();
    case 4:
      return column(64, false, 'c');  // name
    case 5:
      return column(16, false, 'd');  // interval
    case 6:
      return column(-2, false, 'c');  // cstring
    case 7:
      return column(-1, false, random() % 2 ? 'i' : 'd', 'p');
    default:
      return column(-1, false, random() % 4 ? 'i' : 'd', 'x');
  }
}

using Bytes = std::vector<std::byte>;

// A value of the column, its bytes kept in `store` when by reference.
Datum random_value(const Attribute& attribute, std::mt19937_64& random, std::vector<Bytes>& store) {
  if (attribute.attbyval) {
    const int64_t value = static_cast<int64_t>(random());
    switch (attribute.attlen) {
      case 1:
        return static_cast<Datum>(static_cast<int64_t>(static_cast<int8_t>(value)));
      case 2:
        return static_cast<Datum>(static_cast<int64_t>(static_cast<int16_t>(value)));
      case 4:
        return static_cast<Datum>(static_cast<int64_t>(static_cast<int32_t>(value)));
      default:
        return static_cast<Datum>(value);
    }
  }
  Bytes bytes;
  if (attribute.attlen > 0) {
    bytes.resize(static_cast<size_t>(attribute.attlen));
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
  } else if (attribute.attlen == -2) {
    bytes.resize(random() % 20);
    for (std::byte& byte : bytes) byte = static_cast<std::byte>(1 + random() % 255);
    bytes.push_back(std::byte{0});
  } else {
    switch (random() % 8) {
      case 0: {
        bytes.resize(TOAST_POINTER_SIZE);
        write_toast_pointer(bytes.data(), {5000, 2000, 16400, 16390});
        break;
      }
      case 1: {
        const uint32_t size = static_cast<uint32_t>(1 + random() % VARATT_SHORT_MAX);
        bytes.resize(size);
        set_varlena_size_1b(bytes.data(), size);
        if (size == 1) set_varlena_size_1b(bytes.data(), 1), bytes[0] = std::byte{3};
        break;
      }
      default: {
        const uint32_t size = static_cast<uint32_t>(4 + random() % (random() % 3 ? 20 : 400));
        bytes.resize(size);
        for (std::byte& byte : bytes) byte = static_cast<std::byte>(random());
        set_varlena_size_4b(bytes.data(), size);
        if (size >= VARHDRSZ_COMPRESSED && random() % 5 == 0)
          set_varlena_size_compressed(bytes.data(), size);
      }
    }
  }
  store.push_back(std::move(bytes));
  return pointer_datum(store.back().data());
}

struct Row {
  std::vector<Datum> values;
  std::vector<char> nulls;
  std::vector<Bytes> store;
  const bool* null_flags() const { return reinterpret_cast<const bool*>(nulls.data()); }
  bool* null_flags() { return reinterpret_cast<bool*>(nulls.data()); }
};

Row random_row(const TupleDesc& desc, std::mt19937_64& random, bool with_nulls) {
  Row row;
  row.store.reserve(desc.attributes.size());
  for (const Attribute& attribute : desc.attributes) {
    const bool null = with_nulls && random() % 4 == 0;
    row.nulls.push_back(null ? 1 : 0);
    row.values.push_back(null ? 0 : random_value(attribute, random, row.store));
  }
  return row;
}

Bytes form(const TupleLayout& layout, const Datum* values, const bool* nulls) {
  const HeapTupleSize size = heap_tuple_size(layout, values, nulls);
  // Dirty memory, so that padding left alone would show.
  Bytes tuple(size.total(), std::byte{0xEE});
  form_heap_tuple(layout, values, nulls, size, tuple.data());
  return tuple;
}

bool same_value(const Attribute& attribute, Datum formed, Datum deformed) {
  if (attribute.attlen != -1 || attribute.attstorage == 'p')
    return datum_bits_equal(attribute.attbyval, attribute.attlen, formed, deformed);
  const std::byte* a = datum_pointer(formed);
  const std::byte* b = datum_pointer(deformed);
  if (!varlena_is_plain(a) || !varlena_can_be_short(a))
    return datum_bits_equal(false, -1, formed, deformed);
  return varlena_is_short(b) && varlena_data_size(a) == varlena_data_size(b) &&
         std::memcmp(varlena_data(a), varlena_data(b), varlena_data_size(a)) == 0;
}

TEST(random_rows_survive_forming_and_deforming) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 2000; ++round) {
    TupleDesc desc;
    const int natts = static_cast<int>(random() % 40);
    for (int i = 0; i < natts; ++i) desc.attributes.push_back(random_column(random));
    const TupleLayout layout(desc);
    const Row row = random_row(desc, random, round % 2 == 0);
    const Bytes tuple = form(layout, row.values.data(), row.null_flags());
    Row read;
    read.values.resize(static_cast<size_t>(natts));
    read.nulls.resize(static_cast<size_t>(natts));
    ASSERT_OK(deform_heap_tuple(layout, tuple.data(), tuple.size(), read.values.data(),
                                read.null_flags()));
    for (size_t i = 0; i < desc.attributes.size(); ++i) {
      EXPECT_EQ(row.nulls[i], read.nulls[i]);
      if (row.nulls[i]) continue;
      EXPECT(same_value(desc.attributes[i], row.values[i], read.values[i]));
    }
    // Deforming a prefix gives the same.
    if (natts > 1) {
      Datum first = 0;
      bool first_null = false;
      ASSERT_OK(deform_heap_tuple(layout, tuple.data(), tuple.size(), 1, &first, &first_null));
      EXPECT_EQ(first, read.values[0]);
    }
  }
}

// Method: the bytes pageinspect shows for `(1, 'abc', true, 7, null)` of
// (int4, text, bool, int8, text) in stock 18.
TEST(layout_is_that_of_stock) {
  TupleDesc desc;
  desc.attributes = {int4(), text(), boolean(), int8(), text()};
  const TupleLayout layout(desc);
  Bytes abc(7);
  set_varlena_size_4b(abc.data(), 7);
  std::memcpy(abc.data() + 4, "abc", 3);
  const Datum values[5] = {1, pointer_datum(abc.data()), 1, 7, 0};
  const bool nulls[5] = {false, false, false, false, true};
  const Bytes tuple = form(layout, values, nulls);
  const uint8_t data[24] = {1, 0, 0, 0, 9, 'a', 'b', 'c', 1, 0, 0, 0, 0, 0, 0, 0, 7};
  ASSERT_EQ(tuple.size(), 48);
  EXPECT_EQ(std::memcmp(tuple.data() + 24, data, 24), 0);
  const HeapTupleHeader* header = reinterpret_cast<const HeapTupleHeader*>(tuple.data());
  EXPECT_EQ(header->t_hoff, 24);
  EXPECT_EQ(header->t_infomask2, 5);
  EXPECT_EQ(header->t_infomask, HEAP_HASNULL | HEAP_HASVARWIDTH);
  EXPECT_EQ(header->t_bits[0], 0x0F);
}

TEST(header_grows_past_eight_columns_with_nulls) {
  TupleDesc desc;
  for (int i = 0; i < 9; ++i) desc.attributes.push_back(int4());
  const TupleLayout layout(desc);
  Datum values[9] = {};
  bool nulls[9] = {};
  EXPECT_EQ(heap_tuple_size(layout, values, nulls).t_hoff, 24);
  nulls[8] = true;
  EXPECT_EQ(heap_tuple_size(layout, values, nulls).t_hoff, 32);
}

TEST(columns_added_later_have_their_missing_value) {
  TupleDesc old_desc;
  old_desc.attributes = {int4()};
  const TupleLayout old_layout(old_desc);
  const Datum one = 1;
  const Bytes tuple = form(old_layout, &one, nullptr);
  TupleDesc desc;
  desc.attributes = {int4(), int4(), int4()};
  desc.attributes[1].has_missing = true;
  desc.attributes[1].missing = 42;
  const TupleLayout layout(desc);
  Datum values[3];
  bool nulls[3];
  ASSERT_OK(deform_heap_tuple(layout, tuple.data(), tuple.size(), values, nulls));
  EXPECT_EQ(values[0], 1);
  EXPECT_EQ(values[1], 42);
  EXPECT(!nulls[1]);
  EXPECT(nulls[2]);
}

TEST(tuple_with_more_columns_than_known_is_read_as_far_as_known) {
  TupleDesc desc;
  desc.attributes = {int4(), text()};
  const TupleLayout layout(desc);
  Bytes empty(4);
  set_varlena_size_4b(empty.data(), 4);
  const Datum values[2] = {5, pointer_datum(empty.data())};
  const Bytes tuple = form(layout, values, nullptr);
  TupleDesc shorter;
  shorter.attributes = {int4()};
  const TupleLayout short_layout(shorter);
  Datum value = 0;
  bool null = true;
  ASSERT_OK(deform_heap_tuple(short_layout, tuple.data(), tuple.size(), &value, &null));
  EXPECT_EQ(value, 5);
  EXPECT(!null);
}

TEST(damaged_tuples_are_reported_or_read_inside_their_bounds) {
  std::mt19937_64 random = test::random_engine();
  int reported = 0;
  for (int round = 0; round < 5000; ++round) {
    TupleDesc desc;
    const int natts = static_cast<int>(1 + random() % 20);
    for (int i = 0; i < natts; ++i) desc.attributes.push_back(random_column(random));
    const TupleLayout layout(desc);
    const Row row = random_row(desc, random, true);
    Bytes formed = form(layout, row.values.data(), row.null_flags());
    for (int i = 0; i < 4; ++i) formed[random() % formed.size()] = static_cast<std::byte>(random());
    const size_t length = formed.size() - (random() % 3 == 0 ? random() % formed.size() : 0);
    // An exact heap block, so that ASan sees the first byte outside.
    Bytes tuple(formed.begin(), formed.begin() + static_cast<ptrdiff_t>(length));
    tuple.shrink_to_fit();
    std::vector<Datum> values(static_cast<size_t>(natts));
    std::vector<char> nulls(static_cast<size_t>(natts));
    const Status status = deform_heap_tuple(layout, tuple.data(), tuple.size(), values.data(),
                                            reinterpret_cast<bool*>(nulls.data()));
    if (!status.is_ok()) {
      ++reported;
      EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(Status::data_corrupted));
      continue;
    }
    unsigned sum = 0;
    for (size_t i = 0; i < values.size(); ++i) {
      const Attribute& attribute = desc.attributes[i];
      if (nulls[i] || attribute.attbyval || values[i] == 0) continue;
      const std::byte* bytes = datum_pointer(values[i]);
      const size_t size = datum_size(attribute.attlen, values[i]);
      for (size_t at = 0; at < size; ++at) sum += static_cast<unsigned>(bytes[at]);
    }
    EXPECT(sum != 1u << 31);
  }
  EXPECT(reported > 100);
}

// Some columns of all tuples, in any order, perhaps some of them twice.
std::vector<int> random_attributes(std::mt19937_64& random, int natts) {
  std::vector<int> attributes;
  for (size_t wanted = 1 + random() % 6; attributes.size() < wanted;)
    attributes.push_back(static_cast<int>(random() % static_cast<size_t>(natts)));
  return attributes;
}

// What reading column by column gives of the tuples, beside what reading row by row does. Whether there was an error.
bool expect_same_columns(const TupleLayout& layout, const std::vector<Bytes>& tuples,
                         const std::vector<int>& attributes) {
  const size_t count = tuples.size();
  constexpr uint32_t first = 3;
  std::vector<TupleBytes> bytes;
  for (const Bytes& tuple : tuples)
    bytes.push_back({tuple.data(), static_cast<uint32_t>(tuple.size())});
  std::vector<std::vector<Datum>> values(attributes.size(), std::vector<Datum>(first + count));
  std::vector<std::vector<uint8_t>> nulls(attributes.size(), std::vector<uint8_t>(first + count));
  std::vector<Column> columns;
  for (size_t i = 0; i < attributes.size(); ++i)
    columns.push_back({values[i].data(), nulls[i].data()});
  ColumnDeformer deformer(layout, attributes);
  const Status status =
      deformer.deform(bytes.data(), static_cast<uint32_t>(count), columns.data(), first);
  const int needed = *std::max_element(attributes.begin(), attributes.end()) + 1;
  Row row;
  row.values.resize(static_cast<size_t>(layout.natts()));
  row.nulls.resize(static_cast<size_t>(layout.natts()));
  for (size_t i = 0; i < count; ++i) {
    const Status expected = deform_heap_tuple(layout, tuples[i].data(), tuples[i].size(), needed,
                                              row.values.data(), row.null_flags());
    if (!expected.is_ok()) {
      EXPECT(!status.is_ok());
      if (!status.is_ok()) EXPECT(status.report().message == expected.report().message);
      return true;
    }
    if (!status.is_ok()) continue;
    for (size_t k = 0; k < attributes.size(); ++k) {
      const auto attribute = static_cast<size_t>(attributes[k]);
      EXPECT_EQ(nulls[k][first + i], row.nulls[attribute] ? 1 : 0);
      EXPECT_EQ(values[k][first + i], row.nulls[attribute] ? 0 : row.values[attribute]);
    }
  }
  EXPECT(status.is_ok());
  return false;
}

TEST(columns_of_many_tuples_are_those_of_each) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 1000; ++round) {
    TupleDesc desc;
    const int natts = static_cast<int>(1 + random() % 20);
    for (int i = 0; i < natts; ++i) desc.attributes.push_back(random_column(random));
    if (random() % 2 == 0)
      std::erase_if(desc.attributes, [](const Attribute& each) { return each.attlen == -2; });
    if (desc.attributes.empty()) continue;
    // Some tuples are older than the last columns, in some rounds.
    TupleDesc old_desc = desc;
    old_desc.attributes.resize(desc.attributes.size() - random() % desc.attributes.size());
    for (size_t i = old_desc.attributes.size(); i < desc.attributes.size(); ++i) {
      if (!desc.attributes[i].attbyval) continue;
      desc.attributes[i].has_missing = true;
      desc.attributes[i].missing = 42;
    }
    const TupleLayout layout(desc);
    const TupleLayout old_layout(old_desc);
    const bool has_old = random() % 3 == 0;
    std::vector<Bytes> tuples(random() % ColumnDeformer::tuples_max);
    for (Bytes& tuple : tuples) {
      const bool is_old = has_old && random() % 4 == 0;
      const Row row = random_row(is_old ? old_desc : desc, random, round % 2 == 0);
      tuple = form(is_old ? old_layout : layout, row.values.data(), row.null_flags());
    }
    EXPECT(!expect_same_columns(layout, tuples, random_attributes(random, layout.natts())));
  }
}

TEST(damage_among_many_tuples_is_reported_as_it_is_of_one) {
  std::mt19937_64 random = test::random_engine();
  int reported = 0;
  for (int round = 0; round < 3000; ++round) {
    TupleDesc desc;
    const int natts = static_cast<int>(1 + random() % 10);
    for (int i = 0; i < natts; ++i) desc.attributes.push_back(random_column(random));
    const TupleLayout layout(desc);
    std::vector<Bytes> tuples(1 + random() % 5);
    for (Bytes& tuple : tuples) {
      const Row row = random_row(desc, random, round % 2 == 0);
      tuple = form(layout, row.values.data(), row.null_flags());
    }
    Bytes& damaged = tuples[random() % tuples.size()];
    for (int i = 0; i < 3; ++i)
      damaged[random() % damaged.size()] = static_cast<std::byte>(random());
    if (random() % 3 == 0) damaged.resize(damaged.size() - random() % damaged.size());
    // An exact heap block, so that ASan sees the first byte outside.
    damaged.shrink_to_fit();
    if (expect_same_columns(layout, tuples, random_attributes(random, natts))) ++reported;
  }
  EXPECT(reported > 100);
}

TEST(raw_size_is_that_of_the_detoasted_value) {
  Bytes value(TOAST_POINTER_SIZE);
  write_toast_pointer(value.data(), {5004, 2000, 1, 2});
  EXPECT_EQ(varlena_raw_size(value.data()), 5004);
  EXPECT_EQ(varlena_size(value.data()), 18);
  EXPECT(external_is_compressed(toast_pointer_of(value.data())));
  EXPECT(varlena_is_external_on_disk(value.data()));
  EXPECT(!varlena_is_short(value.data()));
}

}  // namespace
}  // namespace pgdata
