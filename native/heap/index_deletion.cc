// Index deletion: blocks in a good order, chains one by one.
#include "heap/index_deletion.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "heap/visibility.h"

namespace pgdata {

namespace {

// Bottom-up deletion looks at so many blocks at most; blocks so near each other count as neighbours.
constexpr size_t bottom_up_blocks_max = 6;
constexpr int64_t neighbour_blocks = 3;
// Fewer promising entries of a block tell nothing.
constexpr uint32_t promising_min = 4;

HeapTupleHeader& header_at(const Page& page, OffsetNumber offset) {
  return *reinterpret_cast<HeapTupleHeader*>(page.item_at(offset));
}

// The entries of one block, in `order`.
struct BlockGroup {
  size_t first;
  size_t count;
  uint32_t promising;
};

class DeletableFinder {
 public:
  DeletableFinder(Backend& backend, const HeapRelation& relation, uint32_t bottom_up_bytes,
                  std::vector<IndexEntryFate>& entries, TransactionId* conflict_horizon)
      : backend_(backend),
        relation_(relation),
        bottom_up_(bottom_up_bytes > 0),
        wanted_bytes_(bottom_up_bytes),
        entries_(entries),
        conflict_horizon_(conflict_horizon),
        visibility_(backend, nullptr) {}

  Status run() {
    std::vector<size_t> order(entries_.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::sort(order.begin(), order.end(),
              [&](size_t a, size_t b) { return entries_[a].tid < entries_[b].tid; });
    std::vector<BlockGroup> groups = groups_of(order);
    size_t favorable = groups.size();
    if (bottom_up_) favorable = choose_blocks(order, &groups);
    uint32_t freed_before = 0;
    for (size_t i = 0; i < groups.size(); i++) {
      if (bottom_up_) {
        // Each block must pay for itself.
        if (is_satisfied_ || (i > 0 && freed_bytes_ == freed_before)) break;
        freed_before = freed_bytes_;
        if (i >= favorable) wanted_bytes_ /= 2;
      }
      RETURN_IF_ERROR(examine_block(order, groups[i]));
    }
    return Status::ok;
  }

 private:
  std::vector<BlockGroup> groups_of(const std::vector<size_t>& order) const {
    std::vector<BlockGroup> groups;
    for (size_t i = 0; i < order.size(); i++) {
      const IndexEntryFate& entry = entries_[order[i]];
      if (i == 0 || entries_[order[i - 1]].tid.block() != entry.tid.block())
        groups.push_back({i, 0, 0});
      groups.back().count++;
      if (entry.promising) groups.back().promising++;
    }
    return groups;
  }

  // Sorts the groups by how much they promise, in powers of two, so that otherwise the order of blocks counts, and
  // keeps the best. Returns how many at the start are neighbours.
  size_t choose_blocks(const std::vector<size_t>& order, std::vector<BlockGroup>* groups) const {
    for (BlockGroup& group : *groups)
      group.promising = std::bit_ceil(std::max(group.promising, promising_min));
    std::sort(groups->begin(), groups->end(), [](const BlockGroup& a, const BlockGroup& b) {
      if (a.promising != b.promising) return a.promising > b.promising;
      const size_t size_a = std::bit_ceil(a.count);
      const size_t size_b = std::bit_ceil(b.count);
      return size_a != size_b ? size_a > size_b : a.first < b.first;
    });
    if (groups->size() > bottom_up_blocks_max) groups->resize(bottom_up_blocks_max);
    size_t favorable = 0;
    int64_t last = -1;
    for (const BlockGroup& group : *groups) {
      const int64_t block = value_of(entries_[order[group.first]].tid.block());
      if (last >= 0 && (block < last - neighbour_blocks || block > last + neighbour_blocks)) break;
      favorable++;
      last = block;
    }
    return favorable;
  }

  Status examine_block(const std::vector<size_t>& order, const BlockGroup& group) {
    BufferRef buffer;
    RETURN_IF_ERROR(backend_.pool_of(relation_.temporary)
                        .read(relation_.locator, ForkNumber::main,
                              entries_[order[group.first]].tid.block(), ReadMode::normal, nullptr,
                              &buffer));
    buffer.lock(LockMode::shared);
    Status status;
    for (size_t i = group.first; status.is_ok() && i < group.first + group.count; i++)
      status = examine(buffer, &entries_[order[i]]);
    visibility_.hints_done(buffer);
    return status;
  }

  Status examine(BufferRef& buffer, IndexEntryFate* entry) {
    const Page page = buffer.page();
    const OffsetNumber offset = entry->tid.offset();
    const bool exists = offset >= first_offset_number && offset <= page.max_offset() &&
                        page.line_pointer(offset).is_used();
    const bool leads_somewhere =
        exists && (!page.line_pointer(offset).is_normal() ||
                   (heap_item_is_sane(page, page.line_pointer(offset)) &&
                    (header_at(page, offset).t_infomask2 & HEAP_ONLY_TUPLE) == 0));
    if (!leads_somewhere)
      return Status::error(ErrorCode::index_corrupted,
                           "heap tid from index tuple (%u,%u) points to no row of relation \"%s\"",
                           value_of(entry->tid.block()), unsigned{offset}, relation_.name.c_str());
    TransactionId horizon = *conflict_horizon_;
    bool is_dead = false;
    RETURN_IF_ERROR(examine_chain(buffer, offset, entry->deletable, &horizon, &is_dead));
    if (!is_dead) return Status::ok;
    *conflict_horizon_ = horizon;
    if (entry->deletable) return Status::ok;
    entry->deletable = true;
    freed_bytes_ += entry->free_bytes;
    if (bottom_up_ && freed_bytes_ >= wanted_bytes_) is_satisfied_ = true;
    return Status::ok;
  }

  // Whether every member of the chain is gone for everybody (`known`: that is so), and by whom.
  Status examine_chain(BufferRef& buffer, OffsetNumber offset, bool known, TransactionId* horizon,
                       bool* is_dead) {
    const Page page = buffer.page();
    const OffsetNumber last = page.max_offset();
    TransactionId previous_xmax = invalid_transaction_id;
    // A chain has no more members than the page has line pointers.
    for (OffsetNumber steps = 0; steps <= last; steps++) {
      if (offset < first_offset_number || offset > last) break;
      const LinePointer item = page.line_pointer(offset);
      if (item.is_redirected()) {
        offset = static_cast<OffsetNumber>(item.lp_off());
        continue;
      }
      // What made a line pointer dead has been logged with its own horizon.
      if (!item.is_normal()) break;
      if (!heap_item_is_sane(page, item))
        return heap_item_corrupted(relation_, ItemPointer(buffer.block(), offset));
      HeapTupleHeader& tuple = header_at(page, offset);
      const TransactionId xmin =
          xmin_is_frozen(tuple.t_infomask) ? frozen_transaction_id : tuple.t_xmin;
      if (is_valid(previous_xmax) && xmin != previous_xmax) break;
      if (!known) {
        VacuumVerdict verdict = VacuumVerdict::live;
        TransactionId deleter = invalid_transaction_id;
        RETURN_IF_ERROR(visibility_.vacuum_verdict(tuple, buffer, &verdict, &deleter));
        const bool gone = verdict == VacuumVerdict::dead ||
                          (verdict == VacuumVerdict::recently_dead &&
                           backend_.is_removable(deleter, relation_.is_shared()));
        if (!gone) return Status::ok;
      }
      RETURN_IF_ERROR(visibility_.advance_conflict_horizon(tuple, horizon));
      if (!is_hot_updated(tuple.t_infomask, tuple.t_infomask2)) break;
      offset = tuple.t_ctid.offset();
      RETURN_IF_ERROR(visibility_.update_xid(tuple, &previous_xmax));
    }
    *is_dead = true;
    return Status::ok;
  }

  Backend& backend_;
  const HeapRelation& relation_;
  bool bottom_up_;
  uint32_t wanted_bytes_;
  std::vector<IndexEntryFate>& entries_;
  TransactionId* conflict_horizon_;
  Visibility visibility_;
  uint32_t freed_bytes_ = 0;
  bool is_satisfied_ = false;
};

}  // namespace

Status find_deletable_entries(Backend& backend, const HeapRelation& relation,
                              uint32_t bottom_up_bytes, std::vector<IndexEntryFate>* entries,
                              TransactionId* conflict_horizon) {
  *conflict_horizon = invalid_transaction_id;
  DeletableFinder finder(backend, relation, bottom_up_bytes, *entries, conflict_horizon);
  return finder.run();
}

}  // namespace pgdata
