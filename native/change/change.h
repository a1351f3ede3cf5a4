// Change: one logged modification of up to a few pages, in the only legal order.
//
//   Change change(services, xid, RmgrId::heap, XLOG_HEAP_INSERT);
//   change.block(0, buffer, REGBUF_STANDARD);   // pinned and locked exclusively by the caller
//   change.begin();                             // critical section: nothing may fail until finish
//   ... modify pages ...
//   change.data(&header, sizeof(header)); change.block_data(0, tuple, length);
//   RETURN_IF_ERROR(change.finish());           // mark dirty, insert the record, stamp the LSN
//
// Locks and pins stay with their BufferRefs. A failure between `begin` and the end of
// `finish`, or a Change destroyed between them, poisons the cluster.
// Source for the protocol: src/backend/access/transam/README, PostgreSQL 18.
#pragma once

#include <cstdint>

#include "base/log_message.h"
#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "file/storage.h"
#include "shmem/cluster_state.h"
#include "wal/wal.h"

namespace pgdata {

class PredicateLocks;
class Statistics;

// What every change of stored data needs.
struct StorageServices {
  ClusterState& state;
  Storage& storage;
  Wal& wal;
  BufferPool& pool;
  // Who moves rows or index entries tells these. Null where no transaction is serializable, as in recovery.
  PredicateLocks* predicate_locks = nullptr;
  // Null where nobody counts: reading offline, tests of single rooms.
  Statistics* statistics = nullptr;
  // The server log; null when nobody wants to hear.
  const LogSink* log = nullptr;
};

class Change {
 public:
  // `logged` false: an unlogged or temporary relation, or one that will be synced as a whole; pages are dirtied, no record is made.
  Change(StorageServices& services, TransactionId xid, RmgrId rmgr, uint8_t info,
         bool logged = true);
  ~Change();
  Change(const Change&) = delete;

  // Takes part with a page. May be repeated for the same page while modifying, before its block_data:
  // the last flags count (for example REGBUF_WILL_INIT). With REGBUF_NO_CHANGE the page is neither
  // dirtied nor stamped, and need not be locked exclusively.
  void block(uint8_t id, BufferRef& buffer, uint8_t flags);
  void begin();
  // What these point to must stay as it is until `finish`.
  void data(const void* bytes, size_t size);
  void block_data(uint8_t id, const void* bytes, size_t size);
  // The record's info byte, decided while modifying (for example with XLOG_HEAP_INIT_PAGE).
  void set_info(uint8_t info) { info_ = info; }
  void set_flags(uint8_t flags) { flags_ = flags; }
  // `*end` (may be null) is the record's end, invalid_lsn when not logged.
  Status finish(Lsn* end = nullptr);

 private:
  struct Block {
    BufferRef* buffer;
    uint8_t flags;
    bool in_record;
  };

  void add_to_record(uint8_t id);

  StorageServices& services_;
  TransactionId xid_;
  RmgrId rmgr_;
  uint8_t info_;
  uint8_t flags_ = 0;
  bool logged_;
  bool in_critical_section_ = false;
  bool finished_ = false;
  int block_count_ = 0;  // highest id used + 1; the ids below it that were not used have no buffer
  Block blocks_[WalRecord::blocks_max];
  WalRecord record_;
};

// Logs a whole new page (XLOG_FPI) that is pinned and locked exclusively, and stamps it.
Status log_new_page(StorageServices& services, TransactionId xid, BufferRef& buffer,
                    bool standard_page);

}  // namespace pgdata
