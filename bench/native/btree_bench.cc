// Question: what do lookups, inserts, scans and builds of a B-tree cost, once its pages are in the pool?
//
// Predicted for a million int8 keys (three levels): a lookup of a random key 400 ns, of which three
// buffer hits are 100 and the cache misses of the binary searches most of the rest; of ascending keys
// 200 ns. An insert logged: ascending 500 ns (the rightmost leaf is remembered), random 1.2 us. A scan
// 5 ns an entry. A build from rows in key order 150 ns a row, in random order 250 ns (radix sort of 16-byte
// entries), of which a third is the log's page images. Text keys of 12 bytes: half as much again.
#include <algorithm>
#include <cstdio>
#include <ctime>
#include <vector>

#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"
#include "btree/btree_lookup.h"
#include "btree/btree_scan.h"

namespace pgdata {
namespace {

using test::BtreeFixture;
using test::build_memory;
using test::definition_of;
using test::index_of;
using test::must;
using test::TestType;

constexpr TransactionId bench_xid{100};
constexpr uint32_t rows = 1000000;

// Processor time: nothing here waits, and it tells the cost also on a busy machine.
double now_ns() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
}

template <typename Function>
void measure(const char* what, uint64_t operations, Function function) {
  const double start = now_ns();
  function();
  const double each = (now_ns() - start) / static_cast<double>(operations);
  std::printf("%-52s %10.1f ns %12.0f /s\n", what, each, 1e9 / each);
}

ItemPointer tid_of(uint32_t number) {
  return ItemPointer(BlockNumber{number / 100}, static_cast<OffsetNumber>(number % 100 + 1));
}

// A bijection of 32-bit numbers that looks random.
uint32_t scattered(uint32_t number) { return number * 2654435761u; }

struct Key {
  Datum values[1];
  bool nulls[1] = {false};
  char text[16];

  Key(TestType type, uint32_t number) {
    if (type == TestType::int8) {
      values[0] = number;
      return;
    }
    std::snprintf(text + 1, sizeof(text) - 1, "user%08x", number);
    text[0] = static_cast<char>(13 << 1 | 1);
    values[0] = pointer_datum(text);
  }
};

void bench(TestType type, const char* name) {
  char what[128];
  const auto label = [&](const char* text) {
    std::snprintf(what, sizeof(what), "%s: %s", name, text);
    return what;
  };
  for (const bool sorted : {true, false}) {
    BtreeFixture fixture(8192, 16384);
    const auto index = index_of(definition_of({{type}}, true));
    const auto key_number = [&](uint32_t i) { return sorted ? i : scattered(i); };
    measure(label(sorted ? "build, rows in key order" : "build, rows in random order"), rows, [&] {
      BtreeBuilder builder(*fixture.services, bench_xid, *index, *fixture.temporary, build_memory);
      for (uint32_t i = 0; i < rows; ++i) {
        const Key key(type, key_number(i));
        must(builder.add(key.values, key.nulls, tid_of(i)));
      }
      BtreeBuildResult result;
      must(builder.finish(&result));
    });
    measure(label(sorted ? "lookup, ascending keys" : "lookup, random keys"), rows, [&] {
      for (uint32_t i = 0; i < rows; ++i) {
        const Key key(type, key_number(i));
        BtreeSearchKey search;
        search.columns = 1;
        search.values[0] = key.values[0];
        search.nulls[0] = false;
        BtreeMatches matches;
        must(btree_lookup(*fixture.pool, *index, search, &matches));
        INVARIANT(matches.count == 1);
      }
    });
    if (!sorted) continue;
    for (const ScanDirection direction : {ScanDirection::forward, ScanDirection::backward}) {
      measure(label(direction == ScanDirection::forward ? "scan of all, an entry"
                                                        : "scan of all backward, an entry"),
              rows, [&] {
                BtreeScan scan(*fixture.pool, *index, {}, direction);
                uint64_t seen = 0;
                while (true) {
                  std::span<const ItemPointer> batch;
                  must(scan.next_batch(&batch));
                  if (batch.empty()) break;
                  seen += batch.size();
                }
                INVARIANT(seen == rows);
              });
    }
    measure(label("range of 100, from a random key"), 20000, [&] {
      for (uint32_t i = 0; i < 20000; ++i) {
        const uint32_t first = scattered(i) % (rows - 100);
        const Key low(type, first);
        const Key high(type, first + 99);
        const BtreeCondition conditions[] = {
            {0, BtreeOperator::greater_or_equal, low.values[0], false},
            {0, BtreeOperator::less_or_equal, high.values[0], false}};
        BtreeScan scan(*fixture.pool, *index, conditions, ScanDirection::forward);
        size_t seen = 0;
        while (true) {
          std::span<const ItemPointer> batch;
          must(scan.next_batch(&batch));
          if (batch.empty()) break;
          seen += batch.size();
        }
        INVARIANT(seen == 100);
      }
    });
  }
  for (const bool sorted : {true, false}) {
    BtreeFixture fixture(8192, 16384);
    const auto index = index_of(definition_of({{type}}));
    must(build_empty_btree(*fixture.services, bench_xid, *index, ForkNumber::main));
    measure(label(sorted ? "insert, ascending keys" : "insert, random keys"), rows, [&] {
      for (uint32_t i = 0; i < rows; ++i) {
        const Key key(type, sorted ? i : scattered(i));
        BtreeInsertResult result;
        must(btree_insert(*fixture.services, bench_xid, *index, key.values, key.nulls, tid_of(i),
                          nullptr, &result));
      }
    });
  }
}

}  // namespace
}  // namespace pgdata

int main() {
  pgdata::bench(pgdata::TestType::int8, "int8");
  pgdata::bench(pgdata::TestType::text, "text");
}
