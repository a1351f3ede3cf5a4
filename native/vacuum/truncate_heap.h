// Cutting off the empty pages at the end of a table.
// Source: lazy_truncate_heap in src/backend/access/heap/vacuumlazy.c, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <functional>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "xact/backend.h"

namespace pgdata {

struct NonemptyPages {
  uint32_t blocks = 0;
  // It was given up before all pages were looked at.
  bool interrupted = false;
};

// How many pages hold anything, counted from the end down to `nonempty_pages`, as a vacuum found that; what the file has
// when it has grown since it had `rel_pages`. Whoever may write the table meanwhile makes it a guess.
// `is_enough` is asked now and then.
Status count_nonempty_pages(BufferPool& pool, const HeapRelation& heap, uint32_t rel_pages,
                            uint32_t nonempty_pages, const std::function<Status()>& pause,
                            const std::function<bool()>& is_enough, NonemptyPages* found);

// Cuts off empty pages, of those from `nonempty_pages` on, for a few milliseconds at most: `*blocks` are left, as many as
// before when nothing could be cut, or the table has not `rel_pages` any more. The caller keeps everybody from the table.
Status truncate_heap(Backend& backend, HeapRelation& heap, uint32_t rel_pages,
                     uint32_t nonempty_pages, uint32_t* blocks);

}  // namespace pgdata
