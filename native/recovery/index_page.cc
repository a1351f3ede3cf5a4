// IndexPage: checks before the operations of Page, which assert what they are given.
#include "recovery/index_page.h"

#include <cstring>

namespace pgdata {

bool IndexPage::is_sound() const {
  if (page_.is_new()) return false;
  const PageHeader& header = page_.header();
  return header.pd_lower >= sizeof(PageHeader) && header.pd_lower <= header.pd_upper &&
         header.pd_upper <= header.pd_special && header.pd_special % 8 == 0 &&
         header.pd_special + max_align(special_size_) == page_.size();
}

bool IndexPage::has_sound_items() const {
  return is_sound() && page_.verify_items(BlockNumber{0}, "").is_ok();
}

std::byte* IndexPage::item(OffsetNumber offset, size_t size_min, uint32_t* length) const {
  if (offset < first_offset_number || offset > page_.max_offset()) return nullptr;
  const LinePointer pointer = page_.line_pointer(offset);
  if (!pointer.has_storage() || pointer.lp_off() < page_.header().pd_upper ||
      pointer.lp_off() % 8 != 0 || pointer.lp_len() < size_min ||
      pointer.lp_off() + pointer.lp_len() > page_.header().pd_special)
    return nullptr;
  if (length != nullptr) *length = pointer.lp_len();
  return page_.item(pointer);
}

bool IndexPage::add(const std::byte* item, size_t length, OffsetNumber offset) const {
  if (offset == invalid_offset_number || length == 0 || length > page_.size()) return false;
  return page_.add_item(item, static_cast<uint32_t>(length), offset, false) == offset;
}

bool IndexPage::remove(OffsetNumber offset) const {
  if (item(offset, 0) == nullptr) return false;
  page_.delete_item(offset);
  return true;
}

bool IndexPage::remove_many(const OffsetNumber* offsets, size_t count) const {
  OffsetNumber previous = invalid_offset_number;
  for (size_t i = 0; i < count; i++) {
    if (offsets[i] <= previous || offsets[i] > page_.max_offset()) return false;
    previous = offsets[i];
  }
  for (OffsetNumber offset = first_offset_number; offset <= page_.max_offset(); offset++)
    if (item(offset, 0) == nullptr) return false;
  page_.delete_items(offsets, static_cast<int>(count));
  return true;
}

bool IndexPage::overwrite(OffsetNumber offset, const std::byte* item, size_t length) const {
  if (length == 0 || length > page_.size() || this->item(offset, 0) == nullptr) return false;
  return page_.overwrite_item(offset, item, static_cast<uint32_t>(length));
}

bool RedoOffsets::read(RedoBytes* bytes, size_t count) {
  if (count > count_max) return false;
  count_ = 0;
  if (count == 0) return true;
  const std::byte* from = bytes->take(count * sizeof(OffsetNumber));
  if (from == nullptr) return false;
  std::memcpy(offsets_, from, count * sizeof(OffsetNumber));
  count_ = count;
  return true;
}

const std::byte* take_index_tuple(RedoBytes* bytes, size_t* size, bool aligned) {
  RedoBytes ahead = *bytes;
  IndexTupleHeader header;
  if (!ahead.read(&header)) return nullptr;
  *size = index_tuple_size(header.t_info);
  if (*size < sizeof(IndexTupleHeader)) return nullptr;
  if (aligned) *size = max_align(*size);
  return bytes->take(*size);
}

}  // namespace pgdata
