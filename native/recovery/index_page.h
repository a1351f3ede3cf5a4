// IndexPage: a page of an index that redo changes.
//
// Neither the page nor the record is believed: a change that does not fit the page returns false, with the page
// perhaps half changed; the caller reports the record as corrupted, which ends recovery. `special_size` is what
// pages of the access method end in; a page that was not initialised, or for another method, is not sound.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/types.h"
#include "layout/index_tuple.h"
#include "page/page.h"
#include "recovery/redo_context.h"

namespace pgdata {

class IndexPage {
 public:
  IndexPage(Page page, uint32_t special_size) : page_(page), special_size_(special_size) {}

  Page page() const { return page_; }
  // Whether the header is sane, with that special space.
  bool is_sound() const;
  // And all line pointers are.
  bool has_sound_items() const;
  template <typename T>
  T& special() const {
    return *reinterpret_cast<T*>(page_.special());
  }
  // Room for `size` bytes after the header, which pd_lower says is used.
  bool has_contents(size_t size) const {
    return is_sound() && page_.header().pd_special >= sizeof(PageHeader) + size;
  }
  std::byte* contents() const { return page_.bytes() + sizeof(PageHeader); }

  OffsetNumber max_offset() const { return page_.max_offset(); }
  // The bytes of a stored item, or null when there is none at the offset, or it is shorter.
  std::byte* item(OffsetNumber offset, size_t size_min, uint32_t* length = nullptr) const;
  // Puts an item at exactly the offset, moving later ones on.
  bool add(const std::byte* item, size_t length, OffsetNumber offset) const;
  bool remove(OffsetNumber offset) const;
  // Removes `count` items, ascending.
  bool remove_many(const OffsetNumber* offsets, size_t count) const;
  bool overwrite(OffsetNumber offset, const std::byte* item, size_t length) const;

 private:
  Page page_;
  uint32_t special_size_;
};

// Offset numbers of a record, copied to where they are aligned.
class RedoOffsets {
 public:
  // False when there are fewer.
  bool read(RedoBytes* bytes, size_t count);
  const OffsetNumber* begin() const { return offsets_; }
  size_t size() const { return count_; }
  OffsetNumber operator[](size_t i) const { return offsets_[i]; }

 private:
  // No page has more items.
  static constexpr size_t count_max = 32768 / 8;
  OffsetNumber offsets_[count_max];
  size_t count_ = 0;
};

// The index tuple that the bytes begin with, whose size its header says (rounded up to 8 when `aligned`); null when
// they are fewer.
const std::byte* take_index_tuple(RedoBytes* bytes, size_t* size, bool aligned = false);

}  // namespace pgdata
