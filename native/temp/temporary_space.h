// TemporarySpace: a session's temporary files: where they are, and how much they may take together.
//
// Used by one thread at a time, as the session is. A file goes with its TemporaryFile; those that are left when the
// transaction ends, when the subtransaction that made them is rolled back, or when the session ends, go then, and what
// still holds them finds that they are gone. Nothing is ever synced.
// Source: src/backend/storage/file/fd.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/log_message.h"
#include "base/status.h"
#include "base/types.h"
#include "file/storage.h"
#include "shmem/cluster_state.h"
#include "statistics/session_counters.h"

namespace pgdata {

class TemporaryFile;

// The directory, and how the names of files in it begin: "base/pgsql_tmp/pgsql_tmp4711.0".
inline constexpr const char* temporary_prefix = "pgsql_tmp";

// Of a file "pgsql_tmp4711.0", 4711; -1 of other names.
int32_t process_of_temporary_file(const std::string& name);

struct TemporaryLimits {
  int64_t temp_file_limit_bytes = -1;  // -1: none
  int64_t log_temp_files_bytes =
      -1;  // files from this size on are told to the server log; -1: none
  uint64_t segment_bytes = 1ull << 30;
};

class TemporarySpace {
 public:
  // `counters` and `log` may be null.
  TemporarySpace(Storage& storage, ClusterState& state, SessionCounters* counters,
                 const LogSink* log)
      : storage_(storage), state_(state), counters_(counters), log_(log) {}
  TemporarySpace(const TemporarySpace&) = delete;
  ~TemporarySpace() { close(); }

  void set_limits(const TemporaryLimits& limits) { limits_ = limits; }
  const TemporaryLimits& limits() const { return limits_; }
  // Where files are made from here on; pg_default unless said otherwise.
  void use_tablespace(Oid tablespace) { tablespace_ = tablespace; }
  // What all files have now.
  uint64_t bytes() const { return bytes_; }

  // Levels of the transaction, as Backend counts them.
  void begin_level() { level_++; }
  void end_level(bool committed);
  void end_transaction() {
    if (!files_.empty()) remove_files_of(0);
    level_ = 1;
  }
  // Removes everything, at the end of the session.
  void close() { remove_files_of(0); }

 private:
  friend class TemporaryFile;

  std::string directory() const;
  Status open_segment(std::string* path, std::unique_ptr<File>* file);
  // configuration_limit_exceeded
  Status grow(uint64_t bytes);
  void removed(const std::string& path, uint64_t bytes);
  void remove_files_of(uint32_t level);

  Storage& storage_;
  ClusterState& state_;
  SessionCounters* const counters_;
  const LogSink* const log_;
  TemporaryLimits limits_;
  Oid tablespace_ = default_tablespace_oid;
  uint64_t bytes_ = 0;
  uint32_t level_ = 1;
  std::vector<TemporaryFile*> files_;
};

}  // namespace pgdata
