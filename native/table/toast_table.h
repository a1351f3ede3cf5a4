// ToastTable: a TOAST table's chunks with their index, put together for the heap's ToastStore.
#pragma once

#include <memory>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "heap/heap_relation.h"
#include "heap/toast.h"
#include "tuple/tuple_desc.h"
#include "tuple/tuple_layout.h"

namespace pgdata {

class ToastTable final : public ToastIndex {
 public:
  static Status create(Oid oid, RelFileLocator heap, Oid index_oid, RelFileLocator index,
                       bool logged, bool temporary, uint32_t block_size,
                       std::unique_ptr<ToastTable>* table);
  ToastTable(const ToastTable&) = delete;

  ToastStore& store() { return *store_; }
  HeapRelation& heap() { return *heap_; }
  const BtreeIndex& index() const { return *index_; }

  Status new_value_id(Backend& backend, Oid* value_id) override;
  Status insert(Backend& backend, Oid value_id, int32_t chunk_seq, ItemPointer tid) override;
  Status lookup(const ReadContext& context, Oid value_id, std::vector<ItemPointer>* tids) override;

 private:
  ToastTable() = default;

  TupleDesc desc_;
  std::unique_ptr<TupleLayout> layout_;
  std::unique_ptr<HeapRelation> heap_;
  std::unique_ptr<BtreeIndex> index_;
  std::unique_ptr<ToastStore> store_;
};

}  // namespace pgdata
