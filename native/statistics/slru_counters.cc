// SlruCounters: names of areas, and counters as a row of the file.
#include "statistics/slru_counters.h"

namespace pgdata {

namespace {

constexpr const char* names[SLRU_NUM_ELEMENTS] = {
    "commit_timestamp", "multixact_member", "multixact_offset", "notify",
    "serializable",     "subtransaction",   "transaction",      "other"};

}  // namespace

void SlruCounters::add_to(PgStat_SLRUStats* row) const {
  const auto value = [this](SlruCount count) {
    return counts[static_cast<size_t>(count)].load(std::memory_order_relaxed);
  };
  row->blocks_zeroed += value(SlruCount::blocks_zeroed);
  row->blocks_hit += value(SlruCount::blocks_hit);
  row->blocks_read += value(SlruCount::blocks_read);
  row->blocks_written += value(SlruCount::blocks_written);
  row->blocks_exists += value(SlruCount::blocks_exists);
  row->flush += value(SlruCount::flush);
  row->truncate += value(SlruCount::truncate);
}

void SlruCounters::reset() {
  for (std::atomic<int64_t>& count : counts) count.store(0, std::memory_order_relaxed);
}

const char* name_of(SlruArea area) { return names[static_cast<size_t>(area)]; }

SlruArea slru_area_named(std::string_view name) {
  for (size_t i = 0; i < SLRU_NUM_ELEMENTS; i++) {
    if (name == names[i]) return static_cast<SlruArea>(i);
  }
  return SlruArea::other;
}

}  // namespace pgdata
