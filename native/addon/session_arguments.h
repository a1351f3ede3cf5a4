// What JavaScript gives the calls of a session: staged rows, row addresses, filters.
#pragma once

#include <napi.h>

#include <cstddef>
#include <memory>

#include "base/status.h"
#include "base/types.h"
#include "table/filter.h"
#include "table/row_waiter.h"
#include "table/table.h"

namespace pgdata {

// A Uint8Array argument.
bool bytes_of(const Napi::Value& value, std::byte** bytes, size_t* size);

// The staged rows of two arguments: a layout's number and a batch.
struct Staged {
  const RowLayout* layout = nullptr;
  std::byte* bytes = nullptr;
  size_t size = 0;
};
Status staged_of(const Table& table, const Napi::Value& layout, const Napi::Value& batch,
                 Staged* staged);

// NativeWait of src-ts/binding/native.ts.
Status policy_of(const Napi::Value& value, WaitPolicy* policy);

Status tid_of(const Napi::Value& block, const Napi::Value& offset, ItemPointer* tid);

// Three arguments: the filters, their layout's number, and the constants (undefined when there are none).
Status filter_of(const Table& table, const Napi::Value& filters, const Napi::Value& layout,
                 const Napi::Value& constants, std::unique_ptr<Filter>* filter);

}  // namespace pgdata
