// RowCopier: deform, test, copy.
#include "executor/row_copier.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <utility>

#include "base/invariant.h"
#include "heap/toast.h"
#include "tuple/deform.h"
#include "tuple/varlena.h"

namespace pgdata {

namespace {

std::vector<int> without_tids(std::vector<int> attributes) {
  std::erase(attributes, tid_attribute);
  return attributes;
}

}  // namespace

RowCopier::RowCopier(const Table& table, std::vector<int> attributes, MemoryAccount& account)
    : table_(table),
      attributes_(std::move(attributes)),
      deformer_(table.layout(), without_tids(attributes_)),
      values_(static_cast<size_t>(table.natts())),
      nulls_(new bool[static_cast<size_t>(table.natts())]),
      found_(account, attributes_.size()),
      out_(account, attributes_.size()) {
  for (size_t i = 0; i < attributes_.size(); i++) {
    const int attribute = attributes_[i];
    needed_ = std::max(needed_, attribute + 1);
    if (attribute == tid_attribute) continue;
    const Column& column = found_.batch().columns[i];
    deformed_.push_back(column);
    if (table.desc().attributes[static_cast<size_t>(attribute)].attlen == -1)
      varlenas_.push_back(column);
  }
}

// A varlena that is compressed or out of line becomes a plain one.
Status RowCopier::fetch(const ReadContext& context, Datum* value) {
  const std::byte* bytes = datum_pointer(*value);
  if (varlena_is_plain(bytes) || varlena_is_short(bytes)) [[likely]]
    return Status::ok;
  std::span<const std::byte> data;
  RETURN_IF_ERROR(detoast(context, table_.heap(), bytes, &fetched_, &data));
  std::byte* plain = found_.arena().allocate(VARHDRSZ + data.size());
  set_varlena_size_4b(plain, static_cast<uint32_t>(VARHDRSZ + data.size()));
  if (!data.empty()) std::memcpy(plain + VARHDRSZ, data.data(), data.size());
  *value = pointer_datum(plain);
  return Status::ok;
}

Status RowCopier::add_page(const ReadContext& context, const HeapScan& scan) {
  Batch& batch = found_.batch();
  const uint32_t first = batch.rows;
  const auto count = static_cast<uint32_t>(scan.tuple_count());
  INVARIANT(first + count <= batch_rows_max);
  batch.rows += count;
  RETURN_IF_ERROR(scan.deform(deformer_, 0, scan.tuple_count(), deformed_.data(), first));
  for (const Column& column : varlenas_)
    for (uint32_t row = first; row < first + count; row++)
      if (column.nulls[row] == 0) RETURN_IF_ERROR(fetch(context, &column.values[row]));
  for (size_t i = 0; i < attributes_.size(); i++) {
    if (attributes_[i] != tid_attribute) continue;
    const Column& column = batch.columns[i];
    std::memset(column.nulls + first, 0, count);
    for (uint32_t row = 0; row < count; row++)
      column.values[first + row] = pack_tid(scan.tuple(static_cast<int>(row)).self);
  }
  return Status::ok;
}

Status RowCopier::add(const ReadContext& context, const HeapTuple& tuple) {
  Batch& batch = found_.batch();
  const uint32_t row = batch.rows++;
  if (attributes_.empty()) return Status::ok;
  if (needed_ > 0)
    RETURN_IF_ERROR(deform_heap_tuple(table_.layout(), tuple.bytes, tuple.length, needed_,
                                      values_.data(), nulls_.get()));
  for (size_t i = 0; i < attributes_.size(); i++) {
    if (attributes_[i] == tid_attribute) {
      batch.columns[i].nulls[row] = 0;
      batch.columns[i].values[row] = pack_tid(tuple.self);
      continue;
    }
    const auto attribute = static_cast<size_t>(attributes_[i]);
    const Column& column = batch.columns[i];
    column.nulls[row] = nulls_[attribute] ? 1 : 0;
    if (nulls_[attribute]) continue;
    Datum value = values_[attribute];
    if (table_.desc().attributes[attribute].attlen == -1) RETURN_IF_ERROR(fetch(context, &value));
    column.values[row] = value;
  }
  return Status::ok;
}

void RowCopier::add_values(const std::vector<Datum>& values, const std::vector<uint8_t>& nulls) {
  Batch& batch = found_.batch();
  const uint32_t row = batch.rows++;
  for (size_t i = 0; i < attributes_.size(); i++) {
    const Attribute& attribute = table_.desc().attributes[static_cast<size_t>(attributes_[i])];
    const Column& column = batch.columns[i];
    column.nulls[row] = nulls[i];
    if (nulls[i] != 0) continue;
    column.values[row] = values[i];
    if (attribute.attbyval) continue;
    const std::byte* bytes = datum_pointer(values[i]);
    const size_t size = datum_size(attribute.attlen, values[i]);
    column.values[row] = pointer_datum(found_.arena().copy(bytes, size));
  }
}

Status RowCopier::copy(Conditions& conditions, uint32_t* removed, Conditions* recheck,
                       uint32_t* rechecked_away) {
  Batch& from = found_.batch();
  Batch& to = out_.batch();
  Selection selected{nullptr, from.rows};
  if (recheck != nullptr) {
    RETURN_IF_ERROR(recheck->select(from, &selected));
    *rechecked_away = from.rows - selected.count;
  }
  const uint32_t tested = selected.count;
  if (!conditions.is_empty()) RETURN_IF_ERROR(conditions.narrow(from, &selected));
  *removed = tested - selected.count;
  INVARIANT(to.rows + selected.count <= batch_rows_max);
  for (size_t i = 0; i < attributes_.size(); i++) {
    const bool is_tid = attributes_[i] == tid_attribute;
    const Attribute& attribute =
        table_.desc().attributes[is_tid ? 0 : static_cast<size_t>(attributes_[i])];
    const Column& source = from.columns[i];
    Datum* values = to.columns[i].values + to.rows;
    uint8_t* nulls = to.columns[i].nulls + to.rows;
    if (is_tid || attribute.attbyval) {
      selected.for_each([&](uint32_t row) {
        *values++ = source.values[row];
        *nulls++ = source.nulls[row];
      });
    } else {
      selected.for_each([&](uint32_t row) {
        const uint8_t is_null = source.nulls[row];
        *nulls++ = is_null;
        Datum copied = 0;
        if (is_null == 0) {
          const Datum value = source.values[row];
          copied = pointer_datum(
              out_.arena().copy(datum_pointer(value), datum_size(attribute.attlen, value)));
        }
        *values++ = copied;
      });
    }
  }
  to.rows += selected.count;
  found_.clear();
  return Status::ok;
}

}  // namespace pgdata
