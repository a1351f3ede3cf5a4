// lock_wait_event: what it is to wait for a lightweight lock, told from where in the shared memory the lock lies.
#pragma once

#include <cstddef>
#include <string_view>

#include "shmem/wait_event.h"

namespace pgdata {

// `none` for a lock of which PostgreSQL has no like, and one outside all segments that this process is attached to.
WaitEvent lock_wait_event(const void* lock);

// The name of the range that an address of a segment which this process is attached to lies in; empty for any other.
std::string_view attached_range(const void* address);
// The same of the segment that begins at `base`.
std::string_view range_in_segment(const std::byte* base, const void* address);

}  // namespace pgdata
