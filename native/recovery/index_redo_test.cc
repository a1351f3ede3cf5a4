// Goal: whatever a record of a hash, GIN, GiST, SP-GiST or BRIN index says, replaying it either changes pages within
// their bounds or is an error. Method: records with a right CRC and random contents (counts and offsets that often
// fit, pieces of real tuples and lists) are replayed under the sanitizers on pages of every kind of the five access
// methods; the same for the masks. That replay is right is for the oracle to say (test/oracle/recovery-index.test.ts).
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "base/test.h"
#include "layout/brin_page.h"
#include "layout/gin_page.h"
#include "layout/gin_records.h"
#include "layout/gist_page.h"
#include "layout/hash_page.h"
#include "layout/index_tuple.h"
#include "layout/spgist_page.h"
#include "layout/spgist_records.h"
#include "recovery/gin_posting_list.h"
#include "recovery/redo_driver.h"
#include "recovery/redo_functions.h"
#include "wal/wal_reader.h"
#include "xact/test_cluster.h"

namespace pgdata {
namespace {

using test::TestCluster;
using test::TestClusterOptions;

constexpr uint32_t block_size = default_block_size;
constexpr RelFileLocator relation{1663, 5, 40000};

template <typename T>
std::string bytes_of(const T& value) {
  return std::string(reinterpret_cast<const char*>(&value), sizeof(T));
}

std::string index_tuple(uint32_t size) {
  const IndexTupleHeader header{ItemPointer(BlockNumber{3}, 1), static_cast<uint16_t>(size)};
  std::string tuple = bytes_of(header);
  tuple.resize(size, 'v');
  return tuple;
}

std::string posting_list(uint32_t first, int count) {
  std::vector<ItemPointer> items;
  for (int i = 0; i < count; i++)
    items.push_back(ItemPointer(BlockNumber{first + static_cast<uint32_t>(i) * 3},
                                static_cast<OffsetNumber>(1 + i % 9)));
  const std::vector<std::byte> list = encode_posting_list(items, block_size);
  return std::string(reinterpret_cast<const char*>(list.data()), list.size());
}

std::string spgist_leaf(uint32_t state) {
  SpGistLeafTupleData header{};
  header.bits = state | (24u << 2);
  std::string tuple = bytes_of(header);
  tuple.resize(24, 'l');
  return tuple;
}

std::string spgist_inner() {
  SpGistInnerTupleData header{};
  header.bits = (2u << 3) | (8u << 16);
  header.tuple_size = 48;
  return bytes_of(header) + std::string(8, 'p') + index_tuple(16) + index_tuple(16);
}

void add(const Page& page, const std::string& item) {
  INVARIANT(page.add_item(
                reinterpret_cast<const std::byte*>(item.data()), static_cast<uint32_t>(item.size()),
                static_cast<OffsetNumber>(page.max_offset() + 1), false) != invalid_offset_number);
}

// Pages of every kind.
std::vector<std::vector<std::byte>> make_pages() {
  std::vector<std::vector<std::byte>> pages;
  const auto make = [&](uint32_t special_size, auto fill) {
    pages.emplace_back(block_size);
    const Page page(pages.back().data(), block_size);
    page.initialize(special_size);
    fill(page);
  };
  const auto hash = [&](uint16_t flag, auto fill) {
    make(sizeof(HashPageOpaqueData), [&](const Page& page) {
      reinterpret_cast<HashPageOpaqueData*>(page.special())->hasho_flag = flag;
      fill(page);
    });
  };
  hash(LH_META_PAGE,
       [](const Page& page) { page.header().pd_lower = 24 + sizeof(HashMetaPageData); });
  hash(LH_BITMAP_PAGE, [](const Page& page) { page.header().pd_lower = 24 + 4096; });
  hash(LH_BUCKET_PAGE | LH_PAGE_HAS_DEAD_TUPLES, [](const Page& page) {
    for (int i = 0; i < 12; i++) add(page, index_tuple(16));
  });
  hash(LH_OVERFLOW_PAGE, [](const Page& page) {
    for (int i = 0; i < 380; i++) add(page, index_tuple(16));
  });
  const auto gin = [&](uint16_t flags, auto fill) {
    make(sizeof(GinPageOpaqueData), [&](const Page& page) {
      reinterpret_cast<GinPageOpaqueData*>(page.special())->flags = flags;
      fill(page);
    });
  };
  gin(GIN_LEAF, [](const Page& page) {
    for (int i = 0; i < 9; i++) add(page, index_tuple(24));
  });
  gin(0, [](const Page& page) {
    for (int i = 0; i < 9; i++) add(page, index_tuple(24));
  });
  gin(GIN_LIST, [](const Page& page) { add(page, index_tuple(32)); });
  gin(GIN_DATA | GIN_LEAF | GIN_COMPRESSED, [](const Page& page) {
    const std::string lists = posting_list(1, 30) + posting_list(1000, 60);
    std::memcpy(page.bytes() + gin_data_offset, lists.data(), lists.size());
    page.header().pd_lower = static_cast<uint16_t>(gin_data_offset + lists.size());
  });
  gin(GIN_DATA | GIN_LEAF, [](const Page& page) {  // As before 9.4.
    for (uint16_t i = 0; i < 8; i++)
      store(page.bytes() + gin_data_offset + i * sizeof(ItemPointer),
            ItemPointer(BlockNumber{i}, 1));
    reinterpret_cast<GinPageOpaqueData*>(page.special())->maxoff = 8;
  });
  gin(GIN_DATA, [](const Page& page) {
    reinterpret_cast<GinPageOpaqueData*>(page.special())->maxoff = 6;
    page.header().pd_lower = static_cast<uint16_t>(gin_data_offset + 6 * sizeof(PostingItem));
  });
  const auto gist = [&](uint16_t flags, int items) {
    make(sizeof(GISTPageOpaqueData), [&](const Page& page) {
      reinterpret_cast<GISTPageOpaqueData*>(page.special())->flags = flags;
      for (int i = 0; i < items; i++) add(page, index_tuple(40));
    });
  };
  gist(F_LEAF, 10);
  gist(F_LEAF, 0);
  gist(0, 180);
  const auto spgist = [&](uint16_t flags, auto fill) {
    make(sizeof(SpGistPageOpaqueData), [&](const Page& page) {
      auto* opaque = reinterpret_cast<SpGistPageOpaqueData*>(page.special());
      opaque->flags = flags;
      opaque->nPlaceholder = 3;
      opaque->nRedirection = 3;
      fill(page);
    });
  };
  spgist(SPGIST_LEAF, [](const Page& page) {
    for (uint32_t i = 0; i < 16; i++) add(page, spgist_leaf(i % 4));
  });
  spgist(0, [](const Page& page) {
    for (uint32_t i = 0; i < 6; i++) add(page, i % 2 == 0 ? spgist_inner() : spgist_leaf(3));
  });
  const auto brin = [&](uint16_t type, auto fill) {
    make(sizeof(BrinSpecialSpace), [&](const Page& page) {
      reinterpret_cast<BrinSpecialSpace*>(page.special())->type = type;
      fill(page);
    });
  };
  brin(BRIN_PAGETYPE_META, [](const Page&) {});
  brin(BRIN_PAGETYPE_REVMAP, [](const Page&) {});
  brin(BRIN_PAGETYPE_REGULAR, [](const Page& page) {
    for (int i = 0; i < 10; i++) add(page, std::string(24, 'b'));
    page.line_pointer(4) = LinePointer();
  });
  return pages;
}

class PageZoo {
 public:
  PageZoo() : cluster_(options()), driver_(cluster_.services(), cluster_.transactions(), control_) {
    TestCluster::must(cluster_.storage().create(relation, ForkNumber::main));
    BufferRef first;
    BlockNumber block;
    TestCluster::must(cluster_.pool().extend(
        relation, ForkNumber::main, static_cast<uint32_t>(pages_.size()), nullptr, &first, &block));
    first.release();
    for (uint32_t number = 0; number < pages_.size(); number++) reset(number);
  }

  uint32_t count() const { return static_cast<uint32_t>(pages_.size()); }
  BufferPool& pool() { return cluster_.pool(); }

  void reset(uint32_t number) {
    BufferRef buffer;
    TestCluster::must(cluster_.pool().read(relation, ForkNumber::main, BlockNumber{number},
                                           ReadMode::zero_and_lock, nullptr, &buffer));
    std::memcpy(buffer.page().bytes(), pages_[number].data(), block_size);
    cluster_.pool().mark_dirty(buffer);
  }

  struct Block {
    uint32_t number;
    bool init;
    std::string data;
  };

  Status replay(RmgrId manager, uint8_t info, const std::string& main,
                const std::map<uint8_t, Block>& blocks) {
    WalRecord record;
    record.begin(manager, info, TransactionId{700});
    for (const auto& [id, block] : blocks) {
      const Page page(pages_[0].data(), block_size);
      record.block(id, relation, ForkNumber::main, BlockNumber{block.number}, page,
                   block.init ? REGBUF_WILL_INIT : REGBUF_NO_IMAGE);
      record.block_data(id, block.data.data(), block.data.size());
    }
    record.data(main.data(), main.size());
    Lsn start;
    Lsn end;
    TestCluster::must(cluster_.wal().insert(record, &end, &start));
    TestCluster::must(cluster_.wal().flush(end));
    WalReaderOptions options;
    options.directory = cluster_.directory() + "/pg_wal";
    options.segment_bytes = 1u << 20;
    WalReader reader(posix_file_system(), options);
    reader.begin_at(start);
    bool found = false;
    TestCluster::must(reader.next(&found));
    if (!found) return Status::error(ErrorCode::internal_error, "%s", reader.end_reason().c_str());
    return driver_.apply(reader);
  }

 private:
  static TestClusterOptions options() {
    TestClusterOptions made;
    made.buffers = 64;
    return made;
  }

  TestCluster cluster_;
  ControlFile control_;
  RedoDriver driver_;
  std::vector<std::vector<std::byte>> pages_ = make_pages();
};

// Bytes that a record may well have: small words, pieces of tuples.
std::string random_bytes(std::mt19937_64& random) {
  std::string bytes;
  for (uint64_t pieces = random() % 5; pieces > 0; pieces--) {
    switch (random() % 8) {
      case 0:
        bytes += index_tuple(static_cast<uint32_t>(8 + random() % 5 * 8));
        break;
      case 1:
        bytes += posting_list(static_cast<uint32_t>(random() % 3000),
                              static_cast<int>(1 + random() % 9));
        break;
      case 2:
        bytes += spgist_leaf(static_cast<uint32_t>(random() % 4));
        break;
      case 3:
        bytes += spgist_inner();
        break;
      case 4:
        bytes += bytes_of(random());
        break;
      default:
        for (uint64_t words = random() % 12; words > 0; words--) {
          const uint64_t value = random() % 10 == 0 ? random() : random() % 14;
          bytes += bytes_of(static_cast<uint16_t>(value));
        }
    }
  }
  if (!bytes.empty() && random() % 6 == 0) bytes.resize(random() % bytes.size());
  return bytes;
}

// Actions on the posting lists of a GIN data leaf page.
std::string random_gin_actions(std::mt19937_64& random) {
  const uint64_t count = random() % 3;
  std::string bytes = bytes_of(static_cast<uint16_t>(count));
  for (uint64_t i = 0; i < count; i++) {
    const auto action = static_cast<uint8_t>(1 + random() % 4);
    bytes += bytes_of(static_cast<uint8_t>(random() % 3)) + bytes_of(action);
    if (action == 4) {  // Items to be added.
      bytes += bytes_of(uint16_t{2}) + bytes_of(ItemPointer(BlockNumber{5000}, 1)) +
               bytes_of(ItemPointer(BlockNumber{5001}, 3));
    } else if (action != 1) {
      bytes += posting_list(static_cast<uint32_t>(random() % 3000),
                            1 + static_cast<int>(random() % 900));
    }
  }
  if (random() % 4 == 0) bytes.resize(random() % bytes.size());
  return bytes;
}

// A record of SP-GiST that often fits its pages, 0 a leaf and 1 or 2 an inner one.
std::string random_spgist_record(std::mt19937_64& random, uint8_t* info) {
  const auto small = [&](uint64_t limit) { return static_cast<uint16_t>(random() % limit); };
  switch (random() % 3) {
    case 0: {
      *info = XLOG_SPGIST_ADD_LEAF;
      const spgxlogAddLeaf record{0, 0, small(19), small(18), small(4), small(3)};
      return bytes_of(record) + spgist_leaf(0);
    }
    case 1: {
      *info = XLOG_SPGIST_PICKSPLIT;
      spgxlogPickSplit record{};
      record.nDelete = small(3);
      record.nInsert = small(3);
      record.offnumInner = small(9);
      record.offnumParent = small(7);
      record.nodeI = small(3);
      record.stateSrc.isBuild = static_cast<uint8_t>(small(2));
      std::string bytes = bytes_of(record);
      for (int i = 0; i < record.nDelete; i++)
        bytes += bytes_of(static_cast<uint16_t>(3 + i * (1 + small(2))));
      for (int i = 0; i < record.nInsert; i++) bytes += bytes_of(static_cast<uint16_t>(17 + i));
      bytes.append(record.nInsert, '\0');
      bytes += spgist_inner();
      for (int i = 0; i < record.nInsert; i++) bytes += spgist_leaf(0);
      return bytes;
    }
    default: {
      *info = XLOG_SPGIST_VACUUM_LEAF;
      const spgxlogVacuumLeaf record{small(3), small(3), small(2), small(2), {}};
      std::string bytes = bytes_of(record);
      for (uint16_t i = 0; i < 10; i++) bytes += bytes_of(static_cast<uint16_t>(1 + i + small(2)));
      return bytes;
    }
  }
}

constexpr RmgrId managers[] = {RmgrId::hash, RmgrId::gin, RmgrId::gist, RmgrId::spgist,
                               RmgrId::brin};

// Numbers of different pages, those of the access method first, but for a few.
std::vector<uint32_t> random_pages(std::mt19937_64& random, RmgrId manager, uint32_t count) {
  // As make_pages makes them.
  const std::map<RmgrId, std::pair<uint32_t, uint32_t>> own = {{RmgrId::hash, {0, 4}},
                                                               {RmgrId::gin, {4, 10}},
                                                               {RmgrId::gist, {10, 13}},
                                                               {RmgrId::spgist, {13, 15}},
                                                               {RmgrId::brin, {15, 18}}};
  std::vector<uint32_t> first;
  std::vector<uint32_t> rest;
  for (uint32_t number = 0; number <= count; number++) {
    const auto& [from, to] = own.at(manager);
    const bool is_own = number >= from && number < to && random() % 8 != 0;
    (is_own ? first : rest).push_back(number);
  }
  std::shuffle(first.begin(), first.end(), random);
  std::shuffle(rest.begin(), rest.end(), random);
  first.insert(first.end(), rest.begin(), rest.end());
  return first;
}

TEST(garbled_index_records_are_errors_and_nothing_worse) {
  PageZoo zoo;
  std::mt19937_64 random = test::random_engine();
  std::map<int, std::pair<int, int>> outcomes;  // refused, replayed
  for (int i = 0; i < 12000; i++) {
    const RmgrId manager = managers[random() % std::size(managers)];
    std::map<uint8_t, PageZoo::Block> blocks;
    const std::vector<uint32_t> numbers = random_pages(random, manager, zoo.count());
    const uint64_t block_count = random() % 8;
    for (uint8_t id = 0; id < block_count; id++) {
      if (random() % 8 == 0) continue;
      blocks[id] = {numbers[id], random() % 4 == 0, random_bytes(random)};
    }
    std::string main = random_bytes(random) + random_bytes(random) + random_bytes(random);
    auto info = static_cast<uint8_t>(random() & 0xF0);
    if (manager == RmgrId::gin && random() % 2 == 0) {
      info = random() % 2 == 0 ? XLOG_GIN_INSERT : XLOG_GIN_VACUUM_DATA_LEAF_PAGE;
      main = bytes_of(static_cast<uint16_t>(GIN_INSERT_ISDATA | GIN_INSERT_ISLEAF));
      blocks[0] = {numbers[0], false, random_gin_actions(random)};
    }
    if (manager == RmgrId::spgist && random() % 2 == 0) {
      main = random_spgist_record(random, &info);
      blocks = {{0, {13, false, ""}}};
      if (info != XLOG_SPGIST_VACUUM_LEAF)
        blocks[info == XLOG_SPGIST_PICKSPLIT ? 2 : 1] = {14, false, ""};
      if (random() % 4 == 0) main.resize(random() % main.size());
    }
    if (main.empty() && blocks.empty()) continue;
    const Status status = zoo.replay(manager, info, main, blocks);
    auto& [refused, replayed] = outcomes[static_cast<int>(manager)];
    ++(status.is_ok() ? replayed : refused);
    if (!status.is_ok() && status.code() != Status::data_corrupted)
      test::report_failure(__FILE__, __LINE__, status.report().message);
    for (const auto& [id, block] : blocks) {
      if (block.number >= zoo.count()) continue;
      BufferRef buffer;
      ASSERT_OK(zoo.pool().read(relation, ForkNumber::main, BlockNumber{block.number},
                                ReadMode::normal, nullptr, &buffer));
      const std::vector<std::byte> copy(buffer.page().bytes(), buffer.page().bytes() + block_size);
      buffer.release();
      // What replay left is still a page, and masks do not leave it.
      const Page page(const_cast<std::byte*>(copy.data()), block_size);
      if (!page.is_new()) {
        EXPECT_OK(verify_page(copy.data(), block_size, BlockNumber{block.number}, false, "page"));
        for (const auto mask : {hash_mask, gin_mask, gist_mask, spgist_mask, brin_mask}) {
          std::vector<std::byte> masked = copy;
          mask(Page(masked.data(), block_size), BlockNumber{block.number});
        }
      }
      zoo.reset(block.number);
    }
  }
  for (const auto& [manager, outcome] : outcomes) {
    EXPECT(outcome.first > 100);
    EXPECT(outcome.second > 30);
    std::printf("       resource manager %d: %d refused, %d replayed\n", manager, outcome.first,
                outcome.second);
  }
}

TEST(posting_lists_survive_encoding) {
  std::mt19937_64 random = test::random_engine();
  for (int round = 0; round < 300; round++) {
    std::vector<ItemPointer> items;
    uint64_t number = random() % 5000;
    for (uint64_t count = 1 + random() % 400; count > 0; count--) {
      items.push_back(ItemPointer(BlockNumber{static_cast<uint32_t>(number >> 11)},
                                  static_cast<OffsetNumber>(number & 2047)));
      number += 1 + (random() % 8 == 0 ? random() % 10000000 : random() % 300);
    }
    const std::vector<std::byte> list = encode_posting_list(items, block_size);
    ASSERT(!list.empty());
    EXPECT_EQ(list.size() % 2, size_t{0});
    std::vector<ItemPointer> decoded;
    EXPECT(decode_posting_list(list.data(), list.size(), &decoded));
    EXPECT(decoded == items);
    if (items.size() > 1) {
      std::vector<ItemPointer> unsorted(items.rbegin(), items.rend());
      EXPECT(encode_posting_list(unsorted, block_size).empty());
      EXPECT(encode_posting_list(items, list.size() - 2).empty());
    }
    // Cut anywhere, or garbled: no reading beyond.
    std::vector<std::byte> garbled(list.begin(),
                                   list.begin() + static_cast<long>(random() % list.size()));
    garbled.shrink_to_fit();
    (void)decode_posting_list(garbled.data(), garbled.size(), &decoded);
  }
}

}  // namespace
}  // namespace pgdata
