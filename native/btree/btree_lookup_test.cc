// Lookups of keys that lie evenly, unevenly and at the ends of what a number can be, where a guess leads right or astray.
#include "btree/btree_lookup.h"

#include <algorithm>
#include <limits>
#include <random>
#include <set>
#include <vector>

#include "base/test.h"
#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"

namespace pgdata {
namespace {

using test::BtreeFixture;
using test::definition_of;
using test::index_of;
using test::test_xid;
using test::TestType;

constexpr int64_t lowest = std::numeric_limits<int64_t>::min();
constexpr int64_t highest = std::numeric_limits<int64_t>::max();

ItemPointer tid_of(size_t number) {
  return ItemPointer(BlockNumber{static_cast<uint32_t>(number / 100)},
                     static_cast<OffsetNumber>(number % 100 + 1));
}

BtreeSearchKey key_of(int64_t value) {
  BtreeSearchKey key;
  key.columns = 1;
  key.values[0] = static_cast<Datum>(value);
  key.nulls[0] = false;
  return key;
}

void insert(const BtreeFixture& fixture, const BtreeIndex& index, int64_t value, ItemPointer tid) {
  const auto datum = static_cast<Datum>(value);
  const bool null = false;
  BtreeInsertResult result;
  ASSERT_OK(btree_insert(*fixture.services, test_xid, index, &datum, &null, tid, nullptr, &result));
}

void find(const BtreeFixture& fixture, const BtreeIndex& index, int64_t value,
          BtreeMatches* matches) {
  const BtreeSearchKey key = key_of(value);
  BtreeStart start;
  ASSERT_OK(start_btree_lookup(*fixture.pool, index, key, true, &start));
  ASSERT_OK(btree_lookup(*fixture.pool, index, key, matches, nullptr, start));
}

// Keys 0, 1, 2, … of a set get the TIDs of their numbers; they are inserted in any order.
void expect_found(const std::set<int64_t>& keys, uint32_t block_size, uint16_t indoption) {
  BtreeFixture fixture(block_size);
  const auto index = index_of(definition_of({{TestType::int8, indoption}}, true), block_size);
  ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  const std::vector<int64_t> ordered(keys.begin(), keys.end());
  std::vector<size_t> numbers(ordered.size());
  for (size_t i = 0; i < numbers.size(); ++i) numbers[i] = i;
  std::shuffle(numbers.begin(), numbers.end(), std::mt19937_64(ordered.size()));
  // Looked up also while the tree grows, so that copies of its upper pages are out of date.
  size_t inserted = 0;
  for (const size_t number : numbers) {
    insert(fixture, *index, ordered[number], tid_of(number));
    BtreeMatches matches;
    find(fixture, *index, ordered[numbers[inserted++ / 2]], &matches);
    EXPECT_EQ(matches.count, 1);
  }
  for (size_t i = 0; i < ordered.size(); ++i) {
    const int64_t value = ordered[i];
    BtreeMatches matches;
    find(fixture, *index, value, &matches);
    ASSERT_EQ(matches.count, 1);
    EXPECT(matches.tids[0] == tid_of(i));
    for (const int64_t other : {value == lowest ? value : value - 1,
                                value == highest ? value : value + 1, value / 2, -(value / 2)}) {
      find(fixture, *index, other, &matches);
      EXPECT_EQ(matches.count, keys.contains(other) ? 1 : 0);
    }
  }
}

void expect_found(const std::set<int64_t>& keys) {
  for (const uint16_t indoption : {uint16_t{0}, INDOPTION_DESC}) {
    expect_found(keys, 8192, indoption);
    expect_found(keys, 1024, indoption);
  }
}

constexpr int64_t count = 4000;

TEST(keys_one_after_the_other) {
  std::set<int64_t> keys;
  for (int64_t i = 0; i < count; ++i) keys.insert(i);
  expect_found(keys);
}

TEST(keys_ever_further_apart) {
  std::set<int64_t> keys;
  for (int64_t i = 0; i < count; ++i) keys.insert(i * i * i - count);
  expect_found(keys);
}

TEST(keys_in_bunches) {
  std::set<int64_t> keys;
  for (int64_t i = 0; i < count; ++i) keys.insert(i / 100 * 1'000'000'007 + i % 100);
  expect_found(keys);
}

TEST(keys_from_the_lowest_to_the_highest) {
  std::set<int64_t> keys;
  for (int64_t i = 0; i < count / 4; ++i) {
    keys.insert(lowest + i);
    keys.insert(highest - i);
    keys.insert(i - count / 8);
  }
  expect_found(keys);
}

TEST(keys_whose_leaf_was_split_after_the_way_to_it_was_found) {
  BtreeFixture fixture(1024);
  const auto index = index_of(definition_of({{TestType::int8}}), 1024);
  ASSERT_OK(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  BtreeMatches matches;
  for (int64_t i = 0; i < count; ++i)
    insert(fixture, *index, i * 100, tid_of(static_cast<size_t>(i)));
  std::vector<BtreeStart> starts(count);
  size_t known = 0;
  for (int64_t i = 0; i < count; ++i) {
    find(fixture, *index, i * 100, &matches);
    BtreeStart& start = starts[static_cast<size_t>(i)];
    ASSERT_OK(start_btree_lookup(*fixture.pool, *index, key_of(i * 100), false, &start));
    if (start.block != P_NONE && start.level == 0) ++known;
  }
  EXPECT(known > count / 2);
  for (int64_t i = 0; i < count * 4; ++i)
    insert(fixture, *index, i * 25 + 1, tid_of(static_cast<size_t>(count + i)));
  for (int64_t i = 0; i < count; ++i) {
    const auto number = static_cast<size_t>(i);
    ASSERT_OK(
        btree_lookup(*fixture.pool, *index, key_of(i * 100), &matches, nullptr, starts[number]));
    EXPECT_EQ(matches.count, 1);
    EXPECT(matches.tids[0] == tid_of(number));
  }
}

TEST(keys_at_random) {
  std::mt19937_64 random(18);
  std::set<int64_t> keys;
  while (keys.size() < count) keys.insert(static_cast<int64_t>(random()));
  expect_found(keys);
}

}  // namespace
}  // namespace pgdata
