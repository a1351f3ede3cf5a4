// What grouping, joining and sorting stand on when memory is short.
// Goal: rows come back from temporary files as they were written, groups and partners are found, rows are ordered as their keys
// say, and all memory is accounted for. Method: against plain containers, on a file system in memory.
#include <algorithm>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/test.h"
#include "executor/group_table.h"
#include "executor/join_table.h"
#include "executor/sort_rows.h"
#include "executor/spilled_rows.h"
#include "file/faulty_file_system.h"
#include "tuple/varlena.h"

namespace pgdata {
namespace {

constexpr ValueType int4_type = {type_oid::int4, 4, true, invalid_oid, invalid_oid};
constexpr ValueType text_type = {type_oid::text, -1, false, 950, invalid_oid};

struct Row {
  bool is_null;
  int32_t number;
  std::string text;

  bool operator==(const Row&) const = default;
};

struct Fixture {
  Fixture() {
    for (const char* directory : {"/d", "/d/base"}) EXPECT_OK(files.make_directory(directory));
    StorageOptions options;
    options.data_directory = "/d";
    storage = std::make_unique<Storage>(files, options);
    space = std::make_unique<TemporarySpace>(*storage, state, nullptr, nullptr);
  }
  size_t file_count() {
    std::vector<std::string> found;
    return files.list("/d/base/pgsql_tmp", &found).is_ok() ? found.size() : 0;
  }

  FaultyFileSystem files;
  ClusterState state;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<TemporarySpace> space;
};

std::vector<Row> random_rows(size_t count) {
  auto random = test::random_engine();
  std::vector<Row> rows;
  for (size_t i = 0; i < count; i++)
    rows.push_back({random() % 10 == 0, static_cast<int32_t>(random() % 100) - 50,
                    std::to_string(random() % 1000)});
  return rows;
}

// Calls `body` with batches of the rows.
template <typename Body>
void in_batches(const std::vector<Row>& rows, MemoryAccount& account, Body&& body) {
  BatchStorage storage(account, 2);
  for (size_t from = 0; from < rows.size(); from += batch_rows_wanted) {
    storage.clear();
    Batch& batch = storage.batch();
    for (size_t i = from; i < std::min<size_t>(rows.size(), from + batch_rows_wanted); i++) {
      const Row& row = rows[i];
      batch.columns[0].nulls[batch.rows] = row.is_null ? 1 : 0;
      batch.columns[0].values[batch.rows] = static_cast<Datum>(int64_t{row.number});
      std::byte* text = storage.arena().allocate(VARHDRSZ + row.text.size());
      set_varlena_size_4b(text, static_cast<uint32_t>(VARHDRSZ + row.text.size()));
      std::memcpy(text + VARHDRSZ, row.text.data(), row.text.size());
      batch.columns[1].nulls[batch.rows] = 0;
      batch.columns[1].values[batch.rows] = pointer_datum(text);
      batch.rows++;
    }
    body(batch);
  }
}

Row row_of(const Batch& batch, uint32_t row, const Row& like) {
  const bool is_null = batch.columns[0].nulls[row] != 0;
  return {is_null, is_null ? like.number : static_cast<int32_t>(batch.columns[0].values[row]),
          std::string(varlena_content(batch.columns[1].values[row]))};
}

GroupKey group_key(const ValueType& type) {
  GroupKey key{type, {}, hash_of_type(type)};
  EXPECT_OK(equality_of_type(type, &key.equality));
  return key;
}

TEST(spilled_rows_come_back) {
  Fixture fixture;
  MemoryAccount account;
  const std::vector<Row> rows = random_rows(20'000);
  {
    SpilledRows spilled(*fixture.space, {int4_type, text_type}, account);
    in_batches(rows, account, [&](const Batch& batch) {
      for (uint32_t i = 0; i < batch.rows; i++) ASSERT_OK(spilled.write(batch.columns, i));
    });
    EXPECT_EQ(fixture.file_count(), size_t{1});
    ASSERT_OK(spilled.end_writing());
    EXPECT_EQ(account.held(), size_t{0});
    EXPECT_EQ(spilled.rows(), uint64_t{rows.size()});
    size_t at = 0;
    for (;;) {
      const Batch* batch = nullptr;
      ASSERT_OK(spilled.read(&batch));
      if (batch == nullptr) break;
      for (uint32_t i = 0; i < batch->rows; i++, at++)
        ASSERT(row_of(*batch, i, rows[at]) == rows[at]);
    }
    EXPECT_EQ(at, rows.size());
  }
  EXPECT_EQ(account.held(), size_t{0});
  EXPECT_EQ(fixture.file_count(), size_t{0});
}

// Found: what followed a batch that began with a row of 64 kB or more was taken for the end.
TEST(spilled_rows_come_back_after_a_large_one) {
  Fixture fixture;
  MemoryAccount account;
  std::vector<Row> rows = random_rows(2'000);
  for (const size_t large : {size_t{0}, size_t{1}, size_t{1'000}})
    rows[large].text = std::string(200'000, 'x');
  SpilledRows spilled(*fixture.space, {int4_type, text_type}, account);
  in_batches(rows, account, [&](const Batch& batch) {
    for (uint32_t i = 0; i < batch.rows; i++) ASSERT_OK(spilled.write(batch.columns, i));
  });
  ASSERT_OK(spilled.end_writing());
  size_t at = 0;
  for (;;) {
    const Batch* batch = nullptr;
    ASSERT_OK(spilled.read(&batch));
    if (batch == nullptr) break;
    for (uint32_t i = 0; i < batch->rows; i++, at++)
      ASSERT(row_of(*batch, i, rows[at]) == rows[at]);
  }
  EXPECT_EQ(at, rows.size());
}

TEST(parts_are_of_one_size_and_other_ones_on_the_next_level) {
  Fixture fixture;
  MemoryAccount account;
  const SpilledParts first(*fixture.space, {int4_type}, account, 8, 0);
  const SpilledParts second(*fixture.space, {int4_type}, account, 8, 1);
  size_t counts[8][8] = {};
  for (uint64_t i = 0; i < 64'000; i++) {
    const uint64_t hash = mix_hash(i);
    counts[first.part_of(hash)][second.part_of(hash)]++;
  }
  for (const auto& row : counts)
    for (const size_t count : row) EXPECT(count > 800 && count < 1200);
}

TEST(parts_take_a_quarter_of_the_memory) {
  EXPECT_EQ(SpilledParts::parts_within(1), size_t{4});
  EXPECT_EQ(SpilledParts::parts_within(128 << 10), size_t{4});
  EXPECT_EQ(SpilledParts::parts_within(400 << 10), size_t{8});
  EXPECT_EQ(SpilledParts::parts_within(1ull << 40), size_t{32});
}

TEST(groups_are_found) {
  MemoryAccount account;
  const std::vector<Row> rows = random_rows(30'000);
  {
    GroupTable table({group_key(int4_type), group_key(text_type)}, Arena::block_bytes_min, account);
    std::map<std::string, uint32_t> model;
    for (int round = 0; round < 2; round++) {
      size_t at = 0;
      in_batches(rows, account, [&](const Batch& batch) {
        uint64_t hashes[batch_rows_max];
        table.hash(batch.columns, batch.rows, hashes);
        for (uint32_t i = 0; i < batch.rows; i++, at++) {
          const Row& row = rows[at];
          const std::string key =
              (row.is_null ? "null" : std::to_string(row.number)) + "/" + row.text;
          const uint32_t group = table.find(batch.columns, i, hashes[i]);
          const auto known = model.find(key);
          ASSERT_EQ(group, known == model.end() ? GroupTable::no_group : known->second);
          if (group != GroupTable::no_group) continue;
          if (table.size() == table.capacity()) {
            const size_t most = table.bytes_to_grow(0);
            table.grow();
            ASSERT(table.bytes() <= most);
          }
          model[key] = table.add(batch.columns, i, hashes[i]);
          ASSERT_EQ(table.is_null(model[key], 0), row.is_null);
          ASSERT_EQ(std::string(varlena_content(table.value(model[key], 1))), row.text);
        }
      });
      EXPECT_EQ(table.size(), model.size());
      table.clear();
      model.clear();
    }
  }
  EXPECT_EQ(account.held(), size_t{0});
}

TEST(partners_are_found_in_order_of_arrival) {
  MemoryAccount account;
  const std::vector<Row> rows = random_rows(20'000);
  {
    GroupKey equality = group_key(int4_type);
    JoinTable table({{int4_type, equality.equality, equality.hash}}, {int4_type, text_type},
                    Arena::block_bytes_min, account);
    std::map<int32_t, std::vector<std::string>> model;
    size_t at = 0;
    in_batches(rows, account, [&](const Batch& batch) {
      for (uint32_t i = 0; i < batch.rows; i++, at++) {
        const Row& row = rows[at];
        const Datum value = batch.columns[0].values[i];
        table.add(batch.columns, {batch.columns[0]}, i, row.is_null ? 0 : equality.hash(value),
                  row.is_null);
        if (!row.is_null) model[row.number].push_back(row.text);
      }
    });
    EXPECT_EQ(table.rows(), rows.size());
    for (bool done = false; !done;) table.hash_rows(1000, &done);
    EXPECT(account.held() <= table.bytes());
    for (int32_t number = -60; number < 60; number++) {
      Datum value = static_cast<Datum>(int64_t{number});
      uint8_t is_null = 0;
      const std::vector<Column> key = {{&value, &is_null}};
      std::vector<std::string> found;
      for (JoinRow* row = table.first_match(key, 0, equality.hash(value)); row != nullptr;
           row = table.next_match(row, key, 0))
        found.emplace_back(varlena_content(table.packer().value(table.packed(row), 1)));
      ASSERT(found == model[number]);
    }
    table.clear();
    EXPECT_EQ(table.rows(), size_t{0});
  }
  EXPECT_EQ(account.held(), size_t{0});
}

// By number descending with nulls first, then by text.
bool before(const Row& left, const Row& right) {
  if (left.is_null != right.is_null) return left.is_null;
  if (!left.is_null && left.number != right.number) return left.number > right.number;
  return left.text < right.text;
}

void expect_sorted(size_t count, uint64_t wanted, uint64_t memory_bytes) {
  Fixture fixture;
  std::vector<Row> rows = random_rows(count);
  std::vector<SortKey> keys(2);
  EXPECT_OK(order_of_type(int4_type, true, &keys[0].order));
  keys[0].order.descending = true;
  keys[0].order.nulls_first = true;
  keys[1].column = 1;
  EXPECT_OK(order_of_type(text_type, true, &keys[1].order));
  RowPacker packer({int4_type, text_type});
  PackedRowOrder order(packer, keys);
  MemoryAccount account;
  TupleSort sort(*fixture.space, &order, {.memory_bytes = memory_bytes, .tuples_wanted = wanted});
  in_batches(rows, account, [&](const Batch& batch) {
    for (uint32_t i = 0; i < batch.rows; i++) {
      uint32_t size = 0;
      const std::byte* packed = packer.pack(batch.columns, i, &size);
      ASSERT_OK(sort.add(order.leading_key(batch.columns, i), packed, size));
    }
  });
  for (bool done = false; !done;) ASSERT_OK(sort.sort(1000, &done));
  std::stable_sort(rows.begin(), rows.end(), before);
  BatchStorage out(account, 2);
  const size_t given = wanted == 0 ? count : std::min<size_t>(count, wanted);
  for (size_t i = 0; i < given; i++) {
    SortedTuple sorted;
    bool found = false;
    ASSERT_OK(sort.next(&sorted, &found));
    ASSERT(found);
    out.clear();
    packer.unpack(sorted.tuple.bytes, &out.batch());
    ASSERT(row_of(out.batch(), 0, rows[i]) == rows[i]);
  }
}

TEST(no_rows) { expect_sorted(0, 0, 64 << 10); }
TEST(rows_in_memory) { expect_sorted(20'000, 0, 64 << 20); }
TEST(rows_on_disk) { expect_sorted(50'000, 0, 64 << 10); }
TEST(the_first_rows_alone) {
  for (const uint64_t wanted : {1, 7, 2000}) expect_sorted(30'000, wanted, 1 << 20);
}
TEST(more_wanted_than_there_are) { expect_sorted(100, 2000, 1 << 20); }

TEST(one_exact_key_needs_no_comparison) {
  RowPacker packer({int4_type, text_type});
  std::vector<SortKey> keys(1);
  EXPECT_OK(order_of_type(int4_type, true, &keys[0].order));
  EXPECT(PackedRowOrder(packer, keys).are_equal({7, 0}));
  keys[0].column = 1;
  EXPECT_OK(order_of_type(text_type, true, &keys[0].order));
  const PackedRowOrder by_text(packer, keys);
  EXPECT(!by_text.are_equal({7, 0}));
  EXPECT(by_text.are_equal({0, 1}));  // null
}

}  // namespace
}  // namespace pgdata
