// WalReader: reads records of the log one after the other, checks and decodes them.
//
// Everything in the files is input. The first thing that is no valid record is the
// end of the log (`next` says not found, `end_reason` why): that is how a log ends
// after a crash. A Status is returned only when a file cannot be read at all.
// Reads the logs of releases 13 to 18; segments of one timeline, or along a history of several.
// Source: src/backend/access/transam/xlogreader.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "file/file_system.h"
#include "layout/wal_page.h"
#include "layout/wal_record.h"
#include "wal/wal_geometry.h"

namespace pgdata {

// A timeline of the log, and where it forked off the one before.
struct WalTimeline {
  uint32_t id = 1;
  Lsn begin = invalid_lsn;
};

struct WalReaderOptions {
  std::string directory;
  uint32_t block_size = 8192;
  uint32_t segment_bytes = 16u << 20;
  uint32_t timeline = 1;
  // The history of a log that changed timelines, the newest first; empty: `timeline` alone.
  std::vector<WalTimeline> history;
  uint64_t system_identifier = 0;  // 0: not checked
};

// A block that a record changes. Pointers are into the reader's memory, until its next call.
struct WalBlock {
  bool in_use = false;
  uint8_t fork_flags = 0;  // BKPBLOCK_*
  ForkNumber fork = ForkNumber::main;
  RelFileLocator relation;
  BlockNumber number{};
  bool has_image = false;
  bool apply_image = false;  // restored at replay, not only compared
  uint8_t bimg_info = 0;     // as of release 15
  uint16_t hole_offset = 0;
  uint16_t hole_length = 0;
  const std::byte* image = nullptr;
  uint16_t image_length = 0;
  const std::byte* data = nullptr;
  uint16_t data_length = 0;
};

struct DecodedWalRecord {
  Lsn lsn = invalid_lsn;      // where it starts
  Lsn end_lsn = invalid_lsn;  // aligned: the LSN it stamps on pages
  XLogRecord header{};
  const std::byte* main_data = nullptr;
  uint32_t main_data_length = 0;
  uint16_t origin = 0;
  TransactionId toplevel_xid = invalid_transaction_id;
  int block_count = 0;  // highest id used + 1
  WalBlock blocks[XLR_MAX_BLOCK_ID + 1];

  uint8_t rmgr() const { return header.xl_rmid; }
  // The resource manager's part of xl_info.
  uint8_t info() const { return header.xl_info & XLR_RMGR_INFO_MASK; }
};

class WalReader {
 public:
  WalReader(FileSystem& files, WalReaderOptions options);
  ~WalReader();
  WalReader(const WalReader&) = delete;

  // The next record read is the one that starts at `lsn`; its link to the record before is not checked.
  void begin_at(Lsn lsn);
  // Finds the first record that starts at or after `lsn` and begins there; `*found` false: there is none.
  Status begin_after(Lsn lsn, bool* found);

  Status next(bool* found);
  const DecodedWalRecord& record() const { return record_; }
  // Why the last `next` found nothing, as PostgreSQL words it.
  const std::string& end_reason() const { return end_reason_; }
  // Nothing that could be read was wrong: there is no more.
  bool file_ended() const { return file_ended_; }
  // When the log ends in a record of which later pages are missing: where it starts, and the page it lacks.
  Lsn aborted_record() const { return aborted_record_; }
  Lsn missing_contrecord() const { return missing_contrecord_; }
  // The record that the last one read takes the place of (XLOG_OVERWRITE_CONTRECORD).
  Lsn overwritten_record() const { return overwritten_record_; }
  // The timeline of the page last read.
  uint32_t page_timeline() const { return last_timeline_; }
  // The release that wrote the page last read, or 0.
  int major() const { return major_; }

  // The page that block `id` of the record carries, decompressed, hole filled with zeroes.
  // feature_not_supported for zstd.
  Status restore_image(int id, std::byte* page) const;

 private:
  // Gives the page at `page`, with a header that was checked; `*bytes` null: it is no valid page (end_reason_).
  Status read_page(Lsn page, const std::byte** bytes);
  Status read_file_page(Lsn page, const std::byte** bytes);
  bool check_page_header(const std::byte* bytes, Lsn page);
  bool check_record_header(const XLogRecord& header, Lsn lsn);
  bool decode(Lsn lsn, const std::byte* bytes, uint32_t size);
  bool end(const char* format, ...) PGDATA_PRINTF(2, 3);
  Status open_segment(uint64_t segment);
  std::string file_name(uint64_t segment) const;

  FileSystem& files_;
  WalReaderOptions options_;
  WalGeometry geometry_;
  std::unique_ptr<File> file_;
  uint64_t file_segment_ = UINT64_MAX;
  uint32_t file_timeline_ = 0;
  std::vector<std::byte> window_;  // several pages read at once
  Lsn window_start_ = invalid_lsn;
  size_t window_size_ = 0;
  Lsn position_ = invalid_lsn;
  Lsn previous_ = invalid_lsn;
  bool check_previous_ = false;
  int major_ = 0;
  uint32_t last_timeline_ = 0;
  Lsn aborted_record_ = invalid_lsn;
  Lsn missing_contrecord_ = invalid_lsn;
  Lsn overwritten_record_ = invalid_lsn;
  std::vector<std::byte> bytes_;  // a record of several pages put together
  DecodedWalRecord record_;
  std::string end_reason_;
  bool file_ended_ = false;
};

}  // namespace pgdata
