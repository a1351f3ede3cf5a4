// Goal: rows that are written are seen by whom PostgreSQL would show them to, whatever the order
// of inserts, updates, deletes, commits and aborts; long values come back; damage is reported.
// Method: a cluster in a temporary directory, a plain map as model, random operations in two
// sessions, damaged pages.
#include <algorithm>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/test.h"
#include "heap/heap_count.h"
#include "heap/heap_scan.h"
#include "heap/heap_write.h"
#include "heap/toast.h"
#include "heap/verify_heap.h"
#include "space/visibility_map.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

Attribute column(const char* name, int16_t attlen, bool attbyval, char attalign, char attstorage) {
  Attribute attribute;
  std::strncpy(attribute.attname, name, sizeof(attribute.attname) - 1);
  attribute.attlen = attlen;
  attribute.attbyval = attbyval;
  attribute.attalign = attalign;
  attribute.attstorage = attstorage;
  return attribute;
}

// The TOAST index as a map.
class MapToastIndex : public ToastIndex {
 public:
  Status new_value_id(Backend&, Oid* value_id) override {
    *value_id = next_++;
    return Status::ok;
  }
  Status insert(Backend&, Oid value_id, int32_t chunk_seq, ItemPointer tid) override {
    entries[value_id].emplace_back(chunk_seq, tid);
    return Status::ok;
  }
  Status lookup(const ReadContext&, Oid value_id, std::vector<ItemPointer>* tids) override {
    tids->clear();
    for (const auto& [seq, tid] : entries[value_id]) tids->push_back(tid);
    return Status::ok;
  }
  std::map<Oid, std::vector<std::pair<int32_t, ItemPointer>>> entries;

 private:
  Oid next_ = 20000;
};

std::vector<std::byte> text_value(const std::string& text) {
  std::vector<std::byte> value(VARHDRSZ + text.size());
  set_varlena_size_4b(value.data(), static_cast<uint32_t>(value.size()));
  if (!text.empty()) std::memcpy(value.data() + VARHDRSZ, text.data(), text.size());
  return value;
}

// A table (id int4, body text, extra int8) with a TOAST table beside it.
struct Table {
  explicit Table(TestCluster& cluster, Oid oid = 16384) {
    desc.attributes = {column("id", 4, true, 'i', 'p'), column("body", -1, false, 'i', 'x'),
                       column("extra", 8, true, 'd', 'p')};
    toast_desc.attributes = {column("chunk_id", 4, true, 'i', 'p'),
                             column("chunk_seq", 4, true, 'i', 'p'),
                             column("chunk_data", -1, false, 'i', 'p')};
    layout = std::make_unique<TupleLayout>(desc);
    toast_layout = std::make_unique<TupleLayout>(toast_desc);
    relation = std::make_unique<HeapRelation>(oid, RelFileLocator{1663, 5, oid}, *layout, "t");
    chunks = std::make_unique<HeapRelation>(oid + 3, RelFileLocator{1663, 5, oid + 3},
                                            *toast_layout, "pg_toast_16384");
    chunks->is_toast = true;
    store = std::make_unique<ToastStore>(*chunks, index);
    relation->toast = store.get();
    const std::unique_ptr<Backend> backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TestCluster::must(backend->create_storage(relation->locator, true));
    TestCluster::must(backend->create_storage(chunks->locator, true));
    TestCluster::must(backend->commit(true, nullptr));
  }

  TupleDesc desc;
  TupleDesc toast_desc;
  std::unique_ptr<TupleLayout> layout;
  std::unique_ptr<TupleLayout> toast_layout;
  std::unique_ptr<HeapRelation> relation;
  std::unique_ptr<HeapRelation> chunks;
  MapToastIndex index;
  std::unique_ptr<ToastStore> store;
};

struct Row {
  int32_t id = 0;
  std::optional<std::string> body;
  int64_t extra = 0;
  friend bool operator==(const Row&, const Row&) = default;
};

// A row's Datums; the text lives here.
struct RowDatums {
  explicit RowDatums(const Row& row) {
    values[0] = static_cast<Datum>(static_cast<int64_t>(row.id));
    nulls[1] = !row.body.has_value();
    if (row.body) {
      body = text_value(*row.body);
      values[1] = pointer_datum(body.data());
    }
    values[2] = static_cast<Datum>(row.extra);
  }
  Datum values[3] = {};
  bool nulls[3] = {};
  std::vector<std::byte> body;
};

Status insert(Backend& backend, Table& table, const Row& row, ItemPointer* tid,
              uint32_t options = 0, BulkInsertState* bulk = nullptr) {
  const RowDatums datums(row);
  return heap_insert(backend, *table.relation, datums.values, datums.nulls, options, bulk, tid);
}

constexpr bool id_indexed[3] = {true, false, false};

Status update(Backend& backend, Table& table, ItemPointer tid, const Row& row,
              ChangeOutcome* outcome) {
  const RowDatums datums(row);
  UpdateColumns columns;
  columns.indexed = id_indexed;
  columns.key = id_indexed;
  return heap_update(backend, *table.relation, tid, datums.values, datums.nulls, columns, outcome);
}

Status read_row(const ReadContext& context, Table& table, const HeapTuple& tuple, Row* row) {
  Datum values[3];
  bool nulls[3];
  RETURN_IF_ERROR(deform_heap_tuple(*table.layout, tuple.bytes, tuple.length, values, nulls));
  row->id = static_cast<int32_t>(values[0]);
  row->extra = static_cast<int64_t>(values[2]);
  row->body.reset();
  if (nulls[1]) return Status::ok;
  std::vector<std::byte> storage;
  std::span<const std::byte> data;
  RETURN_IF_ERROR(detoast(context, *table.relation, datum_pointer(values[1]), &storage, &data));
  row->body = std::string(reinterpret_cast<const char*>(data.data()), data.size());
  return Status::ok;
}

using Rows = std::map<int32_t, std::pair<Row, ItemPointer>>;

Status scan(Backend& backend, Table& table, Rows* rows) {
  rows->clear();
  const Snapshot* snapshot = nullptr;
  RETURN_IF_ERROR(backend.statement_snapshot(&snapshot));
  const Snapshot copy = *snapshot;
  HeapScan heap_scan(backend, *table.relation, copy);
  RETURN_IF_ERROR(heap_scan.begin());
  for (;;) {
    HeapTuple tuple;
    bool found = false;
    RETURN_IF_ERROR(heap_scan.next(&tuple, &found));
    if (!found) return Status::ok;
    Row row;
    RETURN_IF_ERROR(read_row(backend, table, tuple, &row));
    if (!rows->emplace(row.id, std::make_pair(row, tuple.self)).second)
      return Status::error(ErrorCode::internal_error, "row %d is there twice", row.id);
  }
}

std::string random_text(std::mt19937_64& random, size_t size, bool compressible) {
  std::string text(size, ' ');
  for (char& c : text) c = static_cast<char>(compressible ? 'a' + random() % 3 : random());
  return text;
}

Row random_row(std::mt19937_64& random, int32_t id) {
  Row row;
  row.id = id;
  row.extra = static_cast<int64_t>(random());
  switch (random() % 10) {
    case 0:
      break;
    case 1:
      row.body = "";
      break;
    case 2:
      row.body = random_text(random, random() % 9000, random() % 2 == 0);
      break;
    case 3:
      row.body = random_text(random, random() % 3 ? 2500 : 40000, random() % 2 == 0);
      break;
    default:
      row.body = random_text(random, random() % 120, false);
  }
  return row;
}

// Every page of a relation as verify_heap_page sees it.
int count_complaints(TestCluster& cluster, const HeapRelation& relation, bool has_toast) {
  uint32_t blocks = 0;
  TestCluster::must(cluster.storage().block_count(relation.locator, ForkNumber::main, &blocks));
  HeapVerifyBounds bounds;
  bounds.layout = relation.layout;
  bounds.has_toast = has_toast;
  bounds.next_xid = xid_of(cluster.transactions().next_full_xid());
  std::vector<HeapComplaint> complaints;
  for (uint32_t block = 0; block < blocks; ++block) {
    BufferRef buffer;
    TestCluster::must(cluster.pool().read(relation.locator, ForkNumber::main, BlockNumber{block},
                                          ReadMode::normal, nullptr, &buffer));
    verify_heap_page(buffer.page(), BlockNumber{block}, bounds, &complaints);
  }
  for (const HeapComplaint& complaint : complaints)
    test::report_failure(__FILE__, __LINE__, complaint.message);
  return static_cast<int>(complaints.size());
}

TEST(inserted_rows_are_seen_after_commit_and_by_their_own_transaction) {
  TestCluster cluster;
  Table table(cluster);
  const auto writer = cluster.backend();
  const auto reader = cluster.backend();
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  ASSERT_OK(reader->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  ASSERT_OK(insert(*writer, table, {1, "one", 11}, &tid));
  EXPECT_EQ(tid.offset(), 1);
  Rows rows;
  ASSERT_OK(scan(*writer, table, &rows));
  EXPECT_EQ(rows.size(), 0);  // The same command does not see what it writes.
  ASSERT_OK(writer->advance_command());
  ASSERT_OK(scan(*writer, table, &rows));
  EXPECT_EQ(rows.size(), 1);
  ASSERT_OK(scan(*reader, table, &rows));
  EXPECT_EQ(rows.size(), 0);
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(scan(*reader, table, &rows));
  ASSERT_EQ(rows.size(), 1);
  EXPECT(rows.at(1).first == (Row{1, "one", 11}));
  reader->abort();
}

TEST(rows_of_an_aborted_transaction_are_never_seen) {
  TestCluster cluster;
  Table table(cluster);
  const auto backend = cluster.backend();
  ItemPointer tid;
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ASSERT_OK(insert(*backend, table, {1, "one", 0}, &tid));
  backend->abort();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  Rows rows;
  for (int pass = 0; pass < 2; ++pass) {  // The second time by hint bit.
    ASSERT_OK(scan(*backend, table, &rows));
    EXPECT_EQ(rows.size(), 0);
  }
  ASSERT_OK(backend->commit(true, nullptr));
}

TEST(repeatable_read_keeps_its_view) {
  TestCluster cluster;
  Table table(cluster);
  const auto writer = cluster.backend();
  const auto reader = cluster.backend();
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  ASSERT_OK(insert(*writer, table, {1, "old", 0}, &tid));
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(reader->begin(IsolationLevel::repeatable_read, false));
  Rows rows;
  ASSERT_OK(scan(*reader, table, &rows));
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  ChangeOutcome outcome;
  ASSERT_OK(update(*writer, table, tid, {1, "new", 0}, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  EXPECT(outcome.heap_only);
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(scan(*reader, table, &rows));
  EXPECT(rows.at(1).first.body == "old");
  // The index's entry leads to the version each snapshot sees.
  const Snapshot* snapshot = nullptr;
  ASSERT_OK(reader->statement_snapshot(&snapshot));
  Visibility visibility(*reader, snapshot);
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  bool all_dead = true;
  ASSERT_OK(heap_hot_search(*reader, *table.relation, tid, visibility, &buffer, &tuple, &found,
                            &all_dead));
  ASSERT(found);
  EXPECT(!all_dead);
  EXPECT(tuple.self == tid);
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  ASSERT_OK(writer->statement_snapshot(&snapshot));
  Visibility now(*writer, snapshot);
  ASSERT_OK(
      heap_hot_search(*writer, *table.relation, tid, now, &buffer, &tuple, &found, &all_dead));
  ASSERT(found);
  EXPECT(tuple.self == outcome.new_tid);
  buffer.release();
  // Updating what the old view shows is a conflict.
  ASSERT_OK(update(*reader, table, tid, {1, "late", 0}, &outcome));
  EXPECT(outcome.result == UpdateResult::updated);
  EXPECT_EQ(static_cast<int>(change_conflict(*table.relation, outcome).code()),
            static_cast<int>(ErrorCode::serialization_failure));
  reader->abort();
  writer->abort();
}

TEST(remembered_counts_hold_for_the_snapshots_that_they_fit) {
  TestCluster cluster;
  Table table(cluster);
  PageCounts counts;
  const auto count = [&](Backend& backend) {
    const Snapshot* snapshot = nullptr;
    uint64_t rows = 0;
    EXPECT(backend.statement_snapshot(&snapshot).is_ok());
    EXPECT(heap_count(backend, *table.relation, *snapshot, &counts, &rows).is_ok());
    return rows;
  };
  const auto early = cluster.backend();
  ASSERT_OK(early->begin(IsolationLevel::repeatable_read, false));
  EXPECT_EQ(count(*early), uint64_t{0});
  const auto writer = cluster.backend();
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  for (int32_t id = 0; id < 10; ++id)
    ASSERT_OK(insert(*writer, table, Row{id, "row", int64_t{id}}, &tid));
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  // Twice: counted, then remembered.
  EXPECT_EQ(count(*writer), uint64_t{10});
  EXPECT_EQ(count(*writer), uint64_t{10});
  EXPECT_EQ(count(*early), uint64_t{0});
  ChangeOutcome outcome;
  ASSERT_OK(heap_delete(*writer, *table.relation, tid, &outcome));
  ASSERT_OK(writer->advance_command());
  EXPECT_EQ(count(*writer), uint64_t{9});
  EXPECT_EQ(count(*early), uint64_t{0});
  writer->abort();
  ASSERT_OK(writer->begin(IsolationLevel::read_committed, false));
  EXPECT_EQ(count(*writer), uint64_t{10});
  ASSERT_OK(writer->commit(true, nullptr));
  ASSERT_OK(early->commit(true, nullptr));
}

TEST(a_row_being_modified_is_reported) {
  TestCluster cluster;
  Table table(cluster);
  const auto first = cluster.backend();
  const auto second = cluster.backend();
  ASSERT_OK(first->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  ASSERT_OK(insert(*first, table, {1, "a", 0}, &tid));
  // Not there for the other yet.
  ASSERT_OK(second->begin(IsolationLevel::read_committed, false));
  ChangeOutcome outcome;
  ASSERT_OK(heap_delete(*second, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::invisible);
  ASSERT_OK(first->commit(true, nullptr));
  ASSERT_OK(first->begin(IsolationLevel::read_committed, false));
  ASSERT_OK(heap_delete(*first, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  ASSERT_OK(heap_delete(*second, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::being_modified);
  EXPECT(outcome.xmax == first->xid());
  EXPECT_EQ(static_cast<int>(change_conflict(*table.relation, outcome).code()),
            static_cast<int>(ErrorCode::lock_not_available));
  // A unique check sees who is deleting.
  BufferRef buffer;
  HeapTuple tuple;
  DirtyVerdict verdict;
  bool found = false;
  ASSERT_OK(heap_hot_search_dirty(*second, *table.relation, tid, &buffer, &tuple, &verdict, &found,
                                  nullptr));
  EXPECT(found);
  EXPECT(verdict.xmax == first->xid());
  buffer.release();
  first->abort();
  ASSERT_OK(heap_delete(*second, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  ASSERT_OK(second->commit(true, nullptr));
  ASSERT_OK(first->begin(IsolationLevel::read_committed, false));
  ASSERT_OK(heap_delete(*first, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::deleted);
  first->abort();
}

TEST(a_transaction_that_deletes_its_own_row_still_shows_it_to_earlier_commands) {
  TestCluster cluster;
  Table table(cluster);
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  ASSERT_OK(insert(*backend, table, {1, "a", 0}, &tid));
  ASSERT_OK(backend->advance_command());
  const Snapshot* snapshot = nullptr;
  ASSERT_OK(backend->statement_snapshot(&snapshot));
  const Snapshot before = *snapshot;
  ChangeOutcome outcome;
  ASSERT_OK(heap_delete(*backend, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  ASSERT_OK(heap_delete(*backend, *table.relation, tid, &outcome));
  EXPECT(outcome.result == UpdateResult::self_modified);
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  ASSERT_OK(heap_fetch(*backend, *table.relation, tid, before, &buffer, &tuple, &found));
  EXPECT(found);  // A cursor opened before the deletion.
  EXPECT((tuple.header().t_infomask & HEAP_COMBOCID) != 0);
  Snapshot earliest = before;
  earliest.curcid = 0;
  ASSERT_OK(heap_fetch(*backend, *table.relation, tid, earliest, &buffer, &tuple, &found));
  EXPECT(!found);  // One opened before the insertion.
  ASSERT_OK(backend->advance_command());
  ASSERT_OK(backend->statement_snapshot(&snapshot));
  ASSERT_OK(heap_fetch(*backend, *table.relation, tid, *snapshot, &buffer, &tuple, &found));
  EXPECT(!found);
  buffer.release();
  ASSERT_OK(backend->commit(true, nullptr));
}

TEST(long_values_are_toasted_and_come_back) {
  TestCluster cluster;
  Table table(cluster);
  std::mt19937_64 random = test::random_engine();
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  std::map<int32_t, Row> model;
  const size_t sizes[] = {1995, 1996, 1997, 2000, 2100, 3992, 8000, 8160, 9000, 100000, 1000000};
  int32_t id = 0;
  for (const size_t size : sizes) {
    for (const bool compressible : {false, true}) {
      const Row row{id, random_text(random, size, compressible), id};
      ItemPointer tid;
      ASSERT_OK(insert(*backend, table, row, &tid));
      model[id++] = row;
    }
  }
  ASSERT_OK(backend->advance_command());
  Rows rows;
  ASSERT_OK(scan(*backend, table, &rows));
  ASSERT_EQ(rows.size(), model.size());
  for (const auto& [key, row] : model) EXPECT(rows.at(key).first == row);
  EXPECT(table.index.entries.size() > 5);
  EXPECT_EQ(count_complaints(cluster, *table.relation, true), 0);
  EXPECT_EQ(count_complaints(cluster, *table.chunks, false), 0);

  // An update that does not touch the value keeps its chunks; one that does deletes them.
  const size_t values = table.index.entries.size();
  const Snapshot* snapshot = nullptr;
  ASSERT_OK(backend->statement_snapshot(&snapshot));
  const ItemPointer old_tid = rows.at(id - 2).second;
  BufferRef buffer;
  HeapTuple tuple;
  bool found = false;
  ASSERT_OK(heap_fetch(*backend, *table.relation, old_tid, *snapshot, &buffer, &tuple, &found));
  ASSERT(found);
  Datum datums[3];
  bool nulls[3];
  ASSERT_OK(deform_heap_tuple(*table.layout, tuple.bytes, tuple.length, datums, nulls));
  ASSERT(varlena_is_external_on_disk(datum_pointer(datums[1])));
  datums[2] = 77;
  ChangeOutcome outcome;
  ASSERT_OK(heap_update(*backend, *table.relation, old_tid, datums, nulls, {}, &outcome));
  ASSERT(outcome.result == UpdateResult::ok);
  buffer.release();
  EXPECT_EQ(table.index.entries.size(), values);
  ASSERT_OK(backend->advance_command());
  ASSERT_OK(scan(*backend, table, &rows));
  EXPECT_EQ(rows.at(id - 2).first.extra, 77);
  EXPECT(rows.at(id - 2).first.body == model.at(id - 2).body);
  ASSERT_OK(update(*backend, table, rows.at(id - 2).second, {id - 2, "short", 0}, &outcome));
  ASSERT(outcome.result == UpdateResult::ok);
  ASSERT_OK(backend->advance_command());
  ASSERT_OK(scan(*backend, table, &rows));
  EXPECT(rows.at(id - 2).first.body == "short");
  ASSERT_OK(backend->commit(true, nullptr));
}

TEST(missing_chunks_are_reported_as_postgresql_does) {
  TestCluster cluster;
  Table table(cluster);
  std::mt19937_64 random = test::random_engine();
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  ASSERT_OK(insert(*backend, table, {1, random_text(random, 10000, false), 0}, &tid));
  ASSERT_OK(backend->advance_command());
  const auto entries = table.index.entries;
  Rows rows;
  table.index.entries[20000].clear();
  Status status = scan(*backend, table, &rows);
  EXPECT(status.report().message ==
         "missing chunk number 0 for toast value 20000 in pg_toast_16384");
  EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(Status::data_corrupted));
  table.index.entries = entries;
  table.index.entries[20000].erase(table.index.entries[20000].begin() + 1);
  status = scan(*backend, table, &rows);
  EXPECT(status.report().message ==
         "unexpected chunk number 2 (expected 1) for toast value 20000 in pg_toast_16384");
  table.index.entries = entries;
  table.index.entries[20000].pop_back();
  status = scan(*backend, table, &rows);
  EXPECT(status.report().message ==
         "missing chunk number 5 for toast value 20000 in pg_toast_16384");
  table.index.entries = entries;
  table.index.entries[20000].push_back(entries.at(20000).back());
  status = scan(*backend, table, &rows);
  EXPECT(status.report().message ==
         "unexpected chunk number 5 (out of range 0..5) for toast value 20000 in pg_toast_16384");
  backend->abort();
}

TEST(many_rows_are_inserted_page_by_page) {
  TestCluster cluster;
  Table table(cluster);
  const auto backend = cluster.backend();
  for (const uint32_t options : {uint32_t{0}, HEAP_INSERT_SKIP_FSM}) {
    ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
    BulkInsertState bulk(cluster.pool());
    TupleBatch batch;
    std::set<std::pair<uint32_t, OffsetNumber>> places;
    const int32_t first = options == 0 ? 0 : 10000;
    for (int32_t id = first; id < first + 5000; ++id) {
      const RowDatums datums(Row{id, "row " + std::to_string(id), id});
      ASSERT_OK(heap_form_for_insert(*backend, *table.relation, datums.values, datums.nulls,
                                     options, &batch));
      if (batch.count() < 1000) continue;
      ASSERT_OK(heap_multi_insert(*backend, *table.relation, batch.tuples(), options, &bulk));
      for (const NewTuple& tuple : batch.tuples())
        EXPECT(places.emplace(value_of(tuple.self.block()), tuple.self.offset()).second);
      batch.clear();
    }
    EXPECT_EQ(places.size(), 5000);
    ASSERT_OK(backend->commit(true, nullptr));
  }
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  Rows rows;
  ASSERT_OK(scan(*backend, table, &rows));
  EXPECT_EQ(rows.size(), 10000);
  EXPECT(rows.at(10001).first == (Row{10001, "row 10001", 10001}));
  uint32_t blocks = 0;
  ASSERT_OK(cluster.storage().block_count(table.relation->locator, ForkNumber::main, &blocks));
  // 48 bytes of tuple and 4 of line pointer: 156 to a page, and what bulk extension left over.
  EXPECT(blocks >= 10000 / 156);
  EXPECT(blocks <= 10000 / 156 + 80);
  ASSERT_OK(backend->commit(true, nullptr));
  EXPECT_EQ(count_complaints(cluster, *table.relation, true), 0);
}

TEST(frozen_rows_make_their_pages_all_visible) {
  TestCluster cluster;
  Table table(cluster);
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  TupleBatch batch;
  for (int32_t id = 0; id < 1000; ++id) {
    const RowDatums datums(Row{id, "x", id});
    ASSERT_OK(heap_form_for_insert(*backend, *table.relation, datums.values, datums.nulls,
                                   HEAP_INSERT_FROZEN, &batch));
  }
  ASSERT_OK(
      heap_multi_insert(*backend, *table.relation, batch.tuples(), HEAP_INSERT_FROZEN, nullptr));
  ASSERT_OK(backend->commit(true, nullptr));
  uint32_t blocks = 0;
  uint32_t all_visible = 0;
  uint32_t all_frozen = 0;
  VisibilityMap map(cluster.pool(), table.relation->locator);
  ASSERT_OK(map.count(&all_visible, &all_frozen));
  ASSERT_OK(cluster.storage().block_count(table.relation->locator, ForkNumber::main, &blocks));
  EXPECT_EQ(all_visible, blocks);
  EXPECT_EQ(all_frozen, blocks);

  // A change takes the page's bits away.
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ChangeOutcome outcome;
  ASSERT_OK(heap_delete(*backend, *table.relation, ItemPointer(BlockNumber{0}, 1), &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  ASSERT_OK(update(*backend, table, ItemPointer(BlockNumber{1}, 1), {5000, "moved", 1}, &outcome));
  EXPECT(outcome.result == UpdateResult::ok);
  ASSERT_OK(map.count(&all_visible, &all_frozen));
  EXPECT(all_visible <= blocks - 2);
  EXPECT(all_visible >= blocks - 3);
  EXPECT_EQ(all_visible, all_frozen);
  backend->abort();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  Rows rows;
  ASSERT_OK(scan(*backend, table, &rows));
  EXPECT_EQ(rows.size(), 1000);
  backend->abort();
}

TEST(fillfactor_leaves_room_for_updates) {
  TestCluster cluster;
  Table table(cluster);
  table.relation->fillfactor = 50;
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  for (int32_t id = 0; id < 200; ++id)
    ASSERT_OK(insert(*backend, table, {id, std::string(60, 'x'), id}, &tid));
  EXPECT(value_of(tid.block()) >= 4);
  ASSERT_OK(backend->advance_command());
  ChangeOutcome outcome;
  ASSERT_OK(update(*backend, table, ItemPointer(BlockNumber{0}, 1), {0, "new", 0}, &outcome));
  EXPECT(outcome.heap_only);
  // An indexed column that changes ends the chain.
  ASSERT_OK(update(*backend, table, ItemPointer(BlockNumber{0}, 2), {999, "new", 0}, &outcome));
  EXPECT(!outcome.heap_only);
  EXPECT_EQ(value_of(outcome.new_tid.block()), 0);
  ASSERT_OK(backend->commit(true, nullptr));
}

TEST(row_too_big_for_a_page_is_refused) {
  TestCluster cluster;
  Table table(cluster);
  table.relation->toast = nullptr;
  std::mt19937_64 random = test::random_engine();
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  const Status status = insert(*backend, table, {1, random_text(random, 9000, false), 0}, &tid);
  EXPECT_EQ(static_cast<int>(status.code()), static_cast<int>(ErrorCode::program_limit_exceeded));
  // Without a TOAST table compression still helps.
  EXPECT_OK(insert(*backend, table, {1, std::string(9000, 'a'), 0}, &tid));
  backend->abort();
}

// Two sessions do random things; each must see what a plain map says it sees.
// What the line pointers of each page lead to, all at once and one by one.
void expect_same_by_page(Backend& backend, Table& table) {
  uint32_t blocks = 0;
  ASSERT_OK(backend.services().pool.storage().block_count(table.relation->locator, ForkNumber::main,
                                                          &blocks));
  const Snapshot* snapshot = nullptr;
  ASSERT_OK(backend.statement_snapshot(&snapshot));
  Visibility visibility(backend, snapshot);
  BufferRef buffer;
  for (uint32_t block = 0; block < blocks; ++block) {
    std::vector<ItemPointer> tids;
    for (OffsetNumber offset = 1; offset <= 40; ++offset)
      tids.emplace_back(BlockNumber{block}, offset);
    std::vector<HotSearchResult> results(tids.size());
    ASSERT_OK(
        heap_hot_search_page(backend, *table.relation, tids, visibility, &buffer, results.data()));
    EXPECT(!buffer.is_locked());
    for (size_t i = 0; i < tids.size(); ++i) {
      HeapTuple tuple;
      bool found = false;
      bool all_dead = false;
      ASSERT_OK(heap_hot_search(backend, *table.relation, tids[i], visibility, &buffer, &tuple,
                                &found, &all_dead));
      ASSERT_EQ(results[i].found, found);
      if (found) {
        EXPECT(results[i].tuple.self == tuple.self);
        EXPECT(results[i].tuple.bytes == tuple.bytes);
        EXPECT_EQ(results[i].tuple.length, tuple.length);
      }
      // Hint bits that were set meanwhile tell more.
      EXPECT(all_dead || !results[i].all_dead);
    }
  }
}

TEST(random_histories_agree_with_a_model) {
  std::mt19937_64 random = test::random_engine();
  for (int history = 0; history < 4; ++history) {
    TestCluster cluster;
    Table table(cluster);
    if (history % 2 == 1) table.relation->fillfactor = 60;
    std::map<int32_t, Row> committed;
    int32_t next_id = 0;
    PageCounts counts;
    struct Session {
      std::unique_ptr<Backend> backend;
      bool open = false;
      // What the transaction changed: an empty row is a deleted one.
      std::map<int32_t, std::optional<Row>> changes;
    };
    Session sessions[2];
    for (Session& session : sessions) session.backend = cluster.backend();

    const auto expected = [&](const Session& session) {
      std::map<int32_t, Row> rows = committed;
      for (const auto& [id, row] : session.changes) {
        if (row)
          rows[id] = *row;
        else
          rows.erase(id);
      }
      return rows;
    };

    for (int step = 0; step < 150; ++step) {
      Session& session = sessions[random() % 2];
      Session& other = sessions[&session == &sessions[0] ? 1 : 0];
      Backend& backend = *session.backend;
      if (!session.open) {
        ASSERT_OK(backend.begin(IsolationLevel::read_committed, false));
        session.open = true;
      }
      ASSERT_OK(backend.advance_command());
      Rows rows;
      ASSERT_OK(scan(backend, table, &rows));
      const std::map<int32_t, Row> model = expected(session);
      ASSERT_EQ(rows.size(), model.size());
      // Twice: the second time with what the first one remembered.
      for (int time = 0; time < 2; ++time) {
        const Snapshot* snapshot = nullptr;
        ASSERT_OK(backend.statement_snapshot(&snapshot));
        uint64_t counted = 0;
        ASSERT_OK(heap_count(backend, *table.relation, *snapshot, &counts, &counted));
        ASSERT_EQ(counted, model.size());
      }
      for (const auto& [id, row] : model) {
        ASSERT(rows.count(id) == 1);
        ASSERT(rows.at(id).first == row);
      }
      if (step % 10 == 0) expect_same_by_page(backend, table);
      const uint64_t action = random() % 12;
      if (action == 0) {
        if (random() % 3 == 0) {
          backend.abort();
        } else {
          Lsn upto = invalid_lsn;
          ASSERT_OK(backend.commit(random() % 2 == 0, &upto));
          committed = expected(session);
        }
        session.open = false;
        session.changes.clear();
        continue;
      }
      if (action < 4 || rows.empty()) {
        const Row row = random_row(random, next_id++);
        ItemPointer tid;
        ASSERT_OK(insert(backend, table, row, &tid));
        session.changes[row.id] = row;
        continue;
      }
      if (action == 4) {
        TupleBatch batch;
        const size_t count = 1 + random() % 150;
        for (size_t i = 0; i < count; ++i) {
          const Row row{next_id++, "batch", static_cast<int64_t>(i)};
          const RowDatums datums(row);
          ASSERT_OK(heap_form_for_insert(backend, *table.relation, datums.values, datums.nulls, 0,
                                         &batch));
          session.changes[row.id] = row;
        }
        ASSERT_OK(heap_multi_insert(backend, *table.relation, batch.tuples(), 0, nullptr));
        continue;
      }
      auto place = rows.begin();
      std::advance(place, static_cast<ptrdiff_t>(random() % rows.size()));
      const int32_t id = place->first;
      const bool contended = other.changes.count(id) == 1;
      ChangeOutcome outcome;
      if (action < 7) {
        ASSERT_OK(heap_delete(backend, *table.relation, place->second.second, &outcome));
        if (!contended) session.changes[id] = std::nullopt;
      } else {
        const Row row = random_row(random, id);
        ASSERT_OK(update(backend, table, place->second.second, row, &outcome));
        if (!contended) session.changes[id] = row;
      }
      EXPECT(outcome.result == (contended ? UpdateResult::being_modified : UpdateResult::ok));
    }
    for (Session& session : sessions) {
      if (session.open) session.backend->abort();
      session.backend.reset();
    }
    EXPECT_EQ(count_complaints(cluster, *table.relation, true), 0);
    EXPECT_EQ(count_complaints(cluster, *table.chunks, false), 0);
    // And again from disk.
    cluster.restart();
    const auto reader = cluster.backend();
    ASSERT_OK(reader->begin(IsolationLevel::read_committed, false));
    Rows rows;
    ASSERT_OK(scan(*reader, table, &rows));
    EXPECT_EQ(rows.size(), committed.size());
    for (const auto& [id, row] : committed) {
      ASSERT(rows.count(id) == 1);
      EXPECT(rows.at(id).first == row);
    }
    ASSERT_OK(reader->commit(true, nullptr));
  }
}

TEST(damaged_pages_are_reported_and_never_read_outside) {
  TestCluster cluster;
  Table table(cluster);
  std::mt19937_64 random = test::random_engine();
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  for (int32_t id = 0; id < 60; ++id)
    ASSERT_OK(insert(*backend, table, {id, random_text(random, 80, false), id}, &tid));
  ChangeOutcome outcome;
  ASSERT_OK(backend->advance_command());
  for (OffsetNumber offset = 1; offset < 10; ++offset)
    ASSERT_OK(update(*backend, table, ItemPointer(BlockNumber{0}, offset),
                     {offset, random_text(random, 50, false), 0}, &outcome));
  ASSERT_OK(backend->commit(true, nullptr));
  std::vector<std::byte> original(8192);
  {
    BufferRef buffer;
    ASSERT_OK(cluster.pool().read(table.relation->locator, ForkNumber::main, BlockNumber{0},
                                  ReadMode::normal, nullptr, &buffer));
    std::memcpy(original.data(), buffer.page().bytes(), 8192);
  }
  HeapVerifyBounds bounds;
  bounds.layout = table.layout.get();
  bounds.has_toast = true;
  bounds.next_xid = xid_of(cluster.transactions().next_full_xid());
  int found_damage = 0;
  for (int round = 0; round < 3000; ++round) {
    std::vector<std::byte> bytes = original;
    bytes.shrink_to_fit();
    const Page page(bytes.data(), 8192);
    const size_t lower = page.header().pd_lower;
    for (int i = 0; i < 3; ++i) {
      // Line pointers, tuple headers, data.
      const size_t at = random() % 3 == 0
                            ? sizeof(PageHeader) + random() % (lower - 24)
                            : page.header().pd_upper + random() % (8192u - page.header().pd_upper);
      bytes[at] = static_cast<std::byte>(random());
    }
    std::vector<HeapComplaint> complaints;
    verify_heap_page(page, BlockNumber{0}, bounds, &complaints);
    if (!complaints.empty()) ++found_damage;
    std::vector<ExternalValue> externals;
    collect_external_values(page, *table.layout, &externals);
    // Whatever verify lets pass can be deformed.
    for (OffsetNumber offset = 1; offset <= page.max_offset(); ++offset) {
      const LinePointer item = page.line_pointer(offset);
      if (!item.is_normal() || !heap_item_is_sane(page, item)) continue;
      Datum values[3];
      bool nulls[3];
      const Status status =
          deform_heap_tuple(*table.layout, page.item(item), item.lp_len(), values, nulls);
      const bool complained =
          std::any_of(complaints.begin(), complaints.end(),
                      [&](const HeapComplaint& complaint) { return complaint.offset == offset; });
      EXPECT(status.is_ok() || complained);
    }
  }
  EXPECT(found_damage > 1000);
}

TEST(verify_names_what_is_wrong) {
  TestCluster cluster;
  Table table(cluster);
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  ItemPointer tid;
  for (int32_t id = 0; id < 3; ++id) ASSERT_OK(insert(*backend, table, {id, "abc", id}, &tid));
  ASSERT_OK(backend->commit(true, nullptr));
  std::vector<std::byte> bytes(8192);
  {
    BufferRef buffer;
    ASSERT_OK(cluster.pool().read(table.relation->locator, ForkNumber::main, BlockNumber{0},
                                  ReadMode::normal, nullptr, &buffer));
    std::memcpy(bytes.data(), buffer.page().bytes(), 8192);
  }
  const Page page(bytes.data(), 8192);
  HeapVerifyBounds bounds;
  bounds.layout = table.layout.get();
  bounds.next_xid = xid_of(cluster.transactions().next_full_xid());
  std::vector<HeapComplaint> complaints;
  verify_heap_page(page, BlockNumber{0}, bounds, &complaints);
  EXPECT_EQ(complaints.size(), 0);
  HeapTupleHeader& header = *reinterpret_cast<HeapTupleHeader*>(page.item_at(2));
  header.t_xmin = TransactionId{4000000};
  page.line_pointer(3) = LinePointer(2, LinePointerFlags::LP_REDIRECT, 0);
  reinterpret_cast<HeapTupleHeader*>(page.item_at(1))->t_hoff = 32;
  verify_heap_page(page, BlockNumber{0}, bounds, &complaints);
  ASSERT_EQ(complaints.size(), 3);
  EXPECT_EQ(complaints[0].message,
            "tuple data should begin at byte 24, but actually begins at byte 32 (3 attributes, no "
            "nulls)");
  EXPECT(complaints[1].message.find("xmin 4000000 equals or exceeds") == 0);
  EXPECT_EQ(complaints[2].message,
            "redirected line pointer points to a non-heap-only tuple at offset 2");
}

TEST(scan_of_a_table_bigger_than_the_pool_uses_a_ring) {
  test::TestClusterOptions options;
  options.buffers = 64;
  TestCluster cluster(options);
  Table table(cluster);
  const auto backend = cluster.backend();
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  BulkInsertState bulk(cluster.pool());
  TupleBatch batch;
  for (int32_t id = 0; id < 20000; ++id) {
    const RowDatums datums(Row{id, "row", id});
    ASSERT_OK(
        heap_form_for_insert(*backend, *table.relation, datums.values, datums.nulls, 0, &batch));
    if (batch.count() == 500) {
      ASSERT_OK(heap_multi_insert(*backend, *table.relation, batch.tuples(), 0, &bulk));
      batch.clear();
    }
  }
  ASSERT_OK(backend->commit(true, nullptr));
  ASSERT_OK(backend->begin(IsolationLevel::read_committed, false));
  Rows rows;
  ASSERT_OK(scan(*backend, table, &rows));
  EXPECT_EQ(rows.size(), 20000);
  ASSERT_OK(backend->commit(true, nullptr));
}

}  // namespace
}  // namespace pgdata
