// Goal: an index that was built with little memory has the same pages as one that was sorted in memory, and what did not fit
// leaves no file, whatever comes of it.
// Method: the same random rows built twice; pages compared but for their LSNs.
#include "btree/btree_build.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "base/test.h"
#include "btree/btree_fixture.h"
#include "btree/btree_verify.h"

namespace pgdata {
namespace {

using test::BtreeFixture;
using test::build_memory;
using test::definition_of;
using test::index_of;
using test::index_relation;
using test::test_xid;
using test::TestColumn;
using test::TestType;

constexpr uint64_t little_memory = 64 << 10;

// One column of these is a number below `spread`, or its text.
struct Rows {
  std::vector<TestColumn> columns;
  uint32_t count = 10000;
  uint32_t spread = 1u << 30;
  bool is_unique = false;
  bool has_nulls = false;
  bool in_order_of_tids = true;
  bool in_order_of_keys = false;
};

ItemPointer tid_of(uint32_t number) {
  return ItemPointer(BlockNumber{number / 100}, static_cast<OffsetNumber>(number % 100 + 1));
}

Status add_rows(BtreeBuilder& builder, const Rows& rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<uint32_t> tids(rows.count);
  std::iota(tids.begin(), tids.end(), 0);
  if (!rows.in_order_of_tids) std::shuffle(tids.begin(), tids.end(), random);
  for (uint32_t i = 0; i < rows.count; ++i) {
    Datum values[2] = {};
    bool nulls[2] = {};
    std::string texts[2];
    for (size_t column = 0; column < rows.columns.size(); ++column) {
      const uint64_t number = rows.in_order_of_keys ? i
                              : rows.is_unique      ? i * 2654435761u  // a bijection
                                                    : random() % rows.spread;
      nulls[column] = rows.has_nulls && random() % 3 == 0;
      values[column] = number;
      if (rows.columns[column].type != TestType::text) continue;
      // The first eight bytes tell little.
      const std::string text = "the key " + std::to_string(number);
      texts[column] = std::string(1, static_cast<char>((text.size() + 1) << 1 | 1)) + text;
      values[column] = pointer_datum(texts[column].data());
    }
    RETURN_IF_ERROR(builder.add(values, nulls, tid_of(tids[i]), random() % 50 != 0));
  }
  return Status::ok;
}

// Steps of a few tuples, between which everything can be written.
Status finish(BtreeFixture& fixture, BtreeBuilder& builder, BtreeBuildResult* result) {
  for (bool done = false; !done;) {
    RETURN_IF_ERROR(builder.finish(997, result, &done));
    RETURN_IF_ERROR(fixture.pool->write_all_dirty());
  }
  return Status::ok;
}

Status pages_of(BtreeFixture& fixture, std::vector<std::vector<std::byte>>* pages) {
  uint32_t blocks = 0;
  RETURN_IF_ERROR(fixture.storage->block_count(index_relation, ForkNumber::main, &blocks));
  for (uint32_t block = 0; block < blocks; ++block) {
    BufferRef buffer;
    RETURN_IF_ERROR(fixture.pool->read(index_relation, ForkNumber::main, BlockNumber{block},
                                       ReadMode::normal, nullptr, &buffer));
    const Page page = buffer.page();
    pages->emplace_back(page.bytes(), page.bytes() + page.size());
    Page(pages->back().data(), page.size()).set_lsn(invalid_lsn);
    Page(pages->back().data(), page.size()).header().pd_checksum = 0;
  }
  return Status::ok;
}

size_t files_left(const BtreeFixture& fixture) {
  size_t count = 0;
  std::error_code none;
  for (const auto& entry :
       std::filesystem::directory_iterator(fixture.directory() + "/base/pgsql_tmp", none)) {
    (void)entry;
    ++count;
  }
  return count;
}

}  // namespace

TEST(pages_do_not_depend_on_memory) {
  const uint64_t seed = test::random_engine()();
  const Rows cases[] = {
      {.columns = {{TestType::int8}}, .is_unique = true},
      {.columns = {{TestType::int4}}, .spread = 40, .has_nulls = true},
      {.columns = {{TestType::int4}}, .spread = 40, .has_nulls = true, .in_order_of_tids = false},
      {.columns = {{TestType::int4}}, .is_unique = true, .in_order_of_keys = true},
      {.columns = {{TestType::text}}, .spread = 500, .has_nulls = true},
      {.columns = {{TestType::text, INDOPTION_DESC | INDOPTION_NULLS_FIRST}}, .has_nulls = true},
      {.columns = {{TestType::int4, INDOPTION_DESC}, {TestType::text}},
       .spread = 60,
       .has_nulls = true,
       .in_order_of_tids = false},
  };
  for (const Rows& rows : cases) {
    const auto index = index_of(definition_of(rows.columns, rows.is_unique));
    std::vector<std::vector<std::byte>> pages[2];
    for (const uint64_t memory : {build_memory, little_memory}) {
      BtreeFixture fixture;
      BtreeBuilder builder(*fixture.services, test_xid, *index, *fixture.temporary, memory);
      ASSERT_OK(add_rows(builder, rows, seed));
      EXPECT_EQ(files_left(fixture) > 0, memory == little_memory);
      BtreeBuildResult result;
      ASSERT_OK(finish(fixture, builder, &result));
      EXPECT(!result.duplicate);
      EXPECT_EQ(result.tuples, rows.count);
      EXPECT_EQ(builder.sort_report().is_on_disk, memory == little_memory);
      ASSERT_OK(pages_of(fixture, &pages[memory == little_memory]));
      EXPECT_EQ(pages[memory == little_memory].size(), result.blocks);
    }
    ASSERT(pages[0].size() > 10);
    EXPECT(pages[0] == pages[1]);
  }
}

TEST(two_rows_with_one_key_are_found_in_any_memory) {
  const uint64_t seed = test::random_engine()();
  const auto index = index_of(definition_of({{TestType::int4}}, true));
  std::vector<ItemPointer> found;
  for (const uint64_t memory : {build_memory, little_memory}) {
    BtreeFixture fixture;
    {
      BtreeBuilder builder(*fixture.services, test_xid, *index, *fixture.temporary, memory);
      ASSERT_OK(add_rows(builder, {.columns = {{TestType::int4}}, .spread = 100000}, seed));
      BtreeBuildResult result;
      ASSERT_OK(finish(fixture, builder, &result));
      ASSERT(result.duplicate);
      EXPECT(result.duplicate_tids[0] < result.duplicate_tids[1]);
      found.insert(found.end(), std::begin(result.duplicate_tids), std::end(result.duplicate_tids));
    }
    EXPECT_EQ(files_left(fixture), 0);
  }
  EXPECT(found[0] == found[2]);
  EXPECT(found[1] == found[3]);
}

TEST(a_build_stays_below_temp_file_limit) {
  BtreeFixture fixture;
  TemporaryLimits limits;
  limits.temp_file_limit_bytes = 100 << 10;
  fixture.temporary->set_limits(limits);
  const auto index = index_of(definition_of({{TestType::int4}}));
  {
    BtreeBuilder builder(*fixture.services, test_xid, *index, *fixture.temporary, little_memory);
    EXPECT_EQ(add_rows(builder, {.columns = {{TestType::int4}}}, 1).code(),
              ErrorCode::configuration_limit_exceeded);
    EXPECT(files_left(fixture) > 0);
  }
  EXPECT_EQ(files_left(fixture), 0);
}

}  // namespace pgdata
