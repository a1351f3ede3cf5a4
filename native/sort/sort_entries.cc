// SortEntries, and sorting them by stable passes over the bytes that are not the same in all keys.
#include "sort/sort_entries.h"

#include <algorithm>
#include <array>

namespace pgdata {

namespace {

// Below this many a comparison sort is as good.
constexpr size_t radix_entries_min = 512;
constexpr size_t key_bytes = sizeof(uint64_t);

bool key_before(const SortEntry& left, const SortEntry& right) { return left.key() < right.key(); }

// The rank comes after the most significant byte.
size_t digit_of(const SortEntry& entry, size_t digit) {
  return digit == key_bytes ? entry.rank() : entry.bits >> (8 * digit) & 0xFF;
}

}  // namespace

Status SortEntries::grow(size_t capacity) {
  void* grown = std::realloc(entries_.get(), capacity * sizeof(SortEntry));
  if (grown == nullptr) return Status::error(ErrorCode::out_of_memory, "out of memory");
  (void)entries_.release();
  entries_.reset(static_cast<SortEntry*>(grown));
  capacity_ = capacity;
  return Status::ok;
}

void sort_by_leading_key(std::span<SortEntry> entries) {
  if (std::is_sorted(entries.begin(), entries.end(), key_before)) return;
  if (entries.size() < radix_entries_min)
    return std::stable_sort(entries.begin(), entries.end(), key_before);
  // How often each value of each digit comes, then where its entries begin.
  std::array<std::array<size_t, 256>, key_bytes + 1> places{};
  for (const SortEntry& entry : entries)
    for (size_t digit = 0; digit <= key_bytes; ++digit) ++places[digit][digit_of(entry, digit)];
  const std::unique_ptr<SortEntry[]> memory(new SortEntry[entries.size()]);
  std::span<SortEntry> from = entries;
  std::span<SortEntry> to(memory.get(), entries.size());
  for (size_t digit = 0; digit <= key_bytes; ++digit) {
    std::array<size_t, 256>& place_of = places[digit];
    if (place_of[digit_of(from[0], digit)] == entries.size()) continue;
    size_t place = 0;
    for (size_t& count : place_of) place += std::exchange(count, place);
    for (const SortEntry& entry : from) to[place_of[digit_of(entry, digit)]++] = entry;
    std::swap(from, to);
  }
  if (from.data() != entries.data()) std::copy(from.begin(), from.end(), entries.begin());
}

}  // namespace pgdata
