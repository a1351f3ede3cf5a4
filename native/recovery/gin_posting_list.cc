// Posting lists: encoding and decoding.
#include "recovery/gin_posting_list.h"

#include <cstring>

namespace pgdata {

namespace {

// Bits of an offset number; no page has more items.
constexpr int offset_bits = 11;
// Of a difference of two items.
constexpr int encoded_bytes_max = 7;

uint64_t number_of(ItemPointer item) {
  return (uint64_t{value_of(item.block())} << offset_bits) | item.offset();
}

}  // namespace

bool decode_posting_list(const std::byte* list, size_t size, std::vector<ItemPointer>* items) {
  if (size < sizeof(GinPostingList)) return false;
  const auto header = load<GinPostingList>(list);
  if (sizeof(GinPostingList) + header.nbytes > size) return false;
  items->push_back(header.first);
  uint64_t number = number_of(header.first);
  const std::byte* next = list + sizeof(GinPostingList);
  const std::byte* const end = next + header.nbytes;
  while (next < end) {
    uint64_t difference = 0;
    for (int i = 0;; i++) {
      if (next == end || i == encoded_bytes_max) return false;
      const auto byte = static_cast<uint64_t>(*next++);
      difference |= (byte & 0x7F) << (7 * i);
      if ((byte & 0x80) == 0) break;
    }
    number += difference;
    if ((number >> offset_bits) > block_number_max) return false;
    items->push_back(ItemPointer(BlockNumber{static_cast<uint32_t>(number >> offset_bits)},
                                 static_cast<OffsetNumber>(number & ((1u << offset_bits) - 1))));
  }
  return true;
}

std::vector<std::byte> encode_posting_list(const std::vector<ItemPointer>& items, size_t size_max) {
  std::vector<std::byte> list;
  if (items.empty()) return list;
  list.resize(sizeof(GinPostingList));
  uint64_t previous = number_of(items[0]);
  for (size_t i = 1; i < items.size(); i++) {
    const uint64_t number = number_of(items[i]);
    if (number <= previous || list.size() > size_max) return {};
    for (uint64_t difference = number - previous;; difference >>= 7) {
      const bool is_last = difference <= 0x7F;
      list.push_back(static_cast<std::byte>((difference & 0x7F) | (is_last ? 0 : 0x80)));
      if (is_last) break;
    }
    previous = number;
  }
  const GinPostingList header{items[0],
                              static_cast<uint16_t>(list.size() - sizeof(GinPostingList))};
  std::memcpy(list.data(), &header, sizeof(header));
  if (list.size() % 2 != 0) list.push_back(std::byte{0});
  if (list.size() > size_max) return {};
  return list;
}

}  // namespace pgdata
