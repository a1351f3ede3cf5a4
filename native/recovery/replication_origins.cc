// ReplicationOrigins: reading and writing the checkpoint file.
#include "recovery/replication_origins.h"

#include <string>

#include "base/crc32c.h"

namespace pgdata {

namespace {

constexpr const char* file_name = "/pg_logical/replorigin_checkpoint";
constexpr uint32_t REPLICATION_STATE_MAGIC = 0x1257DADE;

struct ReplicationStateOnDisk {
  uint16_t roident;
  uint16_t padding[3];
  Lsn remote_lsn;
};
static_assert(sizeof(ReplicationStateOnDisk) == 16);
static_assert(offsetof(ReplicationStateOnDisk, remote_lsn) == 8);

uint32_t checksum_of(const std::string& bytes, size_t size) {
  return crc32c_finish(crc32c(crc32c_initial, bytes.data(), size));
}

}  // namespace

Status ReplicationOrigins::load() {
  const std::string path = services_.storage.options().data_directory + file_name;
  std::string bytes;
  Status status = read_whole_file(services_.storage.files(), path, &bytes);
  if (status.code() == ErrorCode::undefined_file) return Status::ok;
  RETURN_IF_ERROR(std::move(status));
  constexpr size_t least = 2 * sizeof(uint32_t);
  if (bytes.size() < least || pgdata::load<uint32_t>(bytes.data()) != REPLICATION_STATE_MAGIC ||
      (bytes.size() - least) % sizeof(ReplicationStateOnDisk) != 0)
    return Status::error(Status::data_corrupted, "could not read file \"%s\": invalid contents",
                         path.c_str());
  const size_t end = bytes.size() - sizeof(uint32_t);
  if (pgdata::load<uint32_t>(bytes.data() + end) != checksum_of(bytes, end))
    return Status::error(Status::data_corrupted,
                         "replication slot checkpoint has wrong checksum in file \"%s\"",
                         path.c_str());
  for (size_t at = sizeof(uint32_t); at < end; at += sizeof(ReplicationStateOnDisk)) {
    const auto state = pgdata::load<ReplicationStateOnDisk>(bytes.data() + at);
    remote_lsns_[state.roident] = state.remote_lsn;
  }
  return Status::ok;
}

void ReplicationOrigins::advance(uint16_t origin, Lsn remote_lsn, bool force) {
  Lsn& known = remote_lsns_[origin];
  if (!force && known >= remote_lsn) return;
  known = remote_lsn;
  changed_ = true;
}

void ReplicationOrigins::drop(uint16_t origin) {
  if (remote_lsns_.erase(origin) > 0) changed_ = true;
}

Status ReplicationOrigins::write() {
  if (!changed_) return Status::ok;
  std::string bytes;
  const auto append = [&bytes](const auto& value) {
    bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
  };
  append(REPLICATION_STATE_MAGIC);
  for (const auto& [origin, remote_lsn] : remote_lsns_)
    append(ReplicationStateOnDisk{origin, {}, remote_lsn});
  append(checksum_of(bytes, bytes.size()));
  RETURN_IF_ERROR(replace_file_durably(
      services_.storage.files(), services_.storage.options().data_directory + file_name, bytes));
  changed_ = false;
  return Status::ok;
}

}  // namespace pgdata
