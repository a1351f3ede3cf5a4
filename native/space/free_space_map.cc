// FreeSpaceMap: walking and changing the tree of map pages.
#include "space/free_space_map.h"

#include <algorithm>

#include "base/invariant.h"
#include "layout/wal_xlog_records.h"
#include "space/fsm_page.h"

namespace pgdata {

namespace {

constexpr uint32_t categories = 256;
// How often a search may find the upper pages wrong and start again.
constexpr int restarts_max = 10000;

}  // namespace

uint32_t FreeSpaceMap::slots_per_page() const {
  return FsmPage::leaf_count(pool_.options().block_size);
}

// Three levels reach every block number if a page has 1626 slots; smaller pages need four.
uint32_t FreeSpaceMap::root_level() const { return slots_per_page() >= 1626 ? 2 : 3; }

uint32_t FreeSpaceMap::heap_tuple_bytes_max() const {
  return static_cast<uint32_t>(pool_.options().block_size -
                               max_align(sizeof(PageHeader) + sizeof(LinePointer)));
}

// Pages are stored depth first: each upper page before the pages below it.
BlockNumber FreeSpaceMap::physical(Address address) const {
  uint64_t leaf = address.number;
  for (uint32_t level = 0; level < address.level; ++level) leaf *= slots_per_page();
  uint64_t pages = 0;
  for (uint32_t level = 0; level <= root_level(); ++level) {
    pages += leaf + 1;
    leaf /= slots_per_page();
  }
  return BlockNumber{static_cast<uint32_t>(pages - address.level - 1)};
}

// Rounded down; the highest category is for pages that take any tuple.
uint8_t FreeSpaceMap::category_of_space(uint32_t bytes) const {
  INVARIANT(bytes < pool_.options().block_size);
  if (bytes >= heap_tuple_bytes_max()) return categories - 1;
  const uint32_t category = bytes / (pool_.options().block_size / categories);
  return static_cast<uint8_t>(std::min(category, categories - 2));
}

// Rounded up.
uint8_t FreeSpaceMap::category_needed(uint32_t bytes) const {
  INVARIANT(bytes <= heap_tuple_bytes_max());
  if (bytes == 0) return 1;
  const uint32_t step = pool_.options().block_size / categories;
  return static_cast<uint8_t>(std::min((bytes + step - 1) / step, categories - 1));
}

Status FreeSpaceMap::lock_page(Address address, LockMode mode, bool extend, BufferRef* buffer) {
  const BlockNumber block = physical(address);
  // A page in the pool exists; only otherwise is the file asked.
  pool_.find(relation_, ForkNumber::fsm, block, buffer);
  if (!buffer->is_valid()) {
    bool exists = false;
    uint32_t blocks = 0;
    RETURN_IF_ERROR(pool_.storage().exists(relation_, ForkNumber::fsm, &exists));
    if (exists) RETURN_IF_ERROR(pool_.storage().block_count(relation_, ForkNumber::fsm, &blocks));
    if (value_of(block) >= blocks) {
      if (!extend) return Status::ok;
      RETURN_IF_ERROR(pool_.extend_to(relation_, ForkNumber::fsm, value_of(block) + 1));
    }
    // A hint may be lost: a damaged page counts as empty.
    RETURN_IF_ERROR(
        pool_.read(relation_, ForkNumber::fsm, block, ReadMode::zero_on_error, nullptr, buffer));
  }
  buffer->lock(mode);
  if (!buffer->page().is_new()) return Status::ok;
  if (mode == LockMode::shared) {
    buffer->unlock();
    buffer->lock(LockMode::exclusive);
  }
  if (buffer->page().is_new()) buffer->page().initialize(0);
  if (mode == LockMode::shared) {
    buffer->unlock();
    buffer->lock(LockMode::shared);
  }
  return Status::ok;
}

int FreeSpaceMap::search_page(BufferRef& buffer, uint8_t minimum, bool advance) {
  const FsmPage page(buffer.page());
  bool broken = false;
  int slot = page.search(minimum, advance, &broken);
  if (!broken) return slot;
  if (!buffer.is_locked_exclusive()) {
    buffer.unlock();
    buffer.lock(LockMode::exclusive);
  }
  page.rebuild();
  pool_.mark_dirty_hint(buffer, false);
  slot = page.search(minimum, advance, &broken);
  INVARIANT(!broken);
  return slot;
}

Status FreeSpaceMap::set_and_search(Address address, uint32_t slot, uint8_t value, uint8_t minimum,
                                    int* found) {
  BufferRef buffer;
  RETURN_IF_ERROR(lock_page(address, LockMode::exclusive, true, &buffer));
  if (FsmPage(buffer.page()).set_leaf(slot, value)) pool_.mark_dirty_hint(buffer, false);
  *found = minimum == 0 ? FsmPage::none : search_page(buffer, minimum, address.level == 0);
  return Status::ok;
}

// A block past the end may be named after a crash that lost the heap's extension but not the map's page.
Status FreeSpaceMap::block_exists(BlockNumber block, bool* exists) {
  uint32_t blocks = 0;
  RETURN_IF_ERROR(pool_.storage().block_count(relation_, ForkNumber::main, &blocks));
  *exists = value_of(block) < blocks;
  return Status::ok;
}

Status FreeSpaceMap::search(uint8_t minimum, BlockNumber* block) {
  *block = invalid_block_number;
  const Address root{root_level(), 0};
  Address address = root;
  int restarts = 0;
  while (restarts <= restarts_max) {
    int slot = FsmPage::none;
    uint8_t maximum = 0;
    BufferRef buffer;
    RETURN_IF_ERROR(lock_page(address, LockMode::shared, false, &buffer));
    if (buffer.is_valid()) {
      slot = search_page(buffer, minimum, address.level == 0);
      if (slot == FsmPage::none) maximum = FsmPage(buffer.page()).maximum();
      buffer.unlock();
    }
    if (slot == FsmPage::none) {
      if (address.level == root_level()) return Status::ok;
      // The page above promised too much: tell it, and start again.
      buffer.release();
      const Address parent{address.level + 1, address.number / slots_per_page()};
      int ignored = 0;
      RETURN_IF_ERROR(
          set_and_search(parent, address.number % slots_per_page(), maximum, 0, &ignored));
      ++restarts;
      address = root;
      continue;
    }
    const uint64_t below =
        uint64_t{address.number} * slots_per_page() + static_cast<uint32_t>(slot);
    if (address.level > 0) {
      address = {address.level - 1, static_cast<uint32_t>(below)};
      continue;
    }
    bool exists = false;
    // The last leaf page has slots past the highest block number there can be.
    if (below <= block_number_max) {
      RETURN_IF_ERROR(block_exists(BlockNumber{static_cast<uint32_t>(below)}, &exists));
    }
    if (exists) {
      *block = BlockNumber{static_cast<uint32_t>(below)};
      return Status::ok;
    }
    buffer.lock(LockMode::exclusive);
    FsmPage(buffer.page()).set_leaf(static_cast<uint32_t>(slot), 0);
    pool_.mark_dirty_hint(buffer, false);
    ++restarts;
    address = root;
  }
  return Status::ok;
}

Status FreeSpaceMap::find(uint32_t bytes, BlockNumber* block) {
  return search(category_needed(bytes), block);
}

Status FreeSpaceMap::record(BlockNumber block, uint32_t bytes) {
  int ignored = 0;
  const Address address{0, value_of(block) / slots_per_page()};
  return set_and_search(address, value_of(block) % slots_per_page(), category_of_space(bytes), 0,
                        &ignored);
}

Status FreeSpaceMap::record_and_find(BlockNumber old_block, uint32_t old_bytes, uint32_t bytes,
                                     BlockNumber* block) {
  const uint8_t minimum = category_needed(bytes);
  const Address address{0, value_of(old_block) / slots_per_page()};
  int slot = FsmPage::none;
  RETURN_IF_ERROR(set_and_search(address, value_of(old_block) % slots_per_page(),
                                 category_of_space(old_bytes), minimum, &slot));
  if (slot != FsmPage::none) {
    const uint64_t near = uint64_t{address.number} * slots_per_page() + static_cast<uint32_t>(slot);
    bool exists = false;
    if (near <= block_number_max) {
      *block = BlockNumber{static_cast<uint32_t>(near)};
      RETURN_IF_ERROR(block_exists(*block, &exists));
    }
    if (exists) return Status::ok;
  }
  return search(minimum, block);
}

Status FreeSpaceMap::recorded(BlockNumber block, uint32_t* bytes) {
  *bytes = 0;
  BufferRef buffer;
  RETURN_IF_ERROR(
      lock_page({0, value_of(block) / slots_per_page()}, LockMode::shared, false, &buffer));
  if (!buffer.is_valid()) return Status::ok;
  const uint8_t category = FsmPage(buffer.page()).leaf(value_of(block) % slots_per_page());
  *bytes = category == categories - 1 ? heap_tuple_bytes_max()
                                      : category * (pool_.options().block_size / categories);
  return Status::ok;
}

Status FreeSpaceMap::vacuum() { return vacuum_range(BlockNumber{0}, invalid_block_number); }

Status FreeSpaceMap::vacuum_range(BlockNumber start, BlockNumber end) {
  if (value_of(end) <= value_of(start)) return Status::ok;
  uint8_t maximum = 0;
  bool end_of_map = false;
  return vacuum_page({root_level(), 0}, value_of(start), value_of(end) - 1, &maximum, &end_of_map);
}

// Corrects what a page says of the pages below it that cover heap blocks `first` to `last`.
Status FreeSpaceMap::vacuum_page(Address address, uint32_t first, uint32_t last, uint8_t* maximum,
                                 bool* end_of_map) {
  *maximum = 0;
  BufferRef buffer;
  RETURN_IF_ERROR(lock_page(address, LockMode::shared, false, &buffer));
  *end_of_map = !buffer.is_valid();
  if (*end_of_map) return Status::ok;
  buffer.unlock();
  const FsmPage page(buffer.page());
  if (address.level > 0) {
    uint64_t heap_blocks_per_slot = 1;
    for (uint32_t level = 0; level < address.level; ++level)
      heap_blocks_per_slot *= slots_per_page();
    // Slots of all pages of this level in one sequence, cut to this page.
    const uint64_t first_here = uint64_t{address.number} * slots_per_page();
    const uint64_t first_slot = std::max(first / heap_blocks_per_slot, first_here);
    const uint64_t last_slot =
        std::min(last / heap_blocks_per_slot, first_here + slots_per_page() - 1);
    bool past_end = false;
    for (uint64_t slot = first_slot; slot <= last_slot; ++slot) {
      uint8_t below = 0;
      if (!past_end) {
        RETURN_IF_ERROR(vacuum_page({address.level - 1, static_cast<uint32_t>(slot)}, first, last,
                                    &below, &past_end));
      }
      const auto here = static_cast<uint32_t>(slot - first_here);
      buffer.lock(LockMode::exclusive);
      if (page.leaf(here) != below) {
        page.set_leaf(here, below);
        pool_.mark_dirty_hint(buffer, false);
      }
      buffer.unlock();
    }
  }
  buffer.lock(LockMode::shared);
  *maximum = page.maximum();
  // Later searches start with low blocks again, so that the end of the relation can become empty.
  page.set_next_slot(0);
  return Status::ok;
}

Status FreeSpaceMap::prepare_truncate(StorageServices& services, BlockNumber heap_blocks,
                                      bool logged, BlockNumber* fsm_blocks) {
  *fsm_blocks = invalid_block_number;
  bool exists = false;
  RETURN_IF_ERROR(pool_.storage().exists(relation_, ForkNumber::fsm, &exists));
  if (!exists) return Status::ok;
  const Address first_removed{0, value_of(heap_blocks) / slots_per_page()};
  const uint32_t slot = value_of(heap_blocks) % slots_per_page();
  if (slot == 0) {
    uint32_t blocks = 0;
    RETURN_IF_ERROR(pool_.storage().block_count(relation_, ForkNumber::fsm, &blocks));
    if (blocks > value_of(physical(first_removed))) *fsm_blocks = physical(first_removed);
    return Status::ok;
  }
  BufferRef buffer;
  RETURN_IF_ERROR(lock_page(first_removed, LockMode::exclusive, false, &buffer));
  if (!buffer.is_valid()) return Status::ok;
  // Logged as a hint would be, whole.
  Change change(services, invalid_transaction_id, RmgrId::xlog, XLOG_FPI,
                logged && pool_.options().log_hints);
  change.block(0, buffer, REGBUF_FORCE_IMAGE);
  change.begin();
  FsmPage(buffer.page()).clear_leaves_from(slot);
  RETURN_IF_ERROR(change.finish());
  *fsm_blocks = next(physical(first_removed));
  return Status::ok;
}

}  // namespace pgdata
