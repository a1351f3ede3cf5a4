// TupleMemory: blocks that double in size up to a megabyte.
#include "sort/tuple_memory.h"

#include <algorithm>
#include <cstring>

namespace pgdata {

uint64_t TupleMemory::needed_for(uint32_t size) const {
  const uint64_t stored = stored_bytes(size);
  if (end_ - position_ >= stored) return 0;
  return (stored + slot_bytes - 1) / slot_bytes * slot_bytes;
}

std::byte* TupleMemory::add(uint32_t size, uint8_t marks, uint64_t room_bytes, TuplePlace* place) {
  const uint64_t needed = needed_for(size);
  if (needed > 0) {
    const uint64_t room = room_bytes / slot_bytes * slot_bytes;
    const uint64_t wanted = std::clamp<uint64_t>(bytes_, slot_bytes, block_bytes_max);
    const uint64_t taken = std::max(needed, std::min(wanted / slot_bytes * slot_bytes, room));
    // Not filled with zeroes, as make_unique would.
    blocks_.emplace_back(new std::byte[static_cast<size_t>(taken)]);
    for (uint64_t offset = 0; offset < taken; offset += slot_bytes)
      slots_.push_back(blocks_.back().get() + offset);
    bytes_ += taken;
    position_ = end_;
    end_ += taken;
  }
  std::byte* bytes = address(position_ / 8);
  const bool is_beside = size >= size_beside;
  INVARIANT(position_ / 8 < uint64_t{1} << 40);
  *place = TuplePlace{position_ / 8 << 24 | uint64_t{is_beside ? size_beside : size} << 8 | marks};
  position_ += stored_bytes(size);
  if (!is_beside) return bytes;
  std::memcpy(bytes, &size, sizeof(size));
  return bytes + 8;
}

TupleView TupleMemory::at(TuplePlace place) const {
  const auto bits = static_cast<uint64_t>(place);
  const std::byte* bytes = address(bits >> 24);
  auto size = static_cast<uint32_t>(bits >> 8 & 0xFFFF);
  if (size != size_beside) return {bytes, size};
  std::memcpy(&size, bytes, sizeof(size));
  return {bytes + 8, size};
}

void TupleMemory::clear() {
  blocks_.clear();
  slots_.clear();
  slots_.shrink_to_fit();
  bytes_ = 0;
  position_ = 0;
  end_ = 0;
}

}  // namespace pgdata
