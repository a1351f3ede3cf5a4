// Question: what does a row cost: forming, deforming, inserting in batches and one by one, scanning,
// adding up a column, and the compression of a value?
//
// Predicted, for a row of four columns and 60 bytes: form 25 ns, deform 12 ns, multi-insert 120 ns
// (form, two copies, its share of a log record), single insert 500 ns (a log record of its own),
// scan 15 ns on all-visible pages and 25 ns where each header is looked at; a column of a wider row, behind a text, 25 ns
// row by row and 10 ns column by column (found: 21 and 13; 33 before the next page was loaded ahead); pglz 100 to 200 MB/s.
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "heap/heap_count.h"
#include "heap/heap_scan.h"
#include "heap/heap_write.h"
#include "table/accumulator.h"
#include "tuple/deform.h"
#include "tuple/form.h"
#include "tuple/pglz.h"
#include "tuple/varlena.h"
#include "xact/test_cluster.h"

namespace pgdata::test {

// The cluster is the unit tests'; here a failure ends the program.
void report_failure(const char* file, int line, const std::string& message) {
  std::fprintf(stderr, "%s:%d: %s\n", file, line, message.c_str());
}

}  // namespace pgdata::test

namespace {

using namespace pgdata;
using Clock = std::chrono::steady_clock;
using test::TestCluster;

double nanoseconds_since(Clock::time_point start) {
  return std::chrono::duration<double, std::nano>(Clock::now() - start).count();
}

void print(const char* what, double nanoseconds, int count) {
  std::printf("%-44s %8.1f ns   %6.2f M/s\n", what, nanoseconds / count,
              count / nanoseconds * 1000);
}

Attribute column(int16_t attlen, bool attbyval, char attalign, char attstorage) {
  Attribute attribute;
  attribute.attlen = attlen;
  attribute.attbyval = attbyval;
  attribute.attalign = attalign;
  attribute.attstorage = attstorage;
  return attribute;
}

constexpr int columns = 4;
constexpr int rows = 200000;

// Adding up the third column of a table like bench/accounts.ts, of more than the processor's caches hold: as scans did row
// by row, and column by column, in turn.
void add_up(TestCluster& cluster, Backend& backend) {
  constexpr int accounts = 1000000;
  constexpr int balance = 2;
  TupleDesc desc;
  desc.attributes = {column(8, true, 'd', 'p'), column(-1, false, 'i', 'x'),
                     column(8, true, 'd', 'p'), column(8, true, 'd', 'p'),
                     column(-1, false, 'i', 'x')};
  const TupleLayout layout(desc);
  const auto text = [](const char* words) {
    std::vector<std::byte> varlena(VARHDRSZ + std::strlen(words));
    set_varlena_size_4b(varlena.data(), static_cast<uint32_t>(varlena.size()));
    std::memcpy(varlena.data() + VARHDRSZ, words, varlena.size() - VARHDRSZ);
    return varlena;
  };
  const std::vector<std::byte> email = text("user000000@somewhere.org");
  const std::vector<std::byte> note =
      text("a note of some sixty bytes, as long as notes mostly are here");
  for (const bool freeze : {false, true}) {
    HeapRelation relation(freeze ? 16388u : 16387u, {1663, 5, freeze ? 16388u : 16387u}, layout,
                          "a");
    TestCluster::must(backend.begin(IsolationLevel::read_committed, false));
    TestCluster::must(backend.create_storage(relation.locator, true));
    BulkInsertState bulk(cluster.pool());
    TupleBatch batch;
    for (int i = 0; i < accounts; ++i) {
      const double value = i % 1000 / 4.0;
      const Datum values[] = {static_cast<Datum>(i), pointer_datum(email.data()),
                              load<Datum>(&value), static_cast<Datum>(i) * 60000000,
                              pointer_datum(note.data())};
      const bool nulls[5] = {};
      const uint32_t insert_options = freeze ? HEAP_INSERT_FROZEN : 0;
      TestCluster::must(
          heap_form_for_insert(backend, relation, values, nulls, insert_options, &batch));
      if (batch.count() < 1000) continue;
      TestCluster::must(
          heap_multi_insert(backend, relation, batch.tuples(), insert_options, &bulk));
      batch.clear();
    }
    TestCluster::must(backend.commit(true, nullptr));
    TestCluster::must(backend.begin(IsolationLevel::read_committed, false));
    const Snapshot* snapshot = nullptr;
    TestCluster::must(backend.statement_snapshot(&snapshot));
    double by_row = 1e18;
    double by_column = 1e18;
    double counted = 1e18;
    double sums[2] = {};
    for (int round = 0; round < 12; ++round) {
      Datum read[balance + 1];
      bool read_nulls[balance + 1];
      bool found = false;
      Clock::time_point start = Clock::now();
      HeapScan scan(backend, relation, *snapshot);
      TestCluster::must(scan.begin());
      HeapTuple row;
      double sum = 0;
      for (;;) {
        TestCluster::must(scan.next(&row, &found));
        if (!found) break;
        TestCluster::must(
            deform_heap_tuple(layout, row.bytes, row.length, balance + 1, read, read_nulls));
        if (!read_nulls[balance]) sum += load<double>(&read[balance]);
      }
      // The first round sets hint bits.
      if (round > 0) by_row = std::min(by_row, nanoseconds_since(start));
      sums[0] = sum;

      start = Clock::now();
      const int attributes[] = {balance};
      ColumnDeformer deformer(layout, attributes);
      Datum values[400];
      uint8_t nulls[400];
      const Column wanted{values, nulls};
      const auto accumulator = make_accumulator(AggregateKind::sum, 701);
      TestCluster::must(scan.begin());
      for (;;) {
        TestCluster::must(scan.next_page(&found));
        if (!found) break;
        TestCluster::must(scan.deform(deformer, 0, scan.tuple_count(), &wanted, 0));
        TestCluster::must(accumulator->add(wanted, static_cast<uint32_t>(scan.tuple_count())));
      }
      by_column = std::min(by_column, nanoseconds_since(start));
      sums[1] = accumulator->value().real;

      start = Clock::now();
      PageCounts counts;
      uint64_t count = 0;
      TestCluster::must(heap_count(backend, relation, *snapshot, &counts, &count));
      counted = std::min(counted, nanoseconds_since(start));
      if (count != accounts || sums[0] != sums[1]) std::abort();
    }
    TestCluster::must(backend.commit(true, nullptr));
    const char* const kind = freeze ? "all-visible" : "hinted";
    std::printf("%s rows of 136 bytes, column by column %.2f times as fast\n", kind,
                by_row / by_column);
    print("  sum row by row", by_row, accounts);
    print("  sum column by column", by_column, accounts);
    print("  first count", counted, accounts);
  }
}

}  // namespace

int main() {
  TupleDesc desc;
  desc.attributes = {column(8, true, 'd', 'p'), column(8, true, 'd', 'p'),
                     column(-1, false, 'i', 'x'), column(4, true, 'i', 'p')};
  const TupleLayout layout(desc);
  const std::string text = "someone@somewhere.example";
  std::vector<std::byte> varlena(VARHDRSZ + text.size());
  set_varlena_size_4b(varlena.data(), static_cast<uint32_t>(varlena.size()));
  std::memcpy(varlena.data() + VARHDRSZ, text.data(), text.size());
  Datum values[columns] = {1, 2, pointer_datum(varlena.data()), 4};
  const bool nulls[columns] = {};

  alignas(8) std::byte tuple[256];
  size_t length = 0;
  Clock::time_point start = Clock::now();
  for (int i = 0; i < rows; ++i) {
    values[0] = static_cast<Datum>(i);
    const HeapTupleSize size = heap_tuple_size(layout, values, nulls);
    form_heap_tuple(layout, values, nulls, size, tuple);
    length = size.total();
  }
  print("form a row", nanoseconds_since(start), rows);

  Datum read[columns];
  bool read_nulls[columns];
  uint64_t sum = 0;
  start = Clock::now();
  for (int i = 0; i < rows; ++i) {
    TestCluster::must(deform_heap_tuple(layout, tuple, length, read, read_nulls));
    sum += read[0] + read[3];
  }
  print("deform a row", nanoseconds_since(start), rows);

  test::TestClusterOptions options;
  options.buffers = 49152;
  TestCluster cluster(options);
  const auto backend = cluster.backend();
  HeapRelation relation(16384, {1663, 5, 16384}, layout, "t");
  HeapRelation single(16385, {1663, 5, 16385}, layout, "s");
  HeapRelation frozen(16386, {1663, 5, 16386}, layout, "f");
  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  for (const HeapRelation* made : {&relation, &single, &frozen})
    TestCluster::must(backend->create_storage(made->locator, true));
  TestCluster::must(backend->commit(true, nullptr));

  for (const bool freeze : {false, true}) {
    HeapRelation& target = freeze ? frozen : relation;
    const uint32_t insert_options = freeze ? HEAP_INSERT_FROZEN : 0;
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    BulkInsertState bulk(cluster.pool());
    TupleBatch batch;
    start = Clock::now();
    for (int i = 0; i < rows; ++i) {
      values[0] = static_cast<Datum>(i);
      TestCluster::must(
          heap_form_for_insert(*backend, target, values, nulls, insert_options, &batch));
      if (batch.count() == 1000) {
        TestCluster::must(
            heap_multi_insert(*backend, target, batch.tuples(), insert_options, &bulk));
        batch.clear();
      }
    }
    print(freeze ? "multi-insert a frozen row" : "multi-insert a row", nanoseconds_since(start),
          rows);
    TestCluster::must(backend->commit(true, nullptr));
  }

  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  start = Clock::now();
  for (int i = 0; i < rows; ++i) {
    values[0] = static_cast<Datum>(i);
    ItemPointer tid;
    TestCluster::must(heap_insert(*backend, single, values, nulls, 0, nullptr, &tid));
  }
  print("insert a row", nanoseconds_since(start), rows);
  TestCluster::must(backend->commit(true, nullptr));

  TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
  const Snapshot* snapshot = nullptr;
  TestCluster::must(backend->statement_snapshot(&snapshot));
  const struct {
    const char* what;
    const HeapRelation& relation;
  } scans[] = {{"scan and deform a row, first time", relation},
               {"scan and deform a row, hinted", relation},
               {"scan and deform a row, all-visible", frozen}};
  for (const auto& [what, scanned] : scans) {
    start = Clock::now();
    HeapScan scan(*backend, scanned, *snapshot);
    TestCluster::must(scan.begin());
    int count = 0;
    for (;;) {
      bool found = false;
      TestCluster::must(scan.next_page(&found));
      if (!found) break;
      for (int i = 0; i < scan.tuple_count(); ++i) {
        const HeapTuple row = scan.tuple(i);
        TestCluster::must(deform_heap_tuple(layout, row.bytes, row.length, read, read_nulls));
        sum += read[0];
        ++count;
      }
    }
    print(what, nanoseconds_since(start), count);
  }
  start = Clock::now();
  BufferRef buffer;
  constexpr int fetches = 200000;
  for (int i = 0; i < fetches; ++i) {
    const uint32_t block = static_cast<uint32_t>(i) * 7919u % 1000u;
    HeapTuple row;
    bool found = false;
    TestCluster::must(heap_fetch(*backend, relation, ItemPointer(BlockNumber{block}, 1), *snapshot,
                                 &buffer, &row, &found));
    sum += found ? row.length : 0;
  }
  print("fetch a row by address", nanoseconds_since(start), fetches);
  buffer.release();
  TestCluster::must(backend->commit(true, nullptr));
  add_up(cluster, *backend);

  std::vector<std::byte> raw(100000);
  uint32_t state = 1;
  const char* const words[] = {"storage ", "engine ", "page ", "tuple ", "buffer ", "log ", "row "};
  for (size_t at = 0; at < raw.size();) {
    state = state * 1664525 + 1013904223;
    for (const char* word = words[(state >> 24) % 7]; *word != 0 && at < raw.size(); ++word)
      raw[at++] = static_cast<std::byte>(*word);
  }
  std::vector<std::byte> compressed(pglz_output_max(raw.size()));
  constexpr int repeats = 50;
  int64_t size = 0;
  start = Clock::now();
  for (int i = 0; i < repeats; ++i) size = pglz_compress(raw, compressed);
  std::printf("%-44s %8.1f MB/s\n", "pglz compress",
              static_cast<double>(raw.size()) * repeats / nanoseconds_since(start) * 1000);
  start = Clock::now();
  for (int i = 0; i < repeats; ++i) {
    if (!pglz_decompress({compressed.data(), static_cast<size_t>(size)}, raw)) return 1;
  }
  std::printf("%-44s %8.1f MB/s\n", "pglz decompress",
              static_cast<double>(raw.size()) * repeats / nanoseconds_since(start) * 1000);
  return sum == 1 ? 2 : 0;
}
