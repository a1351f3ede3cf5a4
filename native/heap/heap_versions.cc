// HeapVersions: one verdict a tuple, under the page's lock; the pin keeps the tuples until the next page.
#include "heap/heap_versions.h"

namespace pgdata {

namespace {

HeapTupleHeader& header_at(const Page& page, OffsetNumber offset) {
  return *reinterpret_cast<HeapTupleHeader*>(page.item_at(offset));
}

}  // namespace

HeapVersions::HeapVersions(const ReadContext& context, const HeapRelation& relation,
                           TransactionId oldest_xmin)
    : context_(context),
      relation_(relation),
      oldest_xmin_(oldest_xmin),
      visibility_(context, nullptr) {}

Status HeapVersions::begin() {
  RETURN_IF_ERROR(context_.pool_of(relation_.temporary)
                      .storage()
                      .block_count(relation_.locator, ForkNumber::main, &blocks_));
  next_block_ = 0;
  strategy_ = std::make_unique<BufferStrategy>(context_.pool_of(relation_.temporary),
                                               StrategyKind::bulk_read);
  return Status::ok;
}

Status HeapVersions::next_page(bool* found) {
  *found = next_block_ < blocks_;
  if (*found) return go_to(BlockNumber{next_block_++});
  release();
  return Status::ok;
}

Status HeapVersions::go_to(BlockNumber block) {
  if (!versions_.empty() && buffer_.is_valid() && buffer_.block() == block) return Status::ok;
  versions_.clear();
  RETURN_IF_ERROR(context_.pool_of(relation_.temporary)
                      .read(relation_.locator, ForkNumber::main, block, ReadMode::normal,
                            strategy_.get(), &buffer_));
  buffer_.lock(LockMode::shared);
  Status status = judge();
  visibility_.hints_done(buffer_);
  buffer_.unlock();
  return status;
}

Status HeapVersions::judge() {
  const Page page = buffer_.page();
  if (page.is_new()) return Status::ok;
  const OffsetNumber last = page.max_offset();
  if (last > heap_tuples_per_page_max(page.size()))
    return Status::error(Status::data_corrupted,
                         "page %u of relation \"%s\" has %u line pointers, more than fit",
                         value_of(buffer_.block()), relation_.name.c_str(), unsigned{last});
  for (OffsetNumber offset = first_offset_number; offset <= last; offset++) {
    const LinePointer item = page.line_pointer(offset);
    if (!item.is_normal()) continue;
    const ItemPointer self(buffer_.block(), offset);
    if (!heap_item_is_sane(page, item)) return heap_item_corrupted(relation_, self);
    HeapTupleHeader& header = header_at(page, offset);
    HeapVersion version;
    version.tuple = {page.item(item), item.lp_len(), self};
    RETURN_IF_ERROR(visibility_.satisfies_vacuum(header, oldest_xmin_, buffer_, &version.verdict));
    version.hot_updated = is_hot_updated(header.t_infomask, header.t_infomask2);
    versions_.push_back(version);
  }
  find_roots();
  return Status::ok;
}

// As heap_get_root_tuples: follows the chain of each line pointer to which an index may point.
void HeapVersions::find_roots() {
  const Page page = buffer_.page();
  const OffsetNumber last = page.max_offset();
  root_of_.assign(size_t{last} + 1, invalid_offset_number);
  for (OffsetNumber root = first_offset_number; root <= last; root++) {
    const LinePointer item = page.line_pointer(root);
    OffsetNumber member = root;
    if (item.is_redirected())
      member = static_cast<OffsetNumber>(item.lp_off());
    else if (!item.is_normal() || (header_at(page, root).t_infomask2 & HEAP_ONLY_TUPLE) != 0)
      continue;
    TransactionId previous = invalid_transaction_id;
    // A chain cannot be longer than the page has line pointers.
    for (OffsetNumber steps = 0; steps < last; steps++) {
      if (member < first_offset_number || member > last || !page.line_pointer(member).is_normal())
        break;
      const HeapTupleHeader& header = header_at(page, member);
      if (is_valid(previous) && header.t_xmin != previous) break;
      root_of_[member] = root;
      if (!is_hot_updated(header.t_infomask, header.t_infomask2)) break;
      if (!visibility_.update_xid(header, &previous).is_ok()) break;
      member = header.t_ctid.offset();
    }
  }
  for (HeapVersion& version : versions_) version.root = root_of_[version.tuple.self.offset()];
}

}  // namespace pgdata
