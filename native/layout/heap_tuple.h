// The header of a heap tuple.
//
//   offset  size  field        meaning
//        0     4  t_xmin       inserting transaction
//        4     4  t_xmax       deleting or locking transaction, or multixact
//        8     4  t_cid        inserting or deleting command (or both: a combo command id);
//                              t_xvac before PostgreSQL 9.0
//       12     6  t_ctid       this tuple, or the newer version of the row
//       18     2  t_infomask2  number of columns (11 bits) and HEAP_* flags
//       20     2  t_infomask   HEAP_* flags
//       22     1  t_hoff       offset of the data: header and bitmap, a multiple of 8
//       23     -  t_bits       with HEAP_HASNULL: one bit per column, set = not null
//
// Little-endian. Source: src/include/access/htup_details.h, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "base/types.h"
#include "layout/page_header.h"

namespace pgdata {

struct HeapTupleHeader {
  TransactionId t_xmin;
  TransactionId t_xmax;
  uint32_t t_cid;
  ItemPointer t_ctid;
  uint16_t t_infomask2;
  uint16_t t_infomask;
  uint8_t t_hoff;
  uint8_t t_bits[1];
};
static_assert(sizeof(HeapTupleHeader) == 24);
static_assert(offsetof(HeapTupleHeader, t_xmax) == 4);
static_assert(offsetof(HeapTupleHeader, t_cid) == 8);
static_assert(offsetof(HeapTupleHeader, t_ctid) == 12);
static_assert(offsetof(HeapTupleHeader, t_infomask2) == 18);
static_assert(offsetof(HeapTupleHeader, t_infomask) == 20);
static_assert(offsetof(HeapTupleHeader, t_hoff) == 22);
static_assert(offsetof(HeapTupleHeader, t_bits) == 23);
static_assert(std::has_unique_object_representations_v<HeapTupleHeader>,
              "padding bytes must not reach the disk");

// SizeofHeapTupleHeader: where the null bitmap starts.
inline constexpr uint32_t heap_tuple_header_size = 23;

// t_infomask
inline constexpr uint16_t HEAP_HASNULL = 0x0001;
inline constexpr uint16_t HEAP_HASVARWIDTH = 0x0002;
inline constexpr uint16_t HEAP_HASEXTERNAL = 0x0004;
inline constexpr uint16_t HEAP_HASOID_OLD = 0x0008;
inline constexpr uint16_t HEAP_XMAX_KEYSHR_LOCK = 0x0010;
inline constexpr uint16_t HEAP_COMBOCID = 0x0020;
inline constexpr uint16_t HEAP_XMAX_EXCL_LOCK = 0x0040;
inline constexpr uint16_t HEAP_XMAX_LOCK_ONLY = 0x0080;
inline constexpr uint16_t HEAP_XMAX_SHR_LOCK = HEAP_XMAX_EXCL_LOCK | HEAP_XMAX_KEYSHR_LOCK;
inline constexpr uint16_t HEAP_LOCK_MASK = HEAP_XMAX_SHR_LOCK;
inline constexpr uint16_t HEAP_XMIN_COMMITTED = 0x0100;
inline constexpr uint16_t HEAP_XMIN_INVALID = 0x0200;
inline constexpr uint16_t HEAP_XMIN_FROZEN = HEAP_XMIN_COMMITTED | HEAP_XMIN_INVALID;
inline constexpr uint16_t HEAP_XMAX_COMMITTED = 0x0400;
inline constexpr uint16_t HEAP_XMAX_INVALID = 0x0800;
inline constexpr uint16_t HEAP_XMAX_IS_MULTI = 0x1000;
inline constexpr uint16_t HEAP_UPDATED = 0x2000;
inline constexpr uint16_t HEAP_MOVED_OFF = 0x4000;
inline constexpr uint16_t HEAP_MOVED_IN = 0x8000;
inline constexpr uint16_t HEAP_MOVED = HEAP_MOVED_OFF | HEAP_MOVED_IN;
inline constexpr uint16_t HEAP_XACT_MASK = 0xFFF0;
inline constexpr uint16_t HEAP_XMAX_BITS = HEAP_XMAX_COMMITTED | HEAP_XMAX_INVALID |
                                           HEAP_XMAX_IS_MULTI | HEAP_LOCK_MASK |
                                           HEAP_XMAX_LOCK_ONLY;

// t_infomask2
inline constexpr uint16_t HEAP_NATTS_MASK = 0x07FF;
inline constexpr uint16_t HEAP_KEYS_UPDATED = 0x2000;
inline constexpr uint16_t HEAP_HOT_UPDATED = 0x4000;
inline constexpr uint16_t HEAP_ONLY_TUPLE = 0x8000;
inline constexpr uint16_t HEAP2_XACT_MASK = 0xE000;

// MaxTupleAttributeNumber: t_hoff has eight bits.
inline constexpr int tuple_attributes_max = 1664;
// MaxHeapAttributeNumber: what a table may have.
inline constexpr int heap_attributes_max = 1600;
// SpecTokenOffsetNumber and MovedPartitionsOffsetNumber: special values of t_ctid's offset.
inline constexpr OffsetNumber spec_token_offset_number = 0xFFFE;
inline constexpr OffsetNumber moved_partitions_offset_number = 0xFFFD;

// Bytes of a null bitmap of `natts` columns.
constexpr uint32_t null_bitmap_size(int natts) { return (static_cast<uint32_t>(natts) + 7) / 8; }

// MaxHeapTupleSize: the largest tuple that fits an otherwise empty page.
constexpr uint32_t heap_tuple_size_max(uint32_t block_size) {
  return block_size - static_cast<uint32_t>(max_align(sizeof(PageHeader) + sizeof(LinePointer)));
}
// MaxHeapTuplesPerPage.
constexpr uint32_t heap_tuples_per_page_max(uint32_t block_size) {
  return (block_size - static_cast<uint32_t>(sizeof(PageHeader))) /
         static_cast<uint32_t>(max_align(heap_tuple_header_size) + sizeof(LinePointer));
}
// MaximumBytesPerTuple: so many tuples of at most this size fit a page.
constexpr uint32_t bytes_per_tuple_max(uint32_t block_size, uint32_t tuples_per_page) {
  const uint32_t fixed =
      static_cast<uint32_t>(max_align(sizeof(PageHeader) + tuples_per_page * sizeof(LinePointer)));
  return (block_size - fixed) / tuples_per_page & ~7u;
}
// TOAST_TUPLE_THRESHOLD and TOAST_TUPLE_TARGET; TOAST_TUPLE_TARGET_MAIN.
constexpr uint32_t toast_tuple_threshold(uint32_t block_size) {
  return bytes_per_tuple_max(block_size, 4);
}
constexpr uint32_t toast_tuple_target_main(uint32_t block_size) {
  return bytes_per_tuple_max(block_size, 1);
}
// TOAST_MAX_CHUNK_SIZE: four chunk rows (header, two 4-byte columns, a varlena) fill a page.
constexpr uint32_t toast_chunk_size_max(uint32_t block_size) {
  return bytes_per_tuple_max(block_size, 4) -
         static_cast<uint32_t>(max_align(heap_tuple_header_size)) - 4 - 4 - 4;
}
static_assert(heap_tuple_size_max(8192) == 8160);
static_assert(heap_tuples_per_page_max(8192) == 291);
static_assert(toast_tuple_threshold(8192) == 2032);
static_assert(toast_chunk_size_max(8192) == 1996);

}  // namespace pgdata
