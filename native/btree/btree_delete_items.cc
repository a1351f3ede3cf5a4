// Deleting items: posting lists are cut first, so that their offsets still hold, then whole items go.
#include "btree/btree_delete_items.h"

#include "base/invariant.h"
#include "btree/index_tuple.h"
#include "layout/btree_records.h"

namespace pgdata {

namespace {

// The deletions as bytes for the page and for the record.
struct PreparedDeletions {
  std::vector<IndexTupleBuffer> tuples;  // the posting lists that stay
  std::vector<OffsetNumber> cut_offsets;
  std::vector<uint16_t> cut_data;  // per list: how many places, and the places
};

Status prepare(const BtreeIndex& index, const BufferRef& leaf, const ItemDeletions& deletions,
               PreparedDeletions* prepared) {
  const BtreePageView view = view_of(leaf);
  std::vector<ItemPointer> kept;
  prepared->tuples.resize(deletions.cut.size());
  for (size_t i = 0; i < deletions.cut.size(); i++) {
    const PostingCut& cut = deletions.cut[i];
    const std::byte* tuple = view.leaf_tuple(cut.offset);
    if (tuple == nullptr) return damaged_page(index, leaf.block());
    const int count = leaf_tid_count(index_tuple_header(tuple));
    kept.clear();
    size_t gone = 0;
    for (int place = 0; place < count; place++) {
      if (gone < cut.places.size() && cut.places[gone] == place)
        gone++;
      else
        kept.push_back(leaf_tid(tuple, place));
    }
    INVARIANT(gone == cut.places.size());
    INVARIANT(!kept.empty());
    form_posting(tuple, kept.data(), static_cast<int>(kept.size()), &prepared->tuples[i]);
    prepared->cut_offsets.push_back(cut.offset);
    prepared->cut_data.push_back(static_cast<uint16_t>(cut.places.size()));
    prepared->cut_data.insert(prepared->cut_data.end(), cut.places.begin(), cut.places.end());
  }
  return leaf.page().verify_items(leaf.block(), index.name());
}

void apply(const BufferRef& leaf, const ItemDeletions& deletions,
           const PreparedDeletions& prepared) {
  const Page page = leaf.page();
  for (size_t i = 0; i < prepared.tuples.size(); i++)
    INVARIANT(page.overwrite_item(prepared.cut_offsets[i], prepared.tuples[i].bytes,
                                  prepared.tuples[i].size()));
  page.delete_items(deletions.deleted.data(), static_cast<int>(deletions.deleted.size()));
  view_of(leaf).opaque().btpo_flags &= static_cast<uint16_t>(~BTP_HAS_GARBAGE);
}

void log_items(Change& change, const ItemDeletions& deletions, const PreparedDeletions& prepared) {
  if (!deletions.deleted.empty())
    change.block_data(0, deletions.deleted.data(), deletions.deleted.size() * sizeof(OffsetNumber));
  if (prepared.cut_offsets.empty()) return;
  change.block_data(0, prepared.cut_offsets.data(),
                    prepared.cut_offsets.size() * sizeof(OffsetNumber));
  change.block_data(0, prepared.cut_data.data(), prepared.cut_data.size() * sizeof(uint16_t));
}

}  // namespace

Status delete_items_in_vacuum(StorageServices& services, const BtreeIndex& index, BufferRef& leaf,
                              const ItemDeletions& deletions) {
  INVARIANT(!deletions.empty());
  PreparedDeletions prepared;
  RETURN_IF_ERROR(prepare(index, leaf, deletions, &prepared));
  const xl_btree_vacuum record{static_cast<uint16_t>(deletions.deleted.size()),
                               static_cast<uint16_t>(deletions.cut.size())};
  Change change(services, invalid_transaction_id, RmgrId::btree, XLOG_BTREE_VACUUM, index.logged());
  change.block(0, leaf, REGBUF_STANDARD);
  change.begin();
  apply(leaf, deletions, prepared);
  view_of(leaf).opaque().btpo_cycleid = 0;
  change.data(&record, sizeof(record));
  log_items(change, deletions, prepared);
  return change.finish();
}

Status delete_items_for_room(StorageServices& services, TransactionId xid, const BtreeIndex& index,
                             BufferRef& leaf, const ItemDeletions& deletions,
                             TransactionId conflict_horizon) {
  INVARIANT(!deletions.empty());
  PreparedDeletions prepared;
  RETURN_IF_ERROR(prepare(index, leaf, deletions, &prepared));
  xl_btree_delete record{};
  record.snapshotConflictHorizon = conflict_horizon;
  record.ndeleted = static_cast<uint16_t>(deletions.deleted.size());
  record.nupdated = static_cast<uint16_t>(deletions.cut.size());
  Change change(services, xid, RmgrId::btree, XLOG_BTREE_DELETE, index.logged());
  change.block(0, leaf, REGBUF_STANDARD);
  change.begin();
  apply(leaf, deletions, prepared);
  change.data(&record, xl_btree_delete_size);
  log_items(change, deletions, prepared);
  return change.finish();
}

}  // namespace pgdata
