// SortEntry: what is moved about in memory for each tuple; and the order in which entries come by their leading keys.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <utility>

#include "base/status.h"
#include "sort/tuple_memory.h"
#include "sort/tuple_order.h"

namespace pgdata {

struct SortEntry {
  uint64_t bits;
  TuplePlace place;  // marks: the rank, then the owner's tag

  uint8_t rank() const { return marks_of(place) & 1; }
  uint8_t tag() const { return marks_of(place) >> 1; }
  LeadingKey key() const { return {bits, rank()}; }
};

// Entries in one piece of memory that can grow in place.
class SortEntries {
 public:
  size_t size() const { return size_; }
  size_t capacity() const { return capacity_; }
  SortEntry& operator[](size_t index) { return entries_[index]; }
  const SortEntry& operator[](size_t index) const { return entries_[index]; }
  SortEntry* begin() { return entries_.get(); }
  SortEntry* end() { return entries_.get() + size_; }
  // out_of_memory
  Status grow(size_t capacity);
  void push_back(const SortEntry& entry) { entries_[size_++] = entry; }
  // Keeps the first ones.
  void truncate(size_t size) { size_ = size; }
  void release() {
    entries_.reset();
    size_ = capacity_ = 0;
  }

 private:
  struct Free {
    void operator()(SortEntry* entries) const { std::free(entries); }
  };
  std::unique_ptr<SortEntry[], Free> entries_;
  size_t size_ = 0;
  size_t capacity_ = 0;
};

// By leading key; those that have the same keep their order. Takes as much memory again.
void sort_by_leading_key(std::span<SortEntry> entries);

}  // namespace pgdata
