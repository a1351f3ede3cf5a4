// Page: items added, removed and moved as PostgreSQL moves them.
#include "page/page.h"

#include <cstring>

namespace pgdata {

namespace {

constexpr uint32_t line_pointer_bytes = sizeof(LinePointer);

// An item takes 8 aligned bytes and a line pointer at least.
constexpr uint32_t stored_items_max = block_size_max / (8 + line_pointer_bytes);

uint32_t aligned(uint32_t length) { return static_cast<uint32_t>(max_align(length)); }

bool header_is_sane(const PageHeader& header, uint32_t size_bytes) {
  return header.pd_lower >= sizeof(PageHeader) && header.pd_lower <= header.pd_upper &&
         header.pd_upper <= header.pd_special && header.pd_special <= size_bytes &&
         header.pd_special == max_align(header.pd_special);
}

void check_item_place(const PageHeader& header, LinePointer pointer) {
  INVARIANT(pointer.lp_off() >= header.pd_upper);
  INVARIANT(pointer.lp_off() + pointer.lp_len() <= header.pd_special);
  INVARIANT(pointer.lp_off() == max_align(pointer.lp_off()));
}

void set_offset(LinePointer& pointer, uint32_t lp_off) {
  pointer = LinePointer(lp_off, pointer.lp_flags(), pointer.lp_len());
}

void set_free_lines_hint(PageHeader& header, bool has_free_lines) {
  const unsigned cleared = header.pd_flags & ~static_cast<unsigned>(PD_HAS_FREE_LINES);
  header.pd_flags = static_cast<uint16_t>(has_free_lines ? cleared | PD_HAS_FREE_LINES : cleared);
}

// The items that stay while others go, in the order of their line pointers.
class KeptItems {
 public:
  explicit KeptItems(const Page& page) : page_(page), previous_off_(page.header().pd_special) {}

  uint32_t count() const { return count_; }

  // `pointer` is, or after the operation will be, the line pointer at `offset`.
  void add(OffsetNumber offset, LinePointer pointer) {
    INVARIANT(count_ < stored_items_max);
    const uint32_t length = aligned(pointer.lp_len());
    items_[count_++] = {offset, static_cast<uint16_t>(pointer.lp_off()),
                        static_cast<uint16_t>(length)};
    is_sorted_ = is_sorted_ && pointer.lp_off() < previous_off_;
    previous_off_ = pointer.lp_off();
    bytes_ += length;
  }

  // Packs the items against the special space, the first one last.
  void compact() {
    INVARIANT(bytes_ <= uint32_t{page_.header().pd_special} - page_.header().pd_upper);
    if (is_sorted_) {
      compact_in_runs();
    } else {
      compact_through_copy();
    }
  }

 private:
  struct Item {
    OffsetNumber offset;
    uint16_t lp_off;
    uint16_t aligned_bytes;
  };

  // Items stored in the order they shall have: each run without a gap moves at
  // once, within the page.
  void compact_in_runs() {
    uint32_t upper = page_.header().pd_special;
    uint32_t i = 0;
    while (i < count_) {
      const uint32_t run_end = uint32_t{items_[i].lp_off} + items_[i].aligned_bytes;
      const uint32_t shift = upper - run_end;
      uint32_t run_start = run_end;
      while (i < count_ && uint32_t{items_[i].lp_off} + items_[i].aligned_bytes == run_start) {
        run_start = items_[i].lp_off;
        set_offset(page_.line_pointer(items_[i].offset), run_start + shift);
        i++;
      }
      upper -= run_end - run_start;
      if (shift != 0)
        std::memmove(page_.bytes() + upper, page_.bytes() + run_start, run_end - run_start);
    }
    page_.header().pd_upper = static_cast<uint16_t>(upper);
  }

  void compact_through_copy() {
    alignas(8) std::byte copy[block_size_max];
    uint32_t upper = page_.header().pd_special;
    const uint32_t start = page_.header().pd_upper;
    std::memcpy(copy + start, page_.bytes() + start, upper - start);
    for (uint32_t i = 0; i < count_; i++) {
      const Item& item = items_[i];
      upper -= item.aligned_bytes;
      std::memcpy(page_.bytes() + upper, copy + item.lp_off, item.aligned_bytes);
      set_offset(page_.line_pointer(item.offset), upper);
    }
    page_.header().pd_upper = static_cast<uint16_t>(upper);
  }

  const Page& page_;
  uint32_t count_ = 0;
  uint32_t bytes_ = 0;
  uint32_t previous_off_;
  bool is_sorted_ = true;
  Item items_[stored_items_max];
};

}  // namespace

void Page::initialize(uint32_t special_size) const {
  const uint32_t special = aligned(special_size);
  INVARIANT(size_ >= block_size_min);
  INVARIANT(size_ <= block_size_max);
  INVARIANT(special + sizeof(PageHeader) < size_);
  std::memset(bytes_, 0, size_);
  PageHeader& header = this->header();
  header.pd_lower = sizeof(PageHeader);
  header.pd_upper = static_cast<uint16_t>(size_ - special);
  header.pd_special = static_cast<uint16_t>(size_ - special);
  header.pd_pagesize_version = static_cast<uint16_t>(size_ | PG_PAGE_LAYOUT_VERSION);
}

uint32_t Page::exact_free_bytes() const {
  const PageHeader& header = this->header();
  return header.pd_upper > header.pd_lower ? uint32_t{header.pd_upper} - header.pd_lower : 0;
}

uint32_t Page::free_bytes() const {
  const uint32_t exact = exact_free_bytes();
  return exact < line_pointer_bytes ? 0 : exact - line_pointer_bytes;
}

uint32_t Page::heap_free_bytes() const {
  const uint32_t free = free_bytes();
  const OffsetNumber last = max_offset();
  if (free == 0 || last < items_per_page_max(size_)) return free;
  // Without the hint add_item would not look for an unused line pointer.
  if ((header().pd_flags & PD_HAS_FREE_LINES) == 0) return 0;
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++)
    if (!line_pointer(offset).is_used()) return free;
  return 0;
}

OffsetNumber Page::add_item(const std::byte* item, uint32_t length, OffsetNumber offset,
                            bool heap) const {
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  const auto limit = static_cast<OffsetNumber>(max_offset() + 1);
  bool recycles = false;
  if (offset == invalid_offset_number) {
    offset = limit;
    if ((header.pd_flags & PD_HAS_FREE_LINES) != 0) {
      offset = first_offset_number;
      while (offset < limit &&
             (line_pointer(offset).is_used() || line_pointer(offset).has_storage()))
        offset++;
      recycles = offset < limit;
      if (!recycles) set_free_lines_hint(header, false);
    }
  }
  if (offset > limit) return invalid_offset_number;
  if (heap && offset > items_per_page_max(size_)) return invalid_offset_number;

  const uint32_t lower = header.pd_lower + (recycles ? 0 : line_pointer_bytes);
  if (lower + aligned(length) > header.pd_upper) return invalid_offset_number;
  const uint32_t upper = header.pd_upper - aligned(length);

  LinePointer* const place = &line_pointer(offset);
  if (!recycles && offset < limit)
    std::memmove(place + 1, place, static_cast<size_t>(limit - offset) * line_pointer_bytes);
  *place = LinePointer(upper, LinePointerFlags::LP_NORMAL, length);
  std::memcpy(bytes_ + upper, item, length);
  header.pd_lower = static_cast<uint16_t>(lower);
  header.pd_upper = static_cast<uint16_t>(upper);
  return offset;
}

OffsetNumber Page::add_item_overwrite(const std::byte* item, uint32_t length,
                                      OffsetNumber offset) const {
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  INVARIANT(offset != invalid_offset_number);
  const auto limit = static_cast<OffsetNumber>(max_offset() + 1);
  if (offset > limit) return invalid_offset_number;
  if (offset < limit && (line_pointer(offset).is_used() || line_pointer(offset).has_storage()))
    return invalid_offset_number;

  const uint32_t lower = header.pd_lower + (offset == limit ? line_pointer_bytes : 0);
  if (lower + aligned(length) > header.pd_upper) return invalid_offset_number;
  const uint32_t upper = header.pd_upper - aligned(length);
  line_pointer(offset) = LinePointer(upper, LinePointerFlags::LP_NORMAL, length);
  std::memcpy(bytes_ + upper, item, length);
  header.pd_lower = static_cast<uint16_t>(lower);
  header.pd_upper = static_cast<uint16_t>(upper);
  return offset;
}

void Page::delete_item(OffsetNumber offset) const {
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  const OffsetNumber last = max_offset();
  INVARIANT(offset >= first_offset_number);
  INVARIANT(offset <= last);
  const LinePointer removed = line_pointer(offset);
  INVARIANT(removed.has_storage());
  check_item_place(header, removed);

  LinePointer* const place = &line_pointer(offset);
  std::memmove(place, place + 1, static_cast<size_t>(last - offset) * line_pointer_bytes);

  // Items stored before the removed one move up to close its gap.
  const uint32_t gap = aligned(removed.lp_len());
  std::byte* const items = bytes_ + header.pd_upper;
  std::memmove(items + gap, items, removed.lp_off() - header.pd_upper);
  header.pd_upper = static_cast<uint16_t>(header.pd_upper + gap);
  header.pd_lower = static_cast<uint16_t>(header.pd_lower - line_pointer_bytes);
  for (OffsetNumber i = first_offset_number; i < last; i++) {
    LinePointer& pointer = line_pointer(i);
    if (pointer.has_storage() && pointer.lp_off() <= removed.lp_off())
      set_offset(pointer, pointer.lp_off() + gap);
  }
}

void Page::delete_items(const OffsetNumber* offsets, int count) const {
  INVARIANT(count >= 0);
  // A few are cheaper one by one, last first, so that the offsets stay right.
  if (count <= 2) {
    while (--count >= 0) delete_item(offsets[count]);
    return;
  }
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  const OffsetNumber last = max_offset();
  KeptItems kept(*this);
  int deleted = 0;
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++) {
    const LinePointer pointer = line_pointer(offset);
    INVARIANT(pointer.has_storage());
    check_item_place(header, pointer);
    if (deleted < count && offset == offsets[deleted]) {
      deleted++;
      continue;
    }
    const auto place = static_cast<OffsetNumber>(kept.count() + 1);
    kept.add(place, pointer);
    line_pointer(place) = pointer;
  }
  INVARIANT(deleted == count);  // Else they were not ascending, or not there.
  header.pd_lower = static_cast<uint16_t>(sizeof(PageHeader) + kept.count() * line_pointer_bytes);
  kept.compact();
}

bool Page::overwrite_item(OffsetNumber offset, const std::byte* item, uint32_t length) const {
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  const OffsetNumber last = max_offset();
  INVARIANT(offset >= first_offset_number);
  INVARIANT(offset <= last);
  LinePointer& replaced = line_pointer(offset);
  INVARIANT(replaced.has_storage());
  check_item_place(header, replaced);

  const uint32_t old_off = replaced.lp_off();
  const uint32_t old_bytes = aligned(replaced.lp_len());
  const uint32_t new_bytes = aligned(length);
  if (new_bytes > old_bytes + exact_free_bytes()) return false;

  // Items stored before the replaced one move, and it starts with them.
  const int shift = static_cast<int>(old_bytes) - static_cast<int>(new_bytes);
  if (shift != 0) {
    std::byte* const items = bytes_ + header.pd_upper;
    std::memmove(items + shift, items, old_off - header.pd_upper);
    header.pd_upper = static_cast<uint16_t>(header.pd_upper + shift);
    for (OffsetNumber i = first_offset_number; i <= last; i++) {
      LinePointer& pointer = line_pointer(i);
      if (pointer.has_storage() && pointer.lp_off() <= old_off)
        set_offset(pointer, static_cast<uint32_t>(static_cast<int>(pointer.lp_off()) + shift));
    }
  }
  replaced = LinePointer(static_cast<uint32_t>(static_cast<int>(old_off) + shift),
                         replaced.lp_flags(), length);
  std::memcpy(bytes_ + replaced.lp_off(), item, length);
  return true;
}

void Page::repair_fragmentation() const {
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  const OffsetNumber last = max_offset();
  KeptItems kept(*this);
  uint32_t unused_count = 0;
  OffsetNumber last_used = invalid_offset_number;
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++) {
    LinePointer& pointer = line_pointer(offset);
    if (!pointer.is_used()) {
      pointer = LinePointer();
      unused_count++;
      continue;
    }
    last_used = offset;
    if (!pointer.has_storage()) continue;
    check_item_place(header, pointer);
    kept.add(offset, pointer);
  }
  kept.compact();

  const uint32_t unused_at_end = uint32_t{last} - last_used;
  header.pd_lower = static_cast<uint16_t>(header.pd_lower - unused_at_end * line_pointer_bytes);
  set_free_lines_hint(header, unused_count > unused_at_end);
}

void Page::truncate_line_pointers() const {
  PageHeader& header = this->header();
  INVARIANT(header_is_sane(header, size_));
  // The first line pointer stays, used or not, as in PostgreSQL.
  OffsetNumber last = max_offset();
  uint32_t dropped = 0;
  while (last > first_offset_number && !line_pointer(last).is_used()) {
    last--;
    dropped++;
  }
  header.pd_lower = static_cast<uint16_t>(header.pd_lower - dropped * line_pointer_bytes);
  bool has_unused = false;
  for (OffsetNumber offset = first_offset_number; offset <= last && !has_unused; offset++)
    has_unused = !line_pointer(offset).is_used();
  set_free_lines_hint(header, has_unused);
}

Status Page::verify_items(BlockNumber block, const char* what) const {
  const PageHeader& header = this->header();
  if (is_new()) return Status::ok;
  if (!header_is_sane(header, size_))
    return Status::error(ErrorCode::data_corrupted, "invalid page in block %u of relation \"%s\"",
                         value_of(block), what);
  const OffsetNumber last = max_offset();
  uint32_t stored_bytes = 0;
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++) {
    const LinePointer pointer = line_pointer(offset);
    bool is_sane = true;
    if (pointer.has_storage()) {
      is_sane = pointer.is_used() && !pointer.is_redirected() &&
                pointer.lp_off() >= header.pd_upper &&
                pointer.lp_off() + pointer.lp_len() <= header.pd_special &&
                pointer.lp_off() == max_align(pointer.lp_off());
      stored_bytes += aligned(pointer.lp_len());
    } else if (pointer.is_redirected()) {
      is_sane = pointer.lp_off() >= first_offset_number && pointer.lp_off() <= last;
    } else {
      is_sane = !pointer.is_normal();
    }
    if (!is_sane)
      return Status::error(ErrorCode::data_corrupted,
                           "corrupted line pointer %u in block %u of relation \"%s\": offset = %u, "
                           "size = %u",
                           offset, value_of(block), what, pointer.lp_off(), pointer.lp_len());
  }
  const uint32_t available = uint32_t{header.pd_special} - header.pd_upper;
  if (stored_bytes > available)
    return Status::error(ErrorCode::data_corrupted,
                         "corrupted item lengths in block %u of relation \"%s\": total %u, "
                         "available space %u",
                         value_of(block), what, stored_bytes, available);
  return Status::ok;
}

Status verify_page(const std::byte* page, uint32_t size_bytes, BlockNumber block,
                   bool check_checksum, const char* what) {
  const auto& header = *reinterpret_cast<const PageHeader*>(page);
  uint16_t checksum = header.pd_checksum;
  if (header.pd_upper != 0) {
    if (check_checksum) checksum = page_checksum(page, size_bytes, block);
    const unsigned unknown_flags = header.pd_flags & ~static_cast<unsigned>(PD_VALID_FLAG_BITS);
    if (checksum == header.pd_checksum && unknown_flags == 0 && header_is_sane(header, size_bytes))
      return Status::ok;
  } else {
    // A crash while extending leaves zeroes.
    uint64_t any = 0;
    for (uint32_t i = 0; i < size_bytes; i += 8) any |= load<uint64_t>(page + i);
    if (any == 0) return Status::ok;
  }
  Status status =
      Status::error(ErrorCode::data_corrupted, "invalid page in block %u of relation \"%s\"",
                    value_of(block), what);
  if (checksum != header.pd_checksum)
    return std::move(status).with_detail(
        "The page's checksum is " + std::to_string(header.pd_checksum) +
        ", but its contents give " + std::to_string(checksum) + ".");
  return status;
}

}  // namespace pgdata
