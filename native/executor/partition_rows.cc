// PartitionRows: chunks of packed rows, in memory and in a file.
#include "executor/partition_rows.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace pgdata {

PartitionRows::PartitionRows(TemporarySpace& space, std::vector<ValueType> types,
                             MemoryAccount& account, uint64_t limit_bytes)
    : packer_(std::move(types)), account_(account), limit_bytes_(limit_bytes), file_(space) {}

void PartitionRows::charge(uint64_t bytes) {
  account_.take(bytes);
  held_ += bytes;
  peak_bytes_ = std::max(peak_bytes_, held_);
}

// The last chunk is full: it stays, or its rows go to the file and another one gets its memory.
Status PartitionRows::begin_chunk(uint32_t row_bytes) {
  Chunk next;
  next.first = rows_;
  next.room = std::max(static_cast<uint32_t>(chunk_bytes), row_bytes);
  if (!chunks_.empty() && chunks_.back().bytes && held_ + next.room > limit_bytes_) {
    Chunk& full = chunks_.back();
    full.offset = file_.size_bytes();
    RETURN_IF_ERROR(file_.write(full.bytes.get(), full.size, full.offset));
    disk_bytes_ += full.size;
    if (full.room >= next.room) {
      next.room = full.room;
      next.bytes = std::move(full.bytes);
    } else {
      account_.give(full.room);
      held_ -= full.room;
      full.bytes.reset();
    }
  }
  if (!next.bytes) {
    next.bytes = std::make_unique_for_overwrite<std::byte[]>(next.room);
    charge(next.room);
  }
  chunks_.push_back(std::move(next));
  return Status::ok;
}

Status PartitionRows::add(const std::vector<Column>& columns, uint32_t row) {
  uint32_t size = 0;
  const std::byte* packed = packer_.pack(columns, row, &size);
  const auto room = static_cast<uint32_t>(align_up(size, 8));
  if (chunks_.empty() || chunks_.back().room - chunks_.back().size < room)
    RETURN_IF_ERROR(begin_chunk(room));
  Chunk& chunk = chunks_.back();
  std::memcpy(chunk.bytes.get() + chunk.size, packed, size);
  std::memset(chunk.bytes.get() + chunk.size + size, 0, room - size);
  chunk.size += room;
  chunk.rows++;
  rows_++;
  return Status::ok;
}

void PartitionRows::trim(uint64_t first) {
  // The last one is still being filled.
  while (chunks_.size() > 1 && chunks_.front().first + chunks_.front().rows <= first) {
    const Chunk& chunk = chunks_.front();
    if (chunk.bytes) {
      account_.give(chunk.room);
      held_ -= chunk.room;
    }
    chunks_.pop_front();
    dropped_++;
  }
}

void PartitionRows::clear() {
  account_.give(held_);
  held_ = 0;
  chunks_.clear();
  file_.remove();
  dropped_ = 0;
  rows_ = 0;
  partition_++;
}

Status PartitionRows::Reader::load(Chunk& chunk) {
  if (room_ < chunk.size) {
    bytes_ = std::make_unique_for_overwrite<std::byte[]>(chunk.size);
    account_.take(chunk.size);
    account_.give(room_);
    room_ = chunk.size;
  }
  loaded_ = UINT64_MAX;
  RETURN_IF_ERROR(rows_.file_.read(bytes_.get(), chunk.size, chunk.offset));
  // What the file says is not taken on trust.
  size_t at = 0;
  for (uint32_t row = 0; row < chunk.rows; row++) {
    const size_t left = chunk.size - at;
    const uint64_t size = left < sizeof(uint64_t) ? 0 : pgdata::load<uint64_t>(bytes_.get() + at);
    if (size < rows_.packer_.size_min() || size > left || align_up(size, 8) > left)
      return Status::error(ErrorCode::data_corrupted, "could not read a row of a temporary file");
    at += align_up(size, 8);
  }
  return Status::ok;
}

Status PartitionRows::Reader::find(uint64_t row) {
  std::deque<Chunk>& chunks = rows_.chunks_;
  if (partition_ != rows_.partition_) {
    partition_ = rows_.partition_;
    loaded_ = UINT64_MAX;
    chunk_ = 0;
    // Its memory may be that of another chunk by now.
    start_ = nullptr;
  }
  // Mostly the same, or the next one.
  size_t i = static_cast<size_t>(std::max(chunk_, rows_.dropped_) - rows_.dropped_);
  const auto has = [&](size_t at) {
    return at < chunks.size() && chunks[at].first <= row &&
           row < chunks[at].first + chunks[at].rows;
  };
  if (!has(i) && !has(++i)) {
    const auto after =
        std::upper_bound(chunks.begin(), chunks.end(), row,
                         [](uint64_t sought, const Chunk& chunk) { return sought < chunk.first; });
    i = static_cast<size_t>(after - chunks.begin()) - 1;
  }
  Chunk& chunk = chunks[i];
  const uint64_t number = rows_.dropped_ + i;
  if (!chunk.bytes && loaded_ != number) {
    RETURN_IF_ERROR(load(chunk));
    loaded_ = number;
    start_ = nullptr;
  }
  const std::byte* start = chunk.bytes ? chunk.bytes.get() : bytes_.get();
  const bool is_same = start == start_ && number == chunk_ && chunk_first_ == chunk.first;
  chunk_ = number;
  chunk_first_ = chunk.first;
  chunk_rows_ = chunk.rows;
  start_ = start;
  if (!is_same || row < row_) {
    row_ = chunk.first;
    at_ = start;
  }
  return Status::ok;
}

Status PartitionRows::Reader::read(uint64_t row, const std::byte** packed) {
  RETURN_IF_ERROR(find(row));
  for (; row_ < row; row_++) at_ += align_up(pgdata::load<uint64_t>(at_), 8);
  *packed = at_;
  return Status::ok;
}

}  // namespace pgdata
