// Goal: threads that insert and scan at once see a tree that is always in order, lose no entry and
// repeat none.
// Method: writers insert disjoint sets of keys into small pages, so that splits run up the tree all
// the time; readers scan both ways and check order, and that every entry which was there when the
// scan began is found; at the end the tree is verified. Meant for ThreadSanitizer as well.
#include <atomic>
#include <mutex>
#include <set>
#include <thread>

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
using test::definition_of;
using test::index_of;
using test::must;
using test::test_xid;
using test::TestType;

ItemPointer tid_of(uint32_t number) {
  return ItemPointer(BlockNumber{number / 100}, static_cast<OffsetNumber>(number % 100 + 1));
}
uint32_t number_of(ItemPointer tid) { return value_of(tid.block()) * 100 + tid.offset() - 1u; }

// The key of entry `number`: spread over the index when `scattered`, else in groups of equal keys.
int64_t key_of(uint32_t number, bool scattered) {
  return scattered ? static_cast<int64_t>(number * uint64_t{0x9E3779B97F4A7C15})
                   : static_cast<int64_t>(number % 7);
}

void insert(BtreeFixture& fixture, const BtreeIndex& index, uint32_t number, bool scattered) {
  const Datum values[] = {static_cast<Datum>(key_of(number, scattered))};
  const bool nulls[] = {false};
  BtreeInsertResult result;
  must(btree_insert(*fixture.services, test_xid, index, values, nulls, tid_of(number), nullptr,
                    &result));
}

void run(bool scattered) {
  constexpr uint32_t writers = 3;
  constexpr uint32_t per_writer = 3000;
  constexpr uint32_t total = writers * per_writer;
  BtreeFixture fixture(1024, 8192);
  const auto index = index_of(definition_of({{TestType::int8}}), 1024);
  must(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));

  std::vector<std::atomic<bool>> inserted(total);
  std::atomic<uint32_t> running{writers};
  std::vector<std::thread> threads;
  for (uint32_t writer = 0; writer < writers; ++writer) {
    threads.emplace_back([&, writer] {
      for (uint32_t i = 0; i < per_writer; ++i) {
        const uint32_t number = i * writers + writer;
        insert(fixture, *index, number, scattered);
        inserted[number].store(true, std::memory_order_release);
      }
      running.fetch_sub(1);
    });
  }
  std::atomic<int> scans{0};
  for (const ScanDirection direction : {ScanDirection::forward, ScanDirection::backward}) {
    threads.emplace_back([&, direction] {
      const bool forward = direction == ScanDirection::forward;
      do {
        std::vector<bool> before(total);
        for (uint32_t i = 0; i < total; ++i)
          before[i] = inserted[i].load(std::memory_order_acquire);
        BtreeScan scan(*fixture.pool, *index, {}, direction);
        std::vector<bool> found(total);
        bool has_last = false;
        std::pair<int64_t, ItemPointer> last;
        while (true) {
          ItemPointer tid;
          bool more = false;
          must(scan.next(&tid, &more));
          if (!more) break;
          const uint32_t number = number_of(tid);
          ASSERT(number < total);
          const std::pair<int64_t, ItemPointer> here{key_of(number, scattered), tid};
          if (has_last) EXPECT(forward ? last < here : here < last);
          EXPECT(!found[number]);
          found[number] = true;
          last = here;
          has_last = true;
        }
        for (uint32_t i = 0; i < total; ++i)
          if (before[i]) EXPECT(found[i]);
        scans.fetch_add(1);
      } while (running.load() > 0);
    });
  }
  threads.emplace_back([&] {
    auto random = std::mt19937_64(7);
    while (running.load() > 0) {
      const auto number = static_cast<uint32_t>(random() % total);
      const bool was_there = inserted[number].load(std::memory_order_acquire);
      BtreeSearchKey key;
      key.columns = 1;
      key.values[0] = static_cast<Datum>(key_of(number, scattered));
      key.nulls[0] = false;
      BtreeStart start;
      if (random() % 2 == 0) {
        must(start_btree_lookup(*fixture.pool, *index, key, false, &start));
        // The page that it begins with may be split any number of times before it goes on.
        for (uint64_t i = random() % 3; i > 0; --i) std::this_thread::yield();
      }
      BtreeMatches matches;
      must(btree_lookup(*fixture.pool, *index, key, &matches, nullptr, start));
      bool found = matches.more;
      for (int i = 0; i < matches.count; ++i) found = found || matches.tids[i] == tid_of(number);
      if (was_there) EXPECT(found);
    }
  });
  for (std::thread& thread : threads) thread.join();

  EXPECT(scans.load() >= 2);
  PooledBtreePages pages(*fixture.pool, *index);
  BtreeReport report;
  must(verify_btree(pages, *index, &report));
  EXPECT_EQ(report.tids, total);
  EXPECT_EQ(report.complaint_count, 0u);
}

TEST(scans_and_scattered_inserts_at_once) { run(true); }
TEST(scans_and_inserts_of_duplicates_at_once) { run(false); }

// Remembers which rows exist; all are committed at once.
class Rows : public UniqueChecker {
 public:
  Status check(ItemPointer tid, bool* live, TransactionId*, bool*) override {
    const std::lock_guard guard(mutex);
    *live = rows.count(number_of(tid)) != 0;
    return Status::ok;
  }
  std::mutex mutex;
  std::set<uint32_t> rows;
};

TEST(one_of_many_inserters_of_a_key_wins) {
  constexpr uint32_t threads_count = 4;
  constexpr uint32_t keys = 2000;
  BtreeFixture fixture(1024, 4096);
  const auto index = index_of(definition_of({{TestType::int8}}, true), 1024);
  must(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  Rows rows;
  std::vector<std::atomic<int>> winners(keys);
  std::vector<std::thread> threads;
  for (uint32_t thread = 0; thread < threads_count; ++thread) {
    threads.emplace_back([&, thread] {
      for (uint32_t i = 0; i < keys; ++i) {
        const uint32_t key = i * 7919 % keys;
        const uint32_t number = key * threads_count + thread;
        {
          const std::lock_guard guard(rows.mutex);
          rows.rows.insert(number);  // The heap has the row before the index does.
        }
        const Datum values[] = {Datum{key}};
        const bool nulls[] = {false};
        BtreeInsertResult result;
        must(btree_insert(*fixture.services, test_xid, *index, values, nulls, tid_of(number), &rows,
                          &result));
        if (result.inserted) winners[key].fetch_add(1);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (uint32_t key = 0; key < keys; ++key) EXPECT_EQ(winners[key].load(), 1);
  PooledBtreePages pages(*fixture.pool, *index);
  BtreeReport report;
  must(verify_btree(pages, *index, &report));
  EXPECT_EQ(report.tids, keys);
  EXPECT_EQ(report.complaint_count, 0u);
}

}  // namespace
}  // namespace pgdata
