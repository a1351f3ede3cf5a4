// A sequence's one page: its special space, and the record that logs it.
//
// The page holds one heap tuple, at offset 1. XLOG_SEQ_LOG replaces the page as a whole: block 0 is made anew,
// the main data is xl_seq_rec and the tuple.
// Little-endian. Source: src/backend/commands/sequence.c, src/include/commands/sequence.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"

namespace pgdata {

//   offset  size  field  meaning
//        0     4  magic  SEQ_MAGIC
struct sequence_magic {
  uint32_t magic;
};
static_assert(sizeof(sequence_magic) == 4);
inline constexpr uint32_t SEQ_MAGIC = 0x1717;

inline constexpr uint8_t XLOG_SEQ_LOG = 0x00;

//   offset  size  field    meaning
//        0    12  locator  the sequence's file
//       12     -           the tuple
struct xl_seq_rec {
  RelFileLocator locator;
};
static_assert(sizeof(xl_seq_rec) == 12);
static_assert(std::has_unique_object_representations_v<xl_seq_rec>,
              "padding bytes must not reach the log");

}  // namespace pgdata
