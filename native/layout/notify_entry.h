// One notification in the queue, as AsyncQueueEntry lies on a page of pg_notify.
//
//   offset  size  field     meaning
//        0     4  length    of the entry, a multiple of 4; an entry never crosses a page
//        4     4  dboid     database of the sender; 0: the rest of the page is empty
//        8     4  xid       of the sender, 0 if it had none
//       12     4  srcPid    process of the sender
//       16        data      channel and payload, each ended by a zero byte; then the number of the session, aligned
//
// Little-endian. The number of the session is ours, where PostgreSQL does not look.
// Source: src/backend/commands/async.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace pgdata {

struct NotifyEntryHeader {
  uint32_t length = 0;
  uint32_t dboid = 0;
  uint32_t xid = 0;
  uint32_t srcPid = 0;
};
static_assert(sizeof(NotifyEntryHeader) == 16);
static_assert(offsetof(NotifyEntryHeader, srcPid) == 12);
static_assert(std::has_unique_object_representations_v<NotifyEntryHeader>);

// A page with less room than this holds nothing more: AsyncQueueEntryEmptySize, aligned.
inline constexpr uint32_t notify_entry_min_bytes = 20;
// NAMEDATALEN.
inline constexpr uint32_t notify_channel_end = 64;

}  // namespace pgdata
