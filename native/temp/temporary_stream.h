// TemporaryStream: bytes written one after the other to a temporary file, then read back in the same order, any number
// of times.
//
// Holds one block of memory. Partitions of a hash, rows that are kept for later.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/status.h"
#include "temp/temporary_file.h"

namespace pgdata {

class TemporaryStream {
 public:
  static constexpr size_t block_bytes = 8192;

  explicit TemporaryStream(TemporarySpace& space) : file_(space) {}
  TemporaryStream(const TemporaryStream&) = delete;

  // At the end, whatever was read before. The errors of TemporaryFile.
  Status write(const void* bytes, size_t size);
  // Reading begins at the start. The memory is kept until `release`.
  Status rewind();
  // `*done` is less than `size` at the end alone.
  Status read(void* bytes, size_t size, size_t* done);
  // Gives the memory of the block back, until the stream is used again; call it between writing and reading.
  Status release();

  uint64_t size_bytes() const { return size_; }
  size_t memory_bytes() const { return block_ ? block_bytes : 0; }

 private:
  Status flush();
  void take_block() {
    if (!block_) block_ = std::make_unique<std::byte[]>(block_bytes);
  }

  TemporaryFile file_;
  std::unique_ptr<std::byte[]> block_;
  bool is_writing_ = true;
  uint64_t size_ = 0;      // of what was written
  uint64_t position_ = 0;  // of what was read
  size_t used_ = 0;        // while writing: bytes in the block that are not in the file
  size_t filled_ = 0;      // while reading: what the block has of the file
};

}  // namespace pgdata
