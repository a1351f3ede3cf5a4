// TOAST: chunk rows, the four passes that shorten a row, and fetching values back.
#include "heap/toast.h"

#include <algorithm>
#include <cstring>

#include "base/invariant.h"
#include "heap/heap_write.h"
#include "heap/speculative.h"
#include "tuple/compression.h"
#include "tuple/deform.h"
#include "tuple/form.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

constexpr int chunk_columns = 3;

uint32_t chunk_size(const ReadContext& context) {
  return toast_chunk_size_max(context.shared_pool.options().block_size);
}

// Bytes a value will take in its tuple.
uint32_t stored_size(const CompactAttribute& attribute, const std::byte* value) {
  if (attribute.packable && varlena_can_be_short(value)) return varlena_converted_short_size(value);
  return varlena_size(value);
}

}  // namespace

Status ToastStore::store(Backend& backend, const std::byte* value, uint32_t options,
                         varatt_external* pointer) {
  INVARIANT(!varlena_is_external(value));
  const bool compressed = varlena_is_compressed(value);
  // A compressed value is stored with its va_tcinfo, a plain one without any header.
  const std::byte* data = compressed ? value + VARHDRSZ : varlena_data(value);
  const uint32_t size = compressed ? varlena_size_4b(value) - VARHDRSZ : varlena_data_size(value);
  const uint32_t raw_size = compressed ? compressed_raw_size(value) : size;
  pointer->va_rawsize = static_cast<int32_t>(raw_size + VARHDRSZ);
  pointer->va_extinfo =
      size | (compressed ? uint32_t{compressed_method(value)} << VARLENA_EXTSIZE_BITS : 0u);
  pointer->va_toastrelid = chunks_.oid;
  RETURN_IF_ERROR(index_.new_value_id(backend, &pointer->va_valueid));

  const uint32_t chunk_max = chunk_size(backend);
  // One record to a chunk, as PostgreSQL does: placed together, chunks would come to lie elsewhere.
  std::vector<std::byte> chunk(VARHDRSZ + chunk_max);
  uint32_t done = 0;
  for (int32_t seq = 0; done < size; ++seq) {
    const uint32_t length = std::min(chunk_max, size - done);
    set_varlena_size_4b(chunk.data(), length + VARHDRSZ);
    std::memcpy(chunk.data() + VARHDRSZ, data + done, length);
    const Datum values[chunk_columns] = {pointer->va_valueid, static_cast<Datum>(seq),
                                         pointer_datum(chunk.data())};
    ItemPointer tid;
    RETURN_IF_ERROR(heap_insert(backend, chunks_, values, nullptr, options, nullptr, &tid));
    RETURN_IF_ERROR(index_.insert(backend, pointer->va_valueid, seq, tid));
    done += length;
  }
  return Status::ok;
}

Status ToastStore::fetch(const ReadContext& context, const varatt_external& pointer,
                         std::vector<std::byte>* value) {
  const uint32_t size = external_size(pointer);
  const uint32_t chunk_max = chunk_size(context);
  const uint32_t chunks = (size + chunk_max - 1) / chunk_max;
  const Oid value_id = pointer.va_valueid;
  const char* const name = chunks_.name.c_str();

  std::vector<ItemPointer> tids;
  RETURN_IF_ERROR(index_.lookup(context, value_id, &tids));
  // The index bounds what a corrupt pointer may ask memory for.
  value->resize(VARHDRSZ + std::min<size_t>(size, tids.size() * size_t{chunk_max}));

  BufferRef buffer;
  uint32_t next = 0;
  for (const ItemPointer tid : tids) {
    RETURN_IF_ERROR(context.pool_of(chunks_.temporary)
                        .read(chunks_.locator, ForkNumber::main, tid.block(), ReadMode::normal,
                              nullptr, &buffer));
    buffer.lock(LockMode::shared);
    const Page page = buffer.page();
    if (tid.offset() == 0 || tid.offset() > page.max_offset() ||
        !page.line_pointer(tid.offset()).is_normal()) {
      buffer.unlock();
      continue;  // Vacuum took it: then it belonged to an aborted or deleted value.
    }
    const LinePointer item = page.line_pointer(tid.offset());
    if (!heap_item_is_sane(page, item)) return heap_item_corrupted(chunks_, tid);
    const std::byte* tuple = page.item(item);
    // Chunks are visible with the row that refers to them; only an aborted insertion's are not
    // (SnapshotToast).
    const HeapTupleHeader& header = *reinterpret_cast<const HeapTupleHeader*>(tuple);
    if (xmin_is_invalid(header.t_infomask)) {
      buffer.unlock();
      continue;
    }
    Datum values[chunk_columns];
    bool nulls[chunk_columns];
    RETURN_IF_ERROR(
        deform_heap_tuple(*chunks_.layout, tuple, item.lp_len(), chunk_columns, values, nulls));
    if (nulls[0] || nulls[1] || nulls[2])
      return Status::error(Status::data_corrupted,
                           "found null in chunk row for toast value %u in %s", value_id, name);
    if (static_cast<Oid>(values[0]) != value_id)
      return Status::error(Status::data_corrupted,
                           "found chunk of toast value %u for toast value %u in %s",
                           static_cast<Oid>(values[0]), value_id, name);
    const int32_t seq = static_cast<int32_t>(values[1]);
    const std::byte* chunk = datum_pointer(values[2]);
    if (varlena_is_external(chunk) || varlena_is_compressed(chunk))
      return Status::error(Status::data_corrupted, "found toasted chunk for toast value %u in %s",
                           value_id, name);
    if (seq != static_cast<int32_t>(next)) {
      if (next >= chunks)
        return Status::error(
            Status::data_corrupted,
            "unexpected chunk number %d (out of range %d..%d) for toast value %u in %s", seq, 0,
            static_cast<int32_t>(chunks) - 1, value_id, name);
      return Status::error(Status::data_corrupted,
                           "unexpected chunk number %d (expected %u) for toast value %u in %s", seq,
                           next, value_id, name);
    }
    if (next >= chunks)
      return Status::error(
          Status::data_corrupted,
          "unexpected chunk number %d (out of range %d..%d) for toast value %u in %s", seq, 0,
          static_cast<int32_t>(chunks) - 1, value_id, name);
    const uint32_t expected = std::min(chunk_max, size - next * chunk_max);
    if (varlena_data_size(chunk) != expected)
      return Status::error(
          Status::data_corrupted,
          "unexpected chunk size %u (expected %u) in chunk %d of %u for toast value %u in %s",
          varlena_data_size(chunk), expected, seq, chunks, value_id, name);
    std::memcpy(value->data() + VARHDRSZ + size_t{next} * chunk_max, varlena_data(chunk), expected);
    buffer.unlock();
    ++next;
  }
  if (next != chunks)
    return Status::error(Status::data_corrupted, "missing chunk number %u for toast value %u in %s",
                         next, value_id, name);

  const uint32_t total = size + VARHDRSZ;
  if (external_is_compressed(pointer)) {
    if (total < VARHDRSZ_COMPRESSED)
      return Status::error(Status::data_corrupted,
                           "compressed toast value %u in %s has only %u bytes", value_id, name,
                           size);
    set_varlena_size_compressed(value->data(), total);
  } else {
    set_varlena_size_4b(value->data(), total);
  }
  return Status::ok;
}

Status ToastStore::remove(Backend& backend, const varatt_external& pointer, bool is_speculative) {
  std::vector<ItemPointer> tids;
  RETURN_IF_ERROR(index_.lookup(backend, pointer.va_valueid, &tids));
  for (const ItemPointer tid : tids) {
    if (is_speculative) {
      RETURN_IF_ERROR(heap_abort_speculative(backend, chunks_, tid));
      continue;
    }
    ChangeOutcome outcome;
    RETURN_IF_ERROR(heap_delete(backend, chunks_, tid, &outcome));
    // Chunks of an aborted attempt under the same id are nobody's.
    if (outcome.result == UpdateResult::invisible) continue;
    if (outcome.result != UpdateResult::ok) return change_conflict(chunks_, outcome);
  }
  return Status::ok;
}

namespace {

// Fetches an external value; what it gives is inline, perhaps compressed.
Status fetch_external(const ReadContext& context, const HeapRelation& relation,
                      const std::byte* value, std::vector<std::byte>* fetched) {
  const varatt_external pointer = toast_pointer_of(value);
  if (relation.toast == nullptr || relation.toast->oid() != pointer.va_toastrelid)
    return Status::error(Status::data_corrupted,
                         "toast value %u of relation \"%s\" is in TOAST table %u, which is not the "
                         "relation's",
                         pointer.va_valueid, relation.name.c_str(), pointer.va_toastrelid);
  const uint32_t raw_size = static_cast<uint32_t>(pointer.va_rawsize) - VARHDRSZ;
  if (pointer.va_rawsize < static_cast<int32_t>(VARHDRSZ) || external_size(pointer) > raw_size)
    return Status::error(Status::data_corrupted,
                         "toast value %u of relation \"%s\" has size %d, but %u bytes are stored",
                         pointer.va_valueid, relation.name.c_str(), pointer.va_rawsize,
                         external_size(pointer));
  return relation.toast->fetch(context, pointer, fetched);
}

}  // namespace

Status detoast(const ReadContext& context, const HeapRelation& relation, const std::byte* value,
               std::vector<std::byte>* storage, std::span<const std::byte>* data) {
  const std::byte* inline_value = value;
  std::vector<std::byte> fetched;
  uint32_t expected = 0;
  if (varlena_is_external(value)) {
    INVARIANT(varlena_is_external_on_disk(value));
    expected = varlena_raw_size(value);
    RETURN_IF_ERROR(fetch_external(context, relation, value, storage));
    inline_value = storage->data();
    if (varlena_is_compressed(inline_value)) {
      fetched.swap(*storage);
      inline_value = fetched.data();
    }
  }
  if (varlena_is_compressed(inline_value)) {
    RETURN_IF_ERROR(decompress_varlena(inline_value, storage));
    inline_value = storage->data();
  }
  *data = {varlena_data(inline_value), varlena_data_size(inline_value)};
  if (expected != 0 && data->size() + VARHDRSZ != expected)
    return Status::error(Status::data_corrupted,
                         "toast value %u of relation \"%s\" has %zu bytes, not %u",
                         toast_pointer_of(value).va_valueid, relation.name.c_str(), data->size(),
                         expected - VARHDRSZ);
  return Status::ok;
}

namespace {

// One row on its way through the four passes.
class Toaster {
 public:
  Toaster(Backend& backend, HeapRelation& relation, const bool* nulls, uint32_t options,
          ToastedRow* row)
      : backend_(backend), relation_(relation), nulls_(nulls), options_(options), row_(*row) {
    columns_.resize(row_.values.size());
  }

  Status prepare(const Datum* old_values, const bool* old_nulls,
                 std::vector<const std::byte*>* replaced) {
    const TupleLayout& layout = *relation_.layout;
    for (int i = 0; i < layout.natts(); ++i) {
      const CompactAttribute& attribute = layout.attribute(i);
      const size_t at = static_cast<size_t>(i);
      Column& column = columns_[at];
      const bool is_null = nulls_ != nullptr && nulls_[i];
      const std::byte* value = is_null ? nullptr : datum_pointer(row_.values[at]);
      if (is_null) has_nulls_ = true;
      if (old_values != nullptr && attribute.attlen == -1 && !old_nulls[i] &&
          varlena_is_external_on_disk(datum_pointer(old_values[i]))) {
        const std::byte* old_value = datum_pointer(old_values[i]);
        if (!is_null && varlena_is_external_on_disk(value) &&
            std::memcmp(old_value, value, TOAST_POINTER_SIZE) == 0) {
          column.ignored = true;  // Unchanged: the new row refers to the same chunks.
          continue;
        }
        replaced->push_back(old_value);
      }
      if (is_null || attribute.attlen != -1) {
        column.ignored = true;
        continue;
      }
      const char storage = storage_of(at);
      if (storage == TYPSTORAGE_PLAIN) column.ignored = true;
      if (varlena_is_external(value)) {
        // Somebody else's chunks: take the value in, perhaps to send it out again.
        std::vector<std::byte> fetched;
        RETURN_IF_ERROR(fetch_external(backend_, relation_, value, &fetched));
        if (storage == TYPSTORAGE_PLAIN && varlena_is_compressed(fetched.data())) {
          std::vector<std::byte> raw;
          RETURN_IF_ERROR(decompress_varlena(fetched.data(), &raw));
          fetched.swap(raw);
        }
        keep(at, std::move(fetched));
        value = datum_pointer(row_.values[at]);
      }
      column.size = stored_size(attribute, value);
    }
    return Status::ok;
  }

  Status shorten() {
    const uint32_t block_size = backend_.pool().options().block_size;
    const uint32_t header = static_cast<uint32_t>(max_align(
        heap_tuple_header_size + (has_nulls_ ? null_bitmap_size(relation_.layout->natts()) : 0u)));
    const uint32_t target = relation_.toast_tuple_target != 0 ? relation_.toast_tuple_target
                                                              : toast_tuple_threshold(block_size);
    size_t data_max = target - header;
    int column;
    // First: compress extended values, and move out at once what is too long by itself.
    while (data_size() > data_max && (column = longest(true, false)) >= 0) {
      const size_t at = static_cast<size_t>(column);
      if (storage_of(at) == TYPSTORAGE_EXTENDED) {
        compress(at);
      } else {
        columns_[at].incompressible = true;
      }
      if (columns_[at].size > data_max && relation_.toast != nullptr) RETURN_IF_ERROR(move_out(at));
    }
    // Second: move out extended and external values.
    while (relation_.toast != nullptr && data_size() > data_max &&
           (column = longest(false, false)) >= 0) {
      RETURN_IF_ERROR(move_out(static_cast<size_t>(column)));
    }
    // Third: compress main values.
    while (data_size() > data_max && (column = longest(true, true)) >= 0) {
      compress(static_cast<size_t>(column));
    }
    // Fourth: move out main values, but only if the row would not fit a page.
    data_max = toast_tuple_target_main(block_size) - header;
    while (relation_.toast != nullptr && data_size() > data_max &&
           (column = longest(false, true)) >= 0) {
      RETURN_IF_ERROR(move_out(static_cast<size_t>(column)));
    }
    return Status::ok;
  }

 private:
  struct Column {
    bool ignored = false;
    bool incompressible = false;
    uint32_t size = 0;
  };

  char storage_of(size_t at) const { return relation_.layout->desc().attributes[at].attstorage; }
  size_t data_size() const { return data_area_size(*relation_.layout, row_.values.data(), nulls_); }
  void keep(size_t at, std::vector<std::byte> bytes) {
    row_.buffers.push_back(std::move(bytes));
    row_.values[at] = pointer_datum(row_.buffers.back().data());
  }
  int longest(bool for_compression, bool of_main) const {
    int found = -1;
    uint32_t size = static_cast<uint32_t>(max_align(TOAST_POINTER_SIZE));
    for (size_t at = 0; at < columns_.size(); ++at) {
      const Column& column = columns_[at];
      if (column.ignored || column.size <= size) continue;
      if (for_compression &&
          (column.incompressible || varlena_is_compressed(datum_pointer(row_.values[at])))) {
        continue;
      }
      if (of_main != (storage_of(at) == TYPSTORAGE_MAIN)) continue;
      found = static_cast<int>(at);
      size = column.size;
    }
    return found;
  }
  void compress(size_t at) {
    std::vector<std::byte> compressed;
    if (!compress_varlena(datum_pointer(row_.values[at]), &compressed)) {
      columns_[at].incompressible = true;
      return;
    }
    columns_[at].size = static_cast<uint32_t>(compressed.size());
    keep(at, std::move(compressed));
  }
  Status move_out(size_t at) {
    varatt_external pointer;
    RETURN_IF_ERROR(
        relation_.toast->store(backend_, datum_pointer(row_.values[at]), options_, &pointer));
    std::vector<std::byte> external(TOAST_POINTER_SIZE);
    write_toast_pointer(external.data(), pointer);
    columns_[at].ignored = true;
    keep(at, std::move(external));
    return Status::ok;
  }

  Backend& backend_;
  HeapRelation& relation_;
  const bool* nulls_;
  uint32_t options_;
  ToastedRow& row_;
  std::vector<Column> columns_;
  bool has_nulls_ = false;
};

}  // namespace

Status toast_row(Backend& backend, HeapRelation& relation, const Datum* values, const bool* nulls,
                 const Datum* old_values, const bool* old_nulls, uint32_t options,
                 ToastedRow* row) {
  row->values.assign(values, values + relation.layout->natts());
  row->buffers.clear();
  Toaster toaster(backend, relation, nulls, options, row);
  std::vector<const std::byte*> replaced;
  RETURN_IF_ERROR(toaster.prepare(old_values, old_nulls, &replaced));
  RETURN_IF_ERROR(toaster.shorten());
  for (const std::byte* value : replaced) {
    if (relation.toast == nullptr || relation.toast->oid() != toast_pointer_of(value).va_toastrelid)
      continue;
    RETURN_IF_ERROR(relation.toast->remove(backend, toast_pointer_of(value)));
  }
  return Status::ok;
}

Status delete_toasted_values(Backend& backend, HeapRelation& relation, const Datum* values,
                             const bool* nulls, bool is_speculative) {
  if (relation.toast == nullptr) return Status::ok;
  for (int i = 0; i < relation.layout->natts(); ++i) {
    if (nulls[i] || relation.layout->attribute(i).attlen != -1) continue;
    const std::byte* value = datum_pointer(values[i]);
    if (!varlena_is_external_on_disk(value)) continue;
    const varatt_external pointer = toast_pointer_of(value);
    if (pointer.va_toastrelid != relation.toast->oid()) continue;
    RETURN_IF_ERROR(relation.toast->remove(backend, pointer, is_speculative));
  }
  return Status::ok;
}

}  // namespace pgdata
