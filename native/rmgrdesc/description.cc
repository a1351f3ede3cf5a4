// Description: times, paths, lists, invalidation messages.
#include "rmgrdesc/description.h"

#include <algorithm>
#include <cstdarg>
#include <cstdio>
#include <ctime>

namespace pgdata {
namespace {

// Seconds from 1970-01-01 to 2000-01-01.
constexpr int64_t epoch_offset_seconds = 946684800;
constexpr int64_t microseconds_per_second = 1000000;

constexpr const char* fork_suffixes[] = {"", "_fsm", "_vm", "_init"};

}  // namespace

void Description::print(const char* format, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, format);
  const int length = std::vsnprintf(text, sizeof(text), format, arguments);
  va_end(arguments);
  if (length > 0)
    text_->append(text, std::min<size_t>(static_cast<size_t>(length), sizeof(text) - 1));
}

void Description::drop_comma() {
  if (text_->ends_with(", ")) text_->resize(text_->size() - 2);
}

void Description::time(TimestampTz at) {
  int64_t seconds = at / microseconds_per_second;
  int64_t fraction = at % microseconds_per_second;
  if (fraction < 0) {
    seconds--;
    fraction += microseconds_per_second;
  }
  // Far outside of what anybody can have written, there is nothing better than the number.
  constexpr int64_t year_9999_seconds = 253402300800;
  if (seconds < -year_9999_seconds || seconds > year_9999_seconds) {
    print("%lld", static_cast<long long>(at));
    return;
  }
  const time_t unix_seconds = static_cast<time_t>(seconds + epoch_offset_seconds);
  std::tm local{};
  localtime_r(&unix_seconds, &local);
  char date[64];
  char zone[64];
  std::strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &local);
  std::strftime(zone, sizeof(zone), "%Z", &local);
  print("%s.%06d %s", date, static_cast<int>(fraction), zone);
}

void Description::path(RelFileLocator relation, ForkNumber fork) {
  const char* suffix = fork_suffixes[static_cast<int>(fork)];
  if (relation.spcOid == global_tablespace_oid)
    print("global/%u%s", relation.relNumber, suffix);
  else if (relation.spcOid == default_tablespace_oid)
    print("base/%u/%u%s", relation.dbOid, relation.relNumber, suffix);
  else
    print("pg_tblspc/%u/PG_%d_%u/%u/%u%s", relation.spcOid, major_, catalog_version_,
          relation.dbOid, relation.relNumber, suffix);
}

bool Description::offsets(RecordBytes* bytes, uint32_t count) {
  return array<OffsetNumber>(bytes, count, [&](OffsetNumber offset) { print("%u", offset); });
}

bool Description::invalidations(RecordBytes* bytes, int32_t count, Oid database, Oid tablespace,
                                bool init_file) {
  if (count <= 0) return true;
  if (init_file) print("; relcache init file inval dbid %u tsid %u", database, tablespace);
  append("; inval msgs:");
  for (int32_t i = 0; i < count; i++) {
    SharedInvalidationMessage message;
    if (!bytes->take(&message)) return false;
    if (message.id >= 0)
      print(" catcache %d", message.id);
    else if (message.id == SHAREDINVALCATALOG_ID)
      print(" catalog %u", message.words[1]);
    else if (message.id == SHAREDINVALRELCACHE_ID)
      print(" relcache %u", message.words[1]);
    else if (message.id == SHAREDINVALSMGR_ID)
      append(" smgr");
    else if (message.id == SHAREDINVALRELMAP_ID)
      print(" relmap db %u", message.words[0]);
    else if (message.id == SHAREDINVALSNAPSHOT_ID)
      print(" snapshot %u", message.words[1]);
    else if (message.id == SHAREDINVALRELSYNC_ID)
      print(" relsync %u", message.words[1]);
    else
      print(" unrecognized id %d", message.id);
  }
  return true;
}

}  // namespace pgdata
