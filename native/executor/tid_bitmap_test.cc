// Bitmaps of rows.
// Goal: what was added is given in the order of the table, each row once, or its block as a whole when memory is short; of two
// bitmaps, what either or both have is given in the same way. Method: against sets, with much and with little memory.
#include "executor/tid_bitmap.h"

#include <random>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "base/test.h"

namespace pgdata {
namespace {

using Row = std::pair<uint32_t, uint16_t>;

std::vector<ItemPointer> random_tids(std::mt19937_64& random, size_t count, uint32_t blocks) {
  std::vector<ItemPointer> tids;
  for (size_t i = 0; i < count; i++) {
    const BlockNumber block{static_cast<uint32_t>(random() % blocks)};
    tids.emplace_back(block, static_cast<OffsetNumber>(1 + random() % 100));
  }
  return tids;
}

std::set<Row> rows_of(const std::vector<ItemPointer>& tids) {
  std::set<Row> rows;
  for (const ItemPointer& tid : tids) rows.emplace(value_of(tid.block()), tid.offset());
  return rows;
}

struct Given {
  std::set<Row> rows;
  std::set<Row> uncertain;  // of those rows
  std::set<uint32_t> lossy;
  bool is_ascending = true;
  size_t count = 0;
};

Given take_all(TidBitmap& bitmap) {
  Given given;
  int64_t last = -1;
  while (bitmap.next_block()) {
    const uint32_t block = value_of(bitmap.block());
    given.is_ascending = given.is_ascending && block > last;
    last = block;
    if (bitmap.is_lossy()) {
      EXPECT(bitmap.is_uncertain());
      given.lossy.insert(block);
      continue;
    }
    for (const ItemPointer& tid : bitmap.tids()) {
      const Row row(value_of(tid.block()), tid.offset());
      given.rows.insert(row);
      if (bitmap.is_uncertain()) given.uncertain.insert(row);
      given.count++;
    }
  }
  return given;
}

TEST(tid_bitmap_gives_each_row_once_in_order) {
  auto random = test::random_engine();
  MemoryAccount account;
  const auto tids = random_tids(random, 20'000, 500);
  {
    TidBitmap bitmap(account, 16 << 20);
    for (size_t from = 0; from < tids.size(); from += 100)
      bitmap.add(std::span(tids).subspan(from, 100));
    bitmap.finish();
    const Given given = take_all(bitmap);
    EXPECT(given.is_ascending);
    EXPECT(given.lossy.empty());
    EXPECT(given.rows == rows_of(tids));
    EXPECT_EQ(given.count, given.rows.size());
    EXPECT(account.held() > 0);
  }
  EXPECT_EQ(account.held(), size_t{0});
}

TEST(tid_bitmap_keeps_blocks_when_memory_is_short) {
  auto random = test::random_engine();
  MemoryAccount account;
  constexpr uint64_t memory_bytes = 64 << 10;
  const auto tids = random_tids(random, 100'000, 30'000);
  TidBitmap bitmap(account, memory_bytes);
  for (size_t from = 0; from < tids.size(); from += 100)
    bitmap.add(std::span(tids).subspan(from, 100));
  bitmap.finish();
  EXPECT(account.peak() <= memory_bytes + 2 * 30'000 / 8);
  const Given given = take_all(bitmap);
  EXPECT(given.is_ascending);
  EXPECT(!given.lossy.empty());
  const std::set<Row> added = rows_of(tids);
  for (const Row& row : given.rows) {
    EXPECT(added.contains(row));
    EXPECT(!given.lossy.contains(row.first));
  }
  for (const Row& row : added) EXPECT(given.rows.contains(row) || given.lossy.contains(row.first));
}

TEST(tid_bitmap_of_nothing) {
  MemoryAccount account;
  TidBitmap bitmap(account, 1 << 20);
  bitmap.finish();
  EXPECT(bitmap.is_empty());
  EXPECT(!bitmap.next_block());
}

// Rows that are given for certain are meant, and all that are meant are given in some way.
void expect_means(const Given& given, const std::set<Row>& meant) {
  EXPECT(given.is_ascending);
  EXPECT_EQ(given.count, given.rows.size());
  for (const Row& row : given.rows) {
    EXPECT(meant.contains(row) || given.uncertain.contains(row));
    EXPECT(!given.lossy.contains(row.first));
  }
  for (const Row& row : meant) EXPECT(given.rows.contains(row) || given.lossy.contains(row.first));
}

std::set<Row> common_to(const std::set<Row>& left, const std::set<Row>& right) {
  std::set<Row> rows;
  for (const Row& row : left)
    if (right.contains(row)) rows.insert(row);
  return rows;
}

TEST(tid_bitmaps_put_together_with_enough_memory) {
  auto random = test::random_engine();
  MemoryAccount account;
  for (const uint32_t blocks : {1u, 40u, 3'000u}) {
    const auto left = random_tids(random, 4'000, blocks);
    const auto right = random_tids(random, 3'000, blocks);
    TidBitmap any(account, 16 << 20);
    TidBitmap all(account, 16 << 20);
    TidBitmap other(account, 16 << 20);
    any.add(left);
    all.add(left);
    other.add(right);
    other.finish();
    all.finish();
    all.intersect(other);
    any.unite(other);
    any.finish();
    std::set<Row> either = rows_of(left);
    either.merge(rows_of(right));
    const std::set<Row> both = common_to(rows_of(left), rows_of(right));
    EXPECT_EQ(all.is_empty(), both.empty());
    const Given given_any = take_all(any);
    const Given given_all = take_all(all);
    EXPECT(given_any.rows == either);
    EXPECT(given_all.rows == both);
    EXPECT(given_any.uncertain.empty() && given_any.lossy.empty());
    EXPECT(given_all.uncertain.empty() && given_all.lossy.empty());
  }
}

TEST(tid_bitmaps_put_together_with_little_memory) {
  auto random = test::random_engine();
  MemoryAccount account;
  constexpr uint64_t memory_bytes = 64 << 10;  // room for some 5,000
  bool was_uncertain = false;
  bool was_lossy = false;
  for (const auto& [left_count, right_count, third_count] :
       {std::tuple{2'000, 30'000, 2'000}, {30'000, 2'000, 30'000}, {30'000, 30'000, 1'000}}) {
    const auto left = random_tids(random, static_cast<size_t>(left_count), 2'000);
    const auto right = random_tids(random, static_cast<size_t>(right_count), 3'000);
    const auto third = random_tids(random, static_cast<size_t>(third_count), 2'500);
    TidBitmap all(account, memory_bytes);
    TidBitmap other(account, memory_bytes);
    all.add(left);
    other.add(right);
    all.finish();
    other.finish();
    all.intersect(other);
    const std::set<Row> both = common_to(rows_of(left), rows_of(right));
    const Given given = take_all(all);
    expect_means(given, both);
    was_uncertain = was_uncertain || !given.uncertain.empty();
    was_lossy = was_lossy || !given.lossy.empty();

    // What is uncertain stays so in what it becomes a part of.
    TidBitmap any(account, memory_bytes);
    any.add(third);
    any.unite(all);
    any.finish();
    std::set<Row> either = both;
    either.merge(rows_of(third));
    expect_means(take_all(any), either);

    TidBitmap last(account, memory_bytes);
    last.add(third);
    last.finish();
    last.intersect(all);
    expect_means(take_all(last), common_to(both, rows_of(third)));
  }
  EXPECT(was_uncertain);
  EXPECT(was_lossy);
  EXPECT_EQ(account.held(), size_t{0});
}

}  // namespace
}  // namespace pgdata
