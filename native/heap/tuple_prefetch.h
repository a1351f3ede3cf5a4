// TuplePrefetch: while a scan looks at the tuples of a page, the page that it comes to next is on its way into the
// processor's caches.
//
// The next block is most often in the next buffer, as both were read or added one after the other. Tuples are read from the
// end of a page to its start, with gaps, which processors do not see through; so that all of the page is asked for in ascending order,
// a part at each tuple. A page that lies elsewhere is asked for as a whole. Nothing but time depends on a wrong guess.
#pragma once

#include <cstdint>

#include "base/prefetch.h"
#include "page/page.h"

namespace pgdata {

class TuplePrefetch {
 public:
  // Before the tuples of `page` are looked at.
  void begin(const Page& page) {
    const auto here = reinterpret_cast<uintptr_t>(page.bytes());
    if (here != end_ - page.size()) load(here, here + page.size());
    next_ = here + page.size();
    end_ = next_ + page.size();
    const uint32_t tuples = page.max_offset();
    part_bytes_ = tuples == 0 ? 0 : (page.size() / tuples + line_bytes) & ~(line_bytes - 1);
  }

  // With each of them.
  void advance() {
    const uintptr_t to = next_ + part_bytes_ < end_ ? next_ + part_bytes_ : end_;
    load(next_, to);
    next_ = to;
  }

 private:
  static constexpr uintptr_t line_bytes = 64;

  static void load(uintptr_t from, uintptr_t to) {
    for (; from < to; from += line_bytes)
      prefetch_line(reinterpret_cast<const void*>(from));  // NOLINT: never followed.
  }

  // Of the page that is expected next: what is still to be asked for.
  uintptr_t next_ = 0;
  uintptr_t end_ = 0;
  uintptr_t part_bytes_ = 0;
};

}  // namespace pgdata
