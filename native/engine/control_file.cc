// pg_control: checks, both layouts, writing in place.
#include "engine/control_file.h"

#include <sys/time.h>
#include <unistd.h>
#if defined(__APPLE__)
#include <sys/random.h>
#endif

#include <ctime>
#include <memory>

#include "base/crc32c.h"
#include "base/invariant.h"
#include "layout/page_header.h"
#include "layout/wal_page.h"

namespace pgdata {
namespace {

struct CatalogVersion {
  uint32_t catalog_version_no;
  uint32_t pg_control_version;
  int major;
};
constexpr CatalogVersion catalog_versions[] = {
    {202007201, PG_CONTROL_VERSION_13, 13}, {202107181, PG_CONTROL_VERSION_13, 14},
    {202209061, PG_CONTROL_VERSION_13, 15}, {202307071, PG_CONTROL_VERSION_13, 16},
    {202406281, PG_CONTROL_VERSION_17, 17}, {CATALOG_VERSION_NO, PG_CONTROL_VERSION, 18},
};

constexpr bool is_power_of_two(uint32_t value) { return value != 0 && (value & (value - 1)) == 0; }

std::string path_of(const std::string& data_directory) {
  return data_directory + "/global/pg_control";
}

Status incompatible(const char* what, uint32_t found) {
  return Status::error(ErrorCode::feature_not_supported,
                       "database files are incompatible with this release of pgdata")
      .with_detail("The database cluster was initialized with " + std::string(what) + " " +
                   std::to_string(found) + ".");
}

Status check_sizes(const ControlFile& control) {
  if (control.maxAlign != 8) return incompatible("MAXALIGN", control.maxAlign);
  if (control.floatFormat != FLOATFORMAT_VALUE)
    return Status::error(ErrorCode::feature_not_supported,
                         "the database cluster appears to use a different floating-point number "
                         "format");
  if (!is_power_of_two(control.blcksz) || control.blcksz < block_size_min ||
      control.blcksz > block_size_max)
    return Status::error(ErrorCode::data_corrupted, "invalid block size in control file: %u",
                         control.blcksz);
  if (!is_power_of_two(control.xlog_blcksz) || control.xlog_blcksz < 1024 ||
      control.xlog_blcksz > 65536)
    return Status::error(ErrorCode::data_corrupted, "invalid WAL block size in control file: %u",
                         control.xlog_blcksz);
  if (!is_valid_wal_segment_size(control.xlog_seg_size))
    return Status::error(ErrorCode::data_corrupted,
                         "invalid WAL segment size in control file (%u bytes)",
                         control.xlog_seg_size)
        .with_detail("The WAL segment size must be a power of two between 1 MB and 1 GB.");
  if (control.relseg_size == 0)
    return Status::error(ErrorCode::data_corrupted, "invalid segment size in control file: 0");
  return Status::ok;
}

}  // namespace

Status parse_control_file(std::string_view bytes, ControlFile* control) {
  if (bytes.size() < sizeof(ControlFileData))
    return Status::error(ErrorCode::data_corrupted,
                         "could not read file \"global/pg_control\": read %zu of %zu", bytes.size(),
                         sizeof(ControlFileData));
  ControlFile parsed;
  static_cast<ControlFileHead&>(parsed) = load<ControlFileHead>(bytes.data());
  const uint32_t version = parsed.pg_control_version;
  uint32_t stored_crc;
  size_t crc_offset;
  switch (version) {
    case PG_CONTROL_VERSION: {
      const ControlFileData data = load<ControlFileData>(bytes.data());
      parsed.default_char_signedness = data.default_char_signedness;
      std::memcpy(parsed.mock_authentication_nonce, data.mock_authentication_nonce,
                  MOCK_AUTH_NONCE_LEN);
      stored_crc = data.crc;
      crc_offset = offsetof(ControlFileData, crc);
      break;
    }
    case PG_CONTROL_VERSION_13:
    case PG_CONTROL_VERSION_17: {
      const ControlFileData17 data = load<ControlFileData17>(bytes.data());
      std::memcpy(parsed.mock_authentication_nonce, data.mock_authentication_nonce,
                  MOCK_AUTH_NONCE_LEN);
      stored_crc = data.crc;
      crc_offset = offsetof(ControlFileData17, crc);
      break;
    }
    default:
      if (version % 65536 == 0 && version / 65536 != 0)
        return incompatible("PG_CONTROL_VERSION", version)
            .with_hint("This could be a problem of mismatched byte ordering.");
      return incompatible("PG_CONTROL_VERSION", version);
  }
  if (crc32c_finish(crc32c(crc32c_initial, bytes.data(), crc_offset)) != stored_crc)
    return Status::error(ErrorCode::data_corrupted, "incorrect checksum in control file");
  if (major_of(parsed) == 0) return incompatible("CATALOG_VERSION_NO", parsed.catalog_version_no);
  // Until release 17 the checkpoint did not say it; what the cluster runs with is as good.
  if (version == PG_CONTROL_VERSION_13) parsed.checkPointCopy.wal_level = parsed.wal_level;
  RETURN_IF_ERROR(check_sizes(parsed));
  *control = parsed;
  return Status::ok;
}

std::string format_control_file(const ControlFile& control) {
  INVARIANT(control.pg_control_version == PG_CONTROL_VERSION);
  ControlFileData data;
  data.head = control;
  data.default_char_signedness = control.default_char_signedness;
  std::memcpy(data.mock_authentication_nonce, control.mock_authentication_nonce,
              MOCK_AUTH_NONCE_LEN);
  data.crc = crc32c_finish(crc32c(crc32c_initial, &data, offsetof(ControlFileData, crc)));
  std::string bytes(PG_CONTROL_FILE_SIZE, '\0');
  std::memcpy(bytes.data(), &data, sizeof(data));
  return bytes;
}

Status read_control_file(FileSystem& files, const std::string& data_directory,
                         ControlFile* control) {
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(files.open(path_of(data_directory), OpenFlags::read_only, &file));
  // A running server may be writing it: what is torn has a wrong checksum, and is whole a moment later.
  constexpr int attempts_max = 10;
  for (int attempt = 1;; attempt++) {
    std::string bytes(PG_CONTROL_FILE_SIZE, '\0');
    size_t done = 0;
    RETURN_IF_ERROR(file->read(bytes.data(), bytes.size(), 0, &done));
    Status status = parse_control_file(std::string_view(bytes).substr(0, done), control);
    if (status.is_ok() || status.code() != ErrorCode::data_corrupted || attempt == attempts_max)
      return status;
    usleep(10'000);
  }
}

Status write_control_file(FileSystem& files, const std::string& data_directory,
                          ControlFile& control) {
  control.time = static_cast<int64_t>(std::time(nullptr));
  const std::string path = path_of(data_directory);
  const std::string bytes = format_control_file(control);
  std::unique_ptr<File> file;
  Status status = files.open(path, OpenFlags::read_write, &file);
  if (status.code() == ErrorCode::undefined_file) return replace_file_durably(files, path, bytes);
  RETURN_IF_ERROR(std::move(status));
  RETURN_IF_ERROR(file->write(bytes.data(), bytes.size(), 0));
  // In place, and as long as before: its times, which fsync would wait for the file system's journal for, do not matter.
  return file->data_sync();
}

ControlFile new_control_file(uint64_t system_identifier) {
  ControlFile control;
  if (system_identifier == 0) {
    // The time of init and the process, as PostgreSQL makes it.
    timeval now{};
    gettimeofday(&now, nullptr);
    system_identifier = (static_cast<uint64_t>(now.tv_sec) << 32) |
                        (static_cast<uint64_t>(now.tv_usec) << 12) |
                        (static_cast<uint64_t>(getpid()) & 0xFFF);
  }
  control.system_identifier = system_identifier;
  INVARIANT(getentropy(control.mock_authentication_nonce, MOCK_AUTH_NONCE_LEN) == 0);
  return control;
}

int major_of(const ControlFileHead& control) {
  for (const CatalogVersion& known : catalog_versions)
    if (known.catalog_version_no == control.catalog_version_no &&
        known.pg_control_version == control.pg_control_version)
      return known.major;
  return 0;
}

std::string tablespace_version_directory(const ControlFileHead& control) {
  return "PG_" + std::to_string(major_of(control)) + "_" +
         std::to_string(control.catalog_version_no);
}

const char* db_state_name(DBState state) {
  switch (state) {
    case DBState::DB_STARTUP:
      return "starting up";
    case DBState::DB_SHUTDOWNED:
      return "shut down";
    case DBState::DB_SHUTDOWNED_IN_RECOVERY:
      return "shut down in recovery";
    case DBState::DB_SHUTDOWNING:
      return "shutting down";
    case DBState::DB_IN_CRASH_RECOVERY:
      return "in crash recovery";
    case DBState::DB_IN_ARCHIVE_RECOVERY:
      return "in archive recovery";
    case DBState::DB_IN_PRODUCTION:
      return "in production";
  }
  return "unrecognized status code";
}

const char* wal_level_name(int32_t wal_level) {
  switch (wal_level) {
    case 0:
      return "minimal";
    case 1:
      return "replica";
    case 2:
      return "logical";
    default:
      return "unrecognized \"wal_level\"";
  }
}

}  // namespace pgdata
