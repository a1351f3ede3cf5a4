// HeapRelation: what reading and writing one table's heap needs to know of it.
//
// Upper rooms make one per table from the catalogs and keep it as long as its columns and file do
// not change. Sessions of one process may share it: only `target_block` changes.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "layout/heap_tuple.h"
#include "tuple/deform.h"
#include "tuple/tuple_layout.h"
#include "xact/backend.h"
#include "xact/transaction_system.h"

namespace pgdata {

class ToastStore;

struct HeapRelation {
  HeapRelation(Oid relation_oid, RelFileLocator relation_locator, const TupleLayout& tuple_layout,
               std::string relation_name)
      : oid(relation_oid),
        locator(relation_locator),
        layout(&tuple_layout),
        name(std::move(relation_name)) {}
  HeapRelation(const HeapRelation&) = delete;

  Oid oid;
  RelFileLocator locator;
  const TupleLayout* layout;
  std::string name;  // for messages

  // False for an unlogged or temporary relation.
  bool logged = true;
  // Its pages are the session's own.
  bool temporary = false;
  // A TOAST table: its rows are never toasted themselves.
  bool is_toast = false;
  // Per cent of a page that inserting fills.
  uint32_t fillfactor = 100;
  // The relation option toast_tuple_target; 0 when it is not set.
  uint32_t toast_tuple_target = 0;
  // Where long values go. Null when the table has no TOAST table: then they are compressed at most.
  ToastStore* toast = nullptr;

  // One of the catalogs that all databases share.
  bool is_shared() const { return locator.dbOid == invalid_oid; }
  bool is_catalog() const { return oid < first_unpinned_object_id; }

  // The page that last took a tuple in this process, a hint for the next one.
  std::atomic<uint32_t> target_block{value_of(invalid_block_number)};
};

// A tuple where it lies: in a pinned page, or in the caller's memory.
struct HeapTuple {
  const std::byte* bytes = nullptr;
  uint32_t length = 0;
  ItemPointer self;

  const HeapTupleHeader& header() const { return *reinterpret_cast<const HeapTupleHeader*>(bytes); }
};

// What reading needs. Without a backend (reading a directory offline) no transaction is the own
// one or in progress, and no hint bit is set.
struct ReadContext {
  ReadContext(BufferPool& buffer_pool, TransactionSystem& transaction_system)
      : shared_pool(buffer_pool), transactions(transaction_system) {}
  ReadContext(Backend& session)  // NOLINT: implicit, a session is what one reads with.
      : shared_pool(session.pool()), transactions(session.transactions()), backend(&session) {}

  // Where the pages of such a relation are.
  BufferPool& pool_of(bool temporary) const {
    return temporary ? backend->pool_of(true) : shared_pool;
  }

  BufferPool& shared_pool;
  TransactionSystem& transactions;
  Backend* backend = nullptr;
};

// Whether a normal line pointer and its tuple's header can be used without reading outside the
// page. Everything that takes a tuple from a page asks this first.
inline bool heap_item_is_sane(const Page& page, LinePointer pointer) {
  const uint32_t offset = pointer.lp_off();
  const uint32_t length = pointer.lp_len();
  if (offset < page.header().pd_upper || offset % 8 != 0) return false;
  if (length < heap_tuple_header_size || offset + length > page.header().pd_special) return false;
  return heap_tuple_header_is_sane(*reinterpret_cast<const HeapTupleHeader*>(page.item(pointer)),
                                   length);
}
// The data_corrupted error for one that cannot.
Status heap_item_corrupted(const HeapRelation& relation, ItemPointer tid);

}  // namespace pgdata
