// Arena: memory that an operator of a query takes piece by piece and gives back as a whole.
//
// Every arena is charged to a MemoryAccount, which knows how much is held now and how much was at most.
#pragma once

#include <cstddef>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/types.h"

namespace pgdata {

class MemoryAccount {
 public:
  // What it holds counts in `parent` (may be null) too.
  explicit MemoryAccount(MemoryAccount* parent = nullptr) : parent_(parent) {}
  MemoryAccount(const MemoryAccount&) = delete;

  size_t held() const { return held_; }
  size_t peak() const { return peak_; }
  void take(size_t bytes) {
    held_ += bytes;
    if (held_ > peak_) peak_ = held_;
    if (parent_ != nullptr) parent_->take(bytes);
  }
  void give(size_t bytes) {
    held_ -= bytes;
    if (parent_ != nullptr) parent_->give(bytes);
  }

 private:
  MemoryAccount* parent_;
  size_t held_ = 0;
  size_t peak_ = 0;
};

class Arena {
 public:
  static constexpr size_t block_bytes_min = 8 * 1024;
  static constexpr size_t block_bytes_max = 1024 * 1024;

  // The account must outlive the arena. Blocks grow up to `block_bytes`: so much is held at most that is not used.
  explicit Arena(MemoryAccount& account, size_t block_bytes = block_bytes_max)
      : account_(account), block_bytes_(block_bytes) {}
  Arena(const Arena&) = delete;
  ~Arena() { account_.give(held_); }

  // Aligned to 8 bytes; valid until `reset`.
  std::byte* allocate(size_t size) {
    const size_t needed = align_up(size, 8);
    if (needed > room_) [[unlikely]]
      add_block(needed);
    std::byte* address = next_;
    next_ += needed;
    room_ -= needed;
    return address;
  }
  template <typename T>
  T* allocate_array(size_t count) {
    return reinterpret_cast<T*>(allocate(count * sizeof(T)));
  }
  const std::byte* copy(const void* bytes, size_t size) {
    std::byte* to = allocate(size);
    std::memcpy(to, bytes, size);
    return to;
  }
  // Forgets everything and keeps the first block.
  void reset();
  size_t held() const { return held_; }

 private:
  struct Block {
    std::unique_ptr<std::byte[]> bytes;
    size_t size;
  };
  void add_block(size_t needed);

  MemoryAccount& account_;
  const size_t block_bytes_;
  std::vector<Block> blocks_;
  std::byte* next_ = nullptr;
  size_t room_ = 0;
  size_t held_ = 0;
};

}  // namespace pgdata
