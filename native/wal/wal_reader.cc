// WalReader: pages, continuation, checks, decoding.
#include "wal/wal_reader.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <span>

#include "base/crc32c.h"
#include "base/invariant.h"
#include "layout/wal_xlog_records.h"
#include "tuple/lz4_block.h"
#include "tuple/pglz.h"

namespace pgdata {
namespace {

// Read from a file at a time.
constexpr size_t window_bytes = 128 * 1024;
constexpr uint8_t rmgr_xlog = 0;
// Built-in resource managers end at 21; extensions have 128 and above.
constexpr uint8_t rmgr_builtin_max = 21;
constexpr uint8_t rmgr_custom_min = 128;

}  // namespace

WalReader::WalReader(FileSystem& files, WalReaderOptions options)
    : files_(files),
      options_(std::move(options)),
      geometry_(options_.block_size, options_.segment_bytes) {
  INVARIANT(is_valid_wal_segment_size(options_.segment_bytes));
  INVARIANT(options_.block_size >= 1024 && options_.block_size <= 65536);
  INVARIANT((options_.block_size & (options_.block_size - 1)) == 0);
  window_.resize(std::max<size_t>(window_bytes, options_.block_size));
  if (options_.history.empty()) options_.history.push_back({options_.timeline, invalid_lsn});
  file_timeline_ = options_.history.front().id;
}

WalReader::~WalReader() = default;

bool WalReader::end(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  end_reason_ = text;
  file_ended_ = false;
  return false;
}

void WalReader::begin_at(Lsn lsn) {
  position_ = lsn;
  previous_ = invalid_lsn;
  check_previous_ = false;
  window_size_ = 0;
  last_timeline_ = 0;
  aborted_record_ = missing_contrecord_ = overwritten_record_ = invalid_lsn;
}

Status WalReader::begin_after(Lsn lsn, bool* found) {
  *found = false;
  begin_at(lsn);
  // Past the rest of a record that began earlier, page after page.
  Lsn page = geometry_.page_start(lsn);
  for (uint64_t pages = 0;; pages++) {
    if (pages > XLogRecordMaxSize / (geometry_.block_size() - SizeOfXLogLongPHD)) {
      end("no record begins within %u bytes after %s", XLogRecordMaxSize, format_lsn(lsn).c_str());
      return Status::ok;
    }
    const std::byte* bytes;
    RETURN_IF_ERROR(read_page(page, &bytes));
    if (bytes == nullptr) return Status::ok;
    const XLogPageHeaderData header = load<XLogPageHeaderData>(bytes);
    const uint32_t header_size = geometry_.page_header_size(page);
    if ((header.xlp_info & XLP_FIRST_IS_CONTRECORD) == 0) {
      position_ = page + header_size;
      break;
    }
    const size_t rest = max_align(header.xlp_rem_len);
    if (rest < geometry_.block_size() - header_size) {
      position_ = page + header_size + rest;
      break;
    }
    page += geometry_.block_size();
  }
  // Then record after record, each of which moves on.
  for (;;) {
    const Lsn candidate = position_;
    bool valid;
    RETURN_IF_ERROR(next(&valid));
    if (!valid) return Status::ok;
    if (record_.lsn >= lsn) {
      begin_at(record_.lsn);
      *found = true;
      return Status::ok;
    }
    INVARIANT(position_ > candidate);
  }
}

std::string WalReader::file_name(uint64_t segment) const {
  return wal_file_name(file_timeline_, segment, geometry_.segment_bytes());
}

// The file of the newest timeline that has the segment; file_segment_ says whether there is one.
// Source: XLogFileReadAnyTLI in src/backend/access/transam/xlogrecovery.c.
Status WalReader::open_segment(uint64_t segment) {
  file_.reset();
  file_segment_ = UINT64_MAX;
  for (const WalTimeline& timeline : options_.history) {
    if (timeline.id < last_timeline_) break;
    if (timeline.begin != invalid_lsn && segment < geometry_.segment_of(timeline.begin)) continue;
    file_timeline_ = timeline.id;
    Status status =
        files_.open(options_.directory + "/" + file_name(segment), OpenFlags::read_only, &file_);
    if (status.is_ok()) {
      file_segment_ = segment;
      return Status::ok;
    }
    if (status.code() != ErrorCode::undefined_file) return status;
  }
  file_timeline_ = options_.history.front().id;
  end("could not find WAL segment %s", file_name(segment).c_str());
  file_ended_ = true;
  return Status::ok;
}

Status WalReader::read_file_page(Lsn page, const std::byte** bytes) {
  *bytes = nullptr;
  const uint32_t block_size = geometry_.block_size();
  if (page >= window_start_ && page + block_size <= window_start_ + window_size_) {
    *bytes = window_.data() + (page - window_start_);
    return Status::ok;
  }
  window_size_ = 0;
  const uint64_t segment = geometry_.segment_of(page);
  if (file_segment_ != segment) {
    RETURN_IF_ERROR(open_segment(segment));
    if (file_segment_ != segment) return Status::ok;
  }
  const uint32_t offset = geometry_.segment_offset(page);
  const size_t wanted = std::min<size_t>(window_.size(), geometry_.segment_bytes() - offset);
  size_t done = 0;
  RETURN_IF_ERROR(file_->read(window_.data(), wanted, offset, &done));
  if (done < block_size) {
    end("WAL segment %s ends at offset %zu", file_name(segment).c_str(), offset + done);
    file_ended_ = true;
    return Status::ok;
  }
  window_start_ = page;
  window_size_ = done;
  *bytes = window_.data();
  return Status::ok;
}

Status WalReader::read_page(Lsn page, const std::byte** bytes) {
  RETURN_IF_ERROR(read_file_page(page, bytes));
  if (*bytes == nullptr) return Status::ok;
  if (!check_page_header(*bytes, page)) *bytes = nullptr;
  return Status::ok;
}

bool WalReader::check_page_header(const std::byte* bytes, Lsn page) {
  const XLogPageHeaderData header = load<XLogPageHeaderData>(bytes);
  const uint32_t offset = geometry_.segment_offset(page);
  const auto where = [&] {
    return "WAL segment " + file_name(geometry_.segment_of(page)) + ", LSN " + format_lsn(page) +
           ", offset " + std::to_string(offset);
  };
  const uint8_t major = major_of_page_magic(header.xlp_magic);
  if (major == 0) return end("invalid magic number %04X in %s", header.xlp_magic, where().c_str());
  if ((header.xlp_info & ~XLP_ALL_FLAGS) != 0 ||
      ((header.xlp_info & XLP_LONG_HEADER) != 0) != (offset == 0))
    return end("invalid info bits %04X in %s", header.xlp_info, where().c_str());
  if (offset == 0) {
    const XLogLongPageHeaderData long_header = load<XLogLongPageHeaderData>(bytes);
    if (options_.system_identifier != 0 && long_header.xlp_sysid != options_.system_identifier)
      return end(
          "WAL file is from different database system: WAL file database system identifier is "
          "%llu, pg_control database system identifier is %llu",
          static_cast<unsigned long long>(long_header.xlp_sysid),
          static_cast<unsigned long long>(options_.system_identifier));
    if (long_header.xlp_seg_size != geometry_.segment_bytes())
      return end(
          "WAL file is from different database system: incorrect segment size in page header");
    if (long_header.xlp_xlog_blcksz != geometry_.block_size())
      return end(
          "WAL file is from different database system: incorrect XLOG_BLCKSZ in page header");
  }
  if (header.xlp_pageaddr != page)
    return end("unexpected pageaddr %s in %s", format_lsn(header.xlp_pageaddr).c_str(),
               where().c_str());
  if (header.xlp_tli < last_timeline_)
    return end("out-of-sequence timeline ID %u (after %u) in %s", header.xlp_tli, last_timeline_,
               where().c_str());
  last_timeline_ = header.xlp_tli;
  major_ = major;
  return true;
}

bool WalReader::check_record_header(const XLogRecord& header, Lsn lsn) {
  if (header.xl_tot_len < SizeOfXLogRecord)
    return end("invalid record length at %s: expected at least %u, got %u", format_lsn(lsn).c_str(),
               SizeOfXLogRecord, header.xl_tot_len);
  if (header.xl_rmid > rmgr_builtin_max && header.xl_rmid < rmgr_custom_min)
    return end("invalid resource manager ID %u at %s", header.xl_rmid, format_lsn(lsn).c_str());
  if (check_previous_ ? header.xl_prev != previous_ : header.xl_prev >= lsn)
    return end("record with incorrect prev-link %s at %s", format_lsn(header.xl_prev).c_str(),
               format_lsn(lsn).c_str());
  return true;
}

Status WalReader::next(bool* found) {
  *found = false;
  aborted_record_ = missing_contrecord_ = overwritten_record_ = invalid_lsn;
  const uint32_t block_size = geometry_.block_size();
  Lsn lsn = position_;
  Lsn page = geometry_.page_start(lsn);
  const std::byte* bytes;

  // An overwritten record sends us on to the page that replaces it, which is further on each time.
  for (;;) {
    // A failure may be of what is only half written yet: read the file again next time.
    RETURN_IF_ERROR(read_page(page, &bytes));
    if (bytes == nullptr) {
      window_size_ = 0;
      return Status::ok;
    }
    const uint32_t header_size = geometry_.page_header_size(page);
    const XLogPageHeaderData first_page = load<XLogPageHeaderData>(bytes);
    uint32_t offset = geometry_.page_offset(lsn);
    if (offset == 0) {
      lsn += header_size;
      offset = header_size;
    }
    if (offset < header_size || offset % 8 != 0) {
      end("invalid record offset at %s: expected at least %u, got %u", format_lsn(lsn).c_str(),
          header_size, offset);
      return Status::ok;
    }
    if (offset == header_size && (first_page.xlp_info & XLP_FIRST_IS_CONTRECORD) != 0) {
      end("contrecord is requested by %s", format_lsn(lsn).c_str());
      return Status::ok;
    }

    const uint32_t total = load<uint32_t>(bytes + offset);
    uint32_t have = std::min(total, block_size - offset);
    bool header_checked = false;
    if (block_size - offset >= SizeOfXLogRecord) {
      if (!check_record_header(load<XLogRecord>(bytes + offset), lsn)) {
        window_size_ = 0;
        return Status::ok;
      }
      header_checked = true;
    } else if (total < SizeOfXLogRecord) {
      end("invalid record length at %s: expected at least %u, got %u", format_lsn(lsn).c_str(),
          SizeOfXLogRecord, total);
      window_size_ = 0;
      return Status::ok;
    }
    if (total > XLogRecordMaxSize) {
      end("record length %u at %s too long", total, format_lsn(lsn).c_str());
      return Status::ok;
    }
    // Grows with what is really there, so that a wild length costs no memory.
    if (have < total) bytes_.assign(bytes + offset, bytes + offset + have);
    const std::byte* whole = bytes + offset;
    Lsn record_end = lsn + max_align(total);
    bool overwritten = false;
    // The log ends within this record: whoever continues it says so at the page that is missing.
    const auto aborted = [&]() -> Status {
      window_size_ = 0;
      aborted_record_ = lsn;
      missing_contrecord_ = page;
      return Status::ok;
    };
    while (have < total) {
      page += block_size;
      RETURN_IF_ERROR(read_page(page, &bytes));
      if (bytes == nullptr) {
        return aborted();
      }
      const XLogPageHeaderData continued = load<XLogPageHeaderData>(bytes);
      if ((continued.xlp_info & XLP_FIRST_IS_OVERWRITE_CONTRECORD) != 0) {
        overwritten = true;
        break;
      }
      if ((continued.xlp_info & XLP_FIRST_IS_CONTRECORD) == 0) {
        end("there is no contrecord flag at %s", format_lsn(lsn).c_str());
        return aborted();
      }
      if (continued.xlp_rem_len == 0 || continued.xlp_rem_len != total - have) {
        end("invalid contrecord length %u (expected %u) at %s", continued.xlp_rem_len, total - have,
            format_lsn(lsn).c_str());
        return aborted();
      }
      const uint32_t continued_header = geometry_.page_header_size(page);
      const uint32_t part = std::min(total - have, block_size - continued_header);
      bytes_.insert(bytes_.end(), bytes + continued_header, bytes + continued_header + part);
      have += part;
      record_end = page + continued_header + max_align(part);
      if (!header_checked) {
        if (!check_record_header(load<XLogRecord>(bytes_.data()), lsn)) {
          return aborted();
        }
        header_checked = true;
      }
    }
    if (overwritten) {
      overwritten_record_ = lsn;
      lsn = page;
      check_previous_ = false;
      continue;
    }

    if (page != geometry_.page_start(lsn)) whole = bytes_.data();
    const XLogRecord header = load<XLogRecord>(whole);
    uint32_t crc = crc32c(crc32c_initial, whole + SizeOfXLogRecord, total - SizeOfXLogRecord);
    crc = crc32c_finish(crc32c(crc, whole, offsetof(XLogRecord, xl_crc)));
    if (crc != header.xl_crc) {
      end("incorrect resource manager data checksum in record at %s", format_lsn(lsn).c_str());
      window_size_ = 0;
      if (page != geometry_.page_start(lsn)) return aborted();
      return Status::ok;
    }
    record_.header = header;
    record_.end_lsn = record_end;
    if (!decode(lsn, whole, total)) return Status::ok;

    position_ = record_end;
    if (header.xl_rmid == rmgr_xlog && (header.xl_info & XLR_RMGR_INFO_MASK) == XLOG_SWITCH)
      position_ = align_up(record_end, geometry_.segment_bytes());
    previous_ = lsn;
    check_previous_ = true;
    *found = true;
    return Status::ok;
  }
}

// Finds the parts of the record in `bytes`; every length is checked against what is left.
bool WalReader::decode(Lsn lsn, const std::byte* bytes, uint32_t size) {
  const auto at = [lsn] { return format_lsn(lsn); };
  DecodedWalRecord& record = record_;
  record.lsn = lsn;
  record.main_data = nullptr;
  record.main_data_length = 0;
  record.origin = 0;
  record.toplevel_xid = invalid_transaction_id;
  record.block_count = 0;

  const std::byte* from = bytes + SizeOfXLogRecord;
  uint64_t remaining = size - SizeOfXLogRecord;
  uint64_t data_total = 0;
  const auto take = [&]<typename T>(T* value) {
    if (remaining < sizeof(T)) return false;
    *value = load<T>(from);
    from += sizeof(T);
    remaining -= sizeof(T);
    return true;
  };
  const auto too_short = [&] { return end("record with invalid length at %s", at().c_str()); };

  const RelFileLocator* relation = nullptr;
  bool has_main_data = false;
  while (remaining > data_total && !has_main_data) {
    uint8_t id;
    if (!take(&id)) return too_short();
    if (id == XLR_BLOCK_ID_DATA_SHORT) {
      uint8_t length;
      if (!take(&length)) return too_short();
      record.main_data_length = length;
      has_main_data = true;
    } else if (id == XLR_BLOCK_ID_DATA_LONG) {
      if (!take(&record.main_data_length)) return too_short();
      has_main_data = true;
    } else if (id == XLR_BLOCK_ID_ORIGIN) {
      if (!take(&record.origin)) return too_short();
    } else if (id == XLR_BLOCK_ID_TOPLEVEL_XID) {
      if (!take(&record.toplevel_xid)) return too_short();
    } else if (id <= XLR_MAX_BLOCK_ID) {
      if (id < record.block_count) return end("out-of-order block_id %u at %s", id, at().c_str());
      for (; record.block_count <= id; record.block_count++)
        record.blocks[record.block_count] = WalBlock{};
      WalBlock& block = record.blocks[id];
      block.in_use = true;
      if (!take(&block.fork_flags)) return too_short();
      const uint8_t fork = block.fork_flags & BKPBLOCK_FORK_MASK;
      if (fork >= fork_count) return end("invalid fork number %u at %s", fork, at().c_str());
      block.fork = static_cast<ForkNumber>(fork);
      if (!take(&block.data_length)) return too_short();
      const bool has_data = (block.fork_flags & BKPBLOCK_HAS_DATA) != 0;
      if (has_data && block.data_length == 0)
        return end("BKPBLOCK_HAS_DATA set, but no data included at %s", at().c_str());
      if (!has_data && block.data_length != 0)
        return end("BKPBLOCK_HAS_DATA not set, but data length is %u at %s", block.data_length,
                   at().c_str());
      data_total += block.data_length;

      block.has_image = (block.fork_flags & BKPBLOCK_HAS_IMAGE) != 0;
      if (block.has_image) {
        if (!take(&block.image_length) || !take(&block.hole_offset) || !take(&block.bimg_info))
          return too_short();
        if (major_ <= 14) {
          // Bring the flags into their later form.
          const uint8_t old = block.bimg_info;
          block.bimg_info = old & BKPIMAGE_HAS_HOLE;
          if ((old & BKPIMAGE_IS_COMPRESSED_14) != 0) block.bimg_info |= BKPIMAGE_COMPRESS_PGLZ;
          if ((old & BKPIMAGE_APPLY_14) != 0) block.bimg_info |= BKPIMAGE_APPLY;
        }
        block.apply_image = (block.bimg_info & BKPIMAGE_APPLY) != 0;
        const bool has_hole = (block.bimg_info & BKPIMAGE_HAS_HOLE) != 0;
        const bool compressed = (block.bimg_info & BKPIMAGE_COMPRESSED) != 0;
        if (compressed) {
          if (has_hole && !take(&block.hole_length)) return too_short();
        } else if (block.image_length <= options_.block_size) {
          block.hole_length = static_cast<uint16_t>(options_.block_size - block.image_length);
        }
        data_total += block.image_length;
        if (has_hole && (block.hole_offset == 0 || block.hole_length == 0 ||
                         block.image_length >= options_.block_size ||
                         block.hole_offset + block.hole_length > options_.block_size))
          return end(
              "BKPIMAGE_HAS_HOLE set, but hole offset %u length %u block image length %u at %s",
              block.hole_offset, block.hole_length, block.image_length, at().c_str());
        if (!has_hole && (block.hole_offset != 0 || block.hole_length != 0))
          return end("BKPIMAGE_HAS_HOLE not set, but hole offset %u length %u at %s",
                     block.hole_offset, block.hole_length, at().c_str());
        if (compressed && block.image_length >= options_.block_size)
          return end("BKPIMAGE_COMPRESSED set, but block image length %u at %s", block.image_length,
                     at().c_str());
        if (!has_hole && !compressed && block.image_length != options_.block_size)
          return end(
              "neither BKPIMAGE_HAS_HOLE nor BKPIMAGE_COMPRESSED set, but block image length is %u "
              "at %s",
              block.image_length, at().c_str());
      }
      if ((block.fork_flags & BKPBLOCK_SAME_REL) == 0) {
        if (!take(&block.relation)) return too_short();
      } else {
        if (relation == nullptr)
          return end("BKPBLOCK_SAME_REL set but no previous rel at %s", at().c_str());
        block.relation = *relation;
      }
      relation = &block.relation;
      if (!take(&block.number)) return too_short();
    } else {
      return end("invalid block_id %u at %s", id, at().c_str());
    }
  }
  data_total += record.main_data_length;
  if (remaining != data_total) return too_short();

  for (int id = 0; id < record.block_count; id++) {
    WalBlock& block = record.blocks[id];
    if (!block.in_use) continue;
    if (block.has_image) {
      block.image = from;
      from += block.image_length;
    }
    if (block.data_length > 0) {
      block.data = from;
      from += block.data_length;
    }
  }
  if (record.main_data_length > 0) record.main_data = from;
  return true;
}

Status WalReader::restore_image(int id, std::byte* page) const {
  INVARIANT(id >= 0 && id < record_.block_count);
  const WalBlock& block = record_.blocks[id];
  INVARIANT(block.in_use && block.has_image);
  const std::byte* image = block.image;
  std::vector<std::byte> raw;
  if ((block.bimg_info & BKPIMAGE_COMPRESSED) != 0) {
    if ((block.bimg_info & BKPIMAGE_COMPRESS_ZSTD) != 0)
      return Status::error(ErrorCode::feature_not_supported,
                           "could not restore image at %s compressed with zstd not supported by "
                           "build, block %d",
                           format_lsn(record_.lsn).c_str(), id);
    raw.resize(options_.block_size - block.hole_length);
    const std::span<const std::byte> stream(block.image, block.image_length);
    const bool whole = (block.bimg_info & BKPIMAGE_COMPRESS_PGLZ) != 0
                           ? pglz_decompress(stream, raw)
                           : lz4_decompress_block(stream, raw);
    if (!whole)
      return Status::error(ErrorCode::data_corrupted, "could not decompress image at %s, block %d",
                           format_lsn(record_.lsn).c_str(), id);
    image = raw.data();
  }
  const uint32_t after = block.hole_offset + block.hole_length;
  std::memcpy(page, image, block.hole_offset);
  std::memset(page + block.hole_offset, 0, block.hole_length);
  std::memcpy(page + after, image + block.hole_offset, options_.block_size - after);
  return Status::ok;
}

}  // namespace pgdata
