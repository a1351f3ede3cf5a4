// Pruning: judge every tuple once, decide chain by chain, then change the page and log it in one step.
#include "heap/prune.h"

#include <algorithm>

#include "base/invariant.h"
#include "heap/page_choice.h"
#include "heap/visibility.h"
#include "layout/heap_records.h"

namespace pgdata {

namespace {

constexpr size_t tuples_max = heap_tuples_per_page_max(block_size_max);

HeapTupleHeader& header_at(const Page& page, OffsetNumber offset) {
  return *reinterpret_cast<HeapTupleHeader*>(page.item_at(offset));
}

// HeapTupleHeaderGetXmin.
TransactionId xmin_of(const HeapTupleHeader& tuple) {
  return xmin_is_frozen(tuple.t_infomask) ? frozen_transaction_id : tuple.t_xmin;
}

// A list of offset numbers of one page.
struct Offsets {
  size_t count = 0;
  OffsetNumber at[tuples_max];
  void add(OffsetNumber offset) {
    INVARIANT(count < tuples_max);
    at[count++] = offset;
  }
  std::span<const OffsetNumber> span() const { return {at, count}; }
};

// What a prune record says (log_heap_prune_and_freeze).
struct PruneRecord {
  uint8_t info;
  TransactionId conflict_horizon = invalid_transaction_id;
  bool cleanup_lock = true;
  std::span<TupleFreeze> frozen;
  std::span<const OffsetNumber> redirected;  // pairs
  std::span<const OffsetNumber> dead;
  std::span<const OffsetNumber> unused;
};

// Equal plans are logged once, so they are sorted: by what they do, then by place.
bool same_plan(const TupleFreeze& a, const TupleFreeze& b) {
  return a.xmax == b.xmax && a.t_infomask2 == b.t_infomask2 && a.t_infomask == b.t_infomask &&
         a.frzflags == b.frzflags;
}
bool plan_before(const TupleFreeze& a, const TupleFreeze& b) {
  if (a.xmax != b.xmax) return value_of(a.xmax) < value_of(b.xmax);
  if (a.t_infomask2 != b.t_infomask2) return a.t_infomask2 < b.t_infomask2;
  if (a.t_infomask != b.t_infomask) return a.t_infomask < b.t_infomask;
  if (a.frzflags != b.frzflags) return a.frzflags < b.frzflags;
  return a.offset < b.offset;
}

// Gives a change its data, inside the critical section; what it points to lives until the change is finished.
class PruneLog {
 public:
  void write(Change& change, const PruneRecord& record) {
    header_ = {};
    if (!record.frozen.empty()) {
      header_.flags |= XLHP_HAS_FREEZE_PLANS;
      write_plans(change, record.frozen);
    }
    if (!record.redirected.empty()) {
      header_.flags |= XLHP_HAS_REDIRECTIONS;
      write_items(change, &redirected_, record.redirected, record.redirected.size() / 2);
    }
    if (!record.dead.empty()) {
      header_.flags |= XLHP_HAS_DEAD_ITEMS;
      write_items(change, &dead_, record.dead, record.dead.size());
    }
    if (!record.unused.empty()) {
      header_.flags |= XLHP_HAS_NOW_UNUSED_ITEMS;
      write_items(change, &unused_, record.unused, record.unused.size());
    }
    if (!record.frozen.empty())
      change.block_data(0, frozen_offsets_, record.frozen.size() * sizeof(OffsetNumber));
    if (is_valid(record.conflict_horizon)) header_.flags |= XLHP_HAS_CONFLICT_HORIZON;
    if (record.cleanup_lock) header_.flags |= XLHP_CLEANUP_LOCK;
    conflict_horizon_ = record.conflict_horizon;
    change.data(&header_, xl_heap_prune_size);
    if (is_valid(record.conflict_horizon)) change.data(&conflict_horizon_, sizeof(TransactionId));
  }

 private:
  void write_plans(Change& change, std::span<TupleFreeze> frozen) {
    std::sort(frozen.begin(), frozen.end(), plan_before);
    size_t plans = 0;
    for (size_t i = 0; i < frozen.size(); i++) {
      const TupleFreeze& tuple = frozen[i];
      if (i == 0 || !same_plan(frozen[i - 1], tuple))
        plans_[plans++] = {tuple.xmax, tuple.t_infomask2, tuple.t_infomask, tuple.frzflags, 0, 0};
      plans_[plans - 1].ntuples++;
      frozen_offsets_[i] = tuple.offset;
    }
    plan_count_ = {static_cast<uint16_t>(plans), 0};
    change.block_data(0, &plan_count_, sizeof(plan_count_));
    change.block_data(0, plans_, plans * sizeof(plans_[0]));
  }
  void write_items(Change& change, xlhp_prune_items* header, std::span<const OffsetNumber> offsets,
                   size_t targets) {
    *header = {static_cast<uint16_t>(targets)};
    change.block_data(0, header, sizeof(*header));
    change.block_data(0, offsets.data(), offsets.size_bytes());
  }

  xl_heap_prune header_{};
  TransactionId conflict_horizon_ = invalid_transaction_id;
  xlhp_freeze_plans plan_count_{};
  xlhp_freeze_plan plans_[tuples_max];
  OffsetNumber frozen_offsets_[tuples_max];
  xlhp_prune_items redirected_{};
  xlhp_prune_items dead_{};
  xlhp_prune_items unused_{};
};

class Pruner {
 public:
  // Without options: on access, nothing is frozen and nothing counted.
  Pruner(const ReadContext& context, const HeapRelation& relation, BufferRef& buffer,
         const PruneOptions* options)
      : context_(context),
        relation_(relation),
        buffer_(buffer),
        page_(buffer.page()),
        options_(options),
        visibility_(context, nullptr) {}

  Status run(PageFreeze* page_freeze, PruneResult* result);
  // Whether the page was frozen as a whole, so that only what its plans kept is left.
  bool froze() const { return froze_; }
  // Line pointers that became dead, and count as dead rows still.
  int newly_dead() const { return static_cast<int>(dead_.count); }

 private:
  static constexpr int8_t no_verdict = -1;

  Status judge();
  Status chain(OffsetNumber root);
  Status finish_chain(OffsetNumber root, std::span<const OffsetNumber> members, size_t dead_count);
  Status lone_heap_only(OffsetNumber offset);
  Status keep_tuple(OffsetNumber offset);
  Status update_xid(const HeapTupleHeader& tuple, TransactionId* xid);
  bool decide_freezing(bool prunes, bool hints, bool hint_was_imaged);
  Status apply(bool prunes, bool freezes, bool hints);

  void remove(OffsetNumber offset, bool was_normal) {
    processed_[offset] = true;
    unused_.add(offset);
    if (was_normal) result_->deleted++;
  }
  void mark_dead_or_unused(OffsetNumber offset, bool was_normal) {
    if (options_ != nullptr && options_->mark_unused_now) return remove(offset, was_normal);
    processed_[offset] = true;
    dead_.add(offset);
    result_->dead.push_back(offset);
    if (was_normal) result_->deleted++;
  }
  void note_prunable(TransactionId xid) {
    if (!is_valid(prune_xid_) || precedes(xid, prune_xid_)) prune_xid_ = xid;
  }
  VacuumVerdict verdict(OffsetNumber offset) const {
    INVARIANT(verdicts_[offset] != no_verdict);
    return static_cast<VacuumVerdict>(verdicts_[offset]);
  }

  ReadContext context_;
  const HeapRelation& relation_;
  BufferRef& buffer_;
  Page page_;
  const PruneOptions* options_;
  Visibility visibility_;
  OffsetNumber last_ = 0;
  PageFreeze* freeze_ = nullptr;
  PruneResult* result_ = nullptr;

  TransactionId prune_xid_ = invalid_transaction_id;
  TransactionId newest_removed_ = invalid_transaction_id;
  bool all_visible_ = false;
  bool all_frozen_ = false;
  bool froze_ = false;
  TransactionId newest_visible_ = invalid_transaction_id;

  Offsets roots_;
  Offsets heap_only_;
  Offsets dead_;
  Offsets unused_;
  size_t redirected_count_ = 0;
  OffsetNumber redirected_[2 * tuples_max];
  size_t frozen_count_ = 0;
  TupleFreeze frozen_[tuples_max];
  bool processed_[tuples_max + 1];
  int8_t verdicts_[tuples_max + 1];
  PruneLog log_;
};

// HeapTupleHeaderGetUpdateXid.
Status Pruner::update_xid(const HeapTupleHeader& tuple, TransactionId* xid) {
  if ((tuple.t_infomask & HEAP_XMAX_INVALID) == 0) return visibility_.update_xid(tuple, xid);
  *xid = tuple.t_xmax;
  return Status::ok;
}

// One verdict a tuple, and the lists of where chains can begin and of what only they lead to.
Status Pruner::judge() {
  last_ = page_.max_offset();
  if (last_ > heap_tuples_per_page_max(page_.size()))
    return Status::error(Status::data_corrupted,
                         "page %u of relation \"%s\" has %u line pointers, more than fit",
                         value_of(buffer_.block()), relation_.name.c_str(), unsigned{last_});
  for (OffsetNumber offset = last_; offset >= first_offset_number; offset--) {
    const LinePointer item = page_.line_pointer(offset);
    processed_[offset] = false;
    verdicts_[offset] = no_verdict;
    if (!item.is_used()) {
      processed_[offset] = true;
      continue;
    }
    if (item.is_dead()) {
      if (options_ != nullptr && options_->mark_unused_now) {
        remove(offset, false);
      } else {
        processed_[offset] = true;
        result_->dead.push_back(offset);
      }
      continue;
    }
    if (item.is_redirected()) {
      roots_.add(offset);
      continue;
    }
    if (!heap_item_is_sane(page_, item))
      return heap_item_corrupted(relation_, ItemPointer(buffer_.block(), offset));
    HeapTupleHeader& tuple = header_at(page_, offset);
    VacuumVerdict verdict = VacuumVerdict::live;
    TransactionId deleter = invalid_transaction_id;
    RETURN_IF_ERROR(visibility_.vacuum_verdict(tuple, buffer_, &verdict, &deleter));
    if (verdict == VacuumVerdict::recently_dead) {
      // A vacuum must remove what precedes its cutoff, since it could not freeze it.
      const bool removable = options_ != nullptr
                                 ? precedes(deleter, options_->cutoffs.OldestXmin) ||
                                       options_->removal.is_removable(
                                           deleter, relation_.is_shared(), invalid_transaction_id)
                                 : context_.backend->is_removable(deleter, relation_.is_shared());
      if (removable) verdict = VacuumVerdict::dead;
    }
    verdicts_[offset] = static_cast<int8_t>(verdict);
    ((tuple.t_infomask2 & HEAP_ONLY_TUPLE) != 0 ? heap_only_ : roots_).add(offset);
  }
  return Status::ok;
}

// heap_prune_chain.
Status Pruner::chain(OffsetNumber root) {
  const LinePointer root_item = page_.line_pointer(root);
  OffsetNumber members[tuples_max];
  size_t count = 0;
  size_t dead_count = 0;  // members up to the last dead one
  TransactionId previous_xmax = invalid_transaction_id;
  OffsetNumber offset = root;
  for (;;) {
    // A line pointer array may have been cut; what is processed belongs to another chain.
    if (offset < first_offset_number || offset > last_ || processed_[offset]) break;
    const LinePointer item = page_.line_pointer(offset);
    if (item.is_redirected()) {
      if (count > 0) break;
      members[count++] = offset;
      offset = static_cast<OffsetNumber>(item.lp_off());
      continue;
    }
    const HeapTupleHeader& tuple = header_at(page_, offset);
    if (is_valid(previous_xmax) && xmin_of(tuple) != previous_xmax) break;
    // Damaged links could lead in a circle.
    if (count == last_)
      return Status::error(Status::data_corrupted,
                           "HOT chain at (%u,%u) of relation \"%s\" does not end",
                           value_of(buffer_.block()), unsigned{root}, relation_.name.c_str());
    members[count++] = offset;
    if (verdict(offset) == VacuumVerdict::dead) {
      dead_count = count;
      RETURN_IF_ERROR(visibility_.advance_conflict_horizon(tuple, &newest_removed_));
    } else if (verdict(offset) != VacuumVerdict::recently_dead) {
      return finish_chain(root, {members, count}, dead_count);
    }
    if (!is_hot_updated(tuple.t_infomask, tuple.t_infomask2) ||
        tuple.t_ctid.block() != buffer_.block())
      return finish_chain(root, {members, count}, dead_count);
    offset = tuple.t_ctid.offset();
    RETURN_IF_ERROR(update_xid(tuple, &previous_xmax));
  }
  if (root_item.is_redirected() && count < 2) {
    // What it led to was removed as part of another chain.
    mark_dead_or_unused(root, false);
    return Status::ok;
  }
  return finish_chain(root, {members, count}, dead_count);
}

Status Pruner::finish_chain(OffsetNumber root, std::span<const OffsetNumber> members,
                            size_t dead_count) {
  const bool root_is_redirect = page_.line_pointer(root).is_redirected();
  size_t kept = dead_count;
  if (dead_count == 0) {
    if (root_is_redirect) {
      processed_[root] = true;
      kept = 1;
    }
  } else {
    if (dead_count == members.size()) {
      mark_dead_or_unused(root, !root_is_redirect);
    } else {
      processed_[root] = true;
      redirected_[2 * redirected_count_] = root;
      redirected_[2 * redirected_count_ + 1] = members[dead_count];
      redirected_count_++;
      if (!root_is_redirect) result_->deleted++;
      result_->has_tuples = true;
    }
    for (size_t i = 1; i < dead_count; i++) remove(members[i], true);
  }
  for (; kept < members.size(); kept++) RETURN_IF_ERROR(keep_tuple(members[kept]));
  return Status::ok;
}

// A heap-only tuple that no chain leads to: what an aborted update left.
Status Pruner::lone_heap_only(OffsetNumber offset) {
  if (verdict(offset) != VacuumVerdict::dead) return keep_tuple(offset);
  const HeapTupleHeader& tuple = header_at(page_, offset);
  if (is_hot_updated(tuple.t_infomask, tuple.t_infomask2))
    return Status::error(Status::data_corrupted,
                         "dead heap-only tuple (%u, %u) is not linked to from any HOT chain",
                         value_of(buffer_.block()), unsigned{offset});
  RETURN_IF_ERROR(visibility_.advance_conflict_horizon(tuple, &newest_removed_));
  remove(offset, true);
  return Status::ok;
}

// heap_prune_record_unchanged_lp_normal.
Status Pruner::keep_tuple(OffsetNumber offset) {
  processed_[offset] = true;
  result_->has_tuples = true;
  const HeapTupleHeader& tuple = header_at(page_, offset);
  TransactionId deleter;
  switch (verdict(offset)) {
    case VacuumVerdict::live: {
      result_->live++;
      if (!all_visible_) break;
      // Without the hint the commit may not be durable yet, and the map must not know before.
      const TransactionId xmin = xmin_of(tuple);
      if ((tuple.t_infomask & HEAP_XMIN_COMMITTED) == 0 ||
          !precedes(xmin, options_->cutoffs.OldestXmin)) {
        all_visible_ = false;
        break;
      }
      if (is_normal(xmin) && precedes(newest_visible_, xmin)) newest_visible_ = xmin;
      break;
    }
    case VacuumVerdict::recently_dead:
      result_->recently_dead++;
      all_visible_ = false;
      RETURN_IF_ERROR(update_xid(tuple, &deleter));
      note_prunable(deleter);
      break;
    case VacuumVerdict::insert_in_progress:
      all_visible_ = false;
      break;
    case VacuumVerdict::delete_in_progress:
      result_->live++;
      all_visible_ = false;
      RETURN_IF_ERROR(update_xid(tuple, &deleter));
      note_prunable(deleter);
      break;
    case VacuumVerdict::dead:
      INVARIANT(verdict(offset) != VacuumVerdict::dead);
      break;
  }
  if (freeze_ == nullptr) return Status::ok;
  bool has_plan = false;
  bool totally_frozen = false;
  TupleFreeze& plan = frozen_[frozen_count_];
  RETURN_IF_ERROR(TupleFreezer(context_, options_->cutoffs)
                      .prepare(tuple, freeze_, &plan, &has_plan, &totally_frozen));
  plan.offset = offset;
  if (has_plan) frozen_count_++;
  if (!totally_frozen) all_frozen_ = false;
  return Status::ok;
}

// Freezes if some id must go, or if the whole page becomes frozen and its image is logged anyway.
bool Pruner::decide_freezing(bool prunes, bool hints, bool hint_was_imaged) {
  if (freeze_ == nullptr) return false;
  if (freeze_->freeze_required) return true;
  if (!all_visible_ || !all_frozen_ || frozen_count_ == 0 || !relation_.logged) return false;
  if (hint_was_imaged) return true;
  const bool needs_image = context_.backend->services().wal.needs_full_page_image(page_.lsn());
  if (prunes) return needs_image;
  return hints && context_.shared_pool.options().log_hints && needs_image;
}

Status Pruner::apply(bool prunes, bool freezes, bool hints) {
  const auto update_hints = [&] {
    PageHeader& header = page_.header();
    header.pd_prune_xid = prune_xid_;
    header.pd_flags = static_cast<uint16_t>(header.pd_flags & ~PD_PAGE_FULL);
  };
  if (!prunes && !freezes) {
    if (!hints) return Status::ok;
    update_hints();
    buffer_.pool().mark_dirty_hint(buffer_, true);
    return Status::ok;
  }
  PruneRecord record{};
  record.info = options_ != nullptr ? XLOG_HEAP2_PRUNE_VACUUM_SCAN : XLOG_HEAP2_PRUNE_ON_ACCESS;
  if (freezes) record.frozen = {frozen_, frozen_count_};
  record.redirected = {redirected_, 2 * redirected_count_};
  record.dead = dead_.span();
  record.unused = unused_.span();
  // The horizon of the whole record is that of its most recent effect.
  if (freezes) {
    if (all_visible_ && all_frozen_) {
      record.conflict_horizon = newest_visible_;
    } else {
      const uint32_t before = value_of(options_->cutoffs.OldestXmin) - 1;
      record.conflict_horizon = TransactionId{before < 3 ? 0xFFFFFFFFu : before};
    }
  }
  if (!precedes(newest_removed_, record.conflict_horizon))
    record.conflict_horizon = newest_removed_;

  Backend& backend = *context_.backend;
  Change change(backend.services(), backend.xid(), RmgrId::heap2, record.info, relation_.logged);
  change.block(0, buffer_, REGBUF_STANDARD);
  change.begin();
  if (hints) update_hints();
  if (prunes) {
    for (size_t i = 0; i < redirected_count_; i++)
      page_.line_pointer(redirected_[2 * i]) =
          LinePointer(redirected_[2 * i + 1], LinePointerFlags::LP_REDIRECT, 0);
    for (const OffsetNumber offset : dead_.span())
      page_.line_pointer(offset) = LinePointer(0, LinePointerFlags::LP_DEAD, 0);
    for (const OffsetNumber offset : unused_.span()) page_.line_pointer(offset) = LinePointer();
    page_.repair_fragmentation();
  }
  if (freezes)
    for (size_t i = 0; i < frozen_count_; i++)
      execute_freeze(header_at(page_, frozen_[i].offset), frozen_[i]);
  log_.write(change, record);
  return change.finish();
}

Status Pruner::run(PageFreeze* page_freeze, PruneResult* result) {
  freeze_ = page_freeze;
  result_ = result;
  all_visible_ = all_frozen_ = page_freeze != nullptr;
  const Lsn lsn_before = page_.lsn();
  Status judged = judge();
  visibility_.hints_done(buffer_);
  RETURN_IF_ERROR(std::move(judged));
  const bool hint_was_imaged = page_.lsn() != lsn_before;
  // The lists were made from the last line pointer to the first.
  for (size_t i = roots_.count; i-- > 0;)
    if (!processed_[roots_.at[i]]) RETURN_IF_ERROR(chain(roots_.at[i]));
  for (size_t i = heap_only_.count; i-- > 0;)
    if (!processed_[heap_only_.at[i]]) RETURN_IF_ERROR(lone_heap_only(heap_only_.at[i]));

  const bool prunes = redirected_count_ > 0 || dead_.count > 0 || unused_.count > 0;
  const PageHeader& header = page_.header();
  const bool hints = header.pd_prune_xid != prune_xid_ || (header.pd_flags & PD_PAGE_FULL) != 0;
  froze_ = decide_freezing(prunes, hints, hint_was_imaged);
  if (froze_) {
    const TupleFreezer freezer(context_, options_->cutoffs);
    for (size_t i = 0; i < frozen_count_; i++)
      RETURN_IF_ERROR(freezer.check(header_at(page_, frozen_[i].offset), frozen_[i]));
  } else if (frozen_count_ > 0) {
    all_frozen_ = false;
    frozen_count_ = 0;
  }
  if (prunes) RETURN_IF_ERROR(page_.verify_items(buffer_.block(), relation_.name.c_str()));
  RETURN_IF_ERROR(apply(prunes, frozen_count_ > 0, hints));

  std::sort(result->dead.begin(), result->dead.end());
  result->frozen = static_cast<int>(frozen_count_);
  result->all_visible = all_visible_ && result->dead.empty();
  result->all_frozen = result->all_visible && all_frozen_;
  result->conflict_horizon = result->all_frozen ? invalid_transaction_id : newest_visible_;
  return Status::ok;
}

bool is_nearly_full(const HeapRelation& relation, const Page& page) {
  const uint32_t wanted =
      std::max(page.size() * (100 - relation.fillfactor) / 100, page.size() / 10);
  return (page.header().pd_flags & PD_PAGE_FULL) != 0 || page.heap_free_bytes() < wanted;
}

}  // namespace

Status prune_on_access(const ReadContext& context, const HeapRelation& relation,
                       BufferRef& buffer) {
  // Read without a lock: a wrong guess costs a pruning at most.
  const Page page = buffer.page();
  const TransactionId prune_xid{__atomic_load_n(
      reinterpret_cast<const uint32_t*>(&page.header().pd_prune_xid), __ATOMIC_RELAXED)};
  if (!is_valid(prune_xid) || context.backend == nullptr) return Status::ok;
  if (!context.backend->is_removable(prune_xid, relation.is_shared())) return Status::ok;
  if (!is_nearly_full(relation, page) || !buffer.try_lock_for_cleanup()) return Status::ok;
  Status status;
  if (is_nearly_full(relation, page)) {
    PruneResult result;
    Pruner pruner(context, relation, buffer, nullptr);
    status = pruner.run(nullptr, &result);
    SessionCounters* const counters = context.backend->counters();
    const int gone = result.deleted - pruner.newly_dead();
    if (counters != nullptr && gone > 0)
      counters->count_pruned(relation.oid, relation.locator, gone);
  }
  buffer.unlock();
  return status;
}

Status prune_and_freeze(const ReadContext& context, const HeapRelation& relation, BufferRef& buffer,
                        const PruneOptions& options, TransactionId* relfrozenxid,
                        MultiXactId* relminmxid, PruneResult* result) {
  INVARIANT(context.backend != nullptr);
  INVARIANT(buffer.is_locked_exclusive());
  *result = PruneResult{};
  PageFreeze page_freeze;
  page_freeze.freeze_relfrozenxid = page_freeze.no_freeze_relfrozenxid = *relfrozenxid;
  page_freeze.freeze_relminmxid = page_freeze.no_freeze_relminmxid = *relminmxid;
  Pruner pruner(context, relation, buffer, &options);
  RETURN_IF_ERROR(pruner.run(&page_freeze, result));
  const bool froze = pruner.froze();
  *relfrozenxid = froze ? page_freeze.freeze_relfrozenxid : page_freeze.no_freeze_relfrozenxid;
  *relminmxid = froze ? page_freeze.freeze_relminmxid : page_freeze.no_freeze_relminmxid;
  return Status::ok;
}

Status reap_dead_items(const ReadContext& context, const HeapRelation& relation, BufferRef& buffer,
                       std::span<const OffsetNumber> dead) {
  INVARIANT(!dead.empty());
  const Page page = buffer.page();
  for (const OffsetNumber offset : dead)
    if (offset > page.max_offset() || !page.line_pointer(offset).is_dead() ||
        page.line_pointer(offset).has_storage())
      return heap_item_corrupted(relation, ItemPointer(buffer.block(), offset));
  PruneRecord record{};
  record.info = XLOG_HEAP2_PRUNE_VACUUM_CLEANUP;
  record.cleanup_lock = false;
  record.unused = dead;
  Backend& backend = *context.backend;
  PruneLog log;
  Change change(backend.services(), backend.xid(), RmgrId::heap2, record.info, relation.logged);
  change.block(0, buffer, REGBUF_STANDARD);
  change.begin();
  for (const OffsetNumber offset : dead) page.line_pointer(offset) = LinePointer();
  page.truncate_line_pointers();
  log.write(change, record);
  return change.finish();
}

Status page_is_all_visible(const ReadContext& context, const HeapRelation& relation,
                           BufferRef& buffer, TransactionId oldest_xmin, bool* all_visible,
                           bool* all_frozen, TransactionId* conflict_horizon) {
  *all_visible = false;
  *all_frozen = false;
  *conflict_horizon = invalid_transaction_id;
  const Page page = buffer.page();
  Visibility visibility(context, nullptr);
  bool frozen = true;
  Status status;
  OffsetNumber offset = first_offset_number;
  for (; offset <= page.max_offset(); offset++) {
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_used() || item.is_redirected()) continue;
    if (item.is_dead()) break;
    if (!heap_item_is_sane(page, item)) {
      status = heap_item_corrupted(relation, ItemPointer(buffer.block(), offset));
      break;
    }
    HeapTupleHeader& tuple = header_at(page, offset);
    VacuumVerdict verdict = VacuumVerdict::live;
    status = visibility.satisfies_vacuum(tuple, oldest_xmin, buffer, &verdict);
    if (!status.is_ok() || verdict != VacuumVerdict::live) break;
    const TransactionId xmin = xmin_of(tuple);
    if ((tuple.t_infomask & HEAP_XMIN_COMMITTED) == 0 || !precedes(xmin, oldest_xmin)) break;
    if (is_normal(xmin) && precedes(*conflict_horizon, xmin)) *conflict_horizon = xmin;
    if (frozen && needs_eventual_freeze(tuple)) frozen = false;
  }
  visibility.hints_done(buffer);
  RETURN_IF_ERROR(std::move(status));
  if (offset <= page.max_offset()) return Status::ok;
  *all_visible = true;
  *all_frozen = frozen;
  return Status::ok;
}

}  // namespace pgdata
