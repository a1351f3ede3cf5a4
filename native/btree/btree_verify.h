// Checking a whole B-tree: structure, order, separators, links between levels and siblings.
//
// Reads every page once, from the root down, each level from left to right; the tree must not change
// meanwhile. Finds what bt_index_parent_check finds of contrib/amcheck, without looking at the heap.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/types.h"
#include "btree/btree_index.h"
#include "buffer/buffer_pool.h"

namespace pgdata {

// Where pages come from: the buffer pool, or files of a cluster that nobody runs.
class BtreePageSource {
 public:
  virtual Status block_count(uint32_t* blocks) = 0;
  // Copies the page, of the index's block size, with checksum and header verified.
  virtual Status read(BlockNumber block, std::byte* page) = 0;

 protected:
  ~BtreePageSource() = default;
};

class PooledBtreePages final : public BtreePageSource {
 public:
  PooledBtreePages(BufferPool& pool, const BtreeIndex& index) : pool_(pool), index_(index) {}
  Status block_count(uint32_t* blocks) override;
  Status read(BlockNumber block, std::byte* page) override;

 private:
  BufferPool& pool_;
  const BtreeIndex& index_;
};

struct BtreeComplaint {
  BlockNumber block{};
  std::string text;
};

struct BtreeReport {
  std::vector<BtreeComplaint> complaints;  // the first thousand
  uint64_t complaint_count = 0;
  uint32_t levels = 0;
  uint32_t leaf_pages = 0;
  uint32_t upper_pages = 0;
  uint32_t deleted_pages = 0;  // and half-dead ones
  uint64_t tids = 0;
  uint64_t posting_lists = 0;
};

// `visit` (may be empty) sees each leaf tuple in order, on its copied page. Returns an error only
// when the file cannot be read at all; an unreadable page is a complaint.
Status verify_btree(BtreePageSource& pages, const BtreeIndex& index, BtreeReport* report,
                    const std::function<void(const std::byte* tuple)>& visit = {});

}  // namespace pgdata
