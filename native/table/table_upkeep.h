// TableUpkeep: what an index asks of its table when it needs room.
#pragma once

#include <vector>

#include "btree/btree_upkeep.h"
#include "heap/heap_relation.h"
#include "heap/index_deletion.h"
#include "xact/backend.h"

namespace pgdata {

class TableUpkeep final : public IndexUpkeep {
 public:
  TableUpkeep(Backend& backend, const HeapRelation& heap) : backend_(backend), heap_(heap) {}

  bool is_recyclable(FullTransactionId safexid) override {
    return backend_.is_recyclable(safexid, heap_.is_shared());
  }
  FullTransactionId next_full_xid() override { return backend_.transactions().next_full_xid(); }
  Status find_deletable(uint32_t bottom_up_bytes, std::vector<IndexEntry>* entries,
                        TransactionId* conflict_horizon) override {
    std::vector<IndexEntryFate> fates;
    fates.reserve(entries->size());
    for (const IndexEntry& entry : *entries)
      fates.push_back({entry.tid, entry.deletable, entry.promising, entry.free_bytes});
    RETURN_IF_ERROR(
        find_deletable_entries(backend_, heap_, bottom_up_bytes, &fates, conflict_horizon));
    for (size_t i = 0; i < fates.size(); i++) (*entries)[i].deletable = fates[i].deletable;
    return Status::ok;
  }

 private:
  Backend& backend_;
  const HeapRelation& heap_;
};

}  // namespace pgdata
