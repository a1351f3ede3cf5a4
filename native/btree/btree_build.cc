// BtreeBuilder: from rows to sorted tuples, from these to the loader.
#include "btree/btree_build.h"

#include "base/invariant.h"
#include "btree/btree_page_view.h"

namespace pgdata {

namespace {
// The tag of tuples that no new snapshot can see.
constexpr uint8_t not_live = 1;
}  // namespace

Status build_empty_btree(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                         ForkNumber fork) {
  BufferRef buffer;
  BlockNumber first = invalid_block_number;
  RETURN_IF_ERROR(services.pool.extend(index.relation(), fork, 1, nullptr, &buffer, &first));
  INVARIANT(first == BTREE_METAPAGE);
  initialize_btree_meta(buffer.page(), P_NONE, 0, index.allequalimage());
  // An init fork is logged although its index is not: it must survive a crash.
  if (index.logged() || fork == ForkNumber::init) return log_new_page(services, xid, buffer, true);
  services.pool.mark_dirty(buffer);
  return Status::ok;
}

Status build_btree_init_fork(StorageServices& services, TransactionId xid,
                             const BtreeIndex& index) {
  if (index.logged() || index.temporary()) return Status::ok;
  return build_empty_btree(services, xid, index, ForkNumber::init);
}

IndexTupleOrder::IndexTupleOrder(const BtreeIndex& index)
    : index_(index),
      null_rank_(index.key(0).nulls_first ? 0 : 1),
      is_exact_(abbreviation_is_exact(index.key(0))) {}

LeadingKey IndexTupleOrder::key_of(Datum first, bool is_null) const {
  if (is_null) return {0, null_rank_};
  const uint64_t abbreviation = abbreviate(first, index_.key(0));
  return {index_.key(0).descending ? ~abbreviation : abbreviation,
          static_cast<uint8_t>(1 - null_rank_)};
}

bool IndexTupleOrder::are_equal(LeadingKey key) const {
  return tids_ascend_ && index_.nkeyatts() == 1 && (is_exact_ || key.rank == null_rank_);
}

int IndexTupleOrder::compare_from(const std::byte* left, const std::byte* right, int first_column,
                                  bool* has_null) const {
  DetoastArena arena;
  const uint32_t left_size = index_tuple_size(index_tuple_header(left).t_info);
  const uint32_t right_size = index_tuple_size(index_tuple_header(right).t_info);
  IndexTupleCursor left_cursor(index_, left, left_size, &arena);
  IndexTupleCursor right_cursor(index_, right, right_size, &arena);
  for (int i = 0; i < index_.nkeyatts(); ++i) {
    Datum left_value = 0;
    Datum right_value = 0;
    const bool left_null = left_cursor.next(&left_value) == IndexTupleCursor::Result::null;
    const bool right_null = right_cursor.next(&right_value) == IndexTupleCursor::Result::null;
    if (has_null != nullptr && left_null) *has_null = true;
    if (i < first_column) continue;
    const int order = compare_keys(index_.key(i), left_value, left_null, right_value, right_null);
    if (order != 0) return order;
  }
  return 0;
}

int IndexTupleOrder::compare_keys_of(const std::byte* left, const std::byte* right,
                                     bool* has_null) const {
  return compare_from(left, right, 0, has_null);
}

// Of tuples with the same leading key.
int IndexTupleOrder::compare(TupleView left, TupleView right) {
  const int first_column = is_exact_ ? 1 : 0;
  if (first_column < index_.nkeyatts()) {
    const int order = compare_from(left.bytes, right.bytes, first_column, nullptr);
    if (order != 0) return order;
  }
  const ItemPointer left_tid = index_tuple_header(left.bytes).t_tid;
  const ItemPointer right_tid = index_tuple_header(right.bytes).t_tid;
  if (left_tid < right_tid) return -1;
  return right_tid < left_tid ? 1 : 0;
}

BtreeBuilder::BtreeBuilder(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                           TemporarySpace& temporary, uint64_t memory_bytes)
    : index_(index),
      order_(index),
      sort_(temporary, &order_, {.memory_bytes = memory_bytes}),
      loader_(services, xid, index),
      scratch_(std::make_unique<IndexTupleBuffer>()) {}

Status BtreeBuilder::add(const Datum* values, const bool* is_null, ItemPointer heap_tid,
                         bool live) {
  RETURN_IF_ERROR(form_index_tuple(index_, values, is_null, heap_tid, scratch_.get()));
  if (!(last_tid_ < heap_tid)) order_.tids_do_not_ascend();
  last_tid_ = heap_tid;
  Datum first = 0;
  DetoastArena arena;
  if (!is_null[0]) {
    // From the tuple, where a value that came compressed is compressed still.
    IndexTupleCursor cursor(index_, scratch_->bytes, scratch_->size(), &arena);
    if (cursor.next(&first) != IndexTupleCursor::Result::value)
      return Status::error(ErrorCode::data_corrupted,
                           "compressed value for index \"%s\" is damaged", index_.name());
  }
  return sort_.add(order_.key_of(first, is_null[0]), scratch_->bytes, scratch_->size(),
                   live ? 0 : not_live);
}

Status BtreeBuilder::finish(BtreeBuildResult* result) {
  bool done = false;
  while (!done) RETURN_IF_ERROR(finish(UINT64_MAX, result, &done));
  return Status::ok;
}

Status BtreeBuilder::finish(uint64_t tuples, BtreeBuildResult* result, bool* done) {
  *done = false;
  if (!is_sorted_) {
    RETURN_IF_ERROR(sort_.sort(tuples, &is_sorted_));
    if (!is_sorted_) return Status::ok;
    *result = BtreeBuildResult{};
    result->tuples = sort_.tuples();
    RETURN_IF_ERROR(loader_.begin());
  }
  for (; tuples > 0; --tuples) {
    SortedTuple sorted;
    bool found = false;
    RETURN_IF_ERROR(sort_.next(&sorted, &found));
    if (!found) {
      *done = true;
      return loader_.finish(&result->blocks);
    }
    RETURN_IF_ERROR(load(sorted, result));
    *done = result->duplicate;
    if (*done) break;
  }
  return Status::ok;
}

Status BtreeBuilder::load(const SortedTuple& sorted, BtreeBuildResult* result) {
  const std::byte* tuple = sorted.tuple.bytes;
  if (index_.unique() && sorted.tag != not_live) {
    if (is_duplicate(sorted)) {
      result->duplicate = true;
      result->duplicate_tids[0] = index_tuple_header(last_live_.data()).t_tid;
      result->duplicate_tids[1] = index_tuple_header(tuple).t_tid;
      return Status::ok;
    }
    last_key_ = sorted.key;
    last_live_.assign(tuple, tuple + sorted.tuple.size);
  }
  return loader_.add(tuple);
}

bool BtreeBuilder::is_duplicate(const SortedTuple& sorted) const {
  if (last_live_.empty() || !(last_key_ == sorted.key)) return false;
  bool has_null = false;
  return order_.compare_keys_of(last_live_.data(), sorted.tuple.bytes, &has_null) == 0 &&
         (!has_null || index_.definition().nulls_not_distinct);
}

}  // namespace pgdata
