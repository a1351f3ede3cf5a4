// Goal: a vacuum of an index removes the entries of dead rows and no others, deletes the pages that become empty, lets
// them be used again when nobody can be on the way to them, and never while somebody can; also while others insert.
// Method: random entries of few and many keys, deleted at random and in stretches, held against a std::set and
// verify_btree; small pages, so that the tree has many levels.
#include "btree/btree_vacuum.h"

#include <algorithm>
#include <atomic>
#include <compare>
#include <random>
#include <set>
#include <thread>

#include "base/test.h"
#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"
#include "btree/btree_scan.h"
#include "btree/btree_verify.h"

namespace pgdata {
namespace {

using test::BtreeFixture;
using test::definition_of;
using test::Entry;
using test::index_of;
using test::must;
using test::test_xid;
using test::TestType;

class Upkeep final : public IndexUpkeep {
 public:
  bool is_recyclable(FullTransactionId safexid) override { return safexid < horizon; }
  FullTransactionId next_full_xid() override { return next_xid; }
  Status find_deletable(uint32_t, std::vector<IndexEntry>*, TransactionId*) override {
    return Status::ok;
  }
  std::atomic<FullTransactionId> next_xid = 1000;
  std::atomic<FullTransactionId> horizon = 1000;
};

class Dead final : public DeadRows {
 public:
  bool contains(ItemPointer tid) const override { return tids.contains(tid); }
  std::set<ItemPointer> tids;
};

struct Index {
  explicit Index(uint32_t block_size)
      : fixture(block_size), index(index_of(definition_of({{TestType::int4}}), block_size)) {
    must(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  }

  void insert(int32_t key) {
    const ItemPointer tid(BlockNumber{next_row / 100},
                          static_cast<OffsetNumber>(next_row % 100 + 1));
    next_row++;
    const Datum value = static_cast<Datum>(static_cast<int64_t>(key));
    const bool is_null = false;
    BtreeInsertResult result;
    must(btree_insert(*fixture.services, test_xid, *index, &value, &is_null, tid, nullptr, &result,
                      &upkeep));
    EXPECT(result.inserted);
    entries.insert({key, tid});
  }

  // Removes the entries that `is_dead` says, by one vacuum.
  template <typename Predicate>
  BtreeVacuumResult vacuum(Predicate is_dead) {
    Dead dead;
    for (auto at = entries.begin(); at != entries.end();) {
      if (!is_dead(*at)) {
        ++at;
        continue;
      }
      dead.tids.insert(at->tid);
      at = entries.erase(at);
    }
    BtreeVacuum run(*fixture.services, *index, upkeep, nullptr, [] { return Status(); });
    must(run.bulk_delete(dead));
    must(run.clean_up(static_cast<double>(entries.size()), true));
    EXPECT_EQ(run.result().tuples_removed, dead.tids.size());
    return run.result();
  }

  void check() {
    std::set<Entry> found;
    for (const ScanDirection direction : {ScanDirection::forward, ScanDirection::backward}) {
      std::vector<ItemPointer> tids;
      BtreeScan scan(*fixture.pool, *index, {}, direction);
      ItemPointer tid;
      bool more = true;
      for (;;) {
        must(scan.next(&tid, &more));
        if (!more) break;
        tids.push_back(tid);
      }
      if (direction == ScanDirection::backward) std::reverse(tids.begin(), tids.end());
      ASSERT_EQ(tids.size(), entries.size());
      size_t i = 0;
      for (const Entry& entry : entries) ASSERT(tids[i++] == entry.tid);
    }
    BtreeReport report;
    PooledBtreePages pages(*fixture.pool, *index);
    must(verify_btree(pages, *index, &report));
    for (const BtreeComplaint& complaint : report.complaints)
      EXPECT_EQ(complaint.text, std::string());
  }

  uint32_t blocks() {
    uint32_t count = 0;
    must(fixture.storage->block_count(index->relation(), ForkNumber::main, &count));
    return count;
  }

  BtreeFixture fixture;
  std::unique_ptr<BtreeIndex> index;
  Upkeep upkeep;
  std::set<Entry> entries;
  uint32_t next_row = 0;
};

void exercise(uint32_t block_size, int32_t keys, int rounds) {
  std::mt19937_64 random = test::random_engine();
  Index index(block_size);
  for (int round = 0; round < rounds; round++) {
    const size_t count = 200 + random() % 4000;
    for (size_t i = 0; i < count; i++)
      index.insert(static_cast<int32_t>(random() % static_cast<uint64_t>(keys)));
    const auto low = static_cast<int32_t>(random() % static_cast<uint64_t>(keys));
    const auto high = static_cast<int32_t>(low + random() % static_cast<uint64_t>(keys));
    const uint64_t share = random() % 10;
    index.vacuum([&](const Entry& entry) {
      if (entry.key >= low && entry.key < high) return random() % 10 != 0 || share < 5;
      return random() % 10 < share;
    });
    index.check();
    index.upkeep.next_xid += 10;
    if (round % 2 == 0) index.upkeep.horizon = index.upkeep.next_xid + 1;
  }
  index.vacuum([](const Entry&) { return true; });
  index.check();
}

}  // namespace

TEST(entries_of_dead_rows_go_and_others_stay) { exercise(8192, 1 << 20, 4); }
TEST(posting_lists_lose_some_of_their_tids) { exercise(8192, 40, 4); }
TEST(small_pages_make_branches_to_delete) { exercise(1024, 1 << 20, 5); }
TEST(small_pages_with_duplicates) { exercise(1024, 300, 5); }

TEST(deleted_pages_are_used_again_once_nobody_can_come_to_them) {
  Index index(1024);
  for (int32_t key = 0; key < 5000; key++) index.insert(key);
  const uint32_t blocks = index.blocks();
  BtreeVacuumResult result = index.vacuum([](const Entry& entry) { return entry.key < 4900; });
  EXPECT(result.pages_newly_deleted > 100);
  EXPECT_EQ(result.pages_free, 0u);
  index.check();
  // Somebody who ran when they were deleted may still come: the file grows.
  for (int32_t key = 10000; key < 10500; key++) index.insert(key);
  EXPECT(index.blocks() > blocks);
  const uint32_t grown = index.blocks();

  index.upkeep.next_xid += 100;
  index.upkeep.horizon = index.upkeep.next_xid + 0;
  result = index.vacuum([](const Entry&) { return false; });
  EXPECT(result.pages_free > 100);
  EXPECT_EQ(result.pages_newly_deleted, 0u);
  for (int32_t key = 0; key < 1500; key++) index.insert(key);
  EXPECT_EQ(index.blocks(), grown);
  index.check();
}

TEST(splits_during_a_vacuum_hide_no_entry_from_it) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 3; round++) {
    Index index(1024);
    for (int i = 0; i < 3000; i++) index.insert(static_cast<int32_t>(random() % 100000));
    Dead dead;
    std::set<Entry> live;
    for (const Entry& entry : index.entries) {
      if (random() % 2 == 0)
        dead.tids.insert(entry.tid);
      else
        live.insert(entry);
    }
    std::atomic<bool> done{false};
    std::vector<Entry> inserted;
    std::thread inserter([&, seed = random()] {
      std::mt19937_64 keys(seed);
      for (uint32_t row = 100000; !done.load() && row < 160000; row++) {
        const auto key = static_cast<int32_t>(keys() % 100000);
        const ItemPointer tid(BlockNumber{row / 100}, static_cast<OffsetNumber>(row % 100 + 1));
        const Datum value = static_cast<Datum>(static_cast<int64_t>(key));
        const bool is_null = false;
        BtreeInsertResult result;
        must(btree_insert(*index.fixture.services, test_xid, *index.index, &value, &is_null, tid,
                          nullptr, &result, &index.upkeep));
        inserted.push_back({key, tid});
      }
    });
    BtreeVacuum run(*index.fixture.services, *index.index, index.upkeep, nullptr,
                    [] { return Status(); });
    must(run.bulk_delete(dead));
    done = true;
    inserter.join();
    must(run.clean_up(0, false));
    EXPECT_EQ(run.result().tuples_removed, dead.tids.size());
    index.entries = live;
    index.entries.insert(inserted.begin(), inserted.end());
    index.check();
  }
}

TEST(an_index_is_vacuumed_by_one_at_a_time) {
  Index index(8192);
  index.insert(1);
  IndexVacuums& vacuums = index.fixture.state.index_vacuums();
  uint16_t cycle = 0;
  ASSERT_OK(vacuums.begin(index.index->relation(), &cycle));
  EXPECT(cycle != 0);
  EXPECT_EQ(vacuums.cycle_of(index.index->relation()), cycle);
  BtreeVacuum run(*index.fixture.services, *index.index, index.upkeep, nullptr,
                  [] { return Status(); });
  const Dead dead;
  EXPECT(run.bulk_delete(dead).code() == ErrorCode::object_in_use);
  vacuums.end(index.index->relation());
  EXPECT_EQ(vacuums.cycle_of(index.index->relation()), 0);
  ASSERT_OK(run.bulk_delete(dead));
}

}  // namespace pgdata
