// Usage: blocks and log that one session has read and written, counted from its beginning.
// Source: BufferUsage and WalUsage of src/include/executor/instrument.h, PostgreSQL 18.
#pragma once

#include <cstdint>

namespace pgdata {

struct Usage {
  int64_t shared_hit = 0;  // blocks, here and below
  int64_t shared_read = 0;
  int64_t shared_dirtied = 0;
  int64_t shared_written = 0;
  int64_t local_hit = 0;
  int64_t local_read = 0;
  int64_t local_dirtied = 0;
  int64_t local_written = 0;
  int64_t temp_read_bytes = 0;
  int64_t temp_written_bytes = 0;
  int64_t wal_records = 0;
  int64_t wal_images = 0;
  int64_t wal_bytes = 0;
  // Of shared blocks, where they are timed.
  int64_t read_ns = 0;
  int64_t write_ns = 0;

  // What was used between two times.
  void add_difference(const Usage& later, const Usage& earlier) {
    shared_hit += later.shared_hit - earlier.shared_hit;
    shared_read += later.shared_read - earlier.shared_read;
    shared_dirtied += later.shared_dirtied - earlier.shared_dirtied;
    shared_written += later.shared_written - earlier.shared_written;
    local_hit += later.local_hit - earlier.local_hit;
    local_read += later.local_read - earlier.local_read;
    local_dirtied += later.local_dirtied - earlier.local_dirtied;
    local_written += later.local_written - earlier.local_written;
    temp_read_bytes += later.temp_read_bytes - earlier.temp_read_bytes;
    temp_written_bytes += later.temp_written_bytes - earlier.temp_written_bytes;
    wal_records += later.wal_records - earlier.wal_records;
    wal_images += later.wal_images - earlier.wal_images;
    wal_bytes += later.wal_bytes - earlier.wal_bytes;
    read_ns += later.read_ns - earlier.read_ns;
    write_ns += later.write_ns - earlier.write_ns;
  }
};

}  // namespace pgdata
