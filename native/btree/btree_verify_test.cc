// Goal: verify_btree finds what is wrong with a tree, and nothing in the tree makes readers leave a
// page's bounds.
// Method: a good tree of several levels is damaged in one known way and must be complained about; then
// random bytes are changed, and verifying, scanning, looking up and inserting must end, in whatever way.
#include "btree/btree_verify.h"

#include "base/test.h"
#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"
#include "btree/btree_lookup.h"
#include "btree/btree_page_view.h"
#include "btree/btree_scan.h"

namespace pgdata {
namespace {

using test::BtreeFixture;
using test::build_memory;
using test::definition_of;
using test::index_of;
using test::must;
using test::test_xid;
using test::TestType;

constexpr uint32_t page_size = 1024;

void build_tree(BtreeFixture& fixture, const BtreeIndex& index, uint32_t rows) {
  BtreeBuilder builder(*fixture.services, test_xid, index, *fixture.temporary, build_memory);
  for (uint32_t i = 0; i < rows; ++i) {
    const std::string text = "key " + std::to_string(i % (rows / 2));
    std::string varlena(1, static_cast<char>((text.size() + 1) << 1 | 1));
    varlena += text;
    const Datum values[] = {pointer_datum(varlena.data()), static_cast<Datum>(i / 3 % 5)};
    const bool nulls[] = {false, i % 11 == 0};
    must(builder.add(values, nulls, ItemPointer(BlockNumber{i}, 1)));
  }
  BtreeBuildResult result;
  must(builder.finish(&result));
}

std::unique_ptr<BtreeIndex> test_index() {
  return index_of(definition_of({{TestType::text}, {TestType::int4}}), page_size);
}

// Gives the page of `block` to be damaged.
template <typename Damage>
void damage_page(BtreeFixture& fixture, uint32_t block, Damage damage) {
  BufferRef buffer;
  must(fixture.pool->read(test::index_relation, ForkNumber::main, BlockNumber{block},
                          ReadMode::normal, nullptr, &buffer));
  buffer.lock(LockMode::exclusive);
  damage(BtreePageView(buffer.page()));
}

BtreeReport report_of(BtreeFixture& fixture, const BtreeIndex& index) {
  PooledBtreePages pages(*fixture.pool, index);
  BtreeReport report;
  must(verify_btree(pages, index, &report));
  return report;
}

// The first leaf that has a left and a right sibling, and the first upper page like that.
void find_pages(BtreeFixture& fixture, uint32_t* leaf, uint32_t* upper) {
  uint32_t blocks = 0;
  must(fixture.storage->block_count(test::index_relation, ForkNumber::main, &blocks));
  *leaf = *upper = 0;
  for (uint32_t block = 1; block < blocks; ++block) {
    damage_page(fixture, block, [&](const BtreePageView& view) {
      if (view.is_leftmost() || view.is_rightmost()) return;
      uint32_t* found = view.is_leaf() ? leaf : upper;
      if (*found == 0) *found = block;
    });
  }
  INVARIANT(*leaf != 0);
  INVARIANT(*upper != 0);
}

TEST(each_kind_of_damage_is_found) {
  struct Case {
    const char* text;  // in one of the complaints
    bool on_leaf;
    void (*damage)(const BtreePageView& view);
  };
  const auto swap_items = [](const BtreePageView& view) {
    std::swap(view.page().line_pointer(3), view.page().line_pointer(4));
  };
  const Case cases[] = {
      {"item order invariant violated", true, swap_items},
      {"item order invariant violated", false, swap_items},
      {"left link is", true,
       [](const BtreePageView& view) { view.opaque().btpo_prev = BlockNumber{9}; }},
      {"circular link chain", true,
       [](const BtreePageView& view) { view.opaque().btpo_next = BlockNumber{1}; }},
      {"past the end of the index", true,
       [](const BtreePageView& view) { view.opaque().btpo_next = BlockNumber{1000000}; }},
      {"level is 5", true, [](const BtreePageView& view) { view.opaque().btpo_level = 5; }},
      {"leaf flag does not agree", true,
       [](const BtreePageView& view) {
         view.opaque().btpo_flags &= static_cast<uint16_t>(~BTP_LEAF);
       }},
      {"high key invariant violated", true,
       [](const BtreePageView& view) {
         std::swap(view.page().line_pointer(1), view.page().line_pointer(3));
         auto* high_key = reinterpret_cast<IndexTupleHeader*>(view.page().item_at(1));
         btree_set_pivot(*high_key, 1, false);
         auto* item = reinterpret_cast<IndexTupleHeader*>(view.page().item_at(3));
         item->t_info &= static_cast<uint16_t>(~INDEX_ALT_TID_MASK);
         item->t_tid = ItemPointer(BlockNumber{1}, 1);
       }},
      {"is not a pivot tuple", false,
       [](const BtreePageView& view) {
         reinterpret_cast<IndexTupleHeader*>(view.page().item_at(3))->t_info &=
             static_cast<uint16_t>(~INDEX_ALT_TID_MASK);
       }},
      {"expected block", false,
       [](const BtreePageView& view) {
         auto* a = reinterpret_cast<IndexTupleHeader*>(view.page().item_at(3));
         auto* b = reinterpret_cast<IndexTupleHeader*>(view.page().item_at(4));
         const BlockNumber child = btree_downlink(*a);
         btree_set_downlink(*a, btree_downlink(*b));
         btree_set_downlink(*b, child);
       }},
      {"points to no heap tuple", true,
       [](const BtreePageView& view) {
         reinterpret_cast<IndexTupleHeader*>(view.page().item_at(2))->t_tid.ip_posid = 0;
       }},
      {"does not lie within the tuple", true,
       [](const BtreePageView& view) { view.page().item_at(2)[8] = std::byte{0xFF}; }},
      {"marked as incompletely split", true,
       [](const BtreePageView& view) { view.opaque().btpo_flags |= BTP_INCOMPLETE_SPLIT; }},
      {"unexpected zero page", true,
       [](const BtreePageView& view) { view.page().header().pd_upper = 0; }},
      {"corrupted line pointer", true,
       [](const BtreePageView& view) {
         view.page().line_pointer(2) = LinePointer(1000, LinePointerFlags::LP_NORMAL, 900);
       }},
  };
  for (const Case& damaged : cases) {
    BtreeFixture fixture(page_size);
    const auto index = test_index();
    build_tree(fixture, *index, 4000);
    EXPECT_EQ(report_of(fixture, *index).complaint_count, 0u);
    uint32_t leaf = 0;
    uint32_t upper = 0;
    find_pages(fixture, &leaf, &upper);
    damage_page(fixture, damaged.on_leaf ? leaf : upper, damaged.damage);
    const BtreeReport report = report_of(fixture, *index);
    EXPECT(report.complaint_count > 0);
    bool said = std::string_view(damaged.text) == "marked as incompletely split";
    for (const BtreeComplaint& complaint : report.complaints)
      said = said || complaint.text.find(damaged.text) != std::string::npos;
    if (!said) {
      test::report_failure(__FILE__, __LINE__,
                           std::string(damaged.text) + ": " +
                               (report.complaints.empty() ? "" : report.complaints[0].text));
    }
  }
}

TEST(splits_that_a_crash_cut_short_are_completed_by_the_next_insertion) {
  BtreeFixture fixture(page_size);
  const auto index = test_index();
  build_tree(fixture, *index, 4000);
  const uint64_t tids = report_of(fixture, *index).tids;
  uint32_t blocks = 0;
  must(fixture.storage->block_count(test::index_relation, ForkNumber::main, &blocks));
  // Back to between the two steps of a split: without some downlinks, their left siblings marked.
  std::vector<uint32_t> marked;
  for (uint32_t block = 1; block < blocks; ++block) {
    uint32_t left_child = 0;
    damage_page(fixture, block, [&](const BtreePageView& view) {
      const auto offset = static_cast<OffsetNumber>(view.first_data() + 2);
      if (view.is_leaf() || view.has(BTP_ROOT) || offset > view.max_offset()) return;
      const auto* left = view.tuple(static_cast<OffsetNumber>(offset - 1));
      left_child = value_of(btree_downlink(index_tuple_header(left)));
      view.page().delete_item(offset);
    });
    if (left_child != 0) marked.push_back(left_child);
  }
  EXPECT(marked.size() > 2);
  for (uint32_t block : marked) {
    damage_page(fixture, block, [](const BtreePageView& view) {
      view.opaque().btpo_flags |= BTP_INCOMPLETE_SPLIT;
    });
  }
  // Readers do not mind.
  BtreeReport report = report_of(fixture, *index);
  EXPECT_EQ(report.complaint_count, 0u);
  EXPECT_EQ(report.tids, tids);
  for (uint32_t i = 0; i < 2000; ++i) {
    const std::string text = "key " + std::to_string(i);
    const std::string varlena = static_cast<char>((text.size() + 1) << 1 | 1) + text;
    const Datum values[] = {pointer_datum(varlena.data()), 7};
    const bool nulls[] = {false, false};
    BtreeInsertResult result;
    must(btree_insert(*fixture.services, test_xid, *index, values, nulls,
                      ItemPointer(BlockNumber{100000 + i}, 1), nullptr, &result));
  }
  report = report_of(fixture, *index);
  EXPECT_EQ(report.complaint_count, 0u);
  EXPECT_EQ(report.tids, tids + 2000);
  for (uint32_t block : marked) {
    damage_page(fixture, block,
                [](const BtreePageView& view) { EXPECT(!view.has(BTP_INCOMPLETE_SPLIT)); });
  }
}

TEST(a_page_that_links_to_itself_does_not_hang_an_insertion) {
  BtreeFixture fixture(page_size);
  const auto index = test_index();
  build_tree(fixture, *index, 4000);
  uint32_t blocks = 0;
  must(fixture.storage->block_count(test::index_relation, ForkNumber::main, &blocks));
  for (uint32_t block = 1; block < blocks; ++block) {
    damage_page(fixture, block, [&](const BtreePageView& view) {
      if (view.is_leaf() && !view.is_rightmost()) view.opaque().btpo_next = BlockNumber{block};
    });
  }
  bool failed = false;
  for (uint32_t i = 0; i < 2000 && !failed; ++i) {
    const std::string text = "key " + std::to_string(i);
    const std::string varlena = static_cast<char>((text.size() + 1) << 1 | 1) + text;
    const Datum values[] = {pointer_datum(varlena.data()), 7};
    const bool nulls[] = {false, false};
    BtreeInsertResult result;
    const Status status = btree_insert(*fixture.services, test_xid, *index, values, nulls,
                                       ItemPointer(BlockNumber{100000 + i}, 1), nullptr, &result);
    failed = status.code() == Status::index_corrupted;
    EXPECT(failed || status.is_ok());
  }
  EXPECT(failed);
  EXPECT(!fixture.state.is_poisoned());
}

// A link to a block of a segment file that does not exist is reported by the file, as in PostgreSQL.
bool is_damage_report(const Status& status) {
  return status.is_ok() || sqlstate_of(status.code())[0] == 'X' ||
         status.code() == ErrorCode::undefined_file;
}

TEST(random_damage_is_survived) {
  auto random = test::random_engine();
  for (int round = 0; round < 60; ++round) {
    BtreeFixture fixture(page_size, 2048);
    const auto index = test_index();
    build_tree(fixture, *index, 2000);
    uint32_t blocks = 0;
    must(fixture.storage->block_count(test::index_relation, ForkNumber::main, &blocks));
    for (int i = 0; i < 30; ++i) {
      damage_page(
          fixture, static_cast<uint32_t>(random() % blocks), [&](const BtreePageView& view) {
            // The header was checked when the page was read, so it is not what must be survived.
            const size_t at = sizeof(PageHeader) + random() % (page_size - sizeof(PageHeader));
            view.page().bytes()[at] = static_cast<std::byte>(random());
          });
    }
    report_of(fixture, *index);
    for (const ScanDirection direction : {ScanDirection::forward, ScanDirection::backward}) {
      BtreeScan scan(*fixture.pool, *index, {}, direction);
      Status status;
      std::span<const ItemPointer> batch;
      do {
        status = scan.next_batch(&batch);
      } while (status.is_ok() && !batch.empty());
    }
    for (uint32_t i = 0; i < 200; ++i) {
      const std::string text = "key " + std::to_string(random() % 1200);
      std::string varlena(1, static_cast<char>((text.size() + 1) << 1 | 1));
      varlena += text;
      BtreeSearchKey key;
      key.columns = 2;
      key.values[0] = pointer_datum(varlena.data());
      key.values[1] = random() % 5;
      key.nulls[0] = key.nulls[1] = false;
      BtreeMatches matches;
      const Status found = btree_lookup(*fixture.pool, *index, key, &matches);
      EXPECT(is_damage_report(found));
      BtreeInsertResult result;
      const Status put = btree_insert(*fixture.services, test_xid, *index, key.values, key.nulls,
                                      ItemPointer(BlockNumber{100000 + i}, 1), nullptr, &result);
      EXPECT(is_damage_report(put));
    }
    EXPECT(!fixture.state.is_poisoned());
  }
}

}  // namespace
}  // namespace pgdata
