// TOAST: long values compressed, or cut into chunk rows of another table.
//
// This room and btree do not know each other, so a TOAST table's index is reached through
// ToastIndex, which a room that knows both implements.
// Source: src/backend/access/heap/heaptoast.c, src/backend/access/table/toast_helper.c,
// src/backend/access/common/{detoast.c,toast_internals.c}, PostgreSQL 18.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/status.h"
#include "heap/heap_relation.h"
#include "heap/page_choice.h"
#include "layout/varlena.h"

namespace pgdata {

// The unique index of a TOAST table, on (chunk_id, chunk_seq).
class ToastIndex {
 public:
  virtual ~ToastIndex() = default;
  // A value id that no chunk of the table uses.
  virtual Status new_value_id(Backend& backend, Oid* value_id) = 0;
  virtual Status insert(Backend& backend, Oid value_id, int32_t chunk_seq, ItemPointer tid) = 0;
  // The addresses of all entries of `value_id`, in order of chunk_seq.
  virtual Status lookup(const ReadContext& context, Oid value_id,
                        std::vector<ItemPointer>* tids) = 0;
};

// One table's TOAST table: chunk rows (chunk_id oid, chunk_seq int4, chunk_data bytea).
class ToastStore {
 public:
  // Both must outlive this. `chunks.layout` describes the three columns.
  ToastStore(HeapRelation& chunks, ToastIndex& index) : chunks_(chunks), index_(index) {}

  Oid oid() const { return chunks_.oid; }
  // Stores a value (plain, short or compressed) and gives the pointer to it.
  Status store(Backend& backend, const std::byte* value, uint32_t options,
               varatt_external* pointer);
  // Reads a value back, with a four-byte header, compressed if it was stored so.
  Status fetch(const ReadContext& context, const varatt_external& pointer,
               std::vector<std::byte>* value);
  // Deletes the chunk rows; their index entries stay for vacuum. `is_speculative`: they were inserted by this very command,
  // and go as if they had never been (see heap/speculative.h).
  Status remove(Backend& backend, const varatt_external& pointer, bool is_speculative = false);

 private:
  HeapRelation& chunks_;
  ToastIndex& index_;
};

// The data of a varlena value in any form, without header. `*data` points into the value itself,
// or into `*storage` if it had to be fetched or decompressed.
Status detoast(const ReadContext& context, const HeapRelation& relation, const std::byte* value,
               std::vector<std::byte>* storage, std::span<const std::byte>* data);

// A row's values once they are short enough; `values` may be changed to point into `buffers`.
struct ToastedRow {
  std::vector<Datum> values;
  std::vector<std::vector<std::byte>> buffers;
};

// Whether a row has to go through toast_row: it is too long, or has external values.
inline bool needs_toasting(const HeapRelation& relation, uint32_t block_size, size_t tuple_length,
                           bool has_external) {
  return !relation.is_toast && (has_external || tuple_length > toast_tuple_threshold(block_size));
}

// Compresses and moves out values until the tuple is no longer than the target. With `old_values`
// (an update) external values that stay are kept, and those that go are deleted.
Status toast_row(Backend& backend, HeapRelation& relation, const Datum* values, const bool* nulls,
                 const Datum* old_values, const bool* old_nulls, uint32_t options, ToastedRow* row);

// Deletes the external values of a row that is deleted.
Status delete_toasted_values(Backend& backend, HeapRelation& relation, const Datum* values,
                             const bool* nulls, bool is_speculative = false);

}  // namespace pgdata
