// WalGeometry: where the usable bytes of the log lie among page and segment headers.
//
// Space is reserved in byte positions, which count usable bytes alone, so that
// reserving is one addition; log positions (Lsn) count every byte of the files.
// Source: XLogBytePosToRecPtr and its kin in src/backend/access/transam/xlog.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <string>

#include "base/types.h"
#include "layout/wal_page.h"

namespace pgdata {

class WalGeometry {
 public:
  WalGeometry(uint32_t block_size, uint32_t segment_bytes)
      : block_size_(block_size),
        segment_bytes_(segment_bytes),
        usable_page_(block_size - SizeOfXLogShortPHD),
        usable_segment_(static_cast<uint64_t>(segment_bytes / block_size) * usable_page_ -
                        (SizeOfXLogLongPHD - SizeOfXLogShortPHD)) {}

  uint32_t block_size() const { return block_size_; }
  uint32_t segment_bytes() const { return segment_bytes_; }

  uint64_t segment_of(Lsn lsn) const { return lsn / segment_bytes_; }
  // The segment that holds the byte before `lsn`; for ends of ranges.
  uint64_t segment_before(Lsn lsn) const { return (lsn - 1) / segment_bytes_; }
  uint32_t segment_offset(Lsn lsn) const {
    return static_cast<uint32_t>(lsn & (segment_bytes_ - 1));
  }
  uint32_t page_offset(Lsn lsn) const { return static_cast<uint32_t>(lsn & (block_size_ - 1)); }
  Lsn page_start(Lsn lsn) const { return lsn - page_offset(lsn); }
  uint32_t page_header_size(Lsn lsn) const {
    return segment_offset(lsn) < block_size_ ? SizeOfXLogLongPHD : SizeOfXLogShortPHD;
  }

  // Where a record that begins at a byte position starts: past a page header, if it is at one.
  Lsn start_lsn(uint64_t position) const { return to_lsn(position, false); }
  // Where a record that ends at a byte position ends: before a page header, if it fills the page.
  Lsn end_lsn(uint64_t position) const { return to_lsn(position, true); }
  uint64_t byte_position(Lsn lsn) const {
    const uint64_t whole_segments = (lsn / segment_bytes_) * usable_segment_;
    const uint32_t page = segment_offset(lsn) / block_size_;
    const uint32_t offset = page_offset(lsn);
    if (page == 0) return whole_segments + (offset > 0 ? offset - SizeOfXLogLongPHD : 0);
    return whole_segments + (block_size_ - SizeOfXLogLongPHD) +
           static_cast<uint64_t>(page - 1) * usable_page_ +
           (offset > 0 ? offset - SizeOfXLogShortPHD : 0);
  }

 private:
  Lsn to_lsn(uint64_t position, bool is_end) const {
    const uint64_t segment = position / usable_segment_;
    uint64_t rest = position % usable_segment_;
    uint64_t offset;
    if (rest < block_size_ - SizeOfXLogLongPHD) {
      offset = is_end && rest == 0 ? 0 : rest + SizeOfXLogLongPHD;
    } else {
      rest -= block_size_ - SizeOfXLogLongPHD;
      const uint64_t page = rest / usable_page_;
      rest %= usable_page_;
      offset = (page + 1) * block_size_ + (is_end && rest == 0 ? 0 : rest + SizeOfXLogShortPHD);
    }
    return segment * segment_bytes_ + offset;
  }

  uint32_t block_size_;
  uint32_t segment_bytes_;
  uint64_t usable_page_;
  uint64_t usable_segment_;
};

// The file name of a segment: "000000010000000000000001".
std::string wal_file_name(uint32_t timeline, uint64_t segment, uint32_t segment_bytes);
// The reverse; false when `name` is no segment's name.
bool parse_wal_file_name(const std::string& name, uint32_t segment_bytes, uint32_t* timeline,
                         uint64_t* segment);
// A position as PostgreSQL prints it: "0/16B3748".
std::string format_lsn(Lsn lsn);

}  // namespace pgdata
