// Goal: entries of dead rows make room where it is needed, so that an index whose rows are updated all the time does not
// grow; no entry of a living row goes; a page that changed since it was read is not marked.
// Method: entries of few and many keys, of which a set says which are dead; scans kill some, insertions ask the set;
// what is left is held against a std::set and verify_btree.
#include "btree/btree_make_room.h"

#include <algorithm>
#include <compare>
#include <deque>
#include <random>
#include <set>

#include "base/test.h"
#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"
#include "btree/btree_kill.h"
#include "btree/btree_scan.h"
#include "btree/btree_vacuum.h"
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

// Knows what is dead, and gives all of it away that it is asked about.
class Upkeep final : public IndexUpkeep {
 public:
  bool is_recyclable(FullTransactionId) override { return true; }
  FullTransactionId next_full_xid() override { return 1000; }
  Status find_deletable(uint32_t bottom_up_bytes, std::vector<IndexEntry>* entries,
                        TransactionId* conflict_horizon) override {
    (bottom_up_bytes > 0 ? bottom_up_calls : simple_calls)++;
    *conflict_horizon = TransactionId{99};
    for (IndexEntry& entry : *entries) {
      if (entry.deletable) EXPECT(dead.contains(entry.tid));
      if (bottom_up_bytes > 0) EXPECT(entry.free_bytes > 0);
      promising += entry.promising ? 1 : 0;
      entry.deletable = dead.contains(entry.tid);
    }
    return Status::ok;
  }
  std::set<ItemPointer> dead;
  int bottom_up_calls = 0;
  int simple_calls = 0;
  int promising = 0;
};

struct Index {
  explicit Index(uint32_t block_size)
      : fixture(block_size), index(index_of(definition_of({{TestType::int4}}), block_size)) {
    must(build_empty_btree(*fixture.services, test_xid, *index, ForkNumber::main));
  }

  void insert(int32_t key, bool is_unchanged = false) {
    ItemPointer tid(BlockNumber{next_row / 100}, static_cast<OffsetNumber>(next_row % 100 + 1));
    next_row++;
    if (!free_tids.empty()) {
      tid = free_tids.front();
      free_tids.pop_front();
    }
    const Datum value = static_cast<Datum>(static_cast<int64_t>(key));
    const bool is_null = false;
    BtreeInsertResult result;
    must(btree_insert(*fixture.services, test_xid, *index, &value, &is_null, tid, nullptr, &result,
                      &upkeep, is_unchanged));
    EXPECT(result.inserted);
    living.insert({key, tid});
  }

  void die(Entry entry) {
    living.erase(entry);
    upkeep.dead.insert(entry.tid);
  }

  // What a scan gives, and kills of it what is dead.
  std::vector<ItemPointer> scan(bool kills) {
    std::vector<ItemPointer> tids;
    BtreeScan scan(*fixture.pool, *index, {}, ScanDirection::forward);
    for (;;) {
      ItemPointer tid;
      bool more = true;
      must(scan.next(&tid, &more));
      if (!more) return tids;
      tids.push_back(tid);
      if (kills && upkeep.dead.contains(tid)) scan.kill(tid);
    }
  }

  void check() {
    std::vector<ItemPointer> found = scan(false);
    std::erase_if(found, [&](ItemPointer tid) { return upkeep.dead.contains(tid); });
    ASSERT_EQ(found.size(), living.size());
    size_t i = 0;
    for (const Entry& entry : living) ASSERT(found[i++] == entry.tid);
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
  std::set<Entry> living;
  std::deque<ItemPointer> free_tids;
  uint32_t next_row = 0;
};

}  // namespace

TEST(killed_entries_are_not_seen_again_and_go_first) {
  Index index(8192);
  for (int32_t key = 0; key < 5000; key++) index.insert(key);
  const uint32_t blocks = index.blocks();
  const std::set<Entry> all = index.living;
  for (const Entry& entry : all)
    if (entry.key % 2 == 0) index.die(entry);
  EXPECT_EQ(index.scan(true).size(), all.size());
  EXPECT_EQ(index.scan(false).size(), all.size() / 2);
  index.check();
  for (int32_t key = 0; key < 4900; key += 2) index.insert(key);
  EXPECT(index.upkeep.simple_calls > 0);
  EXPECT_EQ(index.blocks(), blocks);
  index.check();
}

TEST(posting_lists_are_marked_when_all_their_rows_are_dead) {
  Index index(8192);
  for (int i = 0; i < 4000; i++) index.insert(i % 7);
  std::set<Entry> all = index.living;
  for (const Entry& entry : all)
    if (entry.key != 3 || entry.tid.offset() % 2 == 0) index.die(entry);
  index.scan(true);
  // Those of key 3 have living rows, too.
  std::vector<ItemPointer> left = index.scan(false);
  EXPECT(left.size() >= index.living.size());
  EXPECT(left.size() < 1000);
  index.check();
  const uint32_t blocks = index.blocks();
  for (int i = 0; i < 3000; i++) index.insert(i % 7);
  EXPECT_EQ(index.blocks(), blocks);
  index.check();
}

TEST(a_dead_posting_list_gets_no_living_row) {
  Index index(8192);
  // Merged when the page is full for the first time.
  for (int i = 0; i < 1000; i++) index.insert(i % 3);
  const std::set<Entry> all = index.living;
  // Holes among the TIDs: rows of another key.
  for (const Entry& entry : all)
    if (entry.key == 1) index.die(entry);
  index.scan(true);
  // These rows get line pointers that lie between those of dead ones.
  for (const Entry& entry : all)
    if (entry.key == 0) {
      index.living.erase(entry);
      index.free_tids.push_back(entry.tid);
    }
  {
    // A vacuum took the entries of key 0 away.
    class Gone final : public DeadRows {
     public:
      bool contains(ItemPointer tid) const override { return tids.contains(tid); }
      std::set<ItemPointer> tids;
    } gone;
    gone.tids.insert(index.free_tids.begin(), index.free_tids.end());
    BtreeVacuum run(*index.fixture.services, *index.index, index.upkeep, nullptr,
                    [] { return Status(); });
    must(run.bulk_delete(gone));
  }
  for (int i = 0; i < 200; i++) index.insert(1);
  const std::vector<ItemPointer> found = index.scan(false);
  for (const Entry& entry : index.living)
    EXPECT(std::find(found.begin(), found.end(), entry.tid) != found.end());
  index.check();
}

TEST(a_page_that_changed_since_it_was_read_is_not_marked) {
  Index index(8192);
  for (int32_t key = 0; key < 100; key++) index.insert(key);
  const Entry first = *index.living.begin();
  index.die(first);
  {
    BtreeScan scan(*index.fixture.pool, *index.index, {}, ScanDirection::forward);
    ItemPointer tid;
    bool more = false;
    ASSERT_OK(scan.next(&tid, &more));
    EXPECT(tid == first.tid);
    scan.kill(tid);
    index.insert(50);
    ASSERT_OK(scan.mark_killed());
  }
  EXPECT_EQ(index.scan(false).size(), 101u);
  index.scan(true);
  EXPECT_EQ(index.scan(false).size(), 100u);
  index.check();
}

TEST(versions_of_unchanged_rows_do_not_make_the_index_grow) {
  Index index(8192);
  for (int32_t key = 0; key < 1500; key++) index.insert(key);
  const uint32_t blocks = index.blocks();
  std::mt19937_64 random = test::random_engine();
  for (int i = 0; i < 6000; i++) {
    const auto key = static_cast<int32_t>(random() % 1500);
    const auto old = index.living.lower_bound({key, ItemPointer(BlockNumber{0}, 0)});
    ASSERT(old != index.living.end() && old->key == key);
    index.die(*old);
    index.insert(key, true);
  }
  EXPECT(index.upkeep.bottom_up_calls > 0);
  EXPECT(index.upkeep.promising > 0);
  EXPECT(index.blocks() <= 2 * blocks);
  index.check();
}

TEST(random_deaths_kills_and_insertions) {
  for (const int32_t keys : {20, 2000, 1 << 20}) {
    std::mt19937_64 random = test::random_engine();
    Index index(1024);
    for (int round = 0; round < 12; round++) {
      for (int i = 0; i < 400; i++)
        index.insert(static_cast<int32_t>(random() % static_cast<uint64_t>(keys)),
                     random() % 2 == 0);
      const std::set<Entry> all = index.living;
      const uint64_t share = random() % 10;
      for (const Entry& entry : all)
        if (random() % 10 < share) index.die(entry);
      if (round % 3 != 0) index.scan(true);
      index.check();
    }
  }
}

}  // namespace pgdata
