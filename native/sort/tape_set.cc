// TapeSet: extents, and the links between them.
#include "sort/tape_set.h"

#include <algorithm>
#include <cstring>

#include "base/invariant.h"

namespace pgdata {

namespace {
constexpr size_t block_bytes = 8192;
}

TapeSet::TapeSet(TemporarySpace& space, size_t extent_bytes)
    : file_(space), extent_bytes_(extent_bytes) {
  INVARIANT(extent_bytes > 0);
  INVARIANT(extent_bytes % block_bytes == 0);
}

uint64_t TapeSet::take_extent() {
  if (free_.empty()) return extents_++;
  const uint64_t extent = free_.back();
  free_.pop_back();
  return extent;
}

TapeWriter::TapeWriter(TapeSet& tapes)
    : tapes_(tapes), extent_(new std::byte[tapes.extent_bytes_]) {}

void TapeWriter::begin() {
  tape_ = Tape{};
  current_ = tape_.first_extent = tapes_.take_extent();
  used_ = 0;
}

Status TapeWriter::write_extent(size_t used) {
  return tapes_.file_.write(extent_.get(), used, current_ * tapes_.extent_bytes_);
}

Status TapeWriter::write(const void* bytes, size_t size) {
  const auto* from = static_cast<const std::byte*>(bytes);
  const size_t room = tapes_.extent_bytes_ - TapeSet::link_bytes;
  tape_.bytes += size;
  while (size > 0) {
    if (used_ == room) {
      const uint64_t next = tapes_.take_extent();
      std::memcpy(extent_.get() + room, &next, TapeSet::link_bytes);
      RETURN_IF_ERROR(write_extent(tapes_.extent_bytes_));
      current_ = next;
      used_ = 0;
    }
    const size_t part = std::min(size, room - used_);
    std::memcpy(extent_.get() + used_, from, part);
    used_ += part;
    from += part;
    size -= part;
  }
  return Status::ok;
}

Status TapeWriter::end(Tape* tape) {
  *tape = tape_;
  if (used_ == 0) {
    tapes_.give_extent(current_);
    return Status::ok;
  }
  const size_t whole = (used_ + block_bytes - 1) / block_bytes * block_bytes;
  std::memset(extent_.get() + used_, 0, whole - used_);
  return write_extent(whole);
}

TapeReader::TapeReader(TapeSet& tapes, const Tape& tape, bool consumes)
    : tapes_(tapes),
      extent_(new std::byte[tapes.extent_bytes_]),
      unread_(tape.bytes),
      next_(tape.first_extent),
      consumes_(consumes) {}

Status TapeReader::next_extent() {
  if (has_extent_ && consumes_) tapes_.give_extent(current_);
  has_extent_ = false;
  if (next_ >= tapes_.extents_)
    return Status::error(Status::data_corrupted, "temporary file of a sort is damaged");
  const size_t room = tapes_.extent_bytes_ - TapeSet::link_bytes;
  const bool is_last = unread_ <= room;
  filled_ = is_last ? static_cast<size_t>(unread_) : room;
  RETURN_IF_ERROR(tapes_.file_.read(extent_.get(), is_last ? filled_ : tapes_.extent_bytes_,
                                    next_ * tapes_.extent_bytes_));
  current_ = next_;
  has_extent_ = true;
  if (!is_last) std::memcpy(&next_, extent_.get() + room, TapeSet::link_bytes);
  used_ = 0;
  return Status::ok;
}

Status TapeReader::read(void* bytes, size_t size) {
  auto* to = static_cast<std::byte*>(bytes);
  if (size > unread_)
    return Status::error(Status::data_corrupted, "temporary file of a sort is damaged");
  while (size > 0) {
    if (used_ == filled_) RETURN_IF_ERROR(next_extent());
    const size_t part = std::min(size, filled_ - used_);
    std::memcpy(to, extent_.get() + used_, part);
    used_ += part;
    unread_ -= part;
    to += part;
    size -= part;
  }
  if (unread_ == 0 && has_extent_ && consumes_) {
    tapes_.give_extent(current_);
    has_extent_ = false;
  }
  return Status::ok;
}

}  // namespace pgdata
