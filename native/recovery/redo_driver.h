// RedoDriver: the state of one replay of the log, and the files and pages it goes by.
//
// Used by one thread, while nobody else uses the cluster. What redo functions need is in RedoContext; the driver
// is for redo of whole files and of what is no page.
//
// A record may change a block that is not there, because its relation was dropped or truncated later in the log.
// Such blocks are remembered; when the log ends none may be left (check_invalid_pages).
// Source: src/backend/access/transam/xlogutils.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <tuple>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "layout/control_file.h"
#include "recovery/page_comparison.h"
#include "recovery/prepared_transactions.h"
#include "recovery/replication_origins.h"
#include "wal/wal_reader.h"
#include "xact/transaction_system.h"

namespace pgdata {

class RedoDriver {
 public:
  // `control` is kept as the records say; whoever made the driver writes it.
  RedoDriver(StorageServices& services, TransactionSystem& transactions, ControlFile& control);

  // Replays the record that `reader` read last.
  Status apply(const WalReader& reader);

  ControlFile& control() const { return control_; }
  // What was compared with the images of records that carry them for that.
  const PageComparison& comparison() const { return comparison_; }
  PreparedTransactions& prepared() { return prepared_; }
  ReplicationOrigins& origins() { return origins_; }

  // Pins a block, not locked. Invalid when it is not there or was never initialised, which is remembered.
  Status find_block(RelFileLocator relation, ForkNumber fork, BlockNumber block, BufferRef* buffer);
  // Pins a block, not locked, making it (and all before it) when it is not there; a damaged one is given as zeroes.
  Status find_or_make_block(RelFileLocator relation, ForkNumber fork, BlockNumber block,
                            BufferRef* buffer);
  // A block that will be written whole: zeroed and locked exclusively, made when it is not there.
  Status make_block(RelFileLocator relation, ForkNumber fork, BlockNumber block, BufferRef* buffer);

  // Makes a fork's file, and the directories it is in, unless they exist.
  Status make_fork(RelFileLocator relation, ForkNumber fork);
  // The same for a map, once.
  Status make_map_fork(RelFileLocator relation, ForkNumber fork);
  Status make_directories(const std::string& path);  // below the data directory
  Status block_count(RelFileLocator relation, ForkNumber fork, uint32_t* blocks);

  // The relation is gone: buffers, files, what was remembered.
  Status drop_relation(RelFileLocator relation);
  Status drop_relations(const RelFileLocator* relations, size_t count);
  // Files made by a transaction whose end is not known yet; and a transaction that replaced a relation map, to which
  // its files may belong whatever becomes of it.
  void note_created(RelFileLocator relation, TransactionId xid) { created_[relation] = xid; }
  void note_relation_map(TransactionId xid) { map_writers_.insert(xid); }
  // At the end of the log: removes the files of transactions that never ended. Nobody else's rows name them.
  Status remove_orphans();
  // The relation was cut: forgets buffers and remembered blocks from there on, and cuts the file.
  Status truncate_fork(RelFileLocator relation, ForkNumber fork, BlockNumber blocks);
  void forget_database(Oid database);

  // data_corrupted when a block was changed that neither exists nor was dropped later.
  Status check_invalid_pages() const;
  bool has_invalid_pages() const { return !invalid_pages_.empty(); }

  // The offsets page of pg_multixact that was made before its record (multixact_redo.cc), or UINT64_MAX.
  uint64_t early_offsets_page = UINT64_MAX;
  uint64_t latest_offsets_page = 0;
  // Since the last restart point, or the start: the newest checkpoint record replayed.
  Lsn checkpoint_lsn = invalid_lsn;
  CheckPoint checkpoint;
  // Where the base backup ended that the replay began with, once its record was seen.
  Lsn backup_end = invalid_lsn;
  // full_page_writes as the log has it.
  bool full_page_writes = true;

 private:
  struct ForkKey {
    RelFileLocator relation;
    ForkNumber fork;
    friend bool operator==(const ForkKey&, const ForkKey&) = default;
  };
  struct ForkKeyHash {
    size_t operator()(const ForkKey& key) const;
  };
  using BlockKey = std::tuple<RelFileLocator, ForkNumber, uint32_t>;

  void remember_invalid(RelFileLocator relation, ForkNumber fork, BlockNumber block, bool present);
  void forget_invalid(RelFileLocator relation, ForkNumber fork, BlockNumber from);
  void forget_sizes(RelFileLocator relation);
  Status extend_to_hold(RelFileLocator relation, ForkNumber fork, BlockNumber block);

  StorageServices& services_;
  TransactionSystem& transactions_;
  ControlFile& control_;
  PreparedTransactions prepared_;
  ReplicationOrigins origins_;
  PageComparison comparison_;
  std::map<RelFileLocator, TransactionId> created_;
  std::set<TransactionId> map_writers_;
  std::map<BlockKey, bool> invalid_pages_;  // whether the block exists, full of zeroes
  // Of main and init forks, which nobody else extends.
  std::unordered_map<ForkKey, uint32_t, ForkKeyHash> main_sizes_;
  std::unordered_set<ForkKey, ForkKeyHash> map_forks_;  // known to exist
};

}  // namespace pgdata
