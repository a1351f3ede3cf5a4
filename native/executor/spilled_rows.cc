// SpilledRows: packed rows, each after its size.
#include "executor/spilled_rows.h"

#include <algorithm>
#include <bit>

#include "executor/value_hash.h"

namespace pgdata {

namespace {

constexpr size_t parts_min = 4;
constexpr size_t parts_max = 32;
// Bytes of by-reference values after which a batch that is read has enough.
constexpr size_t batch_bytes = 64 * 1024;

}  // namespace

void SpilledRows::charge(size_t bytes) {
  account_.take(bytes);
  account_.give(charged_);
  charged_ = bytes;
}

Status SpilledRows::write(const std::vector<Column>& columns, uint32_t row) {
  uint32_t size = 0;
  return write(packer_.pack(columns, row, &size));
}

Status SpilledRows::write(const std::byte* packed) {
  if (charged_ == 0) charge(memory_bytes);
  rows_++;
  return stream_.write(packed, load<uint64_t>(packed));
}

Status SpilledRows::end_writing() {
  RETURN_IF_ERROR(stream_.release());
  charge(0);
  return Status::ok;
}

Status SpilledRows::read(const Batch** batch) {
  if (read_ == nullptr) {
    RETURN_IF_ERROR(stream_.rewind());
    charge(memory_bytes);
    read_ = std::make_unique<BatchStorage>(account_, packer_.types().size());
  }
  read_->clear();
  Batch& to = read_->batch();
  Arena& arena = read_->arena();
  // The arena may have kept the block of a row that was large alone.
  while (to.rows == 0 || (to.rows < batch_rows_wanted && arena.held() < batch_bytes)) {
    uint64_t size = 0;
    size_t done = 0;
    RETURN_IF_ERROR(stream_.read(&size, sizeof size, &done));
    if (done == 0) break;
    if (done < sizeof size || size < packer_.size_min() || size > UINT32_MAX)
      return Status::error(ErrorCode::data_corrupted, "could not read a row of a temporary file");
    std::byte* packed = arena.allocate(size);
    store<uint64_t>(packed, size);
    RETURN_IF_ERROR(stream_.read(packed + sizeof size, size - sizeof size, &done));
    if (done < size - sizeof size)
      return Status::error(ErrorCode::data_corrupted, "could not read a row of a temporary file");
    packer_.unpack(packed, &to);
  }
  *batch = to.rows == 0 ? nullptr : &to;
  return Status::ok;
}

SpilledParts::SpilledParts(TemporarySpace& space, const std::vector<ValueType>& types,
                           MemoryAccount& account, size_t parts, uint32_t level)
    : level_(level) {
  for (size_t i = 0; i < parts; i++)
    parts_.push_back(std::make_unique<SpilledRows>(space, types, account));
}

size_t SpilledParts::part_of(uint64_t hash) const {
  return (mix_hash(hash + (uint64_t{level_} + 1) * 0x9E3779B97F4A7C15u) >> 40) &
         (parts_.size() - 1);
}

Status SpilledParts::end_writing() {
  for (const auto& part : parts_) RETURN_IF_ERROR(part->end_writing());
  return Status::ok;
}

size_t SpilledParts::parts_within(uint64_t memory_bytes) {
  const uint64_t fitting = memory_bytes / 4 / SpilledRows::memory_bytes;
  return std::bit_floor(static_cast<size_t>(std::clamp<uint64_t>(fitting, parts_min, parts_max)));
}

}  // namespace pgdata
