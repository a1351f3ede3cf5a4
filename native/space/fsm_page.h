// The content of one free space map page: a binary tree of space categories laid out as an array.
//
// After the page header:
//
//   offset  size  field         meaning
//       24     4  fp_next_slot  leaf where the next search starts; a hint
//       28  rest  fp_nodes[]    one byte each: inner nodes, then leaves; an inner node is the greater
//                               of its children, so node 0 is the most space under the page
//
// A tree that breaks this rule (a torn page) is rebuilt where it is noticed. Little-endian.
// Source: src/include/storage/fsm_internals.h, src/backend/storage/freespace/fsmpage.c, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "page/page.h"

namespace pgdata {

class FsmPage {
 public:
  static constexpr int none = -1;

  explicit FsmPage(Page page) : page_(page) {}

  static uint32_t leaf_count(uint32_t block_size) {
    return node_count(block_size) - inner_count(block_size);
  }

  // Reading needs a shared lock, changing an exclusive one.
  uint8_t leaf(uint32_t slot) const;
  uint8_t maximum() const { return nodes()[0]; }
  // Each returns whether the page changed.
  bool set_leaf(uint32_t slot, uint8_t value) const;
  bool clear_leaves_from(uint32_t slot) const;
  bool rebuild() const;

  // A leaf of at least `minimum` at or after fp_next_slot, going round; `none` without one. Moves fp_next_slot
  // to it, or past it with `advance`, also under a shared lock, since it is a hint. `*broken`: the tree
  // promises a leaf that is not there, and must be rebuilt before another search.
  int search(uint8_t minimum, bool advance, bool* broken) const;
  void set_next_slot(int32_t slot) const;
  int32_t next_slot() const;

 private:
  static uint32_t node_count(uint32_t block_size) {
    return static_cast<uint32_t>(block_size - max_align(sizeof(PageHeader)) - sizeof(int32_t));
  }
  static uint32_t inner_count(uint32_t block_size) { return block_size / 2 - 1; }
  uint32_t node_count() const { return node_count(page_.size()); }
  uint32_t inner_count() const { return inner_count(page_.size()); }
  uint8_t* nodes() const {
    return reinterpret_cast<uint8_t*>(page_.bytes()) + max_align(sizeof(PageHeader)) +
           sizeof(int32_t);
  }
  uint8_t greater_child(uint32_t node) const;

  Page page_;
};

}  // namespace pgdata
