// pg_stat/pgstat.stat: reading and writing.
#include "statistics/statistics_file.h"

#include <cstring>

namespace pgdata {

namespace {

std::string path_of(const std::string& data_directory) {
  return data_directory + "/pg_stat/pgstat.stat";
}

// Bytes of one entry of a kind of which there are many; 0: no such kind.
size_t entry_bytes(uint32_t kind) {
  switch (static_cast<StatisticsKind>(kind)) {
    case StatisticsKind::database:
      return sizeof(PgStat_StatDBEntry);
    case StatisticsKind::relation:
      return sizeof(PgStat_StatTabEntry);
    case StatisticsKind::function:
      return sizeof(PgStat_StatFuncEntry);
    case StatisticsKind::subscription:
      return sizeof(PgStat_StatSubEntry);
    default:
      return 0;
  }
}

struct FixedPart {
  StatisticsKind kind;
  size_t offset;
  size_t size;
};
constexpr FixedPart fixed_parts[] = {
    {StatisticsKind::archiver, offsetof(FixedStatistics, archiver), sizeof(PgStat_ArchiverStats)},
    {StatisticsKind::bgwriter, offsetof(FixedStatistics, bgwriter), sizeof(PgStat_BgWriterStats)},
    {StatisticsKind::checkpointer, offsetof(FixedStatistics, checkpointer),
     sizeof(PgStat_CheckpointerStats)},
    {StatisticsKind::io, offsetof(FixedStatistics, io), sizeof(PgStat_IO)},
    {StatisticsKind::slru, offsetof(FixedStatistics, slru),
     sizeof(PgStat_SLRUStats) * SLRU_NUM_ELEMENTS},
    {StatisticsKind::wal, offsetof(FixedStatistics, wal), sizeof(PgStat_WalStats)},
};

const FixedPart* fixed_part(uint32_t kind) {
  for (const FixedPart& part : fixed_parts) {
    if (static_cast<uint32_t>(part.kind) == kind) return &part;
  }
  return nullptr;
}

// A slot's statistics under its name: the name is not what others find it by, so it is part of the entry.
constexpr size_t slot_bytes = statistics_name_bytes + sizeof(PgStat_StatReplSlotEntry);
static_assert(slot_bytes <= statistics_entry_bytes);

class Reader {
 public:
  explicit Reader(std::string_view bytes) : left_(bytes) {}
  bool take(void* to, size_t size) {
    if (left_.size() < size) return false;
    std::memcpy(to, left_.data(), size);
    left_.remove_prefix(size);
    return true;
  }
  bool at_end() const { return left_.empty(); }

 private:
  std::string_view left_;
};

Status damaged() {
  return Status::error(Status::data_corrupted, "corrupted statistics file \"pg_stat/pgstat.stat\"");
}

template <typename T>
void put(std::string* to, const T& value) {
  to->append(reinterpret_cast<const char*>(&value), sizeof(value));
}

}  // namespace

Status parse_statistics_file(std::string_view bytes, Statistics& statistics) {
  Reader reader(bytes);
  uint32_t format = 0;
  if (!reader.take(&format, sizeof(format)) || format != PGSTAT_FILE_FORMAT_ID) return damaged();
  uint64_t slots = 0;
  for (;;) {
    char type = 0;
    if (!reader.take(&type, 1)) return damaged();
    if (type == PGSTAT_FILE_ENTRY_END) return reader.at_end() ? Status() : damaged();
    if (type == PGSTAT_FILE_ENTRY_FIXED) {
      uint32_t kind = 0;
      if (!reader.take(&kind, sizeof(kind))) return damaged();
      const FixedPart* part = fixed_part(kind);
      if (part == nullptr) return damaged();
      bool taken = false;
      statistics.change_fixed([&](FixedStatistics& fixed) {
        taken = reader.take(reinterpret_cast<std::byte*>(&fixed) + part->offset, part->size);
      });
      if (!taken) return damaged();
      continue;
    }
    PgStat_HashKey key{};
    size_t size = 0;
    if (type == PGSTAT_FILE_ENTRY_HASH) {
      if (!reader.take(&key, sizeof(key))) return damaged();
      size = entry_bytes(key.kind);
    } else if (type == PGSTAT_FILE_ENTRY_NAME) {
      if (!reader.take(&key.kind, sizeof(key.kind))) return damaged();
      key.objid = slots++;
      if (key.kind == static_cast<uint32_t>(StatisticsKind::replslot)) size = slot_bytes;
    }
    std::byte body[statistics_entry_bytes];
    if (size == 0 || !reader.take(body, size)) return damaged();
    // What there is no room for is not counted.
    static_cast<void>(
        statistics.change(key, true, [&](std::byte* entry) { std::memcpy(entry, body, size); }));
  }
}

std::string format_statistics_file(Statistics& statistics) {
  std::string text;
  put(&text, PGSTAT_FILE_FORMAT_ID);
  const FixedStatistics fixed = statistics.fixed();
  for (const FixedPart& part : fixed_parts) {
    text.push_back(PGSTAT_FILE_ENTRY_FIXED);
    put(&text, static_cast<uint32_t>(part.kind));
    text.append(reinterpret_cast<const char*>(&fixed) + part.offset, part.size);
  }
  for (const PgStat_HashKey& key : statistics.keys()) {
    const bool is_slot = key.kind == static_cast<uint32_t>(StatisticsKind::replslot);
    const size_t size = is_slot ? slot_bytes : entry_bytes(key.kind);
    std::byte body[statistics_entry_bytes];
    if (!statistics.find(key, body, size)) continue;
    if (is_slot) {
      text.push_back(PGSTAT_FILE_ENTRY_NAME);
      put(&text, key.kind);
    } else {
      text.push_back(PGSTAT_FILE_ENTRY_HASH);
      put(&text, key);
    }
    text.append(reinterpret_cast<const char*>(body), size);
  }
  text.push_back(PGSTAT_FILE_ENTRY_END);
  return text;
}

Status discard_statistics(FileSystem& files, const std::string& data_directory,
                          Statistics& statistics) {
  statistics.reset();
  FileInfo info;
  RETURN_IF_ERROR(files.info(path_of(data_directory), &info));
  if (info.kind == FileKind::none) return Status::ok;
  return files.remove_file(path_of(data_directory));
}

Status restore_statistics(FileSystem& files, const std::string& data_directory,
                          Statistics& statistics) {
  FileInfo info;
  RETURN_IF_ERROR(files.info(path_of(data_directory), &info));
  if (info.kind != FileKind::regular) return discard_statistics(files, data_directory, statistics);
  std::string bytes;
  RETURN_IF_ERROR(read_whole_file(files, path_of(data_directory), &bytes));
  if (!parse_statistics_file(bytes, statistics).is_ok())
    return discard_statistics(files, data_directory, statistics);
  return files.remove_file(path_of(data_directory));
}

Status write_statistics(FileSystem& files, const std::string& data_directory,
                        Statistics& statistics) {
  return replace_file_durably(files, path_of(data_directory), format_statistics_file(statistics));
}

}  // namespace pgdata
