// RowSample: rows of a heap taken at random, and what they tell of its size.
//
// Up to as many blocks as rows are wanted are chosen first; of their rows, each is as likely to be taken as any other.
// Source: acquire_sample_rows in src/backend/commands/analyze.c and heapam_scan_analyze_next_tuple in
// src/backend/access/heap/heapam_handler.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <vector>

#include "analyze/sampling.h"
#include "base/status.h"
#include "heap/heap_relation.h"

namespace pgdata {

struct RowSample {
  struct Row {
    ItemPointer self;
    std::vector<std::byte> bytes;  // as it stands in the heap
  };
  std::vector<Row> rows;  // in the heap's order
  uint32_t blocks = 0;
  uint32_t sampled_blocks = 0;
  // Of the whole heap, as far as the sampled blocks tell.
  double live_rows = 0;
  double dead_rows = 0;
};

struct RowSampling {
  uint32_t rows_wanted = 100;
  SampleRandom& random;
  // Called between two blocks with the blocks done and their total; an error ends the sampling.
  std::function<Status(uint32_t done, uint32_t total)> pause;
};

// `backend` has a snapshot: what the rows refer to in TOAST tables stays as long as it does.
Status sample_rows(Backend& backend, const HeapRelation& relation, const RowSampling& sampling,
                   RowSample* sample);

}  // namespace pgdata
