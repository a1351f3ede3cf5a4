// RedoContext: one WAL record being replayed, and the pages it changes.
//
//   Status heap_delete_redo(RedoContext& redo) {
//     BufferRef buffer;
//     RedoAction action;
//     RETURN_IF_ERROR(redo.read_block(0, &buffer, &action));
//     if (action == RedoAction::needs_redo) {
//       ... change buffer.page() ...
//       redo.changed(buffer);                 // stamps the LSN, marks dirty
//     }
//     return Status::ok;                      // BufferRef unlocks and unpins
//   }
//
// A record is input: lengths, offsets and block ids are checked before use, and what does not fit is
// data_corrupted (`redo.corrupted(...)`). Source: src/backend/access/transam/xlogutils.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/status.h"
#include "base/types.h"
#include "buffer/buffer_pool.h"
#include "change/change.h"
#include "wal/wal_reader.h"
#include "xact/transaction_system.h"

namespace pgdata {

// What became of a block that a record changes (XLogRedoAction).
enum class RedoAction : uint8_t {
  needs_redo,  // the page is older than the record: change it
  done,        // the page has the change already
  restored,    // the record's full-page image was put in place
  not_found,   // the relation or block went away later in the log
};

class RedoDriver;  // Keeps the invalid pages, the state of replay, and calls the resource managers.

class RedoContext {
 public:
  RedoContext(RedoDriver& driver, const WalReader& reader, StorageServices& services,
              TransactionSystem& transactions)
      : driver_(driver), reader_(reader), services_(services), transactions_(transactions) {}

  const DecodedWalRecord& record() const { return reader_.record(); }
  uint8_t info() const { return record().info(); }
  TransactionId xid() const { return record().header.xl_xid; }
  // The record that this one says was cut off by a crash, as the reader found it.
  Lsn overwritten_record() const { return reader_.overwritten_record(); }
  Lsn end_lsn() const { return record().end_lsn; }
  StorageServices& services() const { return services_; }
  TransactionSystem& transactions() const { return transactions_; }
  RedoDriver& driver() const { return driver_; }

  bool has_block(int id) const { return id < record().block_count && record().blocks[id].in_use; }
  const WalBlock& block(int id) const { return record().blocks[id]; }

  // The record's main data as a struct of layout/; null when it is shorter than that.
  template <typename T>
  const T* main_data() const {
    if (record().main_data_length < sizeof(T)) return nullptr;
    return reinterpret_cast<const T*>(record().main_data);
  }

  // Pins and locks block `id` exclusively (for cleanup: when ours is the only pin) and says what is to be
  // done. On `done` and `needs_redo` and `restored` the buffer is locked; on `not_found` it is invalid. With
  // BKPBLOCK_WILL_INIT use init_block. Source: XLogReadBufferForRedoExtended.
  Status read_block(int id, BufferRef* buffer, RedoAction* action, bool for_cleanup = false);
  // As read_block for a page of a map: made when it is not there (never `not_found`), and zeroes when it is
  // damaged; initialise a page that is new (RBM_ZERO_ON_ERROR).
  Status read_map_block(int id, BufferRef* buffer, RedoAction* action);
  // A block that the record makes anew (WILL_INIT): zeroed, locked exclusively; the relation is extended to it.
  Status init_block(int id, BufferRef* buffer);
  // Any block of a relation, without a reference in the record (maps): as read_block without an image; the
  // relation is extended with zeroes when `extend`. `*buffer` is invalid when it is not there.
  Status read_other(RelFileLocator relation, ForkNumber fork, BlockNumber block, bool extend,
                    BufferRef* buffer);

  // The image that block `id` carries, also one that is only there to compare with.
  Status restore_image(int id, std::byte* page) const { return reader_.restore_image(id, page); }

  // After changing a page: stamps the record's end as its LSN and marks the buffer dirty.
  void changed(BufferRef& buffer);

  // Visibility map and free space map upkeep during replay (never fail short of IO errors).
  Status clear_visibility(RelFileLocator relation, BlockNumber heap_block, uint8_t flags);
  Status record_free_space(RelFileLocator relation, BlockNumber heap_block, size_t bytes);

  // data_corrupted, naming the record's position, resource manager and `what`.
  Status corrupted(const char* what) const;

 private:
  Status restore(int id, BufferRef* buffer);
  Status begin(BufferRef& buffer, bool for_cleanup, RedoAction* action);

  RedoDriver& driver_;
  const WalReader& reader_;
  StorageServices& services_;
  TransactionSystem& transactions_;
};

// Bounds-checked walking over a record's bytes.
class RedoBytes {
 public:
  RedoBytes(const std::byte* bytes, size_t size) : next_(bytes), left_(size) {}
  // The data of a record's block; empty when it has none.
  explicit RedoBytes(const WalBlock& block) : RedoBytes(block.data, block.data_length) {}
  // A record's main data.
  explicit RedoBytes(const RedoContext& redo)
      : RedoBytes(redo.record().main_data, redo.record().main_data_length) {}

  size_t left() const { return left_; }
  // Copies the next `size` bytes to the start of `*value`; false when there are fewer. Records end before
  // the padding of their struct.
  template <typename T>
  bool read(T* value, size_t size = sizeof(T)) {
    const std::byte* bytes = take(size);
    if (bytes == nullptr) return false;
    std::memcpy(value, bytes, size);
    return true;
  }
  // The next `size` bytes, or null when there are fewer.
  const std::byte* take(size_t size) {
    if (size > left_) return nullptr;
    const std::byte* taken = next_;
    next_ += size;
    left_ -= size;
    return taken;
  }

 private:
  const std::byte* next_;
  size_t left_;
};

}  // namespace pgdata
