// Page choice: target block, then free space map, then a new page.
#include "heap/page_choice.h"

#include <algorithm>

#include "base/invariant.h"
#include "space/free_space_map.h"
#include "space/visibility_map.h"

namespace pgdata {

namespace {

// How many pages one extension may add.
constexpr uint32_t extend_pages_max = 64;
// The free space map is corrected with each page that proves full, so a search ends; if the map is
// so wrong that it does not, extend.
constexpr int search_pages_max = 1000;

bool is_all_visible(const Page& page) { return (page.header().pd_flags & PD_ALL_VISIBLE) != 0; }

}  // namespace

uint32_t PageChoice::reserved_bytes() const {
  return backend_.pool_of(relation_.temporary).options().block_size * (100 - relation_.fillfactor) /
         100;
}

Status PageChoice::find(uint32_t length, uint32_t pages, BufferRef* buffer, BufferRef* map) {
  return find_page(length, pages, nullptr, nullptr, buffer, map);
}

Status PageChoice::find_beside(uint32_t length, BufferRef& other, BufferRef* other_map,
                               BufferRef* buffer, BufferRef* map) {
  INVARIANT(bulk_ == nullptr);
  return find_page(length, 1, &other, other_map, buffer, map);
}

void PageChoice::keep(BufferRef buffer) {
  buffer.unlock();
  if (bulk_ != nullptr) bulk_->current_ = std::move(buffer);
}

Status PageChoice::read(BlockNumber block, BufferRef* buffer) {
  if (bulk_ != nullptr && bulk_->current_) *buffer = std::move(bulk_->current_);
  return backend_.pool_of(relation_.temporary)
      .read(relation_.locator, ForkNumber::main, block, ReadMode::normal,
            bulk_ != nullptr ? &bulk_->strategy_ : nullptr, buffer);
}

Status PageChoice::pin_map_if_needed(const BufferRef& buffer, BufferRef* map) {
  const bool will_freeze = (options_ & HEAP_INSERT_FROZEN) != 0 && buffer.page().max_offset() == 0;
  if (!will_freeze && !is_all_visible(buffer.page())) return Status::ok;
  return VisibilityMap(backend_.pool_of(relation_.temporary), relation_.locator)
      .pin(buffer.block(), map);
}

// A page may have become all-visible before it was locked: then the locks are given up, the map
// pinned, and the locks taken again, in ascending order (`first` is the lower block).
Status PageChoice::pin_maps(BufferRef& first, BufferRef* first_map, BufferRef* second,
                            BufferRef* second_map, bool* unlocked) {
  *unlocked = false;
  VisibilityMap visibility(backend_.pool_of(relation_.temporary), relation_.locator);
  for (;;) {
    const bool pin_first =
        is_all_visible(first.page()) && !visibility.is_pinned(first.block(), *first_map);
    const bool pin_second = second != nullptr && is_all_visible(second->page()) &&
                            !visibility.is_pinned(second->block(), *second_map);
    if (!pin_first && !pin_second) return Status::ok;
    *unlocked = true;
    first.unlock();
    if (second != nullptr) second->unlock();
    if (pin_first) RETURN_IF_ERROR(visibility.pin(first.block(), first_map));
    if (pin_second) RETURN_IF_ERROR(visibility.pin(second->block(), second_map));
    first.lock(LockMode::exclusive);
    if (second != nullptr) second->lock(LockMode::exclusive);
  }
}

// The page that last took a tuple may have been cut off by a vacuum.
Status PageChoice::forget_if_cut_off(BlockNumber* target) {
  if (*target == invalid_block_number) return Status::ok;
  BufferPool& pool = backend_.pool_of(relation_.temporary);
  BufferRef buffer;
  pool.find(relation_.locator, ForkNumber::main, *target, &buffer);
  if (buffer.is_valid()) return Status::ok;
  uint32_t blocks = 0;
  RETURN_IF_ERROR(pool.storage().block_count(relation_.locator, ForkNumber::main, &blocks));
  if (value_of(*target) >= blocks) *target = invalid_block_number;
  return Status::ok;
}

Status PageChoice::find_page(uint32_t length, uint32_t pages, BufferRef* other,
                             BufferRef* other_map, BufferRef* buffer, BufferRef* map) {
  BufferPool& pool = backend_.pool_of(relation_.temporary);
  const uint32_t block_size = pool.options().block_size;
  const bool use_fsm = (options_ & HEAP_INSERT_SKIP_FSM) == 0;
  const uint32_t needed = static_cast<uint32_t>(max_align(length));
  const uint32_t tuple_max = heap_tuple_size_max(block_size);
  if (needed > tuple_max)
    return Status::error(ErrorCode::program_limit_exceeded,
                         "row is too big: size %u, maximum size %u", needed, tuple_max);

  // Pages with a few dead line pointers count as empty, so that a low fillfactor does not make
  // long tuples extend the relation for ever.
  const uint32_t nearly_empty =
      tuple_max - heap_tuples_per_page_max(block_size) / 8 * uint32_t{sizeof(LinePointer)};
  const uint32_t wanted = needed + reserved_bytes() > nearly_empty ? std::max(needed, nearly_empty)
                                                                   : needed + reserved_bytes();

  FreeSpaceMap free_space(pool, relation_.locator);
  VisibilityMap visibility(pool, relation_.locator);
  const BlockNumber other_block = other != nullptr ? other->block() : invalid_block_number;
  BlockNumber target = bulk_ != nullptr && bulk_->current_
                           ? bulk_->current_.block()
                           : BlockNumber{relation_.target_block.load(std::memory_order_relaxed)};
  RETURN_IF_ERROR(forget_if_cut_off(&target));
  if (target == invalid_block_number && use_fsm) RETURN_IF_ERROR(free_space.find(wanted, &target));
  if (target == invalid_block_number) {
    // The map knows nothing: try the last page, or each new session would begin a page.
    uint32_t blocks = 0;
    RETURN_IF_ERROR(pool.storage().block_count(relation_.locator, ForkNumber::main, &blocks));
    if (blocks > 0) target = BlockNumber{blocks - 1};
  }

  for (int tries = 0; target != invalid_block_number && tries < search_pages_max; ++tries) {
    const bool is_other = target == other_block;
    if (!is_other) {
      RETURN_IF_ERROR(read(target, buffer));
      RETURN_IF_ERROR(pin_map_if_needed(*buffer, map));
    } else {
      buffer->release();
      if (is_all_visible(other->page())) RETURN_IF_ERROR(visibility.pin(target, other_map));
    }
    if (other != nullptr && (is_other || value_of(other_block) < value_of(target)))
      other->lock(LockMode::exclusive);
    if (!is_other) buffer->lock(LockMode::exclusive);
    if (other != nullptr && !other->is_locked()) other->lock(LockMode::exclusive);

    bool unlocked = false;
    if (is_other) {
      RETURN_IF_ERROR(pin_maps(*other, other_map, nullptr, nullptr, &unlocked));
    } else if (other == nullptr) {
      RETURN_IF_ERROR(pin_maps(*buffer, map, nullptr, nullptr, &unlocked));
    } else if (value_of(other_block) < value_of(target)) {
      RETURN_IF_ERROR(pin_maps(*other, other_map, buffer, map, &unlocked));
    } else {
      RETURN_IF_ERROR(pin_maps(*buffer, map, other, other_map, &unlocked));
    }

    BufferRef& chosen = is_other ? *other : *buffer;
    if (chosen.page().is_new()) {
      chosen.page().initialize(0);
      pool.mark_dirty(chosen);
    }
    const uint32_t free = chosen.page().heap_free_bytes();
    if (wanted <= free) {
      relation_.target_block.store(value_of(target), std::memory_order_relaxed);
      return Status::ok;
    }
    if (other != nullptr) other->unlock();
    if (!is_other) buffer->release();

    if (bulk_ != nullptr && bulk_->next_free_ != invalid_block_number) {
      // Pages of our last extension are still unused: no need to ask the map.
      if (use_fsm) RETURN_IF_ERROR(free_space.record(target, free));
      target = bulk_->next_free_;
      if (value_of(bulk_->next_free_) >= value_of(bulk_->last_free_)) {
        bulk_->next_free_ = invalid_block_number;
        bulk_->last_free_ = invalid_block_number;
      } else {
        bulk_->next_free_ = next(bulk_->next_free_);
      }
    } else if (!use_fsm) {
      break;
    } else {
      RETURN_IF_ERROR(free_space.record_and_find(target, free, wanted, &target));
    }
  }

  // A new page is the last one, so `other` comes before it and ought to be locked first. Trying
  // cannot deadlock and nearly always succeeds.
  for (;;) {
    bool unlocked = false;
    RETURN_IF_ERROR(extend(pages, buffer, &unlocked));
    if ((options_ & HEAP_INSERT_FROZEN) != 0 && !visibility.is_pinned(buffer->block(), *map)) {
      if (!unlocked) buffer->unlock();
      unlocked = true;
      RETURN_IF_ERROR(visibility.pin(buffer->block(), map));
    }
    if (unlocked) {
      if (other != nullptr) other->lock(LockMode::exclusive);
      buffer->lock(LockMode::exclusive);
    } else if (other != nullptr && !other->try_lock(LockMode::exclusive)) {
      buffer->unlock();
      other->lock(LockMode::exclusive);
      buffer->lock(LockMode::exclusive);
      unlocked = true;
    }
    bool unlocked_for_map = false;
    if (other != nullptr) {
      RETURN_IF_ERROR(pin_maps(*other, other_map, buffer, map, &unlocked_for_map));
    } else if (unlocked) {
      RETURN_IF_ERROR(pin_maps(*buffer, map, nullptr, nullptr, &unlocked_for_map));
    }
    if (needed <= buffer->page().heap_free_bytes()) break;
    // Somebody filled the page while it was not locked.
    INVARIANT(unlocked || unlocked_for_map);
    if (other != nullptr) other->unlock();
    buffer->release();
  }
  relation_.target_block.store(value_of(buffer->block()), std::memory_order_relaxed);
  return Status::ok;
}

Status PageChoice::extend(uint32_t pages, BufferRef* buffer, bool* unlocked) {
  BufferPool& pool = backend_.pool_of(relation_.temporary);
  const bool use_fsm = (options_ & HEAP_INSERT_SKIP_FSM) == 0;
  uint32_t count = 1;
  if (bulk_ != nullptr || use_fsm) {
    count = std::max(pages, 1u);
    // Who extended much will extend more: by as many pages again.
    if (bulk_ != nullptr) count = std::max(count, bulk_->already_extended_by_);
    count = std::min(count, extend_pages_max);
  }
  // Without bulk state nobody remembers the other pages but the map.
  const uint32_t not_in_fsm = pages > 1 && bulk_ == nullptr ? 1 : std::max(pages, 1u);

  if (bulk_ != nullptr) bulk_->current_.release();
  BlockNumber first;
  RETURN_IF_ERROR(pool.extend(relation_.locator, ForkNumber::main, count,
                              bulk_ != nullptr ? &bulk_->strategy_ : nullptr, buffer, &first));
  if (!buffer->page().is_new())
    return Status::error(Status::data_corrupted,
                         "page %u of relation \"%s\" should be empty but is not", value_of(first),
                         relation_.name.c_str());
  buffer->page().initialize(0);
  pool.mark_dirty(*buffer);

  *unlocked = false;
  if (use_fsm && not_in_fsm < count) {
    buffer->unlock();
    *unlocked = true;
    const uint32_t free = pool.options().block_size - static_cast<uint32_t>(sizeof(PageHeader));
    FreeSpaceMap free_space(pool, relation_.locator);
    for (uint32_t i = not_in_fsm; i < count; ++i) {
      RETURN_IF_ERROR(free_space.record(BlockNumber{value_of(first) + i}, free));
    }
    RETURN_IF_ERROR(free_space.vacuum_range(BlockNumber{value_of(first) + not_in_fsm},
                                            BlockNumber{value_of(first) + count}));
  }
  if (bulk_ != nullptr) {
    bulk_->next_free_ = count > 1 ? next(first) : invalid_block_number;
    bulk_->last_free_ = count > 1 ? BlockNumber{value_of(first) + count - 1} : invalid_block_number;
    bulk_->already_extended_by_ += count;
  }
  return Status::ok;
}

}  // namespace pgdata
