// Statistics: the hash of entries in the segment, and the counters of which there is one set.
#include "statistics/statistics.h"

#include <algorithm>
#include <cstring>

#include "base/invariant.h"
#include "shmem/lwlock.h"

namespace pgdata {

namespace {

constexpr const char* control_range = "statistics";
constexpr const char* entries_range = "statistics entries";
constexpr uint32_t none = 0;

uint32_t bucket_of(const PgStat_HashKey& key, uint32_t buckets) {
  uint64_t mixed = key.objid ^ uint64_t { key.dboid } << 32 ^ uint64_t { key.kind } << 56;
  mixed *= 0x9E3779B97F4A7C15u;
  return static_cast<uint32_t>((mixed ^ mixed >> 32) % buckets);
}

}  // namespace

// An entry's number is its index + 1, so that zero bytes are an empty table.
struct Statistics::Entry {
  PgStat_HashKey key;
  uint32_t next;  // of its bucket, or of those that are free
  uint32_t reserved;
  alignas(8) std::byte body[statistics_entry_bytes];
};

struct Statistics::Shared {
  LwLock entries_lock;
  uint32_t first_free;
  uint32_t used;  // entries that were ever used: those from here on are zeroes
  uint32_t heads[buckets];
  alignas(64) LwLock fixed_lock;
  FixedStatistics fixed;
  SlruCounters slru[SLRU_NUM_ELEMENTS];
};

PgStat_HashKey database_statistics_key(Oid database) {
  return {static_cast<uint32_t>(StatisticsKind::database), database, 0};
}

PgStat_HashKey relation_statistics_key(Oid database, Oid relation) {
  return {static_cast<uint32_t>(StatisticsKind::relation), database, relation};
}

void Statistics::plan(SegmentPlan& plan) {
  plan.reserve(control_range, sizeof(Shared));
  plan.reserve(entries_range, sizeof(Entry) * entries_max);
}

Statistics::Statistics(Segment& segment)
    : shared_(reinterpret_cast<Shared*>(segment.find(control_range))),
      entries_(reinterpret_cast<Entry*>(segment.find(entries_range))) {}

uint32_t Statistics::find_locked(const PgStat_HashKey& key) const {
  uint32_t number = shared_->heads[bucket_of(key, buckets)];
  for (uint32_t steps = 0; number != none; steps++) {
    INVARIANT(steps < entries_max);
    const Entry& entry = entries_[number - 1];
    if (entry.key == key) return number;
    number = entry.next;
  }
  return none;
}

bool Statistics::change(const PgStat_HashKey& key, bool create,
                        const std::function<void(std::byte*)>& body) {
  const LwLockGuard guard(shared_->entries_lock, LockMode::exclusive);
  uint32_t number = find_locked(key);
  if (number == none) {
    if (!create) return false;
    if (shared_->first_free != none) {
      number = shared_->first_free;
      shared_->first_free = entries_[number - 1].next;
    } else {
      if (shared_->used == entries_max) return false;
      number = ++shared_->used;
    }
    Entry& made = entries_[number - 1];
    made.key = key;
    std::memset(made.body, 0, sizeof(made.body));
    uint32_t& head = shared_->heads[bucket_of(key, buckets)];
    made.next = head;
    head = number;
  }
  body(entries_[number - 1].body);
  return true;
}

bool Statistics::find(const PgStat_HashKey& key, void* entry, size_t size) {
  INVARIANT(size <= statistics_entry_bytes);
  const LwLockGuard guard(shared_->entries_lock, LockMode::shared);
  const uint32_t number = find_locked(key);
  if (number == none) return false;
  std::memcpy(entry, entries_[number - 1].body, size);
  return true;
}

// `*link` is what refers to the entry.
void Statistics::free_locked(uint32_t* link) {
  const uint32_t number = *link;
  Entry& entry = entries_[number - 1];
  *link = entry.next;
  entry.key = {};
  entry.next = shared_->first_free;
  shared_->first_free = number;
}

void Statistics::drop(const PgStat_HashKey& key) {
  const LwLockGuard guard(shared_->entries_lock, LockMode::exclusive);
  uint32_t* link = &shared_->heads[bucket_of(key, buckets)];
  while (*link != none && !(entries_[*link - 1].key == key)) link = &entries_[*link - 1].next;
  if (*link != none) free_locked(link);
}

void Statistics::drop_database(Oid database) {
  for (const PgStat_HashKey& key : keys()) {
    if (key.dboid == database) drop(key);
  }
}

std::vector<PgStat_HashKey> Statistics::keys() {
  const LwLockGuard guard(shared_->entries_lock, LockMode::shared);
  std::vector<PgStat_HashKey> found;
  for (uint32_t i = 0; i < shared_->used; i++) {
    if (entries_[i].key.kind != 0) found.push_back(entries_[i].key);
  }
  return found;
}

void Statistics::change_fixed(const std::function<void(FixedStatistics&)>& body) {
  const LwLockGuard guard(shared_->fixed_lock, LockMode::exclusive);
  body(shared_->fixed);
}

FixedStatistics Statistics::fixed() {
  const LwLockGuard guard(shared_->fixed_lock, LockMode::shared);
  FixedStatistics fixed = shared_->fixed;
  for (size_t i = 0; i < SLRU_NUM_ELEMENTS; i++) shared_->slru[i].add_to(&fixed.slru[i]);
  return fixed;
}

SlruCounters& Statistics::slru_counters(SlruArea area) {
  return shared_->slru[static_cast<size_t>(area)];
}

void Statistics::reset_slru(SlruArea area) {
  const TimestampTz now = current_timestamp();
  change_fixed([&](FixedStatistics& fixed) {
    PgStat_SLRUStats& row = fixed.slru[static_cast<size_t>(area)];
    row = {};
    row.stat_reset_timestamp = now;
    slru_counters(area).reset();
  });
}

void Statistics::report_vacuum(const VacuumedRelation& vacuumed) {
  const Oid database = vacuumed.is_shared ? invalid_oid : vacuumed.database;
  const TimestampTz now = current_timestamp();
  change(relation_statistics_key(database, vacuumed.relation), true, [&](std::byte* body) {
    PgStat_StatTabEntry& entry = *reinterpret_cast<PgStat_StatTabEntry*>(body);
    entry.live_tuples = vacuumed.live_tuples;
    entry.dead_tuples = vacuumed.dead_tuples;
    // Rows that were inserted while it ran are forgotten too: they count when the next ones come.
    entry.ins_since_vacuum = 0;
    if (vacuumed.is_autovacuum) {
      entry.last_autovacuum_time = now;
      entry.autovacuum_count++;
      entry.total_autovacuum_time += vacuumed.elapsed_ms;
    } else {
      entry.last_vacuum_time = now;
      entry.vacuum_count++;
      entry.total_vacuum_time += vacuumed.elapsed_ms;
    }
  });
}

void Statistics::report_autovacuum_start(Oid database) {
  const TimestampTz now = current_timestamp();
  change(database_statistics_key(database), true, [&](std::byte* body) {
    reinterpret_cast<PgStat_StatDBEntry*>(body)->last_autovac_time = now;
  });
}

void Statistics::report_archived(std::string_view file, bool failed) {
  const TimestampTz now = current_timestamp();
  change_fixed([&](FixedStatistics& fixed) {
    PgStat_ArchiverStats& archiver = fixed.archiver;
    char(&name)[48] = failed ? archiver.last_failed_wal : archiver.last_archived_wal;
    (failed ? archiver.failed_count : archiver.archived_count)++;
    (failed ? archiver.last_failed_timestamp : archiver.last_archived_timestamp) = now;
    std::memset(name, 0, sizeof(name));
    std::memcpy(name, file.data(), std::min(file.size(), size_t{40}));
  });
}

void Statistics::reset() {
  for (const PgStat_HashKey& key : keys()) drop(key);
  const TimestampTz now = current_timestamp();
  change_fixed([&](FixedStatistics& fixed) {
    std::memset(&fixed, 0, sizeof(fixed));
    fixed.archiver.stat_reset_timestamp = now;
    fixed.bgwriter.stat_reset_timestamp = now;
    fixed.checkpointer.stat_reset_timestamp = now;
    for (PgStat_SLRUStats& slru : fixed.slru) slru.stat_reset_timestamp = now;
    for (SlruCounters& slru : shared_->slru) slru.reset();
    fixed.wal.stat_reset_timestamp = now;
    fixed.io.stat_reset_timestamp = now;
  });
}

}  // namespace pgdata
