// Goal: an index entry may be deleted when no version in its chain can be seen by anybody any more, and only then; bottom-up, no more
// blocks are looked at than is worth while.
// Method: rows of every fate, with and without an old snapshot, asked about by their addresses.
#include "heap/index_deletion.h"

#include <cstdio>
#include <memory>
#include <vector>

#include "base/test.h"
#include "heap/heap_write.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

constexpr bool no_nulls[2] = {false, false};

// (id int4, value int4), of which the first is indexed.
struct Table {
  explicit Table(TestCluster& cluster) : backend(cluster.backend()) {
    for (const char* name : {"id", "value"}) {
      Attribute attribute;
      std::snprintf(attribute.attname, sizeof(attribute.attname), "%s", name);
      attribute.attlen = 4;
      attribute.attbyval = true;
      attribute.attalign = 'i';
      attribute.attstorage = 'p';
      desc.attributes.push_back(attribute);
    }
    layout = std::make_unique<TupleLayout>(desc);
    relation = std::make_unique<HeapRelation>(16384, RelFileLocator{1663, 5, 16384}, *layout, "t");
    begin();
    TestCluster::must(backend->create_storage(relation->locator, true));
    commit();
  }

  void begin() { TestCluster::must(backend->begin(IsolationLevel::read_committed, false)); }
  void commit() { TestCluster::must(backend->commit(true, nullptr)); }
  ItemPointer insert(int32_t id) {
    const Datum values[2] = {static_cast<Datum>(id), 0};
    ItemPointer tid;
    TestCluster::must(heap_insert(*backend, *relation, values, no_nulls, 0, nullptr, &tid));
    TestCluster::must(backend->advance_command());
    return tid;
  }
  ChangeOutcome update(ItemPointer tid, int32_t id, int32_t value) {
    static constexpr bool id_indexed[2] = {true, false};
    const Datum values[2] = {static_cast<Datum>(id), static_cast<Datum>(value)};
    UpdateColumns columns;
    columns.indexed = id_indexed;
    columns.key = id_indexed;
    ChangeOutcome outcome;
    TestCluster::must(heap_update(*backend, *relation, tid, values, no_nulls, columns, &outcome));
    TestCluster::must(backend->advance_command());
    return outcome;
  }
  void remove(ItemPointer tid) {
    ChangeOutcome outcome;
    TestCluster::must(heap_delete(*backend, *relation, tid, &outcome));
    TestCluster::must(backend->advance_command());
  }
  std::vector<IndexEntryFate> ask(std::vector<IndexEntryFate> entries, uint32_t bottom_up_bytes,
                                  TransactionId* horizon) {
    begin();
    // What is removable is looked up anew once a snapshot shows that a transaction has ended.
    const Snapshot* snapshot = nullptr;
    TestCluster::must(backend->statement_snapshot(&snapshot));
    TestCluster::must(
        find_deletable_entries(*backend, *relation, bottom_up_bytes, &entries, horizon));
    commit();
    return entries;
  }

  TupleDesc desc;
  std::unique_ptr<TupleLayout> layout;
  std::unique_ptr<HeapRelation> relation;
  std::unique_ptr<Backend> backend;
};

}  // namespace

TEST(entries_go_when_nobody_sees_any_version_of_the_chain) {
  TestCluster cluster;
  Table table(cluster);
  table.begin();
  const ItemPointer lives = table.insert(1);
  const ItemPointer deleted = table.insert(2);
  const ItemPointer hot_updated = table.insert(3);
  const ItemPointer hot_updated_and_deleted = table.insert(4);
  const ItemPointer moved = table.insert(5);
  table.commit();
  table.begin();
  const ItemPointer aborted = table.insert(6);
  table.backend->abort();

  table.begin();
  table.remove(deleted);
  EXPECT(table.update(hot_updated, 3, 1).heap_only);
  const ChangeOutcome next = table.update(hot_updated_and_deleted, 4, 1);
  EXPECT(next.heap_only);
  EXPECT(!table.update(moved, 50, 1).heap_only);
  table.commit();
  table.begin();
  table.remove(next.new_tid);
  const TransactionId last_deleter = table.backend->xid();
  table.commit();

  const std::vector<IndexEntryFate> entries = {
      {lives}, {deleted}, {hot_updated}, {hot_updated_and_deleted}, {moved}, {aborted}};
  const std::vector<bool> expected = {false, true, false, true, true, true};
  TransactionId horizon;
  const auto fates = table.ask(entries, 0, &horizon);
  for (size_t i = 0; i < fates.size(); i++) EXPECT_EQ(fates[i].deletable, bool{expected[i]});
  EXPECT(horizon == last_deleter);

  // What is known to be deletable still counts for the horizon.
  const auto known = table.ask({{hot_updated_and_deleted, true}}, 0, &horizon);
  EXPECT(known[0].deletable);
  EXPECT(horizon == last_deleter);
}

TEST(an_old_snapshot_keeps_entries) {
  TestCluster cluster;
  Table table(cluster);
  table.begin();
  const ItemPointer tid = table.insert(1);
  table.commit();
  const std::unique_ptr<Backend> reader = cluster.backend();
  TestCluster::must(reader->begin(IsolationLevel::repeatable_read, true));
  const Snapshot* snapshot = nullptr;
  TestCluster::must(reader->statement_snapshot(&snapshot));
  table.begin();
  table.remove(tid);
  table.commit();
  TransactionId horizon;
  EXPECT(!table.ask({{tid}}, 0, &horizon)[0].deletable);
  EXPECT(!is_valid(horizon));
  TestCluster::must(reader->commit(true, nullptr));
  table.begin();
  table.insert(2);
  table.commit();
  EXPECT(table.ask({{tid}}, 0, &horizon)[0].deletable);
}

TEST(bottom_up_deletion_looks_where_it_pays) {
  TestCluster cluster;
  Table table(cluster);
  table.begin();
  std::vector<ItemPointer> tids;
  for (int32_t id = 0; id < 20000; id++) tids.push_back(table.insert(id));
  table.commit();
  const uint32_t last_block = value_of(tids.back().block());
  ASSERT(last_block > 30);
  table.begin();
  for (const ItemPointer tid : tids)
    if (value_of(tid.block()) >= 10) table.remove(tid);
  table.commit();

  std::vector<IndexEntryFate> entries;
  for (const ItemPointer tid : tids)
    if (tid.offset() <= 20) entries.push_back({tid, false, value_of(tid.block()) == 20, 20});
  const auto deletable_blocks = [](const std::vector<IndexEntryFate>& fates) {
    std::vector<uint32_t> blocks;
    for (const IndexEntryFate& fate : fates)
      if (fate.deletable && (blocks.empty() || blocks.back() != value_of(fate.tid.block())))
        blocks.push_back(value_of(fate.tid.block()));
    return blocks;
  };
  TransactionId horizon;
  // The promising block alone has enough.
  EXPECT(deletable_blocks(table.ask(entries, 100, &horizon)) == std::vector<uint32_t>{20});
  // The next ones would be the first of the table, all of whose rows live: it is given up there.
  EXPECT(deletable_blocks(table.ask(entries, 1U << 20, &horizon)) == std::vector<uint32_t>{20});
  // Where all blocks pay, it is at most six.
  std::erase_if(entries,
                [](const IndexEntryFate& fate) { return value_of(fate.tid.block()) < 10; });
  EXPECT_EQ(deletable_blocks(table.ask(entries, 1U << 20, &horizon)).size(), 6u);
}

TEST(an_entry_that_leads_nowhere_is_corruption) {
  TestCluster cluster;
  Table table(cluster);
  table.begin();
  const ItemPointer tid = table.insert(1);
  table.commit();
  std::vector<IndexEntryFate> entries = {
      {ItemPointer(tid.block(), static_cast<OffsetNumber>(tid.offset() + 1))}};
  table.begin();
  TransactionId horizon;
  EXPECT(find_deletable_entries(*table.backend, *table.relation, 0, &entries, &horizon).code() ==
         ErrorCode::index_corrupted);
  table.backend->abort();
}

}  // namespace pgdata
