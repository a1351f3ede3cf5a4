// Redo of XLOG_HEAP2_REWRITE: where the rows of a rewritten catalog went, kept below pg_logical/mappings for logical
// decoding.
//
// Source: src/backend/access/heap/rewriteheap.c (heap_xlog_logical_rewrite), PostgreSQL 18.
#include <cinttypes>
#include <cstdio>
#include <memory>
#include <string>

#include "layout/heap_records.h"
#include "recovery/redo_context.h"
#include "recovery/redo_functions.h"

namespace pgdata {

Status logical_rewrite_redo(RedoContext& redo) {
  RedoBytes main(redo);
  xl_heap_rewrite_mapping record{};
  if (!main.read(&record) || record.offset < 0)
    return redo.corrupted("rewrite mapping without a file");
  const uint64_t size = uint64_t{record.num_mappings} * logical_rewrite_mapping_size;
  const std::byte* mappings = main.take(size);
  if (mappings == nullptr) return redo.corrupted("rewrite mapping without its mappings");

  char name[96];
  std::snprintf(name, sizeof(name), "/pg_logical/mappings/map-%x-%x-%X_%X-%x-%x", record.mapped_db,
                record.mapped_rel, static_cast<uint32_t>(record.start_lsn >> 32),
                static_cast<uint32_t>(record.start_lsn), value_of(record.mapped_xid),
                value_of(redo.xid()));
  Storage& storage = redo.services().storage;
  std::unique_ptr<File> file;
  RETURN_IF_ERROR(storage.files().open(storage.options().data_directory + name,
                                       OpenFlags::read_write | OpenFlags::create, &file));
  // What lies behind may not have reached the disk before the crash.
  const auto offset = static_cast<uint64_t>(record.offset);
  RETURN_IF_ERROR(file->truncate(offset));
  RETURN_IF_ERROR(file->write(mappings, size, offset));
  return file->sync();
}

}  // namespace pgdata
