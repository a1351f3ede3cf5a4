// SlruCounters: what was done to one area of small pages, counted in the segment by all processes at once.
//
// Meanings: src/backend/access/transam/slru.c; names and their order: slru_names in
// src/include/utils/pgstat_internal.h, PostgreSQL 18.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "layout/statistics_file.h"

namespace pgdata {

// In the order of the file.
enum class SlruArea : uint8_t {
  commit_timestamp,
  multixact_member,
  multixact_offset,
  notify,
  serializable,
  subtransaction,
  transaction,
  other,
};
static_assert(static_cast<size_t>(SlruArea::other) + 1 == SLRU_NUM_ELEMENTS);

// In the order of the fields of PgStat_SLRUStats.
enum class SlruCount : uint8_t {
  blocks_zeroed,
  blocks_hit,
  blocks_read,
  blocks_written,
  blocks_exists,
  flush,
  truncate,
};
inline constexpr size_t slru_count_number = static_cast<size_t>(SlruCount::truncate) + 1;
static_assert(sizeof(PgStat_SLRUStats) == (slru_count_number + 1) * sizeof(int64_t));

// Each area on a cache line of its own.
struct alignas(64) SlruCounters {
  std::atomic<int64_t> counts[slru_count_number];

  void add(SlruCount count) {
    counts[static_cast<size_t>(count)].fetch_add(1, std::memory_order_relaxed);
  }
  void add_to(PgStat_SLRUStats* row) const;
  void reset();
};
static_assert(sizeof(SlruCounters) == 64);

// As pg_stat_slru names it.
const char* name_of(SlruArea area);
// `other` for whatever is no name of an area.
SlruArea slru_area_named(std::string_view name);

}  // namespace pgdata
