// Posting lists of GIN data leaf pages: sorted item pointers, the first as it is, the others as varbyte encoded
// differences of block * 2^11 + offset.
//
// Source: src/backend/access/gin/ginpostinglist.c, PostgreSQL 18.
#pragma once

#include <cstddef>
#include <vector>

#include "base/types.h"
#include "layout/gin_page.h"

namespace pgdata {

// The items of one list. False when its bytes do not end where a difference does, or go beyond the last block.
bool decode_posting_list(const std::byte* list, size_t size, std::vector<ItemPointer>* items);

// The list of at least one item, ascending, without two equal ones; its length is rounded up to 2. Empty when
// they are not, or when it needs more than `size_max` bytes.
std::vector<std::byte> encode_posting_list(const std::vector<ItemPointer>& items, size_t size_max);

}  // namespace pgdata
