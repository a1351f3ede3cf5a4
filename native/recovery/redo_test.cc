// Goal: replay gives the pages that records were made from; a record that makes no sense is an error and nothing
// worse. Method: a log of random changes to a table and indexes, with images of all pages, replayed over empty
// files of another cluster and compared after each record; a well-formed record of each kind, cut and garbled at
// random (its CRC is right), replayed on pages of all kinds under the sanitizers.
#include <algorithm>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "base/test.h"
#include "btree/btree_build.h"
#include "btree/btree_fixture.h"
#include "btree/btree_insert.h"
#include "heap/heap_write.h"
#include "layout/btree_records.h"
#include "layout/heap_records.h"
#include "layout/sequence_page.h"
#include "recovery/consistency_setting.h"
#include "recovery/page_comparison.h"
#include "recovery/redo_driver.h"
#include "recovery/resource_managers.h"
#include "space/visibility_map.h"
#include "tuple/varlena.h"
#include "wal/wal_reader.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;
using test::TestClusterOptions;

constexpr uint32_t block_size = default_block_size;

WalReaderOptions reader_options(const TestCluster& cluster) {
  WalReaderOptions options;
  options.directory = cluster.directory() + "/pg_wal";
  options.segment_bytes = 1u << 20;
  return options;
}

// ---- Our own log ---------------------------------------------------------------------------

Attribute column(int16_t attlen, bool attbyval, char attalign, char attstorage) {
  Attribute attribute;
  attribute.attlen = attlen;
  attribute.attbyval = attbyval;
  attribute.attalign = attalign;
  attribute.attstorage = attstorage;
  return attribute;
}

std::vector<std::byte> text_value(const std::string& text) {
  std::vector<std::byte> value(VARHDRSZ + text.size());
  set_varlena_size_4b(value.data(), static_cast<uint32_t>(value.size()));
  std::memcpy(value.data() + VARHDRSZ, text.data(), text.size());
  return value;
}

// A table (id int4, body text) with an index on its first column's remainder, and one on its text.
class Workload {
 public:
  explicit Workload(TestCluster& cluster) : cluster_(cluster) {
    desc_.attributes = {column(4, true, 'i', 'p'), column(-1, false, 'i', 'x')};
    layout_ = std::make_unique<TupleLayout>(desc_);
    heap_ = std::make_unique<HeapRelation>(16384, RelFileLocator{1663, 5, 16384}, *layout_, "t");
    BtreeDefinition few = test::definition_of({{test::TestType::int4}});
    BtreeDefinition wide = test::definition_of({{test::TestType::text}});
    wide.relation.relNumber++;
    backend_ = cluster.backend();
    begin();
    TestCluster::must(backend_->create_storage(heap_->locator, true));
    for (BtreeDefinition* definition : {&few, &wide}) {
      TestCluster::must(backend_->create_storage(definition->relation, true));
      indexes_.push_back(test::index_of(*definition));
      TestCluster::must(
          build_empty_btree(cluster.services(), xid(), *indexes_.back(), ForkNumber::main));
    }
    TestCluster::must(backend_->commit(true, nullptr));
  }

  void run(std::mt19937_64& random, int transactions) {
    for (int i = 0; i < transactions; i++) {
      begin();
      for (uint64_t steps = 1 + random() % 40; steps > 0; steps--) {
        const uint64_t kind = random() % 10;
        if (kind < 6 || rows_.empty()) {
          insert(random);
        } else {
          change(random, kind < 8);
        }
        TestCluster::must(backend_->advance_command());
      }
      if (random() % 8 == 0) {
        backend_->abort();
        rows_ = committed_;
      } else {
        TestCluster::must(backend_->commit(true, nullptr));
        committed_ = rows_;
      }
    }
  }

 private:
  void begin() { TestCluster::must(backend_->begin(IsolationLevel::read_committed, false)); }
  TransactionId xid() {
    TransactionId assigned;
    TestCluster::must(backend_->assign_xid(&assigned));
    return assigned;
  }

  void index(int32_t id, const std::vector<std::byte>& body, ItemPointer tid) {
    const Datum few = static_cast<Datum>(int64_t{id % 10});
    const Datum wide = pointer_datum(body.data());
    const bool is_null = false;
    BtreeInsertResult result;
    TestCluster::must(btree_insert(cluster_.services(), xid(), *indexes_[0], &few, &is_null, tid,
                                   nullptr, &result));
    TestCluster::must(btree_insert(cluster_.services(), xid(), *indexes_[1], &wide, &is_null, tid,
                                   nullptr, &result));
  }
  std::vector<std::byte> body(std::mt19937_64& random) {
    return text_value(std::to_string(random()) + std::string(random() % 500, 'b'));
  }
  void insert(std::mt19937_64& random) {
    const auto id = static_cast<int32_t>(random() % 100000);
    const std::vector<std::byte> text = body(random);
    const Datum values[2] = {static_cast<Datum>(int64_t{id}), pointer_datum(text.data())};
    ItemPointer tid;
    TestCluster::must(heap_insert(*backend_, *heap_, values, nullptr, 0, nullptr, &tid));
    index(id, text, tid);
    rows_.push_back(tid);
  }
  void change(std::mt19937_64& random, bool is_update) {
    const size_t at = random() % rows_.size();
    ChangeOutcome outcome;
    if (!is_update) {
      TestCluster::must(heap_delete(*backend_, *heap_, rows_[at], &outcome));
      if (outcome.result == UpdateResult::ok) rows_.erase(rows_.begin() + static_cast<long>(at));
      return;
    }
    const auto id = static_cast<int32_t>(random() % 100000);
    const std::vector<std::byte> text = body(random);
    const Datum values[2] = {static_cast<Datum>(int64_t{id}), pointer_datum(text.data())};
    const bool indexed[2] = {random() % 2 == 0, false};
    UpdateColumns columns;
    columns.indexed = indexed;
    TestCluster::must(
        heap_update(*backend_, *heap_, rows_[at], values, nullptr, columns, &outcome));
    if (outcome.result != UpdateResult::ok) return;
    rows_[at] = outcome.new_tid;
    if (!outcome.heap_only) index(id, text, outcome.new_tid);
  }

  TestCluster& cluster_;
  TupleDesc desc_;
  std::unique_ptr<TupleLayout> layout_;
  std::unique_ptr<HeapRelation> heap_;
  std::vector<std::unique_ptr<BtreeIndex>> indexes_;
  std::unique_ptr<Backend> backend_;
  std::vector<ItemPointer> rows_;
  std::vector<ItemPointer> committed_;
};

bool changes_pages(const DecodedWalRecord& record) {
  switch (static_cast<RmgrId>(record.rmgr())) {
    case RmgrId::heap:
    case RmgrId::heap2:
    case RmgrId::btree:
      return true;
    case RmgrId::xlog:
      return record.block_count > 0;
    default:
      return false;
  }
}

TEST(our_log_replays_to_the_pages_it_was_made_from) {
  TestClusterOptions options;
  options.buffers = 2048;
  ASSERT_OK(parse_consistency_checking("all", &options.consistency_checking));
  TestCluster ours(options);
  std::mt19937_64 random = test::random_engine();
  Workload(ours).run(random, 150);
  ASSERT_OK(ours.wal().flush(ours.wal().positions().insert));

  options.consistency_checking = 0;
  TestCluster replica(options);
  ControlFile control;
  RedoDriver driver(replica.services(), replica.transactions(), control);
  WalReader reader(posix_file_system(), reader_options(ours));
  reader.begin_at((1u << 20) +
                  40);  // The first record, after the header of the first segment's first page.
  for (;;) {
    bool found = false;
    ASSERT_OK(reader.next(&found));
    if (!found) break;
    if (changes_pages(reader.record())) ASSERT_OK(driver.apply(reader));
  }
  const PageComparison& compared = driver.comparison();
  const auto pages_of = [&](RmgrId manager, uint8_t info) {
    return compared.count(static_cast<int>(manager), info >> 4).pages;
  };
  for (const uint8_t info : {XLOG_HEAP_INSERT, XLOG_HEAP_DELETE, XLOG_HEAP_UPDATE,
                             XLOG_HEAP_HOT_UPDATE, static_cast<uint8_t>(XLOG_HEAP_INSERT | 0x80)})
    EXPECT(pages_of(RmgrId::heap, info) > 0);
  for (const uint8_t info :
       {XLOG_BTREE_INSERT_LEAF, XLOG_BTREE_INSERT_UPPER, XLOG_BTREE_SPLIT_L, XLOG_BTREE_SPLIT_R,
        XLOG_BTREE_DEDUP, XLOG_BTREE_INSERT_POST, XLOG_BTREE_NEWROOT})
    EXPECT(pages_of(RmgrId::btree, info) > 0);
  EXPECT_OK(driver.check_invalid_pages());
}

// ---- Records that make no sense -----------------------------------------------------------

constexpr RelFileLocator relation{1663, 5, 30000};

// What is registered for one block of a record.
struct TestBlock {
  uint8_t id;
  uint32_t number;
  uint8_t flags;
  std::string data;
};

struct TestRecord {
  std::string name;
  RmgrId manager;
  uint8_t info;
  std::string main;
  std::vector<TestBlock> blocks;
};

template <typename T>
std::string bytes_of(const T& value, size_t size = sizeof(T)) {
  return std::string(reinterpret_cast<const char*>(&value), size);
}
template <typename... T>
std::string words(T... value) {
  std::string bytes;
  (bytes.append(bytes_of(static_cast<uint16_t>(value))), ...);
  return bytes;
}

std::string index_tuple(uint32_t key, ItemPointer tid, uint16_t flags = 0) {
  IndexTupleHeader header;
  header.t_tid = tid;
  header.t_info = static_cast<uint16_t>(16 | flags);
  return bytes_of(header) + bytes_of(uint64_t{key});
}
std::string posting_tuple(uint32_t key, int count) {
  std::string tuple = index_tuple(key, {});
  auto size = static_cast<uint32_t>(max_align(16 + static_cast<size_t>(count) * 6));
  tuple.resize(size);
  auto& header = *reinterpret_cast<IndexTupleHeader*>(tuple.data());
  btree_set_size(header, size);
  btree_set_posting(header, count, 16);
  for (int i = 0; i < count; i++)
    store(tuple.data() + 16 + i * 6, ItemPointer(BlockNumber{key}, static_cast<uint16_t>(10 + i)));
  return tuple;
}
std::string heap_tuple_rest(size_t data_size) { return std::string(1 + data_size, 'd'); }

enum : uint32_t {
  meta_block,
  heap_block,
  heap_full_block,
  leaf,
  leaf_right,
  upper,
  leaf_child,
  free_block
};

// Pages of all kinds, and a driver to replay records on them.
class PageZoo {
 public:
  PageZoo() : cluster_(options()), driver_(cluster_.services(), cluster_.transactions(), control_) {
    TestCluster::must(cluster_.storage().create(relation, ForkNumber::main));
    BufferRef first;
    BlockNumber block;
    TestCluster::must(cluster_.pool().extend(relation, ForkNumber::main, free_block + 1, nullptr,
                                             &first, &block));
    first.release();
    for (uint32_t number = 0; number <= free_block; number++) {
      pristine_.emplace_back(block_size);
      const Page page(pristine_.back().data(), block_size);
      if (number == meta_block) {
        initialize_btree_meta(page, BlockNumber{upper}, 1, true);
      } else if (number <= heap_full_block) {
        make_heap_page(page, number == heap_block ? 10 : 200);
      } else {
        make_tree_page(page, number);
      }
    }
    reset();
  }

  void reset() {
    for (uint32_t number = 0; number < pristine_.size(); number++) {
      BufferRef buffer;
      TestCluster::must(cluster_.pool().read(relation, ForkNumber::main, BlockNumber{number},
                                             ReadMode::zero_and_lock, nullptr, &buffer));
      std::memcpy(buffer.page().bytes(), pristine_[number].data(), block_size);
      cluster_.pool().mark_dirty(buffer);
    }
  }

  // Logs the record and replays it.
  Status replay(const TestRecord& test_record) {
    WalRecord record;
    record.begin(test_record.manager, test_record.info, TransactionId{700});
    for (const TestBlock& block : test_record.blocks) {
      const Page page(pristine_[0].data(), block_size);
      record.block(block.id, relation, ForkNumber::main, BlockNumber{block.number}, page,
                   static_cast<uint8_t>(block.flags | REGBUF_NO_IMAGE));
      record.block_data(block.id, block.data.data(), block.data.size());
    }
    record.data(test_record.main.data(), test_record.main.size());
    if (test_record.main.empty() && test_record.blocks.empty()) return Status::data_corrupted;
    Lsn start;
    Lsn end;
    TestCluster::must(cluster_.wal().insert(record, &end, &start));
    TestCluster::must(cluster_.wal().flush(end));
    WalReader reader(posix_file_system(), reader_options(cluster_));
    reader.begin_at(start);
    bool found = false;
    TestCluster::must(reader.next(&found));
    if (!found) return Status::error(ErrorCode::internal_error, "%s", reader.end_reason().c_str());
    return driver_.apply(reader);
  }

  BufferPool& pool() { return cluster_.pool(); }
  const std::vector<std::vector<std::byte>>& pristine() const { return pristine_; }

 private:
  static TestClusterOptions options() {
    TestClusterOptions made;
    made.buffers = 64;
    return made;
  }
  static void add(const Page& page, const std::string& item, bool heap = false) {
    INVARIANT(page.add_item(reinterpret_cast<const std::byte*>(item.data()),
                            static_cast<uint32_t>(item.size()), invalid_offset_number,
                            heap) != invalid_offset_number);
  }
  static void make_heap_page(const Page& page, int tuples) {
    page.initialize(0);
    for (int i = 0; i < tuples; i++) {
      HeapTupleHeader header{};
      header.t_xmin = TransactionId{600};
      header.t_infomask = HEAP_XMAX_INVALID | HEAP_XMIN_COMMITTED;
      header.t_infomask2 = 1;
      header.t_hoff = 24;
      add(page, bytes_of(header) + "12345678", true);
    }
    page.line_pointer(7) = LinePointer(0, LinePointerFlags::LP_DEAD, 0);
    page.line_pointer(8) = LinePointer(9, LinePointerFlags::LP_REDIRECT, 0);
  }
  static void make_tree_page(const Page& page, uint32_t number) {
    page.initialize(sizeof(BTPageOpaque));
    auto& opaque = *reinterpret_cast<BTPageOpaque*>(page.special());
    opaque = {P_NONE, P_NONE, 0, BTP_LEAF, 0};
    if (number == leaf) opaque.btpo_next = BlockNumber{leaf_right};
    if (number == leaf_right) opaque.btpo_prev = BlockNumber{leaf};
    if (number == leaf_child) opaque.btpo_flags |= BTP_INCOMPLETE_SPLIT;
    if (number == upper) {
      opaque = {P_NONE, P_NONE, 1, BTP_ROOT, 0};
      for (uint32_t child = leaf; child < free_block; child++)
        add(page, index_tuple(child * 100, ItemPointer(BlockNumber{child}, 1), INDEX_ALT_TID_MASK));
      return;
    }
    if (number == leaf)
      add(page, index_tuple(1000, ItemPointer(BlockNumber{0}, 1), INDEX_ALT_TID_MASK));
    add(page, posting_tuple(5, 8));
    for (uint32_t i = 0; i < 10; i++)
      add(page, index_tuple(i / 3 + 10, ItemPointer(BlockNumber{1}, static_cast<uint16_t>(i + 1))));
  }

  TestCluster cluster_;
  ControlFile control_;
  RedoDriver driver_;
  std::vector<std::vector<std::byte>> pristine_;
};

std::vector<TestRecord> well_formed_records() {
  const xl_heap_header heap_header{1, HEAP_XMAX_INVALID, 24, 0};
  const std::string logged_tuple = bytes_of(heap_header, xl_heap_header_size) + heap_tuple_rest(20);
  const auto multi_insert_tuple = [](uint16_t size) {
    return bytes_of(xl_multi_insert_tuple{size, 1, HEAP_XMAX_INVALID, 24, 0},
                    xl_multi_insert_tuple_size) +
           std::string(size, 'm');
  };
  const std::string plan = words(1, 0) + bytes_of(xlhp_freeze_plan{
                                             {}, 1, HEAP_XMIN_FROZEN | HEAP_XMAX_INVALID, 0, 0, 2});
  const std::string meta = bytes_of(
      xl_btree_metadata{BTREE_VERSION, BlockNumber{upper}, 1, BlockNumber{upper}, 1, 0, 1, {}});
  const std::string high_key = index_tuple(11, ItemPointer(BlockNumber{0}, 1), INDEX_ALT_TID_MASK);
  const std::string item = index_tuple(10, ItemPointer(BlockNumber{9}, 9));
  constexpr uint8_t init = REGBUF_WILL_INIT;
  using enum RmgrId;
  return {
      {"insert",
       heap,
       XLOG_HEAP_INSERT,
       bytes_of(xl_heap_insert{11, 0, 0}, xl_heap_insert_size),
       {{0, heap_block, 0, logged_tuple}}},
      {"insert, new page",
       heap,
       XLOG_HEAP_INSERT | XLOG_HEAP_INIT_PAGE,
       bytes_of(xl_heap_insert{1, XLH_INSERT_ALL_VISIBLE_CLEARED, 0}, xl_heap_insert_size),
       {{0, free_block, init, logged_tuple}}},
      {"delete",
       heap,
       XLOG_HEAP_DELETE,
       bytes_of(xl_heap_delete{TransactionId{700}, 3, XLHL_KEYS_UPDATED,
                               XLH_DELETE_ALL_VISIBLE_CLEARED}),
       {{0, heap_block, 0, ""}}},
      {"update",
       heap,
       XLOG_HEAP_UPDATE,
       bytes_of(xl_heap_update{TransactionId{700}, 3, 0, 0, {}, 11, 0}, xl_heap_update_size),
       {{0, heap_block, 0, logged_tuple}, {1, heap_full_block, 0, ""}}},
      {"hot update with prefix and suffix",
       heap,
       XLOG_HEAP_HOT_UPDATE,
       bytes_of(xl_heap_update{TransactionId{700},
                               3,
                               0,
                               XLH_UPDATE_PREFIX_FROM_OLD | XLH_UPDATE_SUFFIX_FROM_OLD,
                               {},
                               11,
                               0},
                xl_heap_update_size),
       {{0, heap_block, 0,
         words(3, 4) + bytes_of(heap_header, xl_heap_header_size) + heap_tuple_rest(9)}}},
      {"confirm", heap, XLOG_HEAP_CONFIRM, words(4), {{0, heap_block, 0, ""}}},
      {"lock",
       heap,
       XLOG_HEAP_LOCK,
       bytes_of(
           xl_heap_lock{TransactionId{700}, 5, XLHL_XMAX_LOCK_ONLY, XLH_LOCK_ALL_FROZEN_CLEARED}),
       {{0, heap_block, 0, ""}}},
      {"inplace",
       heap,
       XLOG_HEAP_INPLACE,
       bytes_of(xl_heap_inplace{2, 0, 5, 1663, 0, {}, 0}),
       {{0, heap_block, 0, "87654321"}}},
      {"lock updated",
       heap2,
       XLOG_HEAP2_LOCK_UPDATED,
       bytes_of(xl_heap_lock{TransactionId{700}, 5, XLHL_XMAX_KEYSHR_LOCK, 0}),
       {{0, heap_block, 0, ""}}},
      {"multi insert",
       heap2,
       XLOG_HEAP2_MULTI_INSERT,
       bytes_of(xl_heap_multi_insert{0, 0, 2}) + words(11, 12),
       {{0, heap_block, 0, multi_insert_tuple(21) + multi_insert_tuple(30)}}},
      {"multi insert, new page",
       heap2,
       XLOG_HEAP2_MULTI_INSERT | XLOG_HEAP_INIT_PAGE,
       bytes_of(xl_heap_multi_insert{XLH_INSERT_ALL_FROZEN_SET, 0, 2}),
       {{0, free_block, init, multi_insert_tuple(21) + multi_insert_tuple(30)}}},
      {"prune",
       heap2,
       XLOG_HEAP2_PRUNE_ON_ACCESS,
       bytes_of(xl_heap_prune{0, XLHP_CLEANUP_LOCK | XLHP_HAS_CONFLICT_HORIZON |
                                     XLHP_HAS_FREEZE_PLANS | XLHP_HAS_REDIRECTIONS |
                                     XLHP_HAS_DEAD_ITEMS | XLHP_HAS_NOW_UNUSED_ITEMS}) +
           words(1, 0),
       {{0, heap_block, 0, plan + words(1, 1, 2, 1, 3, 2, 4, 7, 5, 6)}}},
      {"second pass of vacuum",
       heap2,
       XLOG_HEAP2_PRUNE_VACUUM_CLEANUP,
       bytes_of(xl_heap_prune{2, XLHP_HAS_NOW_UNUSED_ITEMS}),
       {{0, heap_block, 0, words(1, 7)}}},
      {"insert leaf", btree, XLOG_BTREE_INSERT_LEAF, words(3), {{0, leaf, 0, item}}},
      {"insert upper",
       btree,
       XLOG_BTREE_INSERT_UPPER,
       words(2),
       {{0, upper, 0, index_tuple(350, ItemPointer(BlockNumber{9}, 1), INDEX_ALT_TID_MASK)},
        {1, leaf_child, 0, ""}}},
      {"insert meta",
       btree,
       XLOG_BTREE_INSERT_META,
       words(2),
       {{0, upper, 0, index_tuple(350, ItemPointer(BlockNumber{9}, 1), INDEX_ALT_TID_MASK)},
        {1, leaf_child, 0, ""},
        {2, meta_block, init, meta}}},
      {"insert post",
       btree,
       XLOG_BTREE_INSERT_POST,
       words(3),
       {{0, leaf, 0, words(3) + index_tuple(5, ItemPointer(BlockNumber{5}, 12))}}},
      {"split left",
       btree,
       XLOG_BTREE_SPLIT_L,
       bytes_of(xl_btree_split{0, 6, 4, 0, 0}, xl_btree_split_size),
       {{0, leaf, 0, item + high_key},
        {1, free_block, init, item + high_key},
        {2, leaf_right, 0, ""}}},
      {"split right with a posting list",
       btree,
       XLOG_BTREE_SPLIT_R,
       bytes_of(xl_btree_split{0, 3, 3, 4, 0}, xl_btree_split_size),
       {{0, leaf, 0, index_tuple(5, ItemPointer(BlockNumber{5}, 12)) + high_key},
        {1, free_block, init, item + high_key},
        {2, leaf_right, 0, ""}}},
      {"split of an upper page",
       btree,
       XLOG_BTREE_SPLIT_R,
       bytes_of(xl_btree_split{1, 2, 3, 0, 0}, xl_btree_split_size),
       {{0, upper, 0, high_key}, {1, free_block, init, item + high_key}, {3, leaf_child, 0, ""}}},
      {"dedup", btree, XLOG_BTREE_DEDUP, words(2), {{0, leaf, 0, words(3, 3, 6, 3)}}},
      {"delete",
       btree,
       XLOG_BTREE_DELETE,
       bytes_of(xl_btree_delete{TransactionId{600}, 2, 1, 0, {}}, xl_btree_delete_size),
       {{0, leaf, 0, words(4, 6, 2, 2, 0, 7)}}},
      {"vacuum",
       btree,
       XLOG_BTREE_VACUUM,
       bytes_of(xl_btree_vacuum{3, 0}),
       {{0, leaf, 0, words(3, 5, 7)}}},
      {"half dead",
       btree,
       XLOG_BTREE_MARK_PAGE_HALFDEAD,
       bytes_of(xl_btree_mark_page_halfdead{1, 0, BlockNumber{leaf}, P_NONE,
                                            BlockNumber{leaf_right}, invalid_block_number}),
       {{0, leaf, init, ""}, {1, upper, 0, ""}}},
      {"unlink",
       btree,
       XLOG_BTREE_UNLINK_PAGE,
       bytes_of(xl_btree_unlink_page{BlockNumber{leaf}, BlockNumber{leaf_child}, 1, 0, 800, P_NONE,
                                     P_NONE, invalid_block_number, 0},
                xl_btree_unlink_page_size),
       {{0, leaf_right, init, ""},
        {1, leaf, 0, ""},
        {2, leaf_child, 0, ""},
        {3, free_block, init, ""}}},
      {"unlink meta",
       btree,
       XLOG_BTREE_UNLINK_PAGE_META,
       bytes_of(xl_btree_unlink_page{P_NONE, BlockNumber{leaf_right}, 0, 0, 800, P_NONE, P_NONE,
                                     invalid_block_number, 0},
                xl_btree_unlink_page_size),
       {{0, leaf, init, ""}, {2, leaf_right, 0, ""}, {4, meta_block, init, meta}}},
      {"new root",
       btree,
       XLOG_BTREE_NEWROOT,
       bytes_of(xl_btree_newroot{BlockNumber{free_block}, 1}),
       {{0, free_block, init, item + high_key},
        {1, leaf_child, 0, ""},
        {2, meta_block, init, meta}}},
      {"meta cleanup", btree, XLOG_BTREE_META_CLEANUP, "", {{0, meta_block, init, meta}}},
      {"reuse",
       btree,
       XLOG_BTREE_REUSE_PAGE,
       bytes_of(xl_btree_reuse_page{relation, BlockNumber{leaf}, 800, 0, {}},
                xl_btree_reuse_page_size),
       {}},
      {"sequence",
       sequence,
       XLOG_SEQ_LOG,
       bytes_of(xl_seq_rec{relation}) + std::string(49, 's'),
       {{0, free_block, init, ""}}},
      {"generic",
       generic,
       0,
       "",
       {{0, heap_block, 0, words(8000, 4) + "abcd" + words(8100, 2) + "ef"},
        {1, leaf, 0, words(60, 0)}}},
  };
}

TEST(well_formed_records_are_replayed) {
  PageZoo zoo;
  for (const TestRecord& record : well_formed_records()) {
    const Status status = zoo.replay(record);
    if (!status.is_ok())
      test::report_failure(__FILE__, __LINE__, record.name + ": " + status.report().message);
    zoo.reset();
  }
}

void garble(std::mt19937_64& random, std::string& bytes) {
  if (bytes.empty()) return;
  switch (random() % 4) {
    case 0:
      bytes.resize(random() % bytes.size());
      break;
    case 1:
      bytes.append(random() % 40, static_cast<char>(random()));
      break;
    default: {
      for (uint64_t count = 1 + random() % 3; count > 0; count--) {
        const uint64_t value = random() % 4 == 0 ? 0xFF : random() % 4 == 0 ? 0 : random();
        bytes[random() % bytes.size()] = static_cast<char>(value);
      }
    }
  }
}

void garble(std::mt19937_64& random, TestRecord& record) {
  for (uint64_t count = 1 + random() % 2; count > 0; count--) {
    switch (random() % 8) {
      case 0:
      case 1:
      case 2:
        garble(random, record.main);
        break;
      case 3:
      case 4:
      case 5:
        if (!record.blocks.empty())
          garble(random, record.blocks[random() % record.blocks.size()].data);
        break;
      case 6:
        if (record.blocks.empty()) break;
        if (random() % 3 == 0) {
          record.blocks.erase(record.blocks.begin() +
                              static_cast<long>(random() % record.blocks.size()));
        } else {
          // A page of another kind, or none.
          TestBlock& block = record.blocks[random() % record.blocks.size()];
          if (random() % 3 == 0) block.flags ^= REGBUF_WILL_INIT & ~REGBUF_NO_IMAGE;
          block.number = static_cast<uint32_t>(random() % (free_block + 3));
        }
        break;
      default:
        record.info = static_cast<uint8_t>(random() & 0xF0);
    }
  }
}

TEST(garbled_records_are_errors_and_nothing_worse) {
  PageZoo zoo;
  std::mt19937_64 random = test::random_engine();
  const std::vector<TestRecord> records = well_formed_records();
  std::map<std::string, std::pair<int, int>> outcomes;  // refused, replayed
  for (int i = 0; i < 2500; i++) {
    TestRecord record = records[random() % records.size()];
    garble(random, record);
    const Status status = zoo.replay(record);
    auto& [refused, replayed] = outcomes[record.name];
    ++(status.is_ok() ? replayed : refused);
    if (!status.is_ok() && status.code() != Status::data_corrupted &&
        status.code() != Status::index_corrupted)
      test::report_failure(__FILE__, __LINE__, record.name + ": " + status.report().message);
    // Masks see what replay left.
    for (const TestBlock& block : record.blocks) {
      const uint32_t number = block.number;
      if (number > free_block) continue;
      BufferRef buffer;
      ASSERT_OK(zoo.pool().read(relation, ForkNumber::main, BlockNumber{number}, ReadMode::normal,
                                nullptr, &buffer));
      std::vector<std::byte> copy(buffer.page().bytes(), buffer.page().bytes() + block_size);
      const Page page(copy.data(), block_size);
      if (page.is_new() ||
          !verify_page(copy.data(), block_size, BlockNumber{number}, false, "").is_ok())
        continue;
      for (uint8_t id = 0; const ResourceManager* manager = resource_manager(id); id++) {
        if (manager->mask == nullptr) continue;
        std::vector<std::byte> masked = copy;
        manager->mask(Page(masked.data(), block_size), BlockNumber{number});
      }
    }
    zoo.reset();
  }
  for (const auto& [name, outcome] : outcomes) EXPECT(outcome.first > 0);
}

// ---- Masks and the setting ------------------------------------------------------------------

TEST(masks_leave_what_matters) {
  PageZoo zoo;
  const auto masked = [&](uint32_t block, RmgrId manager, const std::function<void(Page)>& change) {
    std::vector<std::byte> copy = zoo.pristine()[block];
    const Page page(copy.data(), block_size);
    change(page);
    resource_manager(static_cast<uint8_t>(manager))->mask(page, BlockNumber{block});
    return copy;
  };
  const auto nothing = [](Page) {};
  const auto tuple = [](Page page) {
    return reinterpret_cast<HeapTupleHeader*>(page.item_at(first_offset_number));
  };
  const std::vector<std::byte> heap_page = masked(heap_block, RmgrId::heap, nothing);
  const auto same_heap_page = [&](const std::function<void(Page)>& change) {
    return masked(heap_block, RmgrId::heap, change) == heap_page;
  };
  EXPECT(same_heap_page([](Page page) { page.set_lsn(12345); }));
  EXPECT(same_heap_page([](Page page) { page.header().pd_checksum = 7; }));
  EXPECT(same_heap_page([](Page page) { page.header().pd_flags = PD_ALL_VISIBLE | PD_PAGE_FULL; }));
  EXPECT(same_heap_page([](Page page) { page.header().pd_prune_xid = TransactionId{5}; }));
  EXPECT(same_heap_page([](Page page) { page.bytes()[page.header().pd_lower] = std::byte{1}; }));
  EXPECT(same_heap_page([&](Page page) { tuple(page)->t_cid = 9; }));
  EXPECT(same_heap_page([&](Page page) { tuple(page)->t_infomask ^= HEAP_XMIN_COMMITTED; }));
  EXPECT(!same_heap_page([&](Page page) { tuple(page)->t_xmax = TransactionId{5}; }));
  EXPECT(!same_heap_page([&](Page page) { tuple(page)->t_infomask2 ^= HEAP_HOT_UPDATED; }));
  EXPECT(!same_heap_page([&](Page page) { tuple(page)->t_infomask |= HEAP_XMIN_FROZEN; }));
  EXPECT(!same_heap_page([](Page page) { page.bytes()[block_size - 1] = std::byte{1}; }));

  const std::vector<std::byte> leaf_page = masked(leaf, RmgrId::btree, nothing);
  const auto same_leaf = [&](const std::function<void(Page)>& change) {
    return masked(leaf, RmgrId::btree, change) == leaf_page;
  };
  const auto opaque = [](Page page) { return reinterpret_cast<BTPageOpaque*>(page.special()); };
  EXPECT(same_leaf([&](Page page) { opaque(page)->btpo_cycleid = 3; }));
  EXPECT(
      same_leaf([&](Page page) { opaque(page)->btpo_flags |= BTP_HAS_GARBAGE | BTP_SPLIT_END; }));
  EXPECT(same_leaf([](Page page) {
    const LinePointer pointer = page.line_pointer(2);
    page.line_pointer(2) =
        LinePointer(pointer.lp_off(), LinePointerFlags::LP_DEAD, pointer.lp_len());
  }));
  EXPECT(!same_leaf([&](Page page) { opaque(page)->btpo_flags |= BTP_HALF_DEAD; }));
  EXPECT(!same_leaf([&](Page page) { opaque(page)->btpo_next = BlockNumber{77}; }));
}

TEST(the_setting_names_resource_managers) {
  uint32_t managers = 1;
  EXPECT_OK(parse_consistency_checking("", &managers));
  EXPECT_EQ(managers, 0u);
  EXPECT_OK(parse_consistency_checking(" heap , BTREE", &managers));
  EXPECT_EQ(managers, (1u << 10) | (1u << 11));
  EXPECT_OK(parse_consistency_checking("all", &managers));
  EXPECT((managers & (1u << 9)) != 0);
  EXPECT_EQ(managers & 1, 0u);  // XLOG has no mask.
  for (const char* wrong : {"heap,", "XLOG", "nothing", "heap btree"}) {
    const Status status = parse_consistency_checking(wrong, &managers);
    EXPECT_EQ(status.code(), ErrorCode::invalid_parameter_value);
  }
}

}  // namespace
}  // namespace pgdata
