// Description: one record being described. What the functions of this room share.
//
//   bool describe_hash(Description& d) {
//     xl_hash_insert insert;
//     if (!d.main(&insert)) return false;        // too short
//     d.print("off %u", insert.offnum);
//     return true;
//   }
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "base/status.h"
#include "base/types.h"
#include "layout/wal_transaction_records.h"
#include "wal/wal_reader.h"

namespace pgdata {

// Bytes of a record, taken from the front; nothing is taken when there are too few.
class RecordBytes {
 public:
  RecordBytes(const std::byte* bytes, size_t size) : next_(bytes), left_(size) {}
  size_t left() const { return left_; }
  const std::byte* take_bytes(uint64_t size) {
    if (size > left_) return nullptr;
    const std::byte* taken = next_;
    next_ += size;
    left_ -= static_cast<size_t>(size);
    return taken;
  }
  // `size` bytes of a struct whose padding at the end is not logged.
  template <typename T>
  bool take(T* value, size_t size = sizeof(T)) {
    const std::byte* bytes = take_bytes(size);
    if (bytes == nullptr) return false;
    *value = T{};
    std::memcpy(static_cast<void*>(value), bytes, size);
    return true;
  }

 private:
  const std::byte* next_;
  size_t left_;
};

class Description {
 public:
  Description(const DecodedWalRecord& record, int major, uint32_t catalog_version,
              std::string* text)
      : record_(record), major_(major), catalog_version_(catalog_version), text_(text) {}

  const DecodedWalRecord& record() const { return record_; }
  uint8_t info() const { return record_.info(); }
  int major() const { return major_; }

  RecordBytes main_bytes() const { return {record_.main_data, record_.main_data_length}; }
  template <typename T>
  bool main(T* value, size_t size = sizeof(T)) const {
    return main_bytes().take(value, size);
  }
  bool has_block_data(int id) const {
    return id < record_.block_count && record_.blocks[id].in_use &&
           record_.blocks[id].data != nullptr;
  }
  RecordBytes block_bytes(int id) const {
    if (!has_block_data(id)) return {nullptr, 0};
    return {record_.blocks[id].data, record_.blocks[id].data_length};
  }

  void print(const char* format, ...) PGDATA_PRINTF(2, 3);
  void append(const char* words) { *text_ += words; }
  void append_bytes(const std::byte* bytes, size_t size) {
    text_->append(reinterpret_cast<const char*>(bytes), size);
  }
  // Takes back ", " at the end.
  void drop_comma();

  // "2026-11-26 05:46:00.123456 UTC".
  void time(TimestampTz at);
  // "base/5/16384_fsm".
  void path(RelFileLocator relation, ForkNumber fork);
  // " [1, 2]", of `count` values of an unsigned integral type T, each written with print_one(value).
  template <typename T, typename PrintOne>
  bool array(RecordBytes* bytes, uint32_t count, PrintOne print_one);
  // The same of offset numbers.
  bool offsets(RecordBytes* bytes, uint32_t count);
  // "; inval msgs: catcache 7 relcache 1259".
  bool invalidations(RecordBytes* bytes, int32_t count, Oid database, Oid tablespace,
                     bool init_file);

 private:
  const DecodedWalRecord& record_;
  int major_;
  uint32_t catalog_version_;
  std::string* text_;
};

template <typename T, typename PrintOne>
bool Description::array(RecordBytes* bytes, uint32_t count, PrintOne print_one) {
  if (count == 0) {
    append(" []");
    return true;
  }
  append(" [");
  for (uint32_t i = 0; i < count; i++) {
    T value;
    if (!bytes->take(&value)) return false;
    if (i > 0) append(", ");
    print_one(value);
  }
  append("]");
  return true;
}

// Each is called with a record whose type is known, and returns false when the record is too short.
bool describe_xlog(Description& d);
bool describe_transaction(Description& d);
bool describe_storage(Description& d);
bool describe_clog(Description& d);
bool describe_database(Description& d);
bool describe_tablespace(Description& d);
bool describe_multixact(Description& d);
bool describe_relmap(Description& d);
bool describe_standby(Description& d);
bool describe_heap2(Description& d);
bool describe_heap(Description& d);
bool describe_btree(Description& d);
bool describe_hash(Description& d);
bool describe_gin(Description& d);
bool describe_gist(Description& d);
bool describe_sequence(Description& d);
bool describe_spgist(Description& d);
bool describe_brin(Description& d);
bool describe_commit_ts(Description& d);
bool describe_replication_origin(Description& d);
bool describe_generic(Description& d);
bool describe_logical_message(Description& d);

}  // namespace pgdata
