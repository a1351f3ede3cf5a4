// Goal: the empty end of a table is measured from behind, no further than is asked for, and cut off.
// Method: pages that were never filled, after a page with a row.
#include "vacuum/truncate_heap.h"

#include <cstdio>
#include <memory>

#include "base/test.h"
#include "heap/heap_write.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;

constexpr uint32_t empty_pages = 200;

struct Table {
  explicit Table(TestCluster& cluster) {
    Attribute attribute;
    std::snprintf(attribute.attname, sizeof(attribute.attname), "id");
    attribute.attlen = 4;
    attribute.attbyval = true;
    attribute.attalign = 'i';
    attribute.attstorage = 'p';
    desc.attributes = {attribute};
    layout = std::make_unique<TupleLayout>(desc);
    relation = std::make_unique<HeapRelation>(16384, RelFileLocator{1663, 5, 16384}, *layout, "t");
    const std::unique_ptr<Backend> backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TestCluster::must(backend->create_storage(relation->locator, true));
    const Datum value = 1;
    const bool is_null = false;
    ItemPointer tid;
    TestCluster::must(heap_insert(*backend, *relation, &value, &is_null, 0, nullptr, &tid));
    TestCluster::must(backend->commit(true, nullptr));
    BufferRef buffer;
    BlockNumber first = invalid_block_number;
    for (uint32_t i = 0; i < empty_pages; i++) {
      TestCluster::must(
          cluster.pool().extend(relation->locator, ForkNumber::main, 1, nullptr, &buffer, &first));
      buffer.release();
    }
    TestCluster::must(cluster.storage().block_count(relation->locator, ForkNumber::main, &blocks));
  }
  TupleDesc desc;
  std::unique_ptr<TupleLayout> layout;
  std::unique_ptr<HeapRelation> relation;
  uint32_t blocks = 0;
};

Status no_pause() { return Status(); }

}  // namespace

TEST(the_empty_end_is_measured) {
  TestCluster cluster;
  Table table(cluster);
  NonemptyPages found;
  ASSERT_OK(count_nonempty_pages(
      cluster.pool(), *table.relation, table.blocks, 0, no_pause, [] { return false; }, &found));
  EXPECT_EQ(found.blocks, table.blocks - empty_pages);
  // Grown since the vacuum looked.
  NonemptyPages grown;
  ASSERT_OK(count_nonempty_pages(
      cluster.pool(), *table.relation, table.blocks - 1, 0, no_pause, [] { return false; },
      &grown));
  EXPECT_EQ(grown.blocks, table.blocks);
  EXPECT(!grown.interrupted);
}

TEST(the_measuring_ends_when_that_is_enough) {
  TestCluster cluster;
  Table table(cluster);
  uint32_t asked = 0;
  NonemptyPages found;
  ASSERT_OK(count_nonempty_pages(
      cluster.pool(), *table.relation, table.blocks, 0, no_pause, [&] { return ++asked == 2; },
      &found));
  EXPECT(found.interrupted);
  EXPECT_EQ(asked, 2u);
  EXPECT(found.blocks > table.blocks - empty_pages);
  EXPECT(found.blocks < table.blocks - 15);
}

TEST(empty_pages_are_cut_off_in_pieces) {
  TestCluster cluster;
  Table table(cluster);
  const std::unique_ptr<Backend> backend = cluster.backend();
  // Not one page of what was measured is there any more.
  uint32_t left = 0;
  ASSERT_OK(truncate_heap(*backend, *table.relation, table.blocks - 1, 0, &left));
  EXPECT_EQ(left, table.blocks - 1);
  uint32_t pages = table.blocks;
  for (uint32_t pieces = 0; pieces <= empty_pages; pieces++) {
    ASSERT_OK(truncate_heap(*backend, *table.relation, pages, 0, &left));
    if (left == pages) break;
    EXPECT(left < pages);
    pages = left;
  }
  EXPECT_EQ(pages, table.blocks - empty_pages);
  uint32_t blocks = 0;
  ASSERT_OK(cluster.storage().block_count(table.relation->locator, ForkNumber::main, &blocks));
  EXPECT_EQ(blocks, pages);
}

}  // namespace pgdata
