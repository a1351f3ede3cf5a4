// BtreeUpperPages: a table of copies, one place for each hash.
#include "btree/btree_upper_pages.h"

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>

namespace pgdata {

namespace {

// 2 MiB a thread at most; the upper pages of an index of 30 million int8 keys.
constexpr size_t places = 256;

struct Copy {
  uint64_t pool = 0;  // BufferPool::serial
  RelFileLocator relation{};
  BlockNumber block{0};
  PageVersion version;
  bool is_used = false;  // since somebody else wanted the place
  uint32_t size = 0;
  std::unique_ptr<std::byte[]> bytes;

  bool is_of(const BufferPool& from, const BtreeIndex& index, BlockNumber wanted) const {
    return block == wanted && relation == index.relation() && pool == from.serial();
  }
};

using Table = std::array<Copy, places>;

Table& table() {
  thread_local const std::unique_ptr<Table> copies = std::make_unique<Table>();
  return *copies;
}

Copy& place_of(const BtreeIndex& index, BlockNumber block) {
  const uint64_t mixed =
      (uint64_t{index.relation().relNumber} << 32 | value_of(block)) * 0x9E3779B97F4A7C15u;
  return table()[mixed >> 56];
}
static_assert(places == 1u << 8);

}  // namespace

bool find_upper_page(BufferPool& pool, const BtreeIndex& index, BlockNumber block,
                     BtreePageView* view) {
  Copy& copy = place_of(index, block);
  if (!copy.is_of(pool, index, block)) return false;
  if (!pool.is_unchanged(index.relation(), block, copy.version)) return false;
  copy.is_used = true;
  pool.count_hit(index.relation());
  *view = BtreePageView(Page(copy.bytes.get(), copy.size));
  return true;
}

void keep_upper_page(BufferPool& pool, const BtreeIndex& index, const BufferRef& page) {
  Copy& copy = place_of(index, page.block());
  if (copy.is_used && !copy.is_of(pool, index, page.block())) {
    copy.is_used = false;
    return;
  }
  const uint32_t size = page.page().size();
  if (copy.size != size) {
    copy.bytes.reset(new std::byte[size]);
    copy.size = size;
  }
  std::memcpy(copy.bytes.get(), page.page().bytes(), size);
  copy.pool = pool.serial();
  copy.relation = index.relation();
  copy.block = page.block();
  copy.version = page.version();
}

}  // namespace pgdata
