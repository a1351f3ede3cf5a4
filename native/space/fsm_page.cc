// FsmPage: the tree of one free space map page.
#include "space/fsm_page.h"

#include <algorithm>

#include "base/invariant.h"

namespace pgdata {

namespace {

constexpr uint32_t left_child(uint32_t node) { return 2 * node + 1; }
constexpr uint32_t parent_of(uint32_t node) { return (node - 1) / 2; }

// The node to the right on the same level, from the last to the first.
constexpr uint32_t right_neighbour(uint32_t node) {
  const uint32_t right = node + 1;
  // The first node of each level is one less than a power of two; having reached one, we left our level.
  return ((right + 1) & right) == 0 ? parent_of(right) : right;
}

int32_t* next_slot_of(Page page) {
  return reinterpret_cast<int32_t*>(page.bytes() + max_align(sizeof(PageHeader)));
}

}  // namespace

uint8_t FsmPage::leaf(uint32_t slot) const {
  INVARIANT(slot < leaf_count(page_.size()));
  return nodes()[inner_count() + slot];
}

// 0 for a missing child: the tree is not full at its right edge.
uint8_t FsmPage::greater_child(uint32_t node) const {
  const uint32_t left = left_child(node);
  uint8_t greater = left < node_count() ? nodes()[left] : uint8_t{0};
  if (left + 1 < node_count()) greater = std::max(greater, nodes()[left + 1]);
  return greater;
}

bool FsmPage::set_leaf(uint32_t slot, uint8_t value) const {
  INVARIANT(slot < leaf_count(page_.size()));
  uint8_t* node = nodes();
  uint32_t at = inner_count() + slot;
  if (node[at] == value && value <= node[0]) return false;
  node[at] = value;
  while (at > 0) {
    at = parent_of(at);
    const uint8_t greater = greater_child(at);
    if (node[at] == greater) break;
    node[at] = greater;
  }
  if (value > node[0]) rebuild();
  return true;
}

bool FsmPage::clear_leaves_from(uint32_t slot) const {
  INVARIANT(slot < leaf_count(page_.size()));
  bool changed = false;
  for (uint32_t at = inner_count() + slot; at < node_count(); ++at) {
    if (nodes()[at] != 0) changed = true;
    nodes()[at] = 0;
  }
  if (changed) rebuild();
  return changed;
}

bool FsmPage::rebuild() const {
  bool changed = false;
  for (uint32_t at = inner_count(); at-- > 0;) {
    const uint8_t greater = greater_child(at);
    if (nodes()[at] != greater) changed = true;
    nodes()[at] = greater;
  }
  return changed;
}

int FsmPage::search(uint8_t minimum, bool advance, bool* broken) const {
  *broken = false;
  const uint8_t* node = nodes();
  if (node[0] < minimum) return none;

  const int32_t start = next_slot();
  const bool sane = start >= 0 && static_cast<uint32_t>(start) < leaf_count(page_.size());
  uint32_t at = inner_count() + (sane ? static_cast<uint32_t>(start) : 0);
  // Each step goes right and up: it leaves what was searched, and looks at twice as much to the right of it.
  while (at > 0 && node[at] < minimum) at = parent_of(right_neighbour(at));
  // Then down to the leftmost leaf that has enough.
  while (at < inner_count()) {
    const uint32_t left = left_child(at);
    if (left < node_count() && node[left] >= minimum) {
      at = left;
    } else if (left + 1 < node_count() && node[left + 1] >= minimum) {
      at = left + 1;
    } else {
      *broken = true;
      return none;
    }
  }
  const auto slot = static_cast<int>(at - inner_count());
  set_next_slot(slot + (advance ? 1 : 0));
  return slot;
}

// The hint is read and written by holders of a shared lock: one word, no order.
void FsmPage::set_next_slot(int32_t slot) const {
  __atomic_store_n(next_slot_of(page_), slot, __ATOMIC_RELAXED);
}

int32_t FsmPage::next_slot() const {
  return __atomic_load_n(next_slot_of(page_), __ATOMIC_RELAXED);
}

}  // namespace pgdata
