// GroupTable: groups of rows by the values of their keys, found by hash.
//
// Groups are numbered from 0 in order of arrival. Nulls are alike.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "executor/batch.h"
#include "executor/value_hash.h"

namespace pgdata {

struct GroupKey {
  ValueType type;
  KeyColumn equality;
  HashFunction hash;
};

class GroupTable {
 public:
  static constexpr uint32_t no_group = 0xFFFFFFFF;

  // Keys are kept in blocks of at most `block_bytes`.
  GroupTable(std::vector<GroupKey> keys, size_t block_bytes, MemoryAccount& account);
  ~GroupTable() { account_.give(charged_); }

  size_t size() const { return groups_.size(); }
  // How many there may be before it must grow.
  size_t capacity() const { return slots_.size() / 2; }
  size_t bytes() const { return charged_ + memory_.held(); }
  // What it takes at most while and after it grows, with what grows beside it for each group.
  size_t bytes_to_grow(size_t beside_bytes) const {
    return memory_.held() + slots_.size() * (3 * sizeof(Slot) + sizeof(Datum*) + beside_bytes);
  }
  void grow();
  void clear();

  // `columns`: of the keys.
  void hash(const std::vector<Column>& columns, uint32_t rows, uint64_t* hashes) const;
  // The group of a row; no_group where there is none yet.
  uint32_t find(const std::vector<Column>& columns, uint32_t row, uint64_t hash) const;
  // After `find` gave none; there is room.
  uint32_t add(const std::vector<Column>& columns, uint32_t row, uint64_t hash);

  Datum value(size_t group, size_t key) const { return groups_[group][key]; }
  bool is_null(size_t group, size_t key) const { return nulls_of(groups_[group])[key] != 0; }

 private:
  struct Slot {
    uint64_t hash = 0;
    uint32_t group = no_group;
  };

  uint8_t* nulls_of(Datum* values) const {
    return reinterpret_cast<uint8_t*>(values + keys_.size());
  }
  bool is_group(uint32_t group, const std::vector<Column>& columns, uint32_t row) const;
  size_t free_slot(uint64_t hash) const;
  void resize(size_t slots);

  std::vector<GroupKey> keys_;
  MemoryAccount& account_;
  size_t charged_ = 0;
  // A power of two, at most half of them taken.
  std::vector<Slot> slots_;
  // Of each group its keys, then a null byte for each.
  std::vector<Datum*> groups_;
  Arena memory_;
};

}  // namespace pgdata
