// TemporaryStream: one block between its user and the file.
#include "temp/temporary_stream.h"

#include <algorithm>
#include <cstring>

namespace pgdata {

Status TemporaryStream::flush() {
  if (!is_writing_ || used_ == 0) return Status::ok;
  RETURN_IF_ERROR(file_.write(block_.get(), used_, size_ - used_));
  used_ = 0;
  return Status::ok;
}

Status TemporaryStream::write(const void* bytes, size_t size) {
  const auto* from = static_cast<const std::byte*>(bytes);
  if (!is_writing_) {
    is_writing_ = true;
    used_ = 0;
  }
  take_block();
  while (size > 0) {
    const size_t part = std::min(size, block_bytes - used_);
    std::memcpy(block_.get() + used_, from, part);
    used_ += part;
    size_ += part;
    from += part;
    size -= part;
    if (used_ == block_bytes) RETURN_IF_ERROR(flush());
  }
  return Status::ok;
}

Status TemporaryStream::rewind() {
  RETURN_IF_ERROR(flush());
  is_writing_ = false;
  position_ = 0;
  filled_ = 0;
  return Status::ok;
}

Status TemporaryStream::read(void* bytes, size_t size, size_t* done) {
  auto* to = static_cast<std::byte*>(bytes);
  *done = 0;
  if (is_writing_) RETURN_IF_ERROR(rewind());
  take_block();
  while (*done < size && position_ < size_) {
    const auto offset = static_cast<size_t>(position_ % block_bytes);
    if (offset == 0 || filled_ == 0) {
      const uint64_t start = position_ - offset;
      filled_ = static_cast<size_t>(std::min<uint64_t>(block_bytes, size_ - start));
      RETURN_IF_ERROR(file_.read(block_.get(), filled_, start));
    }
    const size_t part = std::min(size - *done, filled_ - offset);
    std::memcpy(to + *done, block_.get() + offset, part);
    *done += part;
    position_ += part;
  }
  return Status::ok;
}

Status TemporaryStream::release() {
  RETURN_IF_ERROR(flush());
  if (!is_writing_) filled_ = 0;
  block_.reset();
  return Status::ok;
}

}  // namespace pgdata
