// TupleSort: puts any number of tuples in order within a limit of memory.
//
// What fits is sorted in memory. What does not goes to a temporary file in sorted runs, which are merged; the last merge is
// done while the tuples are read. When only the first so many tuples are wanted, no others are kept.
//
// Tuples are bytes that only their owner understands. They are ordered by their leading key, then by a TupleOrder, then by
// arrival: the sort is stable. Sort descending columns by inverted bits.
//
//   TupleSort sort(backend.temporary_files(), &order, {.memory_bytes = work_mem});
//   RETURN_IF_ERROR(sort.add({bits}, bytes, size));        // as often as there are tuples
//   for (bool done = false; !done;) RETURN_IF_ERROR(sort.sort(10000, &done));
//   for (SortedTuple tuple;;) {
//     bool found = false;
//     RETURN_IF_ERROR(sort.next(&tuple, &found));
//     if (!found) break;
//   }
//
// After an error the sort is of no more use. What it has on disk goes when it does.
// Source: src/backend/utils/sort/tuplesort.c, PostgreSQL 18.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/status.h"
#include "sort/run_merge.h"
#include "sort/sort_entries.h"
#include "sort/tape_set.h"
#include "sort/tuple_memory.h"
#include "sort/tuple_order.h"
#include "temp/temporary_space.h"

namespace pgdata {

struct SortOptions {
  // work_mem or maintenance_work_mem; at least 64 kB is taken.
  uint64_t memory_bytes = 4ull << 20;
  // Only so many of the first tuples will be read; 0: all.
  uint64_t tuples_wanted = 0;
  // `rewind` may be called: the last merge is done before the reading.
  bool rewinds = false;
  // Set by another thread to end it with query_canceled; may be null.
  const std::atomic<bool>* canceled = nullptr;
};

struct SortedTuple {
  LeadingKey key;
  uint8_t tag = 0;  // the owner's
  TupleView tuple;
};

// As EXPLAIN tells them.
enum class SortMethod : uint8_t { quicksort, top_n, external_sort, external_merge };
// "quicksort", "top-N heapsort", "external sort", "external merge"
const char* name_of(SortMethod method);

struct SortReport {
  SortMethod method = SortMethod::quicksort;
  bool is_on_disk = false;
  uint64_t space_kb = 0;  // of memory, or of disk
  uint64_t memory_peak_bytes = 0;
  uint64_t tuples = 0;  // that were added
  uint32_t runs = 0;    // that were written before merging
};

class TupleSort {
 public:
  static constexpr uint8_t tag_max = 127;

  // `order` (may be null, where the leading keys say everything) and the space must outlive it.
  TupleSort(TemporarySpace& space, TupleOrder* order, const SortOptions& options);
  ~TupleSort();
  TupleSort(const TupleSort&) = delete;

  // `tag` comes along. Errors: those of TemporaryFile, out_of_memory, query_canceled.
  Status add(LeadingKey key, const void* bytes, uint32_t size, uint8_t tag = 0);

  // After the last tuple: goes on with sorting, for about as many tuples.
  Status sort(uint64_t tuples, bool* done);
  // After that: the next one, whose bytes stay until the next call. `*found` false at the end.
  Status next(SortedTuple* tuple, bool* found);
  // Back to the first one. `rewinds` was asked for.
  Status rewind();

  uint64_t tuples() const { return tuples_; }
  SortReport report() const;

 private:
  enum class Phase : uint8_t { adding, merging, reading };

  uint64_t memory_bytes() const;
  void note_peak(uint64_t bytes) { memory_peak_ = std::max(memory_peak_, bytes); }
  Status check_canceled() const;
  bool before(const SortEntry& left, const SortEntry& right) const;

  bool has_room(uint32_t size) const;
  Status make_room(uint32_t size);
  // How many entries there may be, if more than now.
  size_t larger_capacity() const;
  Status keep_wanted();
  void prefetch_after(size_t index) const;
  void sort_in_memory();
  Status write_run();
  void begin_merge();
  Status end_merge();
  Status go_on_merging(uint64_t tuples);
  Status read_runs();

  TemporarySpace& space_;
  TupleOrder* const order_;
  const SortOptions options_;
  const size_t extent_bytes_;
  const uint64_t memory_limit_;  // while tuples are added
  const size_t merge_order_;     // of how many tapes one is made at once
  Phase phase_ = Phase::adding;
  uint64_t tuples_ = 0;
  uint64_t memory_peak_ = 0;

  // In memory.
  TupleMemory memory_;
  SortEntries entries_;
  // The last of the tuples that are wanted, of those that were looked at: others need not be kept.
  bool has_last_wanted_ = false;
  SortEntry last_wanted_{};
  bool is_bounded_ = false;  // tuples were left out
  size_t read_ = 0;          // of the entries

  // On disk.
  std::unique_ptr<TapeSet> tapes_;
  std::unique_ptr<TapeWriter> writer_;
  std::vector<Tape> runs_;  // in order of arrival
  uint32_t runs_written_ = 0;
  size_t merge_position_ = 0;  // in runs_: where the merge is whose result will be there
  size_t merge_width_ = 0;
  std::unique_ptr<RunMerge> merge_;
  bool is_first_ = true;  // nothing was read of the last merge
  uint64_t given_ = 0;    // tuples that were read of it
};

}  // namespace pgdata
