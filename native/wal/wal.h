// Wal: the write-ahead log of one cluster: reserve, copy in parallel, write, flush, recycle.
//
// A record is durable when `flushed()` has reached the end position that `insert`
// gave. Positions, buffers and locks live in the shared segment ("wal"), open
// segment files in the process. Insertion is PostgreSQL's: reserve space under a
// spinlock, copy under one of several insertion locks, let one writer flush for
// many waiters. Source: src/backend/access/transam/xlog.c and xloginsert.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "file/file_system.h"
#include "layout/wal_record.h"
#include "page/page.h"
#include "shmem/cluster_state.h"
#include "shmem/segment.h"

namespace pgdata {

struct SegmentReport;

// Resource managers. Source: src/include/access/rmgrlist.h.
enum class RmgrId : uint8_t {
  xlog = 0,
  transaction = 1,
  storage = 2,
  clog = 3,
  database = 4,
  tablespace = 5,
  multixact = 6,
  relmap = 7,
  standby = 8,
  heap2 = 9,
  heap = 10,
  btree = 11,
  hash = 12,
  gin = 13,
  gist = 14,
  sequence = 15,
  spgist = 16,
  brin = 17,
  commit_ts = 18,
  replication_origin = 19,
  generic = 20,
  logical_message = 21,
};

// How a block takes part in a record. Source: src/include/access/xloginsert.h.
inline constexpr uint8_t REGBUF_FORCE_IMAGE = 0x01;
inline constexpr uint8_t REGBUF_NO_IMAGE = 0x02;
inline constexpr uint8_t REGBUF_WILL_INIT = 0x04 | 0x02;
inline constexpr uint8_t REGBUF_STANDARD =
    0x08;  // the hole between pd_lower and pd_upper may be left out
inline constexpr uint8_t REGBUF_KEEP_DATA = 0x10;
inline constexpr uint8_t REGBUF_NO_CHANGE = 0x20;

// Record flags. Source: src/include/access/xlog.h.
inline constexpr uint8_t XLOG_INCLUDE_ORIGIN = 0x01;
inline constexpr uint8_t XLOG_MARK_UNIMPORTANT = 0x02;

// One record under construction. Pointers given to it must stay valid until it was inserted.
// A fixed-capacity value: no allocation on the hot path.
class WalRecord {
 public:
  static constexpr int blocks_max = XLR_MAX_BLOCK_ID + 1;
  static constexpr int pieces_max = 128;

  WalRecord() {}

  // `info`: the resource manager's high bits, and perhaps XLR_SPECIAL_REL_UPDATE or XLR_CHECK_CONSISTENCY.
  void begin(RmgrId rmgr, uint8_t info, TransactionId xid);
  // A block the record changes. `page` is the page after the change, except that its LSN is still
  // the old one: that LSN decides whether a full-page image is needed. Nobody may change the page until the
  // record is inserted: hint bits come from others under a shared lock, so log such a page from a copy.
  void block(uint8_t id, RelFileLocator relation, ForkNumber fork, BlockNumber number, Page page,
             uint8_t flags);
  void data(const void* bytes, size_t size);
  void block_data(uint8_t id, const void* bytes, size_t size);
  void set_flags(uint8_t flags) { flags_ = flags; }
  void set_info(uint8_t info) { info_ = info; }

 private:
  friend class Wal;
  struct Piece {
    const std::byte* bytes;
    uint32_t size;
  };
  struct Block {
    bool in_use;
    uint8_t flags;
    ForkNumber fork;
    RelFileLocator relation;
    BlockNumber number;
    Page page;
    uint32_t data_size;
    int16_t first_piece;  // chained through next_piece_
    int16_t last_piece;
  };
  // The record as it will be copied: all headers, then the pieces in order. Left uninitialised where unused.
  struct Assembled {
    static constexpr uint32_t header_max = SizeOfXLogRecord +
                                           blocks_max * MaxSizeOfXLogRecordBlockHeader +
                                           SizeOfXLogRecordDataHeaderLong;
    static constexpr int pieces_max = 1 + 2 * blocks_max + WalRecord::pieces_max;
    alignas(8) std::byte header[header_max];
    Piece pieces[pieces_max];
    int count;
    uint32_t size;  // of the record
    uint32_t crc;   // of all but the record header, not finished
    uint32_t images;
    Lsn oldest_without_image;  // LSN of the oldest page left out because redo_ptr was older, or 0
  };
  void assemble(bool full_page_writes, Lsn redo, Assembled* out) const;
  void add_piece(const void* bytes, size_t size, int16_t* first, int16_t* last);

  RmgrId rmgr_{};
  uint8_t info_ = 0;
  uint8_t flags_ = 0;
  TransactionId xid_{};
  int block_count_ = 0;  // highest id used + 1
  int piece_count_ = 0;
  int16_t first_data_piece_ = -1;
  int16_t last_data_piece_ = -1;
  uint32_t data_size_ = 0;
  union {
    Block blocks_[blocks_max];  // Not initialised: most records have one or two.
  };
  Piece pieces_[pieces_max];
  int16_t next_piece_[pieces_max];
};

// How a flush makes the log durable (wal_sync_method). `adaptive` writes what is small by direct and synced IO,
// one request to the device instead of a write and a flush, and what is large as `fdatasync` does.
enum class WalSyncMethod : uint8_t {
  adaptive,
  fdatasync,
  fsync,
  open_datasync,
  open_datasync_direct,
};

struct WalOptions {
  std::string directory;       // ".../pg_wal"
  uint32_t block_size = 8192;  // XLOG_BLCKSZ
  uint32_t segment_bytes = 16u << 20;
  uint32_t buffer_pages = 512;  // wal_buffers
  uint32_t timeline = 1;
  uint64_t system_identifier = 0;
  WalSyncMethod sync_method = WalSyncMethod::adaptive;
  bool fsync = true;
  bool full_page_writes = true;
  // wal_consistency_checking: bit n is set when records of resource manager n carry images of all their pages
  // after the change, for replay to compare with.
  uint32_t consistency_checking = 0;
  int32_t wal_level = 1;                   // replica
  uint64_t min_wal_bytes = 80ull << 20;    // min_wal_size: segments kept for recycling
  uint64_t max_wal_bytes = 1024ull << 20;  // max_wal_size
  bool archiving = false;                  // segments are not removed before they are archived
};

// Where the log stands; what a checkpoint needs to know.
struct WalPositions {
  Lsn insert;  // where the next record will start
  Lsn write;   // handed to the operating system up to here
  Lsn flush;   // durable up to here
  Lsn redo;    // redo pointer of the last checkpoint, which decides on full-page images
};

struct WalStatistics {
  uint64_t records = 0;
  uint64_t full_page_images = 0;
  uint64_t bytes = 0;
  uint64_t writes = 0;
  uint64_t syncs = 0;  // by a sync or a synced write
};

class Wal {
 public:
  static void plan(SegmentPlan& plan, const WalOptions& options);
  // Joins the log of the segment; create_log or continue_log, called once by whoever made the segment, start it.
  Wal(FileSystem& files, Segment& segment, ClusterState& state, WalOptions options);
  ~Wal();
  Wal(const Wal&) = delete;

  const WalOptions& options() const;
  ClusterState& state() const;

  // Makes the first segment of a new cluster, with a shutdown checkpoint as its first record
  // being the caller's business: positions start at the beginning of segment 1.
  Status create_log();
  // Continues after the record that starts at `last_record` (the shutdown checkpoint that pg_control
  // names): reads and checks it, finds its end, loads the page it ends on.
  // `missing_contrecord`: the log ended in a record after it of which the pages from there on are missing; the
  // next record, which must be XLOG_OVERWRITE_CONTRECORD, then begins on that page.
  Status continue_log(Lsn last_record, Lsn redo, Lsn missing_contrecord = invalid_lsn);

  // Inserts a record; `*end` (may be null) is its end position, to be stamped on the pages as LSN. `*start` (may be null) its beginning.
  // Fails only when an older WAL page must be written out first and cannot be, or when the cluster is poisoned.
  Status insert(WalRecord& record, Lsn* end, Lsn* start = nullptr);

  // Whether a record made now must carry an image of a page with this LSN (last checkpoint's redo pointer is not older).
  bool needs_full_page_image(Lsn page_lsn) const;

  // Makes the log durable up to `upto`. One caller writes and syncs for all that wait meanwhile. A failed
  // write or sync poisons the cluster.
  // While the cluster is recovering nothing is written; what was set by set_recovery_flush is called instead.
  Status flush(Lsn upto);
  void set_recovery_flush(std::function<Status(Lsn upto)> flush);
  Lsn flushed() const;
  WalPositions positions() const;
  WalStatistics statistics() const;
  // Where the last record that matters began (not marked XLOG_MARK_UNIMPORTANT); 0 when there was none since the start.
  Lsn last_important() const;

  // Checkpoint support (engine/): block insertions, fix the redo pointer (for an online checkpoint by inserting
  // XLOG_CHECKPOINT_REDO), publish it.
  Status begin_checkpoint(bool shutdown, Lsn* redo);
  // After the checkpoint record is flushed and pg_control written: remove or recycle segments older than `redo`'s.
  Status remove_old_segments(Lsn redo, Lsn end_of_log, SegmentReport* report = nullptr);
  // Preallocates the next segment if the current is mostly used, so that commits never wait for it.
  Status preallocate(SegmentReport* report = nullptr);
  // XLOG_SWITCH.
  Status switch_segment(Lsn* end);

 private:
  struct Shared;
  struct Local;
  enum class InsertKind : uint8_t { ordinary, checkpoint_redo, segment_switch };

  Status insert_assembled(WalRecord::Assembled& record, InsertKind kind, bool unimportant,
                          bool full_page_writes, Lsn redo, bool* again, Lsn* start, Lsn* end);
  Status copy_record(const WalRecord::Assembled& record, InsertKind kind, int lock, Lsn start,
                     Lsn end);
  Status page_address(Lsn lsn, int lock, std::byte** address);
  Status make_pages_upto(Lsn lsn);
  void start_page(Lsn page);
  Status make_room(Lsn oldest_end);
  Status wait_for_insertions(Lsn upto, Lsn* finished);
  Status write(Lsn upto, bool sync);
  Status write_range(File& file, bool direct, Lsn from, Lsn to);
  Status sync_segment(uint64_t segment);
  Status use_segment(uint64_t segment);
  Status lock_all();
  void unlock_all();
  Status poison(Status status);
  void set_start(Lsn last_record, Lsn end, Lsn redo);

  std::unique_ptr<Local> local_;
};

}  // namespace pgdata
