// Goal: the free space map finds room where there is some, and the visibility map says what it was told.
// Method: seeded random operations beside plain arrays; the bytes of pages checked against PostgreSQL's layout.
#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>
#include <vector>

#include "layout/heap_records.h"
#include "layout/wal_record.h"
#include "layout/wal_storage_records.h"
#include "space/free_space_map.h"
#include "space/fsm_page.h"
#include "space/truncate.h"
#include "space/visibility_map.h"
#include "wal/wal_reader.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;
using test::TestClusterOptions;

constexpr uint32_t page_size = 8192;
constexpr uint32_t category_bytes = 32;
constexpr uint32_t tuple_bytes_max = 8160;
constexpr RelFileLocator relation{1663, 5, 30000};

// A relation whose main fork has `blocks` (sparse) blocks.
void make_relation(TestCluster& cluster, uint32_t blocks) {
  TestCluster::must(cluster.storage().create(relation, ForkNumber::main));
  const std::string path =
      cluster.directory() + "/" + cluster.storage().relation_path(relation, ForkNumber::main);
  std::filesystem::resize_file(path, uint64_t{blocks} * page_size);
}

uint32_t rounded(uint32_t bytes) {
  if (bytes >= tuple_bytes_max) return tuple_bytes_max;
  return std::min(bytes / category_bytes, 254u) * category_bytes;
}

uint32_t block_count(TestCluster& cluster, ForkNumber fork) {
  uint32_t blocks = 0;
  TestCluster::must(cluster.storage().block_count(relation, fork, &blocks));
  return blocks;
}

std::vector<std::byte> page_of(TestCluster& cluster, ForkNumber fork, uint32_t block) {
  BufferRef buffer;
  TestCluster::must(
      cluster.pool().read(relation, fork, BlockNumber{block}, ReadMode::normal, nullptr, &buffer));
  buffer.lock(LockMode::shared);
  return {buffer.page().bytes(), buffer.page().bytes() + page_size};
}

TEST(a_page_of_the_free_space_map_has_4069_leaves) {
  EXPECT_EQ(FsmPage::leaf_count(page_size), 4069);
}

TEST(free_space_pages_agree_with_an_array) {
  alignas(8) std::byte bytes[page_size] = {};
  const Page page(bytes, page_size);
  page.initialize(0);
  const FsmPage tree(page);
  std::vector<uint8_t> model(FsmPage::leaf_count(page_size), 0);
  std::mt19937_64 random = test::random_engine();
  for (int step = 0; step < 20000; ++step) {
    const auto slot = static_cast<uint32_t>(random() % model.size());
    const auto value = static_cast<uint8_t>(random() % 4 == 0 ? random() % 256 : 0);
    EXPECT_EQ(tree.set_leaf(slot, value), model[slot] != value);
    model[slot] = value;
    const auto minimum = static_cast<uint8_t>(1 + random() % 255);
    const int32_t start = tree.next_slot();
    bool broken = false;
    const int found = tree.search(minimum, true, &broken);
    ASSERT(!broken);
    const auto enough = [&](uint8_t leaf) { return leaf >= minimum; };
    if (std::none_of(model.begin(), model.end(), enough)) {
      EXPECT_EQ(found, FsmPage::none);
    } else {
      ASSERT(found >= 0);
      EXPECT(model[static_cast<size_t>(found)] >= minimum);
      EXPECT_EQ(tree.next_slot(), found + 1);
      // Nothing at the start itself is passed over.
      if (static_cast<size_t>(start) < model.size() &&
          model[static_cast<size_t>(start)] >= minimum) {
        EXPECT_EQ(found, start);
      }
    }
  }
  EXPECT_EQ(tree.maximum(), *std::max_element(model.begin(), model.end()));
  EXPECT(!tree.rebuild());
  for (uint32_t slot = 0; slot < model.size(); ++slot) EXPECT_EQ(tree.leaf(slot), model[slot]);
  const bool some_beyond =
      std::any_of(model.begin() + 2000, model.end(), [](uint8_t leaf) { return leaf > 0; });
  EXPECT_EQ(tree.clear_leaves_from(2000), some_beyond);
  EXPECT_EQ(tree.maximum(), *std::max_element(model.begin(), model.begin() + 2000));
  EXPECT(!tree.rebuild());
}

TEST(a_torn_free_space_page_is_noticed_and_rebuilt) {
  alignas(8) std::byte bytes[page_size] = {};
  const Page page(bytes, page_size);
  page.initialize(0);
  const FsmPage tree(page);
  tree.set_leaf(1000, 200);
  bytes[28 + 4095 + 1000] = std::byte{0};  // the leaf was lost, its ancestors were not
  bool broken = false;
  EXPECT_EQ(tree.search(100, true, &broken), FsmPage::none);
  EXPECT(broken);
  EXPECT(tree.rebuild());
  EXPECT_EQ(tree.search(100, true, &broken), FsmPage::none);
  EXPECT(!broken);
}

TEST(free_space_pages_have_postgres_layout) {
  TestCluster cluster;
  make_relation(cluster, 5000);
  FreeSpaceMap map(cluster.pool(), relation);
  TestCluster::must(map.record(BlockNumber{0}, 100));
  TestCluster::must(map.record(BlockNumber{4069}, 8160));
  TestCluster::must(map.record(BlockNumber{4070}, 8159));
  TestCluster::must(map.vacuum());
  // Depth first: root, its child, that one's leaves.
  EXPECT_EQ(block_count(cluster, ForkNumber::fsm), 4);
  const std::vector<std::byte> root = page_of(cluster, ForkNumber::fsm, 0);
  const std::vector<std::byte> middle = page_of(cluster, ForkNumber::fsm, 1);
  const std::vector<std::byte> first = page_of(cluster, ForkNumber::fsm, 2);
  const std::vector<std::byte> second = page_of(cluster, ForkNumber::fsm, 3);
  const auto header = load<PageHeader>(root.data());
  EXPECT_EQ(header.pd_lower, 24);
  EXPECT_EQ(header.pd_upper, 8192);
  EXPECT_EQ(header.pd_special, 8192);
  EXPECT_EQ(static_cast<int>(root[28]), 255);
  EXPECT_EQ(static_cast<int>(root[28 + 4095]), 255);
  EXPECT_EQ(static_cast<int>(middle[28 + 4095]), 3);
  EXPECT_EQ(static_cast<int>(middle[28 + 4095 + 1]), 255);
  EXPECT_EQ(static_cast<int>(first[28 + 4095]), 3);
  EXPECT_EQ(static_cast<int>(second[28 + 4095]), 255);
  EXPECT_EQ(static_cast<int>(second[28 + 4095 + 1]), 254);
}

TEST(the_free_space_map_agrees_with_an_array) {
  constexpr uint32_t blocks = 9000;  // three leaf pages
  TestClusterOptions options;
  options.buffers = 16;
  TestCluster cluster(options);
  make_relation(cluster, blocks);
  FreeSpaceMap map(cluster.pool(), relation);
  std::vector<uint32_t> model(blocks, 0);
  std::mt19937_64 random = test::random_engine();
  BlockNumber found{};
  TestCluster::must(map.find(1, &found));
  EXPECT_EQ(found, invalid_block_number);
  for (int step = 0; step < 6000; ++step) {
    const auto block = static_cast<uint32_t>(random() % blocks);
    const auto bytes = static_cast<uint32_t>(random() % 3 == 0 ? random() % 8168 : random() % 200);
    if (random() % 4 == 0) {
      const auto needed = static_cast<uint32_t>(random() % (tuple_bytes_max + 1));
      TestCluster::must(map.record_and_find(BlockNumber{block}, bytes, needed, &found));
      model[block] = rounded(bytes);
      if (found != invalid_block_number) EXPECT(model[value_of(found)] >= std::max(needed, 1u));
    } else {
      TestCluster::must(map.record(BlockNumber{block}, bytes));
      model[block] = rounded(bytes);
    }
    uint32_t recorded = 0;
    TestCluster::must(map.recorded(BlockNumber{block}, &recorded));
    EXPECT_EQ(recorded, model[block]);
    if (step % 50 != 0) continue;
    // With the upper pages up to date, room is found exactly when there is some.
    TestCluster::must(map.vacuum());
    const uint32_t most = *std::max_element(model.begin(), model.end());
    for (const uint32_t needed : {1u, std::max(most, 1u), std::min(most + 1, tuple_bytes_max)}) {
      TestCluster::must(map.find(needed, &found));
      if (needed <= most) {
        ASSERT(found != invalid_block_number);
        EXPECT(model[value_of(found)] >= needed);
      } else {
        EXPECT_EQ(found, invalid_block_number);
      }
    }
  }
  cluster.restart();
  FreeSpaceMap reread(cluster.pool(), relation);
  for (uint32_t block = 0; block < blocks; ++block) {
    uint32_t recorded = 0;
    TestCluster::must(reread.recorded(BlockNumber{block}, &recorded));
    EXPECT_EQ(recorded, model[block]);
  }
}

TEST(a_search_spreads_and_corrects_upper_pages) {
  TestCluster cluster;
  make_relation(cluster, 100);
  FreeSpaceMap map(cluster.pool(), relation);
  for (uint32_t block = 10; block < 20; ++block)
    TestCluster::must(map.record(BlockNumber{block}, 4000));
  TestCluster::must(map.vacuum());
  // Successive searches give different blocks, so that writers do not meet on one.
  std::vector<uint32_t> seen;
  for (int i = 0; i < 10; ++i) {
    BlockNumber found{};
    TestCluster::must(map.find(3000, &found));
    ASSERT(found != invalid_block_number);
    seen.push_back(value_of(found));
  }
  std::sort(seen.begin(), seen.end());
  EXPECT(std::adjacent_find(seen.begin(), seen.end()) == seen.end());
  // The room is used up, of which the upper pages do not know.
  for (uint32_t block = 10; block < 20; ++block)
    TestCluster::must(map.record(BlockNumber{block}, 0));
  BlockNumber found{};
  TestCluster::must(map.find(3000, &found));
  EXPECT_EQ(found, invalid_block_number);
  EXPECT_EQ(static_cast<int>(page_of(cluster, ForkNumber::fsm, 0)[28]), 0);
}

TEST(blocks_past_the_end_are_not_given) {
  TestCluster cluster;
  make_relation(cluster, 10);
  FreeSpaceMap map(cluster.pool(), relation);
  TestCluster::must(map.record(BlockNumber{50}, 8000));
  TestCluster::must(map.record(BlockNumber{5}, 4000));
  TestCluster::must(map.vacuum());
  BlockNumber found{};
  TestCluster::must(map.find(7000, &found));
  EXPECT_EQ(found, invalid_block_number);
  TestCluster::must(map.find(3000, &found));
  EXPECT_EQ(value_of(found), 5);
}

// Puts a heap-like page with PD_ALL_VISIBLE into the relation.
void make_heap_pages(TestCluster& cluster, uint32_t count) {
  TestCluster::must(cluster.storage().create(relation, ForkNumber::main));
  for (uint32_t i = 0; i < count; ++i) {
    BufferRef buffer;
    BlockNumber block{};
    TestCluster::must(
        cluster.pool().extend(relation, ForkNumber::main, 1, nullptr, &buffer, &block));
    buffer.page().initialize(0);
    TestCluster::must(log_new_page(cluster.services(), invalid_transaction_id, buffer, true));
  }
}

void set_visible(TestCluster& cluster, VisibilityMap& map, uint32_t block, uint8_t flags) {
  BufferRef map_page;
  TestCluster::must(map.pin(BlockNumber{block}, &map_page));
  BufferRef heap_page;
  TestCluster::must(cluster.pool().read(relation, ForkNumber::main, BlockNumber{block},
                                        ReadMode::normal, nullptr, &heap_page));
  heap_page.lock(LockMode::exclusive);
  heap_page.page().header().pd_flags |= PD_ALL_VISIBLE;
  TestCluster::must(map.set(cluster.services(), invalid_transaction_id, heap_page, map_page,
                            TransactionId{9}, flags, true));
}

TEST(the_visibility_map_agrees_with_an_array) {
  constexpr uint32_t blocks = 60;
  TestCluster cluster;
  make_heap_pages(cluster, blocks);
  VisibilityMap map(cluster.pool(), relation);
  std::vector<uint8_t> model(blocks, 0);
  std::mt19937_64 random = test::random_engine();
  uint8_t flags = 0xFF;
  BufferRef pinned;
  TestCluster::must(map.status_of(BlockNumber{3}, &pinned, &flags));
  EXPECT_EQ(flags, 0);
  EXPECT(!pinned.is_valid());
  bool exists = true;
  TestCluster::must(cluster.storage().exists(relation, ForkNumber::visibility_map, &exists));
  EXPECT(!exists);
  for (int step = 0; step < 4000; ++step) {
    const auto block = static_cast<uint32_t>(random() % blocks);
    if (random() % 2 == 0) {
      const bool frozen = random() % 2 == 0;
      flags = frozen ? VISIBILITYMAP_VALID_BITS : VISIBILITYMAP_ALL_VISIBLE;
      set_visible(cluster, map, block, flags);
      model[block] |= flags;
    } else {
      const uint8_t cleared =
          random() % 2 == 0 ? VISIBILITYMAP_VALID_BITS : VISIBILITYMAP_ALL_FROZEN;
      TestCluster::must(map.pin(BlockNumber{block}, &pinned));
      EXPECT_EQ(map.clear(BlockNumber{block}, pinned, cleared), (model[block] & cleared) != 0);
      model[block] = static_cast<uint8_t>(model[block] & ~cleared);
    }
    const auto other = static_cast<uint32_t>(random() % blocks);
    TestCluster::must(map.status_of(BlockNumber{other}, &pinned, &flags));
    EXPECT_EQ(flags, model[other]);
  }
  pinned.release();
  uint32_t visible = 0;
  uint32_t frozen = 0;
  TestCluster::must(map.count(&visible, &frozen));
  EXPECT_EQ(visible, std::count_if(model.begin(), model.end(),
                                   [](uint8_t bits) { return (bits & 1) != 0; }));
  EXPECT_EQ(frozen, std::count_if(model.begin(), model.end(),
                                  [](uint8_t bits) { return (bits & 2) != 0; }));
  cluster.restart();
  VisibilityMap reread(cluster.pool(), relation);
  for (uint32_t block = 0; block < blocks; ++block) {
    TestCluster::must(reread.status_of(BlockNumber{block}, &pinned, &flags));
    EXPECT_EQ(flags, model[block]);
    const std::vector<std::byte> page = page_of(cluster, ForkNumber::visibility_map, 0);
    EXPECT_EQ((static_cast<uint8_t>(page[24 + block / 4]) >> (block % 4 * 2)) & 3, model[block]);
  }
  pinned.release();
}

TEST(a_visibility_page_covers_32672_blocks) {
  TestCluster cluster;
  make_relation(cluster, 40000);
  VisibilityMap map(cluster.pool(), relation);
  BufferRef pinned;
  TestCluster::must(map.pin(BlockNumber{32671}, &pinned));
  EXPECT_EQ(value_of(pinned.block()), 0);
  EXPECT(map.is_pinned(BlockNumber{0}, pinned));
  EXPECT(!map.is_pinned(BlockNumber{32672}, pinned));
  TestCluster::must(map.pin(BlockNumber{32672}, &pinned));
  EXPECT_EQ(value_of(pinned.block()), 1);
  EXPECT_EQ(block_count(cluster, ForkNumber::visibility_map), 2);
}

TEST(setting_visibility_is_logged_and_moves_the_heap_page_only_with_checksums) {
  for (const bool checksums : {true, false}) {
    TestClusterOptions options;
    options.data_checksums = checksums;
    TestCluster cluster(options);
    make_heap_pages(cluster, 3);
    VisibilityMap map(cluster.pool(), relation);
    const Lsn before = Page(page_of(cluster, ForkNumber::main, 2).data(), page_size).lsn();
    set_visible(cluster, map, 2, VISIBILITYMAP_VALID_BITS);
    const Lsn heap_lsn = Page(page_of(cluster, ForkNumber::main, 2).data(), page_size).lsn();
    const Lsn map_lsn =
        Page(page_of(cluster, ForkNumber::visibility_map, 0).data(), page_size).lsn();
    EXPECT(map_lsn > before);
    EXPECT_EQ(heap_lsn, checksums ? map_lsn : before);
    TestCluster::must(cluster.wal().flush(cluster.wal().positions().insert));
    WalReaderOptions reader_options;
    reader_options.directory = cluster.directory() + "/pg_wal";
    reader_options.segment_bytes = 1u << 20;
    WalReader reader(posix_file_system(), reader_options);
    bool found = false;
    int seen = 0;
    TestCluster::must(reader.begin_after(Lsn{1} << 20, &found));
    while (found) {
      TestCluster::must(reader.next(&found));
      if (!found) break;
      const DecodedWalRecord& record = reader.record();
      if (record.rmgr() != static_cast<uint8_t>(RmgrId::heap2)) continue;
      ++seen;
      EXPECT_EQ(record.info(), XLOG_HEAP2_VISIBLE);
      EXPECT_EQ(record.main_data_length, 5);
      EXPECT_EQ(load<uint32_t>(record.main_data), 9);
      EXPECT_EQ(static_cast<int>(record.main_data[4]), VISIBILITYMAP_VALID_BITS);
      EXPECT_EQ(record.block_count, 2);
      EXPECT_EQ(record.blocks[0].fork, ForkNumber::visibility_map);
      EXPECT_EQ(record.blocks[1].fork, ForkNumber::main);
      EXPECT_EQ(value_of(record.blocks[1].number), 2);
      EXPECT_EQ(record.end_lsn, map_lsn);
    }
    EXPECT_EQ(seen, 1);
  }
}

TEST(truncation_cuts_the_relation_and_its_maps) {
  TestCluster cluster;
  make_heap_pages(cluster, 40);
  FreeSpaceMap space(cluster.pool(), relation);
  VisibilityMap visibility(cluster.pool(), relation);
  for (uint32_t block = 0; block < 40; ++block) {
    TestCluster::must(space.record(BlockNumber{block}, 1000 + block * 10));
    set_visible(cluster, visibility, block, VISIBILITYMAP_VALID_BITS);
  }
  TestCluster::must(space.vacuum());
  {
    auto backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TestCluster::must(truncate_storage(*backend, relation, BlockNumber{17}, true));
    Lsn upto = 0;
    TestCluster::must(backend->commit(true, &upto));
  }
  EXPECT_EQ(block_count(cluster, ForkNumber::main), 17);
  EXPECT_EQ(block_count(cluster, ForkNumber::fsm), 3);
  uint32_t visible = 0;
  uint32_t frozen = 0;
  TestCluster::must(visibility.count(&visible, &frozen));
  EXPECT_EQ(visible, 17);
  EXPECT_EQ(frozen, 17);
  uint32_t recorded = 0;
  TestCluster::must(space.recorded(BlockNumber{16}, &recorded));
  EXPECT_EQ(recorded, rounded(1160));
  TestCluster::must(space.recorded(BlockNumber{17}, &recorded));
  EXPECT_EQ(recorded, 0);
  EXPECT_EQ(static_cast<int>(page_of(cluster, ForkNumber::fsm, 0)[28]), 1160 / 32);
  cluster.restart();
  {
    auto backend = cluster.backend();
    TestCluster::must(backend->begin(IsolationLevel::read_committed, false));
    TestCluster::must(truncate_storage(*backend, relation, BlockNumber{0}, true));
    backend->abort();
  }
  for (const ForkNumber fork : {ForkNumber::main, ForkNumber::visibility_map}) {
    EXPECT_EQ(block_count(cluster, fork), 0);
  }
  EXPECT_EQ(block_count(cluster, ForkNumber::fsm), 2);
}

TEST(threads_use_the_maps_at_once) {
  constexpr uint32_t blocks = 64;
  TestCluster cluster;
  make_heap_pages(cluster, blocks);
  const uint64_t seed = test::random_engine()();
  std::vector<std::thread> threads;
  for (uint64_t t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937_64 random(seed + t);
      FreeSpaceMap space(cluster.pool(), relation);
      VisibilityMap visibility(cluster.pool(), relation);
      BufferRef pinned;
      for (int step = 0; step < 500; ++step) {
        const auto block = static_cast<uint32_t>(random() % blocks);
        BlockNumber found{};
        TestCluster::must(space.record_and_find(
            BlockNumber{block}, static_cast<uint32_t>(random() % 8000), 100, &found));
        if (found != invalid_block_number) EXPECT(value_of(found) < blocks);
        if (step % 40 == 0) TestCluster::must(space.vacuum());
        if (block % 3 == t) {
          // Each thread has blocks of its own, neighbours of others' in the same byte.
          set_visible(cluster, visibility, block, VISIBILITYMAP_VALID_BITS);
          uint8_t flags = 0;
          TestCluster::must(visibility.status_of(BlockNumber{block}, &pinned, &flags));
          EXPECT_EQ(flags, VISIBILITYMAP_VALID_BITS);
          TestCluster::must(visibility.pin(BlockNumber{block}, &pinned));
          EXPECT(visibility.clear(BlockNumber{block}, pinned, VISIBILITYMAP_VALID_BITS));
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  VisibilityMap visibility(cluster.pool(), relation);
  uint32_t visible = 1;
  uint32_t frozen = 1;
  TestCluster::must(visibility.count(&visible, &frozen));
  EXPECT_EQ(visible, 0);
  EXPECT_EQ(frozen, 0);
}

}  // namespace
}  // namespace pgdata
