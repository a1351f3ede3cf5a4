// Goal: pruning removes what nobody sees and nothing else, whatever the history; freezing leaves no id older than the bounds it
// reports; a page that a vacuum calls all-visible is.
// Method: random updates and deletes of a table by several sessions, some with old snapshots, which prune as they
// read; after each step the rows of every snapshot are held against a model, and each page is checked.
#include "heap/prune.h"

#include <cstdio>
#include <iterator>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "base/test.h"
#include "heap/heap_scan.h"
#include "heap/heap_write.h"
#include "heap/verify_heap.h"
#include "tuple/deform.h"
#include "xact/process_array.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

Attribute int_column(const char* name) {
  Attribute attribute;
  std::snprintf(attribute.attname, sizeof(attribute.attname), "%s", name);
  attribute.attlen = 4;
  attribute.attbyval = true;
  attribute.attalign = 'i';
  attribute.attstorage = 'p';
  return attribute;
}

// (id int4, value int4), of which the first is indexed.
struct Table {
  explicit Table(TestCluster& cluster) {
    desc.attributes = {int_column("id"), int_column("value")};
    layout = std::make_unique<TupleLayout>(desc);
    relation = std::make_unique<HeapRelation>(16384, RelFileLocator{1663, 5, 16384}, *layout, "t");
    const std::unique_ptr<Backend> backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TestCluster::must(backend->create_storage(relation->locator, true));
    TestCluster::must(backend->commit(true, nullptr));
  }
  TupleDesc desc;
  std::unique_ptr<TupleLayout> layout;
  std::unique_ptr<HeapRelation> relation;
};

using Rows = std::map<int32_t, std::pair<int32_t, ItemPointer>>;
constexpr bool id_indexed[2] = {true, false};
constexpr bool no_nulls[2] = {false, false};

Datum datum_of(int32_t value) { return static_cast<Datum>(static_cast<int64_t>(value)); }

ItemPointer insert(Backend& backend, Table& table, int32_t id, int32_t value) {
  const Datum values[2] = {datum_of(id), datum_of(value)};
  ItemPointer tid;
  TestCluster::must(heap_insert(backend, *table.relation, values, no_nulls, 0, nullptr, &tid));
  TestCluster::must(backend.advance_command());
  return tid;
}

ChangeOutcome update(Backend& backend, Table& table, ItemPointer tid, int32_t id, int32_t value) {
  const Datum values[2] = {datum_of(id), datum_of(value)};
  UpdateColumns columns;
  columns.indexed = id_indexed;
  columns.key = id_indexed;
  ChangeOutcome outcome;
  TestCluster::must(
      heap_update(backend, *table.relation, tid, values, no_nulls, columns, &outcome));
  TestCluster::must(backend.advance_command());
  return outcome;
}

Rows scan(Backend& backend, Table& table) {
  const Snapshot* snapshot = nullptr;
  TestCluster::must(backend.statement_snapshot(&snapshot));
  const Snapshot copy = *snapshot;
  HeapScan heap_scan(backend, *table.relation, copy);
  TestCluster::must(heap_scan.begin());
  Rows rows;
  for (;;) {
    HeapTuple tuple;
    bool found = false;
    TestCluster::must(heap_scan.next(&tuple, &found));
    if (!found) return rows;
    Datum values[2];
    bool nulls[2];
    TestCluster::must(deform_heap_tuple(*table.layout, tuple.bytes, tuple.length, values, nulls));
    EXPECT(rows.emplace(static_cast<int32_t>(values[0]),
                        std::make_pair(static_cast<int32_t>(values[1]), tuple.self))
               .second);
  }
}

std::map<int32_t, int32_t> values_of(const Rows& rows) {
  std::map<int32_t, int32_t> values;
  for (const auto& [id, row] : rows) values[id] = row.first;
  return values;
}

Page page_at(TestCluster& cluster, Table& table, uint32_t block, BufferRef* buffer) {
  TestCluster::must(cluster.pool().read(table.relation->locator, ForkNumber::main,
                                        BlockNumber{block}, ReadMode::normal, nullptr, buffer));
  return buffer->page();
}

uint32_t blocks_of(TestCluster& cluster, Table& table) {
  uint32_t blocks = 0;
  TestCluster::must(
      cluster.storage().block_count(table.relation->locator, ForkNumber::main, &blocks));
  return blocks;
}

VacuumCutoffs cutoffs_now(TestCluster& cluster, bool freeze) {
  VacuumCutoffs cutoffs;
  cutoffs.relfrozenxid = first_normal_transaction_id;
  cutoffs.relminmxid = 1;
  cutoffs.OldestXmin = cluster.transactions().processes().removal_horizons(5).database;
  cutoffs.OldestMxact = cutoffs.MultiXactCutoff = cluster.transactions().oldest_multixact();
  cutoffs.FreezeLimit = freeze ? cutoffs.OldestXmin : first_normal_transaction_id;
  return cutoffs;
}

struct VacuumedPages {
  TransactionId relfrozenxid;
  uint64_t live = 0;
  uint64_t deleted = 0;
  uint64_t dead_items = 0;
  bool all_frozen = true;
};

// The first pass over the whole table.
VacuumedPages vacuum_pages(TestCluster& cluster, Table& table, bool freeze) {
  const std::unique_ptr<Backend> backend = cluster.backend();
  const VacuumCutoffs cutoffs = cutoffs_now(cluster, freeze);
  RemovalTest removal(cluster.transactions(), 5);
  VacuumedPages pages;
  pages.relfrozenxid = cutoffs.OldestXmin;
  MultiXactId relminmxid = cutoffs.OldestMxact;
  for (uint32_t block = 0; block < blocks_of(cluster, table); block++) {
    BufferRef buffer;
    page_at(cluster, table, block, &buffer);
    EXPECT(buffer.try_lock_for_cleanup());
    PruneResult result;
    TestCluster::must(prune_and_freeze(*backend, *table.relation, buffer, {cutoffs, removal, false},
                                       &pages.relfrozenxid, &relminmxid, &result));
    pages.live += static_cast<uint64_t>(result.live);
    pages.deleted += static_cast<uint64_t>(result.deleted);
    pages.dead_items += result.dead.size();
    pages.all_frozen = pages.all_frozen && result.all_frozen;
    bool all_visible = false;
    bool all_frozen = false;
    TransactionId horizon = invalid_transaction_id;
    TestCluster::must(page_is_all_visible(*backend, *table.relation, buffer, cutoffs.OldestXmin,
                                          &all_visible, &all_frozen, &horizon));
    EXPECT_EQ(all_visible, result.all_visible);
    if (all_visible) EXPECT_EQ(all_frozen, result.all_frozen);
  }
  return pages;
}

}  // namespace

TEST(a_chain_of_updates_leaves_one_row_and_a_redirect) {
  TestCluster cluster;
  Table table(cluster);
  const std::unique_ptr<Backend> backend = cluster.backend();
  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid = insert(*backend, table, 1, 0);
  const ItemPointer root = tid;
  TestCluster::must(backend->commit(true, nullptr));
  int updates = 0;
  // Each in a transaction of its own, until the page is pruned by a read.
  for (; updates < 1000 && blocks_of(cluster, table) == 1; updates++) {
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    tid = scan(*backend, table).at(1).second;
    EXPECT(update(*backend, table, tid, 1, updates + 1).heap_only);
    TestCluster::must(backend->commit(true, nullptr));
  }
  EXPECT_EQ(updates, 1000);
  BufferRef buffer;
  const Page page = page_at(cluster, table, 0, &buffer);
  EXPECT(page.line_pointer(root.offset()).is_redirected());
  EXPECT(page.max_offset() < 300);
}

TEST(an_old_snapshot_keeps_what_it_sees) {
  TestCluster cluster;
  Table table(cluster);
  const std::unique_ptr<Backend> writer = cluster.backend();
  const std::unique_ptr<Backend> reader = cluster.backend();
  TestCluster::must(writer->begin(IsolationLevel::read_committed, false));
  for (int32_t id = 0; id < 200; id++) insert(*writer, table, id, 0);
  TestCluster::must(writer->commit(true, nullptr));
  TestCluster::must(reader->begin(IsolationLevel::repeatable_read, true));
  const auto seen = values_of(scan(*reader, table));
  for (int32_t round = 1; round < 20; round++) {
    TestCluster::must(writer->begin(IsolationLevel::read_committed, false));
    for (const auto& [id, row] : scan(*writer, table))
      update(*writer, table, row.second, id, round);
    TestCluster::must(writer->commit(true, nullptr));
    EXPECT(values_of(scan(*reader, table)) == seen);
  }
  EXPECT_EQ(vacuum_pages(cluster, table, false).live, 200u);
  EXPECT(values_of(scan(*reader, table)) == seen);
  TestCluster::must(reader->commit(true, nullptr));
  EXPECT(vacuum_pages(cluster, table, false).deleted > 0);
  TestCluster::must(reader->begin(IsolationLevel::read_committed, true));
  EXPECT_EQ(scan(*reader, table).size(), 200u);
  TestCluster::must(reader->commit(true, nullptr));
}

TEST(freezing_leaves_no_id_behind) {
  TestCluster cluster;
  Table table(cluster);
  const std::unique_ptr<Backend> backend = cluster.backend();
  for (int32_t id = 0; id < 300; id++) {
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    const ItemPointer tid = insert(*backend, table, id, 0);
    if (id % 3 == 0) update(*backend, table, tid, id, 1);
    if (id % 7 == 0)
      backend->abort();
    else
      TestCluster::must(backend->commit(true, nullptr));
  }
  const TransactionId next = xid_of(cluster.transactions().next_full_xid());
  const VacuumedPages pages = vacuum_pages(cluster, table, true);
  EXPECT(pages.relfrozenxid == next);
  for (uint32_t block = 0; block < blocks_of(cluster, table); block++) {
    BufferRef buffer;
    const Page page = page_at(cluster, table, block, &buffer);
    for (OffsetNumber offset = 1; offset <= page.max_offset(); offset++) {
      if (!page.line_pointer(offset).is_normal()) continue;
      EXPECT(!needs_eventual_freeze(*reinterpret_cast<HeapTupleHeader*>(page.item_at(offset))));
    }
  }
}

TEST(random_histories_with_pruning_agree_with_a_model) {
  std::mt19937_64 random = test::random_engine();
  TestCluster cluster;
  Table table(cluster);
  struct Session {
    std::unique_ptr<Backend> backend;
    std::map<int32_t, int32_t> seen;  // by its repeatable-read transaction
    bool open = false;
  };
  std::vector<Session> readers(3);
  for (Session& reader : readers) reader.backend = cluster.backend();
  const std::unique_ptr<Backend> writer = cluster.backend();
  std::map<int32_t, int32_t> model;
  int32_t next_id = 0;
  for (int step = 0; step < 200; step++) {
    std::map<int32_t, int32_t> changed = model;
    TestCluster::must(writer->begin(IsolationLevel::read_committed, false));
    for (uint64_t change = random() % 12; change > 0; change--) {
      const Rows rows = scan(*writer, table);
      ASSERT(values_of(rows) == changed);
      if (rows.size() < 20 || random() % 4 == 0) {
        insert(*writer, table, next_id, step);
        changed[next_id++] = step;
        continue;
      }
      auto at = rows.begin();
      std::advance(at, static_cast<long>(random() % rows.size()));
      if (random() % 4 == 0) {
        ChangeOutcome outcome;
        TestCluster::must(heap_delete(*writer, *table.relation, at->second.second, &outcome));
        TestCluster::must(writer->advance_command());
        changed.erase(at->first);
      } else if (random() % 3 == 0) {
        // The indexed column changes: not heap-only.
        update(*writer, table, at->second.second, next_id, step);
        changed.erase(at->first);
        changed[next_id++] = step;
      } else {
        update(*writer, table, at->second.second, at->first, step);
        changed[at->first] = step;
      }
    }
    if (random() % 4 == 0) {
      writer->abort();
    } else {
      TestCluster::must(writer->commit(true, nullptr));
      model = changed;
    }
    for (Session& reader : readers) {
      if (reader.open) {
        EXPECT(values_of(scan(*reader.backend, table)) == reader.seen);
        if (random() % 4 != 0) continue;
        TestCluster::must(reader.backend->commit(true, nullptr));
        reader.open = false;
      } else if (random() % 3 == 0) {
        TestCluster::must(reader.backend->begin(IsolationLevel::repeatable_read, true));
        reader.seen = values_of(scan(*reader.backend, table));
        EXPECT(reader.seen == model);
        reader.open = true;
      }
    }
    if (random() % 8 == 0) vacuum_pages(cluster, table, random() % 2 == 0);
  }
}

}  // namespace pgdata
