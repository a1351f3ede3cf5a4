// Random samples whose size is known: of blocks, whose number is known, too, and of rows that come one after the other.
//
// Source: src/backend/utils/misc/sampling.c, PostgreSQL 18: Knuth's Algorithm S (3.4.2), and Vitter, Random sampling with
// a reservoir, ACM Transactions on Mathematical Software 11 (1985), algorithms X and Z.
#pragma once

#include <cstdint>
#include <optional>
#include <random>

namespace pgdata {

using SampleRandom = std::mt19937_64;

// So many of the blocks 0 .. blocks-1, ascending; all, if there are no more.
class BlockSampler {
 public:
  BlockSampler(uint32_t blocks, uint32_t wanted, SampleRandom& random)
      : blocks_(blocks), wanted_(wanted), random_(random) {}

  std::optional<uint32_t> next();
  // How many `next` has given, and how many it will have given at the end.
  uint32_t selected() const { return selected_; }
  uint32_t total() const { return wanted_ < blocks_ ? wanted_ : blocks_; }

 private:
  uint32_t blocks_;
  uint32_t wanted_;
  SampleRandom& random_;
  uint32_t passed_ = 0;
  uint32_t selected_ = 0;
};

// A sample of at most `size` (at least 1) of the rows that pass by, each as likely as any other.
class RowReservoir {
 public:
  RowReservoir(uint32_t size, SampleRandom& random);

  // For the next row: its place in the sample, below `size`, where it replaces the one that is there. Places are filled
  // in order first. Nothing: the row is left out.
  std::optional<uint32_t> next();
  uint32_t filled() const { return filled_; }

 private:
  double rows_to_skip();
  double skip_by_search();
  double skip_by_rejection();

  uint32_t size_;
  SampleRandom& random_;
  uint32_t filled_ = 0;
  double seen_ = 0;
  double skip_ = -1;  // rows to leave out until the next one is taken; negative: not known yet
  double w_;          // Vitter's W
};

}  // namespace pgdata
