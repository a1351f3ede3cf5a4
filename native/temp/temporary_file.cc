// TemporaryFile: segments made as they are needed.
#include "temp/temporary_file.h"

#include <algorithm>
#include <utility>

namespace pgdata {

TemporaryFile::TemporaryFile(TemporarySpace& space)
    : space_(&space), level_(space.level_), segment_bytes_(space.limits_.segment_bytes) {
  space.files_.push_back(this);
}

TemporaryFile::~TemporaryFile() {
  if (space_ == nullptr) return;
  remove();
  std::erase(space_->files_, this);
}

void TemporaryFile::remove() {
  if (space_ == nullptr) return;
  space_->state_.contain([this] { remove_segments(); });
}

void TemporaryFile::remove_segments() {
  size_bytes_ = 0;
  std::vector<Segment> segments = std::move(segments_);
  segments_.clear();
  for (Segment& segment : segments) {
    segment.file.reset();
    space_->removed(segment.path, segment.size_bytes);
  }
}

Status TemporaryFile::check() const {
  if (space_ != nullptr) return Status::ok;
  return Status::error(ErrorCode::invalid_transaction_state,
                       "the transaction that made the temporary file has ended");
}

Status TemporaryFile::open_segments(size_t count) {
  while (segments_.size() < count) {
    Segment segment;
    RETURN_IF_ERROR(space_->open_segment(&segment.path, &segment.file));
    segments_.push_back(std::move(segment));
  }
  return Status::ok;
}

Status TemporaryFile::write(const void* bytes, size_t size, uint64_t offset) {
  RETURN_IF_ERROR(check());
  const auto* from = static_cast<const std::byte*>(bytes);
  while (size > 0) {
    const auto number = static_cast<size_t>(offset / segment_bytes_);
    const uint64_t start = offset % segment_bytes_;
    const auto part = static_cast<size_t>(std::min<uint64_t>(size, segment_bytes_ - start));
    RETURN_IF_ERROR(open_segments(number + 1));
    Segment& segment = segments_[number];
    const uint64_t end = start + part;
    // Counted before it is there: an error leaves a file that is taken for longer than it is, and goes.
    if (end > segment.size_bytes) {
      RETURN_IF_ERROR(space_->grow(end - segment.size_bytes));
      segment.size_bytes = end;
    }
    RETURN_IF_ERROR(segment.file->write(from, part, start));
    if (space_->counters_ != nullptr)
      space_->counters_->usage().temp_written_bytes += static_cast<int64_t>(part);
    from += part;
    size -= part;
    offset += part;
    size_bytes_ = std::max(size_bytes_, offset);
  }
  return Status::ok;
}

Status TemporaryFile::read(void* bytes, size_t size, uint64_t offset) {
  RETURN_IF_ERROR(check());
  if (size > size_bytes_ || offset > size_bytes_ - size)
    return Status::error(ErrorCode::io_error, "could not read behind the end of a temporary file");
  auto* to = static_cast<std::byte*>(bytes);
  while (size > 0) {
    const Segment& segment = segments_[static_cast<size_t>(offset / segment_bytes_)];
    const uint64_t start = offset % segment_bytes_;
    const auto part = static_cast<size_t>(std::min<uint64_t>(size, segment_bytes_ - start));
    size_t done = 0;
    RETURN_IF_ERROR(segment.file->read(to, part, start, &done));
    if (done != part)
      return Status::error(ErrorCode::io_error,
                           "could not read from temporary file \"%s\": read only %zu of %zu bytes",
                           segment.path.c_str(), done, part);
    if (space_->counters_ != nullptr)
      space_->counters_->usage().temp_read_bytes += static_cast<int64_t>(part);
    to += part;
    size -= part;
    offset += part;
  }
  return Status::ok;
}

}  // namespace pgdata
