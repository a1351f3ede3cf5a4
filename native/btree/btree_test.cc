// Goal: an index gives back exactly the entries put into it, in order, whatever was done and however
// small its pages are; and it is well formed at every step.
// Method: random rows of several types go into an index, by building and by insertion, and into a
// std::set ordered by an independent comparison; scans, lookups and verify_btree are held against it.
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <string>

#include "base/test.h"
#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"
#include "btree/btree_lookup.h"
#include "btree/btree_scan.h"
#include "btree/btree_verify.h"

namespace pgdata {
namespace {

using test::BtreeFixture;
using test::build_memory;
using test::definition_of;
using test::index_of;
using test::must;
using test::test_xid;
using test::TestColumn;
using test::TestType;

// A value in a form that C++ itself can order.
struct Value {
  bool is_null = false;
  int64_t number = 0;
  double real = 0;
  std::string text;
  std::string encoded;  // the varlena of text
};

struct Row {
  std::vector<Value> values;
  ItemPointer tid;
};

std::string encode_text(const std::string& text, bool short_header) {
  std::string bytes;
  if (short_header && text.size() <= 126) {
    bytes.push_back(static_cast<char>((text.size() + 1) << 1 | 1));
  } else {
    bytes.resize(4);
    store(bytes.data(), static_cast<uint32_t>((text.size() + 4) << 2));
  }
  return bytes + text;
}

class Model {
 public:
  explicit Model(std::vector<TestColumn> columns) : columns_(std::move(columns)) {}

  const std::vector<TestColumn>& columns() const { return columns_; }

  int compare_value(size_t column, const Value& a, const Value& b) const {
    const TestColumn& kind = columns_[column];
    const bool nulls_first = (kind.indoption & INDOPTION_NULLS_FIRST) != 0;
    if (a.is_null || b.is_null) {
      if (a.is_null && b.is_null) return 0;
      return a.is_null == nulls_first ? -1 : 1;
    }
    int order = 0;
    switch (kind.type) {
      case TestType::int4:
      case TestType::int8:
        order = a.number < b.number ? -1 : a.number > b.number;
        break;
      case TestType::float8:
        order = std::isnan(a.real)   ? (std::isnan(b.real) ? 0 : 1)
                : std::isnan(b.real) ? -1
                                     : (a.real < b.real ? -1 : a.real > b.real);
        break;
      case TestType::text:
      case TestType::numeric:
        order = a.text.compare(b.text);
        break;
    }
    return (kind.indoption & INDOPTION_DESC) != 0 ? -order : order;
  }
  int compare_keys(const Row& a, const Row& b) const {
    for (size_t i = 0; i < columns_.size(); ++i)
      if (const int order = compare_value(i, a.values[i], b.values[i]); order != 0) return order;
    return 0;
  }
  bool operator()(const Row& a, const Row& b) const {
    const int order = compare_keys(a, b);
    return order != 0 ? order < 0 : a.tid < b.tid;
  }

  Value random_value(std::mt19937_64& random, TestType type, uint64_t spread) const {
    Value value;
    if (random() % 16 == 0) {
      value.is_null = true;
      return value;
    }
    const uint64_t pick = random() % spread;
    switch (type) {
      case TestType::int4:
        value.number = static_cast<int32_t>(pick * 2654435761u);
        break;
      case TestType::int8:
        value.number = static_cast<int64_t>(pick * 0x9E3779B97F4A7C15u);
        break;
      case TestType::float8:
        value.real = pick % 7 == 0 ? std::numeric_limits<double>::quiet_NaN()
                     : pick % 11 == 0
                         ? -0.0
                         : static_cast<double>(static_cast<int64_t>(pick * 0x9E3779B97F4A7C15u));
        break;
      default: {
        const char letters[] = "abcxyz";
        std::string text = pick % 3 == 0 ? "a common beginning " : "";
        for (uint64_t rest = pick; rest != 0; rest /= 6) text.push_back(letters[rest % 6]);
        if (pick % 50 == 0) text.append(100 + pick % 40, 'q');
        value.text = text;
        value.encoded = encode_text(text, random() % 2 == 0);
        break;
      }
    }
    return value;
  }

 private:
  std::vector<TestColumn> columns_;
};

Datum datum_of(TestType type, const Value& value) {
  switch (type) {
    case TestType::int4:
    case TestType::int8:
      return static_cast<Datum>(value.number);
    case TestType::float8:
      return std::bit_cast<Datum>(value.real);
    default:
      return pointer_datum(value.encoded.data());
  }
}

struct Datums {
  Datum values[INDEX_MAX_KEYS] = {};
  bool nulls[INDEX_MAX_KEYS] = {};
  Datums(const Model& model, const Row& row) {
    for (size_t i = 0; i < row.values.size(); ++i) {
      nulls[i] = row.values[i].is_null;
      if (!nulls[i]) values[i] = datum_of(model.columns()[i].type, row.values[i]);
    }
  }
};

using RowSet = std::set<Row, Model>;

ItemPointer tid_of(uint64_t number) {
  return ItemPointer(BlockNumber{static_cast<uint32_t>(number / 200)},
                     static_cast<OffsetNumber>(number % 200 + 1));
}

void expect_well_formed(BtreeFixture& fixture, const BtreeIndex& index, size_t tids) {
  PooledBtreePages pages(*fixture.pool, index);
  BtreeReport report;
  ASSERT_OK(verify_btree(pages, index, &report));
  EXPECT_EQ(report.tids, tids);
  EXPECT_EQ(report.complaint_count, 0u);
  for (size_t i = 0; i < report.complaints.size() && i < 5; ++i)
    test::report_failure(__FILE__, __LINE__,
                         "block " + std::to_string(value_of(report.complaints[i].block)) + ": " +
                             report.complaints[i].text);
}

std::vector<ItemPointer> scan_all(BtreeFixture& fixture, const BtreeIndex& index,
                                  std::span<const BtreeCondition> conditions,
                                  ScanDirection direction) {
  BtreeScan scan(*fixture.pool, index, conditions, direction);
  std::vector<ItemPointer> all;
  while (true) {
    std::span<const ItemPointer> batch;
    must(scan.next_batch(&batch));
    if (batch.empty()) return all;
    all.insert(all.end(), batch.begin(), batch.end());
  }
}

// The same, as runs of at most `most` of one heap page, of which a part is passed at a time.
std::vector<ItemPointer> scan_runs(BtreeFixture& fixture, const BtreeIndex& index,
                                   std::span<const BtreeCondition> conditions,
                                   ScanDirection direction, size_t most) {
  BtreeScan scan(*fixture.pool, index, conditions, direction);
  std::vector<ItemPointer> all;
  for (size_t runs = 0;; ++runs) {
    std::span<const ItemPointer> run;
    must(scan.next_run(most, &run));
    if (run.empty()) return all;
    EXPECT(run.size() <= most);
    for (const ItemPointer tid : run) EXPECT(tid.block() == run[0].block());
    const size_t passed = runs % 3 == 0 ? (run.size() + 1) / 2 : run.size();
    all.insert(all.end(), run.begin(), run.begin() + static_cast<std::ptrdiff_t>(passed));
    scan.pass(passed);
  }
}

void expect_same(const std::vector<ItemPointer>& found, const std::vector<ItemPointer>& wanted) {
  EXPECT_EQ(found.size(), wanted.size());
  EXPECT(found == wanted);
}

void expect_contents(BtreeFixture& fixture, const BtreeIndex& index, const RowSet& rows) {
  std::vector<ItemPointer> wanted;
  for (const Row& row : rows) wanted.push_back(row.tid);
  expect_same(scan_all(fixture, index, {}, ScanDirection::forward), wanted);
  std::reverse(wanted.begin(), wanted.end());
  expect_same(scan_all(fixture, index, {}, ScanDirection::backward), wanted);
}

// Random conditions, against the rows that meet them.
void expect_conditions(BtreeFixture& fixture, const BtreeIndex& index, const Model& model,
                       const RowSet& rows, std::mt19937_64& random, uint64_t spread) {
  std::vector<BtreeCondition> conditions;
  std::vector<Row> operands;
  operands.reserve(8);
  const size_t count = 1 + random() % 3;
  std::vector<std::pair<size_t, Value>> values;
  for (size_t i = 0; i < count; ++i) {
    const size_t column = random() % model.columns().size();
    Value value = model.random_value(random, model.columns()[column].type, spread);
    if (!rows.empty() && random() % 2 == 0) {
      auto row = rows.begin();
      std::advance(row, static_cast<ptrdiff_t>(random() % std::min<size_t>(rows.size(), 500)));
      value = row->values[column];
    }
    values.emplace_back(column, std::move(value));
  }
  for (auto& [column, value] : values) {
    const auto op = static_cast<BtreeOperator>(random() % 7);
    conditions.push_back({static_cast<int>(column), op,
                          value.is_null ? 0 : datum_of(model.columns()[column].type, value),
                          value.is_null});
  }
  std::vector<ItemPointer> wanted;
  for (const Row& row : rows) {
    bool meets = true;
    for (size_t i = 0; i < conditions.size(); ++i) {
      const auto& [column, operand] = values[i];
      const Value& value = row.values[column];
      const BtreeOperator op = conditions[i].op;
      if (op == BtreeOperator::is_null || op == BtreeOperator::is_not_null) {
        meets = meets && value.is_null == (op == BtreeOperator::is_null);
        continue;
      }
      if (value.is_null || operand.is_null) {
        meets = false;
        continue;
      }
      int order = model.compare_value(column, value, operand);
      if ((model.columns()[column].indoption & INDOPTION_DESC) != 0) order = -order;
      switch (op) {
        case BtreeOperator::less:
          meets = meets && order < 0;
          break;
        case BtreeOperator::less_or_equal:
          meets = meets && order <= 0;
          break;
        case BtreeOperator::equal:
          meets = meets && order == 0;
          break;
        case BtreeOperator::greater_or_equal:
          meets = meets && order >= 0;
          break;
        default:
          meets = meets && order > 0;
          break;
      }
    }
    if (meets) wanted.push_back(row.tid);
  }
  expect_same(scan_all(fixture, index, conditions, ScanDirection::forward), wanted);
  const size_t most = 1 + random() % 70;
  expect_same(scan_runs(fixture, index, conditions, ScanDirection::forward, most), wanted);
  std::reverse(wanted.begin(), wanted.end());
  expect_same(scan_all(fixture, index, conditions, ScanDirection::backward), wanted);
  expect_same(scan_runs(fixture, index, conditions, ScanDirection::backward, most), wanted);
}

void insert_row(BtreeFixture& fixture, const BtreeIndex& index, const Model& model,
                const Row& row) {
  const Datums datums(model, row);
  BtreeInsertResult result;
  ASSERT_OK(btree_insert(*fixture.services, test_xid, index, datums.values, datums.nulls, row.tid,
                         nullptr, &result));
  EXPECT(result.inserted);
}

void exercise(std::vector<TestColumn> columns, uint32_t block_size, uint64_t spread,
              size_t built_rows, size_t inserted_rows, bool shuffle_tids) {
  auto random = test::random_engine();
  BtreeFixture fixture(block_size, block_size < 8192 ? 8192 : 2048);
  const Model model(columns);
  const auto index = index_of(definition_of(columns), block_size);
  RowSet rows(model);
  std::vector<uint64_t> numbers(built_rows + inserted_rows);
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  if (shuffle_tids) std::shuffle(numbers.begin(), numbers.end(), random);
  const auto random_row = [&](size_t i) {
    Row row;
    for (const TestColumn& column : columns)
      row.values.push_back(model.random_value(random, column.type, spread));
    row.tid = tid_of(numbers[i]);
    return row;
  };

  BtreeBuilder builder(*fixture.services, test_xid, *index, *fixture.temporary, build_memory);
  for (size_t i = 0; i < built_rows; ++i) {
    const auto place = rows.insert(random_row(i));
    const Datums datums(model, *place.first);
    ASSERT_OK(builder.add(datums.values, datums.nulls, place.first->tid));
  }
  BtreeBuildResult built;
  ASSERT_OK(builder.finish(&built));
  EXPECT_EQ(built.tuples, built_rows);
  expect_well_formed(fixture, *index, rows.size());
  expect_contents(fixture, *index, rows);

  const size_t batch = inserted_rows / 4 + 1;
  for (size_t i = 0; i < inserted_rows; ++i) {
    const auto place = rows.insert(random_row(built_rows + i));
    insert_row(fixture, *index, model, *place.first);
    if (i % batch == batch - 1 || i + 1 == inserted_rows) {
      expect_well_formed(fixture, *index, rows.size());
      expect_contents(fixture, *index, rows);
      for (int round = 0; round < 25; ++round)
        expect_conditions(fixture, *index, model, rows, random, spread);
    }
  }
  // Point lookups of what is there and of what may not be.
  size_t looked_up = 0;
  for (auto row = rows.begin(); row != rows.end() && looked_up < 2000; ++row, ++looked_up) {
    const Datums datums(model, *row);
    BtreeSearchKey key;
    key.columns = static_cast<int>(columns.size());
    std::copy_n(datums.values, columns.size(), key.values);
    std::copy_n(datums.nulls, columns.size(), key.nulls);
    BtreeStart start;
    if (looked_up % 2 == 0)
      ASSERT_OK(start_btree_lookup(*fixture.pool, *index, key, false, &start));
    BtreeMatches matches;
    ASSERT_OK(btree_lookup(*fixture.pool, *index, key, &matches, nullptr, start));
    const auto first = rows.lower_bound(Row{row->values, ItemPointer(BlockNumber{0}, 0)});
    auto wanted = first;
    for (int i = 0; i < matches.count; ++i, ++wanted) {
      ASSERT(wanted != rows.end());
      EXPECT(matches.tids[i] == wanted->tid);
      EXPECT_EQ(model.compare_keys(*wanted, *row), 0);
    }
    if (!matches.more) EXPECT(wanted == rows.end() || model.compare_keys(*wanted, *row) != 0);
  }
}

TEST(empty_index_has_nothing_to_find) {
  BtreeFixture fixture;
  const auto index = index_of(definition_of({{TestType::int8}}));
  ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  expect_well_formed(fixture, *index, 0);
  EXPECT(scan_all(fixture, *index, {}, ScanDirection::forward).empty());
  EXPECT(scan_all(fixture, *index, {}, ScanDirection::backward).empty());
  BtreeSearchKey key;
  key.columns = 1;
  key.values[0] = 7;
  key.nulls[0] = false;
  BtreeMatches matches;
  ASSERT_OK(btree_lookup(*fixture.pool, *index, key, &matches));
  EXPECT_EQ(matches.count, 0);
}

TEST(int8_keys_with_few_duplicates) {
  exercise({{TestType::int8}}, 8192, 1 << 30, 6000, 6000, false);
}
TEST(int8_keys_on_small_pages) { exercise({{TestType::int8}}, 1024, 1 << 30, 3000, 6000, true); }
TEST(int4_keys_with_many_duplicates) { exercise({{TestType::int4}}, 8192, 60, 5000, 10000, false); }
TEST(int4_keys_with_many_duplicates_and_shuffled_tids) {
  exercise({{TestType::int4}}, 8192, 60, 5000, 10000, true);
}
TEST(one_value_in_tid_order) { exercise({{TestType::int4}}, 8192, 1, 0, 15000, false); }
TEST(one_value_in_any_order) { exercise({{TestType::int8}}, 2048, 1, 1000, 15000, true); }
TEST(descending_keys_with_nulls_first) {
  exercise({{TestType::int4, INDOPTION_DESC | INDOPTION_NULLS_FIRST}}, 2048, 3000, 3000, 6000,
           true);
}
TEST(descending_text_with_nulls_last) {
  exercise({{TestType::text, INDOPTION_DESC}}, 2048, 5000, 3000, 5000, true);
}
TEST(text_keys) { exercise({{TestType::text}}, 8192, 100000, 4000, 5000, true); }
TEST(float_keys_are_not_merged) { exercise({{TestType::float8}}, 2048, 500, 3000, 5000, true); }
TEST(several_columns) {
  exercise(
      {{TestType::int4}, {TestType::text, INDOPTION_DESC}, {TestType::int8, INDOPTION_NULLS_FIRST}},
      2048, 20, 4000, 8000, true);
}
TEST(several_columns_with_text_first) {
  exercise({{TestType::text, INDOPTION_NULLS_FIRST}, {TestType::int4, INDOPTION_DESC}}, 4096, 60,
           4000, 8000, false);
}
TEST(inserts_into_an_index_built_of_nothing) {
  exercise({{TestType::text}, {TestType::int4}}, 1024, 40, 0, 5000, true);
}

TEST(ascending_inserts_fill_leaves_to_the_fill_factor) {
  BtreeFixture fixture;
  const Model model({{TestType::int8}});
  const auto index = index_of(definition_of({{TestType::int8}}));
  ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  constexpr uint64_t count = 100000;
  for (uint64_t i = 0; i < count; ++i) {
    Row row;
    row.values.resize(1);
    row.values[0].number = static_cast<int64_t>(i);
    row.tid = tid_of(i);
    insert_row(fixture, *index, model, row);
  }
  expect_well_formed(fixture, *index, count);
  uint32_t blocks = 0;
  ASSERT_OK(fixture.storage->block_count(test::index_relation, ForkNumber::main, &blocks));
  // 366 of 407 entries a leaf, as stock's 276 blocks have.
  EXPECT(blocks <= 278);
}

// Says of every row that it lives.
class EverythingLives : public UniqueChecker {
 public:
  Status check(ItemPointer tid, bool* live, TransactionId* wait_xid, bool*) override {
    asked.push_back(tid);
    *live = dead.count({value_of(tid.block()), tid.offset()}) == 0;
    if (waits) *wait_xid = TransactionId{77};
    return Status::ok;
  }
  std::vector<ItemPointer> asked;
  std::set<std::pair<uint32_t, uint16_t>> dead;
  bool waits = false;
};

TEST(unique_index_reports_conflicts_and_lets_versions_pass) {
  auto random = test::random_engine();
  for (uint32_t block_size : {1024u, 8192u}) {
    BtreeFixture fixture(block_size);
    const Model model({{TestType::int8}});
    const auto index = index_of(definition_of({{TestType::int8}}, true), block_size);
    ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
    EverythingLives checker;
    std::map<int64_t, ItemPointer> live;
    size_t entries = 0;
    for (uint64_t i = 0; i < 8000; ++i) {
      Row row;
      row.values.resize(1);
      row.values[0].number = static_cast<int64_t>(random() % 2000);
      row.tid = tid_of(i);
      const Datums datums(model, row);
      BtreeInsertResult result;
      const auto held = live.find(row.values[0].number);
      const bool replaces = held != live.end() && random() % 2 == 0;
      if (replaces) checker.dead.insert({value_of(held->second.block()), held->second.offset()});
      ASSERT_OK(btree_insert(*fixture.services, test_xid, *index, datums.values, datums.nulls,
                             row.tid, &checker, &result));
      if (held != live.end() && !replaces) {
        EXPECT(result.conflict);
        EXPECT(!result.inserted);
        EXPECT(result.conflict_tid == held->second);
      } else {
        EXPECT(result.inserted);
        live[row.values[0].number] = row.tid;
        ++entries;
      }
    }
    expect_well_formed(fixture, *index, entries);
    checker.waits = true;
    Row row;
    row.values.resize(1);
    row.values[0].number = live.begin()->first;
    row.tid = tid_of(9000);
    const Datums datums(model, row);
    BtreeInsertResult result;
    ASSERT_OK(btree_insert(*fixture.services, test_xid, *index, datums.values, datums.nulls,
                           row.tid, &checker, &result));
    EXPECT(!result.inserted);
    EXPECT_EQ(value_of(result.wait_xid), 77u);
    // Nulls are distinct: nobody is asked.
    row.values[0].is_null = true;
    const Datums null_datums(model, row);
    checker.asked.clear();
    ASSERT_OK(btree_insert(*fixture.services, test_xid, *index, null_datums.values,
                           null_datums.nulls, row.tid, &checker, &result));
    EXPECT(result.inserted);
    EXPECT(checker.asked.empty());
  }
}

TEST(unique_build_names_two_rows_with_one_key) {
  BtreeFixture fixture;
  const Model model({{TestType::int4}});
  const auto index = index_of(definition_of({{TestType::int4}}, true));
  BtreeBuilder builder(*fixture.services, test_xid, *index, *fixture.temporary, build_memory);
  const int32_t keys[] = {5, 3, 9, 3, 7};
  for (uint64_t i = 0; i < 5; ++i) {
    Row row;
    row.values.resize(1);
    row.values[0].number = keys[i];
    const Datums datums(model, row);
    ASSERT_OK(builder.add(datums.values, datums.nulls, tid_of(i)));
  }
  BtreeBuildResult result;
  ASSERT_OK(builder.finish(&result));
  EXPECT(result.duplicate);
  EXPECT(result.duplicate_tids[0] == tid_of(1));
  EXPECT(result.duplicate_tids[1] == tid_of(3));
}

TEST(too_long_key_is_refused_and_a_compressible_one_is_not) {
  BtreeFixture fixture;
  const Model model({{TestType::text}});
  const auto index = index_of(definition_of({{TestType::text}}));
  ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  auto random = test::random_engine();
  std::string noise(3000, ' ');
  for (char& c : noise) c = static_cast<char>(random());
  const auto insert = [&](const std::string& text, uint64_t number) {
    const std::string encoded = encode_text(text, false);
    const Datum values[] = {pointer_datum(encoded.data())};
    const bool nulls[] = {false};
    BtreeInsertResult result;
    return btree_insert(*fixture.services, test_xid, *index, values, nulls, tid_of(number), nullptr,
                        &result);
  };
  const Status refused = insert(noise, 1);
  EXPECT_EQ(refused.code(), ErrorCode::program_limit_exceeded);
  EXPECT_EQ(refused.report().message,
            std::string("index row size 3016 exceeds btree version 4 maximum 2704 for index "
                        "\"test_index\""));
  for (uint64_t i = 0; i < 300; ++i)
    EXPECT_OK(insert(std::string(20000 + i % 7, static_cast<char>('a' + i % 3)), i + 2));
  expect_well_formed(fixture, *index, 300);
}

TEST(unlogged_changes_make_no_records) {
  BtreeFixture fixture;
  BtreeDefinition definition = definition_of({{TestType::int4}});
  definition.logged = false;
  const Model model({{TestType::int4}});
  const auto index = index_of(std::move(definition));
  ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  for (uint64_t i = 0; i < 5000; ++i) {
    Row row;
    row.values.resize(1);
    row.values[0].number = static_cast<int64_t>(i % 100);
    row.tid = tid_of(i);
    insert_row(fixture, *index, model, row);
  }
  EXPECT_EQ(fixture.wal->statistics().records, 0u);
  expect_well_formed(fixture, *index, 5000);
}

}  // namespace
}  // namespace pgdata
