// Bitmaps of rows.
// Goal: what was added is given in the order of the table, each row once, or its block as a whole when memory is short. Method:
// against a set, with much and with little memory.
#include "executor/tid_bitmap.h"

#include <set>
#include <utility>
#include <vector>

#include "base/test.h"

namespace pgdata {
namespace {

using Row = std::pair<uint32_t, uint16_t>;

std::vector<ItemPointer> random_tids(size_t count, uint32_t blocks) {
  auto random = test::random_engine();
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
      given.lossy.insert(block);
      continue;
    }
    for (const ItemPointer& tid : bitmap.tids()) {
      given.rows.emplace(value_of(tid.block()), tid.offset());
      given.count++;
    }
  }
  return given;
}

TEST(tid_bitmap_gives_each_row_once_in_order) {
  MemoryAccount account;
  const auto tids = random_tids(20'000, 500);
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
  MemoryAccount account;
  constexpr uint64_t memory_bytes = 64 << 10;
  const auto tids = random_tids(100'000, 30'000);
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
  EXPECT(!bitmap.next_block());
}

}  // namespace
}  // namespace pgdata
