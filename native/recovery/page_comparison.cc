// Copying, masking and comparing pages.
#include "recovery/page_comparison.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

#include "wal/wal_geometry.h"

namespace pgdata {

PageComparison::PageComparison(uint32_t block_size)
    : block_size_(block_size),
      replayed_(new std::byte[block_size]),
      logged_(new std::byte[block_size]) {}

Status PageComparison::check_block(RedoContext& redo, const ResourceManager& manager, int id,
                                   bool* compared) {
  *compared = false;
  const WalBlock& block = redo.block(id);
  // An image that was applied would be compared with itself.
  if (!block.has_image || block.apply_image) return Status::ok;

  BufferRef buffer;
  redo.services().pool.find(block.relation, block.fork, block.number, &buffer);
  if (buffer.is_valid()) {
    buffer.lock(LockMode::shared);
  } else {
    RETURN_IF_ERROR(redo.read_other(block.relation, block.fork, block.number, false, &buffer));
    if (!buffer.is_valid()) return Status::ok;
  }
  std::memcpy(replayed_.get(), buffer.page().bytes(), block_size_);
  buffer.release();
  const Page replayed(replayed_.get(), block_size_);
  const Page logged(logged_.get(), block_size_);
  // A page that is ahead of the record shows that recovery was started again.
  if (replayed.lsn() > redo.end_lsn()) return Status::ok;
  RETURN_IF_ERROR(redo.restore_image(id, logged_.get()));
  if (!verify_page(logged_.get(), block_size_, block.number, false, "").is_ok())
    return redo.corrupted("image of an invalid page");

  if (manager.mask != nullptr && !replayed.is_new() && !logged.is_new()) {
    manager.mask(replayed, block.number);
    manager.mask(logged, block.number);
  }
  *compared = true;
  if (std::memcmp(replayed_.get(), logged_.get(), block_size_) == 0) return Status::ok;

  const auto at = static_cast<size_t>(
      std::mismatch(replayed_.get(), replayed_.get() + block_size_, logged_.get()).first -
      replayed_.get());
  char detail[256];
  std::snprintf(
      detail, sizeof(detail),
      "After replay of the record at %s (resource manager %s, operation 0x%02X) byte %zu is "
      "0x%02X, but 0x%02X in the record's image.",
      format_lsn(redo.record().lsn).c_str(), manager.name, redo.info(), at,
      static_cast<unsigned>(replayed_[at]), static_cast<unsigned>(logged_[at]));
  return Status::error(Status::data_corrupted,
                       "inconsistent page found, rel %u/%u/%u, forknum %u, blkno %u",
                       block.relation.spcOid, block.relation.dbOid, block.relation.relNumber,
                       static_cast<unsigned>(block.fork), value_of(block.number))
      .with_detail(detail);
}

Status PageComparison::check(RedoContext& redo, const ResourceManager& manager) {
  uint64_t pages = 0;
  for (int id = 0; id < redo.record().block_count; id++) {
    if (!redo.has_block(id)) continue;
    bool compared = false;
    RETURN_IF_ERROR(check_block(redo, manager, id, &compared));
    if (compared) pages++;
  }
  const uint8_t rmgr = redo.record().rmgr();
  if (pages == 0 || rmgr >= resource_managers) return Status::ok;
  Count& count = counts_[rmgr][redo.info() >> 4];
  count.records++;
  count.pages += pages;
  return Status::ok;
}

std::vector<ComparedPages> PageComparison::compared() const {
  std::vector<ComparedPages> kinds;
  for (uint8_t manager = 0; manager < resource_managers; manager++) {
    for (uint8_t operation = 0; operation < operations; operation++) {
      const Count& found = counts_[manager][operation];
      if (found.pages > 0)
        kinds.push_back(
            {manager, static_cast<uint8_t>(operation << 4), found.records, found.pages});
    }
  }
  return kinds;
}

}  // namespace pgdata
