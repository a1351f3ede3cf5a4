// Goal: a row's xmax says who locks it and how, alone or as a multixact, also after updates, and lockers and changers
// stand in each other's way as PostgreSQL's table says. Method: backends of one thread on a table of one column;
// what heap_lock_row, heap_update and heap_delete say, and the bits and members they leave; a restart.
#include <array>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "base/test.h"
#include "heap/heap_scan.h"
#include "heap/heap_write.h"
#include "heap/row_lock.h"
#include "heap/verify_heap.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

struct LockedTable {
  explicit LockedTable(TestCluster& cluster) {
    Attribute id;
    std::strncpy(id.attname, "id", sizeof(id.attname) - 1);
    id.attlen = 4;
    id.attbyval = true;
    id.attalign = 'i';
    id.attstorage = 'p';
    Attribute value = id;
    desc.attributes = {id, value};
    layout = std::make_unique<TupleLayout>(desc);
    relation = std::make_unique<HeapRelation>(16384, RelFileLocator{1663, 5, 16384}, *layout, "t");
    const auto backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TestCluster::must(backend->create_storage(relation->locator, true));
    const Datum values[2] = {1, 10};
    TestCluster::must(heap_insert(*backend, *relation, values, nullptr, 0, nullptr, &tid));
    TestCluster::must(backend->commit(true, nullptr));
  }

  TupleDesc desc;
  std::unique_ptr<TupleLayout> layout;
  std::unique_ptr<HeapRelation> relation;
  ItemPointer tid;
};

Status update(Backend& backend, LockedTable& table, ItemPointer tid, bool key,
              ChangeOutcome* outcome) {
  static constexpr bool columns[2] = {true, false};
  const Datum values[2] = {key ? Datum{2} : Datum{1}, 20};
  return heap_update(backend, *table.relation, tid, values, nullptr, {columns, columns}, outcome);
}

Status lock(Backend& backend, LockedTable& table, ItemPointer tid, RowLockMode mode,
            ChangeOutcome* outcome) {
  RowLockProgress progress;
  return heap_lock_row(backend, *table.relation, tid, mode, true, &progress, outcome);
}

HeapTupleHeader header_at(TestCluster& cluster, LockedTable& table, ItemPointer tid) {
  const auto backend = cluster.backend();
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  TestCluster::must(heap_fetch_any(*backend, *table.relation, tid, &buffer, &tuple, &found));
  EXPECT(found);
  return tuple.header();
}

// xid value and status of the members of the row's xmax, which must be a multixact.
std::map<uint32_t, MultiXactStatus> members_at(TestCluster& cluster, LockedTable& table,
                                               ItemPointer tid) {
  const HeapTupleHeader header = header_at(cluster, table, tid);
  EXPECT((header.t_infomask & HEAP_XMAX_IS_MULTI) != 0);
  std::vector<MultiXactMember> members;
  TestCluster::must(cluster.transactions().multixact_members(value_of(header.t_xmax), &members));
  std::map<uint32_t, MultiXactStatus> found;
  for (const MultiXactMember& member : members) found[value_of(member.xid)] = member.status;
  return found;
}

std::unique_ptr<Backend> begun(TestCluster& cluster) {
  auto backend = cluster.backend();
  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  return backend;
}

TEST(locks_exclude_each_other_as_documented) {
  // Rows and columns from key share to update; table 13.3 of the documentation.
  constexpr std::array<const char*, 4> expected = {"...x", "..xx", ".xxx", "xxxx"};
  for (size_t held = 0; held < 4; ++held) {
    for (size_t wanted = 0; wanted < 4; ++wanted) {
      TestCluster cluster;
      LockedTable table(cluster);
      const auto one = begun(cluster);
      const auto two = begun(cluster);
      ChangeOutcome outcome;
      ASSERT_OK(lock(*one, table, table.tid, static_cast<RowLockMode>(held), &outcome));
      EXPECT(outcome.result == UpdateResult::ok);
      ASSERT_OK(lock(*two, table, table.tid, static_cast<RowLockMode>(wanted), &outcome));
      EXPECT_EQ(outcome.result == UpdateResult::ok, expected[held][wanted] == '.');
      if (outcome.result == UpdateResult::ok) {
        EXPECT_EQ(members_at(cluster, table, table.tid).size(), 2u);
      } else {
        EXPECT(outcome.result == UpdateResult::being_modified);
        EXPECT(outcome.wait.xid == one->xid());
        EXPECT(outcome.wait.takes_row_lock);
      }
      one->abort();
      two->abort();
    }
  }
}

TEST(a_single_lock_needs_no_multixact) {
  TestCluster cluster;
  LockedTable table(cluster);
  const auto one = begun(cluster);
  ChangeOutcome outcome;
  const std::array<uint16_t, 4> bits = {HEAP_XMAX_KEYSHR_LOCK, HEAP_XMAX_SHR_LOCK,
                                        HEAP_XMAX_EXCL_LOCK, HEAP_XMAX_EXCL_LOCK};
  for (size_t mode = 0; mode < 4; ++mode) {
    ASSERT_OK(lock(*one, table, table.tid, static_cast<RowLockMode>(mode), &outcome));
    EXPECT(outcome.result == UpdateResult::ok);
    const HeapTupleHeader header = header_at(cluster, table, table.tid);
    EXPECT(header.t_xmax == one->xid());
    EXPECT_EQ(header.t_infomask & (HEAP_XMAX_BITS), HEAP_XMAX_LOCK_ONLY | bits[mode]);
    EXPECT_EQ((header.t_infomask2 & HEAP_KEYS_UPDATED) != 0, mode == 3);
  }
  // A weaker one changes nothing.
  ASSERT_OK(lock(*one, table, table.tid, RowLockMode::key_share, &outcome));
  EXPECT((header_at(cluster, table, table.tid).t_infomask2 & HEAP_KEYS_UPDATED) != 0);
  one->abort();
  EXPECT(cluster.transactions().counters().nextMulti == 1);
}

TEST(a_key_share_goes_along_to_the_new_version) {
  TestCluster cluster;
  LockedTable table(cluster);
  const auto locker = begun(cluster);
  const auto writer = begun(cluster);
  const auto deleter = begun(cluster);
  ChangeOutcome outcome;
  ASSERT_OK(lock(*locker, table, table.tid, RowLockMode::key_share, &outcome));
  // The key would change: that must wait.
  ASSERT_OK(update(*writer, table, table.tid, true, &outcome));
  EXPECT(outcome.result == UpdateResult::being_modified);
  EXPECT(outcome.wait.xid == locker->xid());
  ASSERT_OK(update(*writer, table, table.tid, false, &outcome));
  ASSERT(outcome.result == UpdateResult::ok);
  const ItemPointer newer = outcome.new_tid;
  const auto members = members_at(cluster, table, table.tid);
  EXPECT_EQ(members.size(), 2u);
  EXPECT(members.at(value_of(locker->xid())) == MultiXactStatus::for_key_share);
  EXPECT(members.at(value_of(writer->xid())) == MultiXactStatus::no_key_update);
  const HeapTupleHeader header = header_at(cluster, table, newer);
  EXPECT(header.t_xmax == locker->xid());
  EXPECT_EQ(header.t_infomask & HEAP_XMAX_BITS, HEAP_XMAX_LOCK_ONLY | HEAP_XMAX_KEYSHR_LOCK);
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(heap_delete(*deleter, *table.relation, newer, &outcome));
  EXPECT(outcome.result == UpdateResult::being_modified);
  EXPECT(outcome.wait.xid == locker->xid());
  ASSERT_OK(locker->commit(true, nullptr));
  ASSERT_OK(heap_delete(*deleter, *table.relation, newer, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  ASSERT_OK(deleter->commit(true, nullptr));
}

TEST(a_key_share_of_an_updated_row_locks_its_later_versions) {
  TestCluster cluster;
  LockedTable table(cluster);
  const auto writer = begun(cluster);
  const auto locker = begun(cluster);
  ChangeOutcome outcome;
  ASSERT_OK(update(*writer, table, table.tid, false, &outcome));
  const ItemPointer newer = outcome.new_tid;
  ASSERT_OK(lock(*locker, table, table.tid, RowLockMode::key_share, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  EXPECT(header_at(cluster, table, newer).t_xmax == locker->xid());
  EXPECT_EQ(members_at(cluster, table, table.tid).size(), 2u);
  // The chain is whole.
  EXPECT(header_at(cluster, table, table.tid).t_ctid == newer);
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(locker->commit(true, nullptr));
}

TEST(multixacts_are_found_again_after_a_restart) {
  TestCluster cluster;
  LockedTable table(cluster);
  std::vector<std::map<uint32_t, MultiXactStatus>> made;
  std::vector<MultiXactId> ids;
  for (int round = 0; round < 5; ++round) {
    const auto one = begun(cluster);
    const auto two = begun(cluster);
    const auto three = begun(cluster);
    ChangeOutcome outcome;
    for (Backend* backend : {one.get(), two.get(), three.get()}) {
      ASSERT_OK(lock(*backend, table, table.tid, RowLockMode::share, &outcome));
      EXPECT(outcome.result == UpdateResult::ok);
    }
    made.push_back(members_at(cluster, table, table.tid));
    EXPECT_EQ(made.back().size(), 3u);
    ids.push_back(value_of(header_at(cluster, table, table.tid).t_xmax));
    EXPECT(cluster.transactions().oldest_multixact() <= ids.back());
    for (Backend* backend : {one.get(), two.get(), three.get()})
      ASSERT_OK(backend->commit(true, nullptr));
    EXPECT_EQ(cluster.transactions().oldest_multixact(), ids.back() + 1);
  }
  cluster.restart();
  for (size_t i = 0; i < ids.size(); ++i) {
    std::vector<MultiXactMember> members;
    ASSERT_OK(cluster.transactions().multixact_members(ids[i], &members));
    EXPECT_EQ(members.size(), made[i].size());
    for (const MultiXactMember& member : members)
      EXPECT(made[i].at(value_of(member.xid)) == member.status);
  }
}

TEST(many_multixacts_go_over_pages) {
  TestCluster cluster;
  LockedTable table(cluster);
  auto keeper = begun(cluster);
  ChangeOutcome outcome;
  // 2,048 offsets and 1,636 members fit a page.
  for (int round = 0; round < 2100; ++round) {
    const auto other = begun(cluster);
    ASSERT_OK(lock(*keeper, table, table.tid, RowLockMode::share, &outcome));
    ASSERT_OK(lock(*other, table, table.tid, RowLockMode::share, &outcome));
    ASSERT(outcome.result == UpdateResult::ok);
    EXPECT_EQ(members_at(cluster, table, table.tid).size(), 2u);
    ASSERT_OK(other->commit(true, nullptr));
  }
  EXPECT_EQ(cluster.transactions().counters().nextMulti, 2101u);
  ASSERT_OK(keeper->commit(true, nullptr));
  keeper.reset();
  cluster.restart();
  std::vector<MultiXactMember> members;
  for (const MultiXactId multi : {1u, 817u, 818u, 819u, 2047u, 2048u, 2100u}) {
    ASSERT_OK(cluster.transactions().multixact_members(multi, &members));
    EXPECT_EQ(members.size(), 2u);
  }
}

}  // namespace
}  // namespace pgdata
